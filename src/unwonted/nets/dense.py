"""Fully connected networks."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.nets.starting import dropped

__all__ = ["MLP", "ResidualMLP"]


class MLP(nn.Module):
    """Linear layers of the given sizes, with tanh between them; input (n, sizes[0]), output (n, sizes[-1]).

    It computes in the precision of its input.

    Args:
        sizes: Of the input, of the hidden layers, of the output.
        dropout: Share of the last hidden layer that is left out in training.
    """

    def __init__(self, sizes: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # the caller draws the weights
            self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.dropout = dropout

    def forward(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """The output; with a generator, of which the draws come, after dropout."""
        *hidden, last = self.layers
        for layer in hidden:
            x = _linear(layer, x).tanh()
        return _linear(last, dropped(x, self.dropout, generator))


class ResidualMLP(nn.Module):
    """A linear layer, then `depth` residual blocks h ← h + W₂ SiLU(W₁ LayerNorm(h)), then LayerNorm and SiLU.

    Input (n, inputs), output (n, width).

    Args:
        inputs: Of the first layer.
        width: Of all layers.
        depth: Residual blocks.
        dropout: Share left out, where there is a generator to draw by, of what each block adds and of the output.
    """

    def __init__(self, inputs: int, width: int, depth: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.last = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.beyond_first(self.first(x))

    def beyond_first(self, h: Tensor, generator: Generator | None = None) -> Tensor:
        """The output, from that of the first layer; with a generator after dropout."""
        for block in self.blocks:
            h = h + dropped(block(h), self.dropout, generator)
        return dropped(functional.silu(self.last(h)), self.dropout, generator)


def _linear(layer: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(layer, nn.Linear)
    return functional.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))
