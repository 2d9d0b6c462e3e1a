"""The networks, and how they start: every weight from a generator of the caller's."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

__all__ = ["MLP", "ResidualMLP", "initialise", "initialise_for_tanh", "register_derived"]


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
        if generator is not None:
            kept = torch.rand(x.shape, generator=generator) >= self.dropout
            x = x * kept.to(x) / (1 - self.dropout)
        return _linear(last, x)


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


def _linear(layer: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(layer, nn.Linear)
    return functional.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))


def register_derived(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Gives a module buffers that are not saved with it: they follow from its arguments or from what is saved."""
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor, persistent=False)


def initialise(network: nn.Module, generator: Generator) -> None:
    """Draws the weights and biases of all linear and convolutional layers from U(−1/√fan_in, 1/√fan_in)."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                bound = 1 / math.sqrt(max(1, layer.weight[:1].numel()))
                for weights in layer.parameters():
                    weights.uniform_(-bound, bound, generator=generator)


def initialise_for_tanh(network: nn.Module, generator: Generator) -> None:
    """Draws the weights of all linear layers from N(0, 2/(fan_in + fan_out)); biases are 0.

    Source: Glorot and Bengio (2010).
    """
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(0, math.sqrt(2 / (layer.in_features + layer.out_features)), generator=generator)
                layer.bias.zero_()
