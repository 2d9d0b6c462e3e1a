"""Fully connected networks."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.nets.starting import dropped, initialise, initialise_for_relu

__all__ = ["MLPs", "ResidualLayers", "ResidualMLP", "bounded", "initialise_for_tanh"]


class Linears(nn.Module):
    """Linear layers side by side: (layers, n, inputs) to (layers, n, outputs), in the precision of the input.

    Args:
        layers: How many; the caller draws their weights.
        inputs, outputs: Of each.
    """

    def __init__(self, layers: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(layers, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(layers, outputs))

    def forward(self, x: Tensor) -> Tensor:
        # One after the other, so that each rounds as a layer by itself.
        each = zip(x, self.weight.to(x.dtype), self.bias.to(x.dtype), strict=True)
        return torch.stack([functional.linear(*layer) for layer in each])


class MLPs(nn.Module):
    """Networks of one shape side by side, each of linear layers of the given sizes with tanh between them.

    Input (networks, n, sizes[0]), output (networks, n, sizes[-1]). They compute in the precision of their input.

    Args:
        networks: How many.
        sizes: Of the input, of the hidden layers, of the output.
        dropout: Share of the last hidden layer that is left out in training.
    """

    def __init__(self, networks: int, sizes: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linears(networks, *pair) for pair in pairwise(sizes))
        self.dropout = dropout

    def forward(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """The output; with a generator, of which the draws come, after dropout."""
        *hidden, last = self.layers
        for layer in hidden:
            x = layer(x).tanh()
        found: Tensor = last(dropped(x, self.dropout, generator))
        return found


class ResidualMLP(nn.Module):
    """A linear layer, then `depth` residual blocks h ← h + W₂ SiLU(W₁ LayerNorm(h)), then LayerNorm and SiLU.

    Input (n, inputs), output (n, width).

    Args:
        inputs: Of the first layer.
        width: Of all layers.
        depth: Residual blocks.
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


class ResidualLayers(nn.Module):
    """`depth` residual layers h ← h + W SiLU(h), then SiLU, and nothing that makes records alike in size.

    Input and output (n, width).

    Args:
        width: Of all layers.
        depth: Layers.
        dropout: Share left out, where there is a generator to draw by, of what each layer adds and of the output.
    """

    def __init__(self, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def start(self, generator: Generator) -> None:
        """Draws the weights (see `initialise_for_relu`) and biases."""
        initialise(self, generator)
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            initialise_for_relu([layer], generator)

    def forward(self, h: Tensor, generator: Generator | None = None) -> Tensor:
        for layer in self.layers:
            h = h + dropped(layer(functional.silu(h)), self.dropout, generator)
        return dropped(functional.silu(h), self.dropout, generator)


def bounded(x: Tensor, largest: float) -> Tensor:
    """x held smoothly within ±largest, in order, and nearly as it is about 0: largest · tanh(x/largest)."""
    return largest * torch.tanh(x / largest)


def initialise_for_tanh(network: nn.Module, generator: Generator) -> None:
    """Draws the weights of all `Linears` of a network from N(0, 2/(fan_in + fan_out)); biases are 0.

    Source: Glorot and Bengio (2010).
    """
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, Linears):
                layer.weight.normal_(0, math.sqrt(2 / sum(layer.weight.shape[1:])), generator=generator)
                layer.bias.zero_()
