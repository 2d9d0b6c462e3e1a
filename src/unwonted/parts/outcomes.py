"""Named outcomes: their codes, and the probability that is left for what training never saw."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["INFINITE", "NOVEL", "VALUE", "Codes", "Floats", "gap_novelty", "good_turing"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

NOVEL = -1
"""The code of what training never saw: an unseen category, or a gap in a column that had none."""

VALUE = 0
"""The code, in a part that has values, of any value that has no outcome of its own."""

INFINITE = float(np.finfo(np.float64).max)
"""Stands for infinity, so that it can be written to a file and compared; ±inf is an outcome if training had it."""


def good_turing(seen_once: int, n: int) -> float:
    """Probability of what was never seen, from how many outcomes were seen once in n records."""
    return min(0.5, (seen_once + 1) / (n + 2))


def gap_novelty(x: Floats) -> float:
    """Probability of a gap where there was none; none is left where gaps have an outcome of their own."""
    return 0.0 if np.isnan(x).any() else good_turing(0, len(x))
