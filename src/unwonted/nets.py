"""The networks, and how they start: every weight from a generator of the caller's."""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

__all__ = ["ResidualMLP", "initialise"]


class ResidualMLP(nn.Module):
    """A linear layer, then `depth` residual blocks h ← h + W₂ SiLU(W₁ LayerNorm(h)), then LayerNorm and SiLU.

    Input (n, inputs), output (n, width).
    """

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.last = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.beyond_first(self.first(x))

    def beyond_first(self, h: Tensor) -> Tensor:
        """The output, from that of the first layer."""
        for block in self.blocks:
            h = h + block(h)
        return functional.silu(self.last(h))


def initialise(network: nn.Module, generator: Generator) -> None:
    """Draws the weights and biases of all linear layers from U(−1/√fan_in, 1/√fan_in)."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                bound = 1 / math.sqrt(max(1, layer.in_features))
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.uniform_(-bound, bound, generator=generator)
