"""Tables with labels, split at random: UNSW-NB15, NSL-KDD, KDD 99; few labels; attacks thinned out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from unwonted.datasets import files
from unwonted.datasets.problem import LABELS
from unwonted.errors import DataError
from unwonted.split import fingerprints

__all__ = [
    "LabelledProblem",
    "held_out",
    "kddcup_labelled",
    "nsl_kdd_labelled",
    "scarce",
    "some_rows",
    "thinned",
    "unsw_labelled",
]

TEST_SHARE = 0.3
UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class LabelledProblem:
    """Learn from the labels of the training records to tell the test's attacks.

    Attributes:
        name: For tables and messages.
        train, test: Records; no label among the columns.
        labels: Of the training records, 0 normal, 1 attack, −1 where the label is withheld, int64 (n_train,).
        is_attack: Of the test records, bool (n_test,).
        categories: The kind of each test record, where there are kinds.

    Raises:
        DataError: A column would give the label away, or lengths differ.
    """

    name: str
    train: pa.Table
    labels: NDArray[np.int64]
    test: pa.Table
    is_attack: NDArray[np.bool_]
    categories: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        leaks = [name for name in self.train.column_names if name.lower() in LABELS]
        if leaks:
            raise DataError(f"Data set {self.name!r} has the label column {leaks[0]!r} as an input; drop it.")
        if len(self.labels) != self.train.num_rows or len(self.is_attack) != self.test.num_rows:
            raise DataError(f"Data set {self.name!r} needs one label a row.")

    def without(self, columns: Sequence[str]) -> "LabelledProblem":
        """The same problem with fewer columns."""
        train, test = (part.drop_columns(list(columns)) for part in (self.train, self.test))
        return replace(self, name=f"{self.name} without {', '.join(columns)}", train=train, test=test)


def unsw_labelled(seed: int = 0, *, apart: bool = False) -> LabelledProblem:
    """UNSW-NB15's part of 82,332 flows, 70 % of them to train, 30 % to test; neither `id` nor `attack_cat` is an input.

    Args:
        seed: Draws the split, stratified by label.
        apart: Equal records, of which 26,387 repeat an earlier one, stay on one side of the split; not stratified.
    """
    records = files.table(files.UNSW_PART)
    categories = np.array([str(kind).strip() for kind in records["attack_cat"].to_pylist()])
    inputs = records.drop_columns([name for name in ("id", "attack_cat", "label") if name in records.column_names])
    return _split("unsw-nb15", inputs, records["label"].to_numpy() == 1, seed, categories, apart)


def nsl_kdd_labelled(seed: int = 0) -> LabelledProblem:
    """NSL-KDD's training file, 70 % to train, 30 % to test; `difficulty`, made from the labels, is no input."""
    records = files.table(files.NSL_KDD)
    categories = np.array(records["label"].to_pylist())
    return _split(
        "nsl-kdd", records.drop_columns(["label", "difficulty"]), categories != "normal", seed, categories, False
    )


def kddcup_labelled(seed: int = 0) -> LabelledProblem:
    """KDD Cup 1999, the 10 % file, 70 % to train, 30 % to test."""
    records = files.table(files.KDDCUP)
    is_attack = pc.not_equal(records["label"], "normal.").to_numpy()
    return _split("kddcup", records.drop_columns(["label"]), is_attack, seed, None, False)


def scarce(data: LabelledProblem, share: float, seed: int) -> LabelledProblem:
    """The same problem with the labels of so small a share of the training records, drawn in each class; at least one.

    The records of the others stay, without labels.
    """
    rng = np.random.default_rng([seed, 3])
    labels = np.full_like(data.labels, UNKNOWN)
    for label in np.unique(data.labels):
        rows = np.flatnonzero(data.labels == label)
        kept = rng.choice(rows, max(1, round(share * len(rows))), replace=False)
        labels[kept] = label
    return replace(data, name=f"{data.name}, {share:.1%} of the labels", labels=labels)


def thinned(data: LabelledProblem, share: float, seed: int) -> LabelledProblem:
    """The same problem without labels, and with so few of the attacks that they are `share` of the training records."""
    rng = np.random.default_rng([seed, 5])
    normal, attacks = (np.flatnonzero(data.labels == label) for label in (0, 1))
    kept = rng.choice(attacks, round(share * len(normal) / (1 - share)), replace=False)
    rows = rng.permutation(np.concatenate([normal, kept]))
    return replace(
        data,
        name=f"{data.name}, no labels, {share:.0%} attacks",
        train=data.train.take(rows),
        labels=np.full(len(rows), UNKNOWN),
    )


def some_rows(data: LabelledProblem, most: int, seed: int) -> LabelledProblem:
    """The same problem with at most so many training records and so many test records, drawn."""
    rng = np.random.default_rng([seed, 6])

    def drawn(count: int) -> NDArray[np.int64]:
        return np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))

    train, test = drawn(len(data.labels)), drawn(len(data.is_attack))
    return replace(
        data,
        train=data.train.take(train),
        labels=data.labels[train],
        test=data.test.take(test),
        is_attack=data.is_attack[test],
        categories=None if data.categories is None else data.categories[test],
    )


def held_out(data: LabelledProblem, share: float, seed: int) -> LabelledProblem:
    """A problem of the training records alone: so large a share of the labelled ones is its test.

    What is chosen by it has seen no record of the real test. Records without a label stay in training.
    """
    known = np.flatnonzero(data.labels != UNKNOWN)
    rows, test = train_test_split(known, test_size=share, stratify=data.labels[known], random_state=seed)
    train = np.sort(np.concatenate([rows, np.flatnonzero(data.labels == UNKNOWN)]))
    return replace(
        data,
        train=data.train.take(train),
        labels=data.labels[train],
        test=data.train.take(np.sort(test)),
        is_attack=data.labels[np.sort(test)] == 1,
        categories=None,
    )


def _split(
    name: str,
    inputs: pa.Table,
    is_attack: NDArray[np.bool_],
    seed: int,
    categories: NDArray[np.str_] | None,
    apart: bool,
) -> LabelledProblem:
    rows = np.arange(len(is_attack))
    if apart:
        sides = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
        train, test = next(sides.split(rows, groups=fingerprints(inputs)))
    else:
        train, test = train_test_split(rows, test_size=TEST_SHARE, stratify=is_attack, random_state=seed)
    train, test = np.sort(train), np.sort(test)
    kinds = None if categories is None else categories[test]
    return LabelledProblem(
        name, inputs.take(train), is_attack[train].astype(np.int64), inputs.take(test), is_attack[test], kinds
    )
