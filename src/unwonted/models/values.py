"""Numbers read one by one: those that come again and again each have an embedding of their own."""

from abc import abstractmethod

import numpy as np
import torch
from torch import Generator, Tensor, nn

from unwonted.encode import Encoded, Encoder
from unwonted.nets import register_derived
from unwonted.parts import NOVEL, NumericPart

__all__ = ["FrequentValues", "NumberReader"]

WIDTH = 8
HIDDEN = 0.2  # share of the values hidden in training
START = 0.1


class NumberReader(nn.Module):
    """Reads a vector off each number of a record.

    Args:
        encoder: The parts.
        width: Of a vector.

    Attributes:
        numbers: The parts it reads.
        owner: The part of each output, shape (numbers · width,).
    """

    owner: Tensor
    parts: Tensor
    gaps: Tensor
    read_from: Tensor

    def __init__(self, encoder: Encoder, width: int) -> None:
        super().__init__()
        inputs = np.array([getattr(part, "inputs", 0) for part in encoder.parts])
        first = np.cumsum(inputs) - inputs
        numbers = [(i, part) for i, part in enumerate(encoder.parts) if isinstance(part, NumericPart) and part.knots]
        self.numbers = tuple(part for _, part in numbers)
        which = [i for i, _ in numbers]
        derived = {
            "owner": torch.tensor(which, dtype=torch.long).repeat_interleave(width),
            "parts": torch.tensor(which, dtype=torch.long),
            "gaps": torch.tensor([part.gap for part in self.numbers]).long(),
            "read_from": torch.tensor(first[which], dtype=torch.long),
        }
        register_derived(self, derived)

    @abstractmethod
    def start(self, generator: Generator) -> None:
        """Draws the weights."""

    def placed(self, batch: Encoded) -> tuple[Tensor, Tensor]:
        """Each number on its scaled axis, and whether it is one: no gap, and seen in training; both (n, numbers)."""
        codes = batch.codes[:, self.parts]
        return batch.inputs[:, self.read_from], (codes != NOVEL) & (codes != self.gaps)


class FrequentValues(NumberReader):
    """A vector for each value of a number that is frequent in training; zeros for all others, and for gaps.

    Protocols, tools and people leave exact figures behind: a packet of 114 bytes, a time to live of 254. A network
    that reads scaled numbers sees the neighbourhood; this sees the figure itself. Frequent are the values on the grid
    of a number's distribution (`NumericPart.knots`), on which every value held by one record in 256 lies.

    Input records, output (n, numbers · WIDTH).

    Args:
        encoder: The parts.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder, WIDTH)
        self.grids = [torch.tensor(np.unique(np.array(part.knots, dtype=np.float32))) for part in self.numbers]
        with torch.random.fork_rng(devices=[]):  # the caller draws the vectors
            self.embedding = nn.Embedding(1 + sum(map(len, self.grids)), WIDTH, padding_idx=0)

    def start(self, generator: Generator) -> None:
        """Draws the vectors from N(0, 0.01)."""
        with torch.no_grad():
            self.embedding.weight.normal_(0, START, generator=generator)
            self.embedding.weight[0] = 0

    def forward(self, batch: Encoded, generator: Generator | None = None) -> Tensor:
        """The vectors; with a generator, of which the draws come, some of them hidden."""
        x, known = self.placed(batch)
        which = self._which(x).masked_fill(~known, 0)
        if generator is not None:
            which = which * (torch.rand(which.shape, generator=generator) >= HIDDEN).to(which)
        found: Tensor = self.embedding(which).flatten(1)
        return found

    def _which(self, x: Tensor) -> Tensor:
        """Place of each value among all frequent ones, counted from 1, shape (n, numbers); 0 for those that are not."""
        places, passed = [x.new_zeros(len(x), 0, dtype=torch.long)], 1
        for column, grid in zip(x.unbind(1), self.grids, strict=True):
            grid = grid.to(column.device)
            at = torch.searchsorted(grid, column.contiguous()).clamp(max=len(grid) - 1)
            places.append(torch.where(grid[at] == column, at + passed, 0).unsqueeze(1))
            passed += len(grid)
        return torch.cat(places, 1)
