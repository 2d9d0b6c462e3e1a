"""A temporal convolutional network over tokens."""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.nets.starting import dropped

__all__ = ["TemporalCNN"]


class TemporalCNN(nn.Module):
    """Residual blocks of two causal convolutions each, dilated by 1, 2, 4, …; the state at the last token.

        h ← ReLU(h + F(h)),    F: causal convolution, ReLU, dropout, twice; weights normalised.

    With kernels of three, five blocks see 2 · 2 · (2⁵ − 1) + 1 = 125 tokens back. Input (n, tokens, width), output
    (n, width).

    Args:
        width: Channels, as wide as a token.
        depth: Blocks.
        kernel: Tokens that a convolution sees.
        dropout: Share of each convolution's output left out in training.

    Source: Bai, Kolter, Koltun (2018), the TCN.
    """

    def __init__(self, width: int, depth: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(width, kernel, 2**i, dropout) for i in range(depth))

    def forward(self, tokens: Tensor, generator: Generator | None = None) -> Tensor:
        h = tokens.transpose(1, 2)
        for block in self.blocks:
            h = block(h, generator)
        return h[:, :, -1]

    def start(self, generator: Generator) -> None:
        """Draws the weights and biases of the convolutions from U(−1/√fan_in, 1/√fan_in)."""
        for layer in self.modules():
            if isinstance(layer, _CausalConvolution):
                layer.start(generator)


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.convolutions = nn.ModuleList(_CausalConvolution(width, kernel, dilation) for _ in range(2))

    def forward(self, h: Tensor, generator: Generator | None) -> Tensor:
        found = h
        for convolution in self.convolutions:
            found = dropped(convolution(found).relu(), self.dropout, generator)
        return (h + found).relu()


class _CausalConvolution(nn.Module):
    """A convolution of what is not later, with weights as length and direction, w = g · v/‖v‖.

    Written out, for PyTorch's own normalised weights cannot be pickled.

    Source: Salimans and Kingma (2016).
    """

    def __init__(self, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation, self.past = dilation, (kernel - 1) * dilation
        self.direction = nn.Parameter(torch.empty(width, width, kernel))
        self.length = nn.Parameter(torch.empty(width))
        self.bias = nn.Parameter(torch.empty(width))

    @property
    def weight(self) -> Tensor:
        lengths: Tensor = self.length / self.direction.norm(dim=(1, 2))
        return self.direction * lengths[:, None, None]

    def start(self, generator: Generator) -> None:
        bound = self.direction[0].numel() ** -0.5
        with torch.no_grad():
            for weights in (self.direction, self.bias):
                weights.uniform_(-bound, bound, generator=generator)
            self.length.copy_(self.direction.norm(dim=(1, 2)))

    def forward(self, h: Tensor) -> Tensor:
        return functional.conv1d(functional.pad(h, (self.past, 0)), self.weight, self.bias, dilation=self.dilation)
