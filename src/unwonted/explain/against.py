"""Reasons where the score is no sum over columns: what was seen, beside the nearest normal record."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unwonted.arrays import Arrays
from unwonted.explain.reasons import Expected, Picture, Reason
from unwonted.explain.wording import plain_number, seen
from unwonted.models.base import Floats

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["cells", "columns", "pictures"]


def columns(
    detector: "Estimator", records: pa.Table, near: NDArray[np.int64] | None, contributions: Floats, top: int
) -> list[tuple[Reason, ...]]:
    """For each record of a table its `top` columns by contribution."""
    encoder, exemplars = detector.encoder_, detector.exemplars_
    assert not isinstance(exemplars, Arrays)
    first = {part.column: part for part in reversed(encoder.parts)}
    found = []
    for row in range(records.num_rows):
        told = []
        for i in np.argsort(-contributions[row], kind="stable")[:top]:
            name = encoder.columns[i]
            cell, part = records.column(name)[row], first[name]
            value, usual, apart = seen(cell, part)[1], None, 0.0
            if near is not None:
                beside = exemplars.column(name)[int(near[row])]
                apart = _apart(value, seen(beside, part)[1])
                usual, _ = seen(beside, part, apart)
            text, _ = seen(cell, part, apart)
            told.append(_reason(name, text, value, float(contributions[row, i]), usual))
        found.append(tuple(told))
    return found


def pictures(records: Arrays, exemplars: Arrays, near: NDArray[np.int64] | None, heat: Floats) -> list[Picture | None]:
    """Each sequence or image beside the nearest normal one, and what each of its cells contributes."""
    found: list[Picture | None] = []
    for row, length in enumerate(records.lengths.tolist()):
        beside = None if near is None else exemplars.values[near[row], : min(length, exemplars.lengths[near[row]])]
        if beside is not None and len(beside) < length:
            beside = np.concatenate([beside, np.full((length - len(beside), *beside.shape[1:]), np.nan)])
        found.append(Picture(records.values[row, :length], beside, heat[row, :length]))
    return found


def cells(pictures: list[Picture | None], top: int) -> list[tuple[Reason, ...]]:
    """For each sequence or image its `top` cells by contribution."""
    found = []
    for picture in pictures:
        assert picture is not None
        told = []
        for at in np.argsort(-picture.heat.ravel(), kind="stable")[:top]:
            where = np.unravel_index(at, picture.heat.shape)
            value = float(picture.seen[where])
            usual = None if picture.nearest is None else float(picture.nearest[where])
            apart = _apart(value, usual)
            beside = None if usual is None else "nothing" if np.isnan(usual) else plain_number(usual, apart)
            text = plain_number(value, apart)
            told.append(_reason(_named(where), text, value, float(picture.heat[where]), beside))
        found.append(tuple(told))
    return found


def _apart(value: float | None, usual: float | None) -> float:
    """How far two numbers are from each other; 0 where one is none."""
    return abs(value - usual) if value is not None and usual is not None else 0.0


def _reason(column: str, text: str, value: float | None, contribution: float, usual: str | None) -> Reason:
    told = "no normal record is kept to compare with" if usual is None else f"{usual} in the nearest normal record"
    ordinary = Expected("unknown" if usual is None else usual, None, (), (), (), ())
    return Reason(column, text, value, contribution, None, ordinary, f"{column} is {text}; {told}")


def _named(where: tuple[np.intp, ...]) -> str:
    """Step or pixel, and channel, counted from 1."""
    names = ("step", "channel") if len(where) == 2 else ("row", "column", "channel")
    return ", ".join(f"{name} {int(at) + 1}" for name, at in zip(names, where, strict=True))
