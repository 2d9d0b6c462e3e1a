"""An expected density and a seen value on one axis that shows them both."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unwonted.explain import Expected

__all__ = ["Curve", "curve"]

_FAR = 2.5  # a value further out than this many spans of what was expected is drawn at the edge


@dataclass(frozen=True)
class Curve:
    """An expected density scaled to height 1, and where the seen value lies on the same axis."""

    x: NDArray[np.float64]
    height: NDArray[np.float64]
    limits: tuple[float, float]
    logarithmic: bool
    around_the_clock: bool
    linear_below: float
    intervals: tuple[tuple[float, float], ...]  # two where what is expected lies around midnight
    seen: float | None
    beyond: int  # -1, 0, +1: the seen value lies left of, on, or right of the drawn axis
    describe: str


def curve(expected: "Expected", seen: float | None, describe: str, *, around_the_clock: bool = False) -> Curve | None:
    """The expected density over an axis that shows both it and the seen value; None without a curve.

    The axis is logarithmic where the values range over orders of magnitude, and then shows the density
    of the logarithm, so that areas stay shares of probability. Around the clock it is a whole day.
    """
    x, height = np.asarray(expected.grid, np.float64), np.asarray(expected.density, np.float64)
    finite = np.isfinite(x) & np.isfinite(height)
    x, height = x[finite], np.maximum(height[finite], 0.0)
    if len(x) < 2 or height.max() <= 0 or x[-1] <= x[0]:
        return None
    if seen is not None and math.isnan(seen):
        seen = None
    intervals = _stretches(expected.interval, (float(x[0]), float(x[-1])))
    mass = height * np.gradient(x)
    share = np.cumsum(mass) / mass.sum()
    low, median, high = (float(np.interp(q, share, x)) for q in (0.002, 0.5, 0.998))
    for first, last in intervals:
        low, high = min(low, max(first, x[0])), max(high, min(last, x[-1]))
    furthest = high if seen is None or math.isinf(seen) else max(high, seen)
    from_zero = low >= 0 and (seen is None or seen >= 0)
    logarithmic = not around_the_clock and from_zero and furthest > 30 * max(median, low, high / 1e9)
    linear_below = max(median, high / 1e6)
    if around_the_clock:
        left, right = float(x[0]), float(x[-1])
    elif logarithmic:
        low = low if low > 0 and (seen is None or seen > 0) else 0.0
        height = height * (x if low > 0 else np.maximum(x, linear_below))
        left, right = (min(low, seen) if seen else low), furthest * 1.4
    else:
        left, right = low, high
        if seen is not None and math.isfinite(seen) and low - _FAR * (high - low) <= seen <= high + _FAR * (high - low):
            left, right = min(low, seen), max(high, seen)
        margin = 0.04 * (right - left)
        left, right = left - margin, right + margin
    inside = (x >= left) & (x <= right)
    if inside.sum() < 2:
        return None
    beyond = 0 if seen is None else int(seen > right) - int(seen < left)
    at = None if seen is None else min(max(seen, left), right)
    x, height = x[inside], height[inside]
    intervals = tuple((max(first, left), min(last, right)) for first, last in intervals)
    return Curve(
        x,
        height / height.max(),
        (left, right),
        logarithmic,
        around_the_clock,
        linear_below,
        intervals,
        at,
        beyond,
        describe,
    )


def _stretches(interval: tuple[float, float] | None, drawn: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """An interval of an axis as it is drawn, cut in two where it runs over the end of a circle."""
    if interval is None:
        return ()
    first, last = interval
    return ((first, last),) if first <= last else ((drawn[0], last), (first, drawn[1]))
