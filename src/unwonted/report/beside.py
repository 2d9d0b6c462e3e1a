"""Records beside the nearest normal ones, column by column, compared as the model reads them."""

import datetime as dt
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from unwonted.arrays import Arrays
from unwonted.explain.nearest import nearest
from unwonted.explain.wording import EPOCH
from unwonted.words import text_of

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["Pair", "beside"]


@dataclass(frozen=True)
class Pair:
    """A column of a record beside the nearest normal record's."""

    column: str
    seen: str
    usual: str
    differs: bool
    telling: bool


def beside(
    detector: "Estimator", records: pa.Table | Arrays, telling: Sequence[Set[str]], digits: Set[str] = frozenset()
) -> list[tuple[Pair, ...]]:
    """For each selected record of a table its columns beside the nearest normal record's; none where none is kept.

    Args:
        detector: a fitted detector.
        records: as its schema selects them.
        telling: for each record the columns that make it strange; they come first.
        digits: columns of yes and no that were given as 1 and 0, and are shown so.
    """
    if isinstance(records, Arrays) or (near := nearest(detector, detector.encoder_.transform(records))) is None:
        return [()] * records.num_rows
    kept = detector.exemplars_.take(pa.array(near))
    assert not isinstance(kept, Arrays)
    return [
        tuple(
            _pair(name, _as_given(seen[name], name in digits), _as_given(usual[name], name in digits), name in told)
            for name in sorted(seen, key=lambda c: c not in told)
        )
        for seen, usual, told in zip(records.to_pylist(), kept.to_pylist(), telling, strict=True)
    ]


def _as_given(flag: Any, digits: bool) -> Any:
    return {"true": 1, "false": 0}.get(flag, flag) if digits else flag


def _pair(column: str, seen: Any, usual: Any, telling: bool) -> Pair:
    texts = _text(seen), _text(usual)
    differs = seen != usual
    if differs and texts[0] == texts[1]:
        texts = _told_apart(seen, usual)
    return Pair(column, *texts, differs, telling)


def _told_apart(seen: float, usual: float) -> tuple[str, str]:
    """Two numbers with the fewest digits that differ; 17 do for all."""
    texts = ("", "")
    for digits in range(5, 18):
        texts = f"{seen:,.{digits}g}".replace("-", "−"), f"{usual:,.{digits}g}".replace("-", "−")
        if texts[0] != texts[1]:
            break
    return texts


def _text(cell: Any) -> str:
    if isinstance(cell, dt.datetime) and cell.date() == EPOCH:
        return str(cell.time())
    return text_of(cell)
