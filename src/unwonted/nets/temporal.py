"""A temporal convolutional network over tokens."""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

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


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.past, self.dropout = (kernel - 1) * dilation, dropout
        with torch.random.fork_rng(devices=[]):  # the caller draws the weights
            self.convolutions = nn.ModuleList(
                weight_norm(nn.Conv1d(width, width, kernel, dilation=dilation)) for _ in range(2)
            )

    def forward(self, h: Tensor, generator: Generator | None) -> Tensor:
        found = h
        for convolution in self.convolutions:
            found = convolution(functional.pad(found, (self.past, 0))).relu()
            found = dropped(found, self.dropout, generator)
        return (h + found).relu()
