"""What the kept records nearest to a record hold in one of its columns."""

import numpy as np

from unwonted.explain.wording import clock, plain_number
from unwonted.parts import NOVEL, CategoricalPart, CyclicPart, Part

__all__ = ["likes"]

ROUNDING = 1e-6  # of a number that is kept on a scaled axis


def likes(part: Part, held: list[tuple[int, float]], apart: float = 0.0) -> tuple[str, ...]:
    """The different values among what they hold (see `ColumnModel.held`), as text, those of the nearest first.

    A value that the network never saw has no name here: records that it did not learn from are kept too.
    """
    return tuple(dict.fromkeys(_text(part, code, place, apart) for code, place in held if code != NOVEL))


def _text(part: Part, code: int, place: float, apart: float) -> str:
    if isinstance(part, CategoricalPart):
        return part.name(code)
    if code == part.gap:
        return "missing"
    if isinstance(part, CyclicPart):
        return clock(float(part.original(np.array([place]))[0]))
    if code:
        return plain_number(part.atoms[code - 1], apart)
    x = float(part.value_at(np.array([place]))[0])
    whole = float(np.round(x))
    return plain_number(whole if abs(x - whole) <= ROUNDING * max(1.0, abs(x)) else x, apart)
