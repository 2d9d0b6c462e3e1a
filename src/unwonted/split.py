"""Disjoint parts of the training records, exact duplicates kept together."""

import itertools
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unwonted.arrays import Arrays

__all__ = ["Split", "fingerprints", "folds", "split_rows"]

VALIDATION_SHARE, VALIDATION_MOST = 0.10, 10_000
VALIDATION_LABELS = 2_000  # at most: more of them teach better than they judge
CALIBRATION_SHARE, CALIBRATION_MOST = 0.15, 20_000
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of the records to learn from, to choose by, and to calibrate with."""

    train: Rows
    validation: Rows
    calibration: Rows


def fingerprints(table: pa.Table | Arrays) -> NDArray[np.uint64]:
    """A 64-bit number for each record, equal for equal records, the same on every machine; shape (n,)."""
    if isinstance(table, Arrays):
        cells = np.ascontiguousarray(table.values.reshape(len(table.values), -1), dtype="<f8") + 0.0
        return np.array([_bits_of(row.tobytes()) for row in cells], dtype=np.uint64)
    mixed = np.full(table.num_rows, 1, dtype=np.uint64)
    for column in table.columns:
        if pa.types.is_floating(column.type) or pa.types.is_temporal(column.type):
            known = column.cast(pa.int64()) if pa.types.is_temporal(column.type) else column
            raw = np.ascontiguousarray(known.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
            bits = (raw + 0.0).view(np.uint64)
        else:
            bits = _text_bits(column.cast(pa.string()))
        mixed = (mixed ^ (bits ^ (bits >> np.uint64(29)))) * _MULTIPLIER
        mixed ^= mixed >> np.uint64(32)
    return mixed


def split_rows(
    table: pa.Table | Arrays,
    rng: np.random.Generator,
    strata: Rows | None = None,
    calibrating: NDArray[np.bool_] | None = None,
) -> Split:
    """Train, validation and calibration rows; equal records fall into the same part.

    Where a few records make up most of the table, no such parts exist: what a part then lacks of half its size is
    filled with single rows. With strata, a number for each row (below zero where nothing is known of it), each of them
    is shared out in this way; equal records count to the highest of theirs. Of those known, fewer are for validation.
    Strata without a calibrating row have no calibration part.
    """
    groups = _groups(table, rng)
    if strata is not None:
        of_known = min(VALIDATION_SHARE, VALIDATION_LABELS / max(1, int((strata >= 0).sum())))
        splits = [
            _parts(of_one, rng, 0, of_known if stratum >= 0 else VALIDATION_SHARE, calibrating)
            for stratum, of_one in _by_stratum(groups, strata).items()
        ]
        found = [[getattr(split, part) for split in splits] for part in ("train", "validation", "calibration")]
        parts = [np.sort(np.concatenate(rows)) for rows in found]
        if all(map(len, parts)):
            return Split(*parts)
    return _parts(groups, rng, 1)


def _by_stratum(groups: list[Rows], strata: Rows) -> dict[int, list[Rows]]:
    """The groups of each stratum, in order; a group belongs to the highest of its rows."""
    found: dict[int, list[Rows]] = {}
    for rows in groups:
        found.setdefault(int(strata[rows].max()), []).append(rows)
    return dict(sorted(found.items()))


def _parts(
    groups: list[Rows],
    rng: np.random.Generator,
    least: int,
    validating: float = VALIDATION_SHARE,
    calibrating: NDArray[np.bool_] | None = None,
) -> Split:
    """Shares out groups of rows; each part gets so many at least, and validation such a share."""
    n = sum(map(len, groups))
    share = CALIBRATION_SHARE if calibrating is None or any(calibrating[rows].any() for rows in groups) else 0.0
    sizes = [
        min(CALIBRATION_MOST, max(least, round(share * n))),
        min(VALIDATION_MOST, max(least, round(validating * n))),
    ]
    room = list(sizes)
    parts: list[list[Rows]] = [[], [], []]
    for rows in groups:
        part = next((i for i in (0, 1) if len(rows) <= room[i]), 2)
        if part < 2:
            room[part] -= len(rows)
        parts[part].append(rows)
    calibration, validation, train = (np.concatenate([np.empty(0, np.int64), *rows]) for rows in parts)
    train = rng.permutation(train)
    lack = [left if left > size / 2 else 0 for left, size in zip(room, sizes, strict=True)]
    more, rest, train = np.split(train, np.cumsum(lack))
    return Split(np.sort(train), np.sort(np.append(validation, rest)), np.sort(np.append(calibration, more)))


def folds(table: pa.Table | Arrays, count: int, rng: np.random.Generator, strata: Rows | None = None) -> list[Rows]:
    """Folds of about equal size; equal records fall into the same one, if there are enough different records.

    With strata each fold has about the same share of each.
    """
    folded: list[list[Rows]] = [[] for _ in range(count)]
    groups = _groups(table, rng)
    if len(groups) < count:
        groups = list(rng.permutation(table.num_rows).reshape(-1, 1))
    for rows in groups if strata is None else itertools.chain(*_by_stratum(groups, strata).values()):
        min(folded, key=lambda fold: sum(map(len, fold))).append(rows)
    return [np.sort(np.concatenate(fold)) for fold in folded]


def _groups(table: pa.Table | Arrays, rng: np.random.Generator) -> list[Rows]:
    """Row numbers of equal records, in random order."""
    _, first, group = np.unique(fingerprints(table), return_index=True, return_inverse=True)
    # Numbered by first occurrence, not by fingerprint: other units of measurement leave the parts as they are.
    group = np.argsort(np.argsort(first))[group]
    order = np.argsort(group, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return [rows[i] for i in rng.permutation(len(rows))]


def _text_bits(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    encoded = column.combine_chunks().dictionary_encode()
    words = [_bits_of(word.encode()) for word in encoded.dictionary.to_pylist()]
    bits = np.array([*words, 0], dtype=np.uint64)
    return bits[np.asarray(encoded.indices.fill_null(len(words)).to_numpy(), dtype=np.int64)]


def _bits_of(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
