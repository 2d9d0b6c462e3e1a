"""Where an axis has ticks over orders of magnitude, and what is written at ticks."""

import itertools
import math
import re
from collections.abc import Sequence

from matplotlib.ticker import Formatter

__all__ = ["Short", "decades", "labels"]

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def decades(low: float, high: float, smallest: float, at_most: int = 4) -> Sequence[float]:
    """Powers of ten between two limits, thinned; zero where the scale passes through it, and none that touches it."""
    first = math.ceil(math.log10(max(low, smallest if low <= 0 else low)) - 1e-9)
    last = math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / at_most))
    if low <= 0 and step > 2:
        first += step
    ticks = [10.0**exponent for exponent in range(first, last + 1, step)]
    if low <= 0:
        ticks = [0.0, *ticks]
    return ticks if len(ticks) > 1 else [low, high]


class Short(Formatter):
    """Labels of an axis as `labels` writes them."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        return labels(list(values))


def labels(ticks: Sequence[float]) -> list[str]:
    """Tick labels with the digits that tell neighbours apart; in powers of ten where there are too many.

    >>> labels([0, 600_000, 1_200_000]), labels([52.45, 52.5, 52.55]), labels([-1e300, 0, 1e300])
    (['0', '600k', '1.2M'], ['52.45', '52.5', '52.55'], ['−1e300', '0', '1e300'])
    """
    apart = min((abs(b - a) for a, b in itertools.pairwise(ticks) if a != b), default=1.0)
    return [_label(tick, apart) for tick in ticks]


def _label(tick: float, apart: float) -> str:
    """One tick, which others are so far apart from: as exact as two digits of the distance are."""
    size = abs(tick)
    if size < 1e-6 * apart:
        return "0"
    if not 1e-4 <= size < 1e15:
        digits = max(1, math.floor(math.log10(size)) - math.floor(math.log10(apart)) + 2)
        return re.sub(r"\.?0*e([-+])0*", r"e\1", f"{tick:.{min(digits, 17) - 1}e}").replace("e+", "e").replace("-", "−")
    unit, prefix = next((pair for pair in _PREFIXES if size >= pair[0]), (1.0, ""))
    places = max(0, 1 - math.floor(math.log10(apart / unit)))
    text = f"{tick / unit:.{places}f}"
    return (text.rstrip("0").rstrip(".") if places else text).replace("-", "−") + prefix
