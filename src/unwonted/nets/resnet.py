"""A residual convolutional network over tokens, with a dense head."""

from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.nets.starting import dropped

__all__ = ["ResNet1D"]

MOMENTUM = 0.5


class ResNet1D(nn.Module):
    """Stages of two residual blocks each, one after the other half as long and twice as wide; mean; a dense layer.

        h ← ReLU(skip(h) + BN(conv(ReLU(BN(conv(h)))))),    kernels of three.

    The mean and variance that evaluation normalises by follow those of the latest batches, momentum 0.5: early stopping
    looks at a network of few steps, to which PyTorch's 0.1 gives those of untrained weights.

    Input (n, tokens, width), output (n, outputs).

    Args:
        width: Of a token, and the channels of the first stage.
        depth: Stages.
        outputs: Of the dense layer.
        dropout: Share of the dense layer's output left out in training.

    Source: He et al. (2016), along one axis.
    """

    def __init__(self, width: int, depth: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        widths = [width * 2**stage for stage in range(depth)]
        blocks: list[nn.Module] = [_Block(width, width, 1), _Block(width, width, 1)]
        for narrow, wide in pairwise(widths):
            blocks += [_Block(narrow, wide, 2), _Block(wide, wide, 1)]
        self.blocks = nn.Sequential(*blocks)
        self.dense = nn.Linear(widths[-1], outputs)

    def forward(self, tokens: Tensor, generator: Generator | None = None) -> Tensor:
        h = self.blocks(tokens.transpose(1, 2)).mean(2)
        return dropped(self.dense(h).relu(), self.dropout, generator)


class _Block(nn.Module):
    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # the caller draws the weights
            self.first = nn.Conv1d(narrow, wide, 3, stride, padding=1, bias=False)
            self.second = nn.Conv1d(wide, wide, 3, padding=1, bias=False)
            self.skip = nn.Conv1d(narrow, wide, 1, stride, bias=False) if narrow != wide else nn.Identity()
        self.norms = nn.ModuleList(nn.BatchNorm1d(wide, momentum=MOMENTUM) for _ in range(2))

    def forward(self, h: Tensor) -> Tensor:
        found = self.norms[0](self.first(h)).relu()
        return functional.relu(self.skip(h) + self.norms[1](self.second(found)))
