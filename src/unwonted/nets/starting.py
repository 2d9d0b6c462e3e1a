"""How networks start and what they draw: every random number from a generator of the caller's."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn

__all__ = ["dropped", "initialise", "initialise_for_relu", "register_derived"]


def dropped(x: Tensor, share: float, generator: Generator | None) -> Tensor:
    """x with a share of its numbers set to 0 and the others scaled up to make good for it; x without a generator."""
    if generator is None or not share:
        return x
    kept = torch.rand(x.shape, generator=generator) >= share
    return x * kept.to(x) / (1 - share)


def register_derived(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Gives a module buffers that are not saved with it: they follow from its arguments or from what is saved."""
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor, persistent=False)


def initialise(network: nn.Module, generator: Generator) -> None:
    """Draws the weights and biases of all linear and convolutional layers from U(−1/√fan_in, 1/√fan_in)."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
                bound = 1 / math.sqrt(max(1, layer.weight[:1].numel()))
                layer.weight.uniform_(-bound, bound, generator=generator)
                if layer.bias is not None:
                    layer.bias.uniform_(-bound, bound, generator=generator)


def initialise_for_relu(layers: Sequence[nn.Linear], generator: Generator) -> None:
    """Draws the weights of linear layers whose outputs are added up from N(0, 2/fan_in), of all their inputs together.

    Biases stay. Source: He et al. (2015).
    """
    deviation = math.sqrt(2 / sum(layer.in_features for layer in layers))
    with torch.no_grad():
        for layer in layers:
            layer.weight.normal_(0, deviation, generator=generator)
