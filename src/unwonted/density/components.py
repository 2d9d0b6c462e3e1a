"""What all mixtures share: how the terms of their components are added up, and where numbers stop."""

import math

from torch import Tensor

__all__ = ["FAINTEST", "FURTHEST", "LOG_ROOT_2PI", "pooled"]

LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
# Standardised values stop here, and widths at its inverse, so that no square or gradient overflows float32.
FURTHEST = 1e15
# Logarithms of what is added to 1 stop here: far below rounding even in float64, and well clear of the
# denormal numbers, on which exp and all that follows run ten to fifty times slower.
FAINTEST = -60.0


def pooled(terms: Tensor, dim: int = -1) -> tuple[Tensor, Tensor]:
    """log Σ_k exp(terms) over a dimension, and the share of each k in it."""
    top = terms.amax(dim, keepdim=True)
    shares = (terms - top).clamp_min_(FAINTEST).exp_()
    total = shares.sum(dim, keepdim=True)
    return (top + total.log()).squeeze(dim), shares.div_(total)
