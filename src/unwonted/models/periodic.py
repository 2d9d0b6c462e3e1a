"""Numbers read as waves of many lengths, which tell near values apart and far ones alike."""

import math

import torch
from torch import Generator, Tensor, nn

from unwonted.encode import Encoded, Encoder
from unwonted.models.values import NumberReader

__all__ = ["PeriodicNumbers"]

WAVES = 16
WIDTH = 8
FREQUENCY = 0.5  # standard deviation of the first frequencies, in waves a standard deviation of the column


class PeriodicNumbers(NumberReader):
    """A vector for each number, of waves along its axis whose lengths are learnt.

        v_j(x) = ReLU(W_j [sin 2πf_j x, cos 2πf_j x] + b_j),    f_j ∈ ℝ¹⁶, v_j ∈ ℝ⁸,

    with x on the column's scaled axis, which the encoder holds within the range of training; zeros for gaps and for
    what was never seen. A network that reads x itself needs many steps to bend its answer within a narrow range; these
    start bent.

    Input records, output (n, numbers · WIDTH).

    Args:
        encoder: The parts.

    Source: Gorishniy et al. (2022), periodic activations followed by a linear layer and a ReLU.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder, WIDTH)
        self.frequencies = nn.Parameter(torch.zeros(len(self.numbers), WAVES))
        self.weight = nn.Parameter(torch.zeros(len(self.numbers), 2 * WAVES, WIDTH))
        self.bias = nn.Parameter(torch.zeros(len(self.numbers), WIDTH))

    def start(self, generator: Generator) -> None:
        """Draws frequencies from N(0, 0.25) and weights from N(0, 1/32); biases are 0."""
        with torch.no_grad():
            self.frequencies.normal_(0, FREQUENCY, generator=generator)
            self.weight.normal_(0, (2 * WAVES) ** -0.5, generator=generator)

    def forward(self, batch: Encoded, generator: Generator | None = None) -> Tensor:
        """The vectors; nothing is drawn."""
        x, known = self.placed(batch)
        phase = 2 * math.pi * x.unsqueeze(-1) * self.frequencies
        waves = torch.cat([phase.sin(), phase.cos()], -1)
        found = (torch.einsum("njw,jwd->njd", waves, self.weight) + self.bias).relu()
        return (found * known.unsqueeze(-1)).flatten(1)
