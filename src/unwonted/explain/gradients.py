"""Contributions where the score is no sum over columns: integrated gradients from the nearest normal record."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from unwonted.batch import Batch
from unwonted.models.base import EnergyModel, Floats

__all__ = ["integrated_gradients"]

POINTS = 24
ROWS = 64  # records at a time, each at all points


@torch.no_grad()
def integrated_gradients(model: EnergyModel[Any], batch: Batch, start: Tensor, scores: Floats) -> tuple[Floats, Floats]:
    """What each input contributes to the score of x, on the straight way from x₀ to it:

        c_i = (x_i − x₀_i) ∫₀¹ ∂E/∂x_i (x₀ + α (x − x₀)) dα,    Σ_i c_i = E(x) − E(x₀),

    by Gauss–Legendre quadrature; what the quadrature lacks of the sum is shared out in proportion to |c_i|.

    Args:
        model: Gives the inputs and E.
        batch: Records.
        start: The inputs x₀ of each record, broadcastable to the inputs of the batch.
        scores: E(x), shape (n,).

    Returns:
        Contributions, shaped like the inputs, and E(x₀) of each record, shape (n,).

    Source: M. Sundararajan, A. Taly, Q. Yan, ICML 2017.
    """
    contributions, baselines = [], []
    start = start.expand_as(model.read(batch))
    for first in range(0, len(batch), ROWS):
        rows = slice(first, first + ROWS)
        found, baseline = _on_the_way(model, batch[rows], start[rows], torch.from_numpy(scores[rows]))
        contributions.append(found)
        baselines.append(baseline)
    return np.concatenate(contributions), np.concatenate(baselines)


def _on_the_way(model: EnergyModel[Any], batch: Batch, start: Tensor, scores: Tensor) -> tuple[Floats, Floats]:
    x = model.read(batch)
    apart = x - start
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    total = torch.zeros_like(x, dtype=torch.float64)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        here = (start + float(node) * apart).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(model.energy(here, batch).sum(), here)
        total += float(weight) * gradient.double()
    left = model.energy(start.contiguous(), batch).double()
    found = (apart.double() * total).flatten(1)
    lacking = scores - left - found.sum(1)
    size = found.abs()
    share = torch.where(size.sum(1, keepdim=True) > 0, size / size.sum(1, keepdim=True), 1 / size.shape[1])
    return (found + share * lacking[:, None]).view_as(x).numpy(), left.numpy()
