"""The fully connected energy, for records that are vectors."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from unwonted.energies import Energy

__all__ = ["DenseEnergy"]


class DenseEnergy(Energy):
    """E(u) = ½‖u − b′‖² − Σ_j h_{L,j}, where h_l = softplus(W_lᵀ h_{l−1} + b_l) and h_0 = u.

    Args:
        inputs: Of a record.
        widths: Of the layers h_1 … h_L; without any, the energy is that of a normal density.

    Source: Zhai et al. (2016).
    """

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        sizes = (inputs, *widths)
        with torch.random.fork_rng(devices=[]):  # the caller draws the weights
            self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.centre = nn.Parameter(torch.zeros(inputs))

    def forward(self, u: Tensor, lengths: Tensor | None = None) -> Tensor:
        h = u
        for layer in self.layers:
            h = functional.softplus(layer(h))
        features = h.sum(1) if len(self.layers) else 0.0
        return 0.5 * (u - self.centre).square().sum(1) - features
