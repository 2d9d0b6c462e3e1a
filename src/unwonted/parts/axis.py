"""The axis of a number: where it has its centre, how it bends, and how the training values lie on it."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unwonted.parts.outcomes import INFINITE, Floats

__all__ = ["FINEST", "Axis", "bend", "least_and_range", "moments", "normal_scores"]

LINEAR_SHARE = 10.0
MOST_SPREADS = 3.0
FAR_FROM_ZERO = 100.0
MANY_TIMES = 3.0
LARGEST_COUNT = 2.0**53  # beyond it every float64 is a whole number
FINEST = 1e-6
NEAREST_RANK = 0.002

Axis = Literal["counting", "bent", "linear"]
"""How numbers are scaled: on a bent axis where counts have a unit of their own, or have none; from least to largest."""


def bend(x: Floats, counting: bool) -> tuple[float, float]:
    """Where the axis of a number has its centre, and from how far off on it is logarithmic.

    With `counting` it is for counts at most their least above zero.
    """
    if not len(x):
        return 0.0, 1.0
    p10, p25, median, p75, p90 = np.percentile(x, [10, 25, 50, 75, 90]).tolist()
    near_zero = float(x.max() / 2 - x.min() / 2) * FAR_FROM_ZERO > abs(median)
    centre = 0.0 if near_zero else median
    far = np.abs(x / 2 - centre / 2) * 2
    reach = float(np.percentile(far, 99.9)) or float(far.max())
    # The denser side's, so that of two habits far apart neither is squeezed to a point.
    sides = [side for side in (median - p25, p75 - median) if side > 0]
    largest = float(np.abs(x).max()) or 1.0
    candidates = (1.4826 * min(sides, default=0.0), (p90 - p10) / 2.563, float(np.std(x / largest)) * largest)
    # Less than this of the largest value is rounding, and cannot be divided by.
    least = FINEST**2 * largest
    spread = next((spread for spread in candidates if np.isfinite(spread) and spread > least), None)
    if spread is None:
        return centre, reach or 1.0
    scale = max(spread, min(reach / LINEAR_SHARE, spread * MOST_SPREADS))
    return (0.0, min(scale, float(x[x > 0].min()))) if counting and _are_counts(x) else (centre, scale)


def _are_counts(x: Floats) -> bool:
    """Whether these are whole numbers from zero on, one in a thousand many times the median of those above zero."""
    whole = bool(x.min() >= 0 and 0 < x.max() <= LARGEST_COUNT and (x == np.round(x)).all())
    return whole and float(np.percentile(x, 99.9)) > MANY_TIMES * float(np.median(x[x > 0]))


def least_and_range(x: Floats) -> tuple[float, float]:
    """Least value and range of ascending numbers."""
    if not len(x):
        return 0.0, 1.0
    # Halved, for the range of all numbers is no number.
    half = float(x[-1] / 2 - x[0] / 2)
    return float(x[0]), min(2 * half, INFINITE) or 1.0


def moments(t: Floats, weights: Floats | NDArray[np.int64]) -> tuple[float, float]:
    """Weighted mean, and standard deviation or 1 where there is none."""
    mean = float(np.average(t, weights=weights))
    return mean, math.sqrt(float(np.average((t - mean) ** 2, weights=weights))) or 1.0


def normal_scores(values: Floats, counts: ArrayLike, most: int = 256) -> tuple[Floats, Floats]:
    """The distribution of ascending values as at most `most` knots and their normal scores Φ⁻¹(rank)."""
    from scipy.special import ndtri

    counts = np.asarray(counts, dtype=np.float64)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    if len(values) > most:
        chosen = np.unique(np.searchsorted(middle, np.linspace(0, 1, most)).clip(0, len(values) - 1))
        values, middle = values[chosen], middle[chosen]
    return values, ndtri(np.clip(middle, NEAREST_RANK, 1 - NEAREST_RANK))
