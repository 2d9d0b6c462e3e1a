"""What a network that is asked for hidden columns is asked, pass by pass."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from unwonted.models.asked import Asked

__all__ = ["Contexts", "chained", "shared_out"]


class Contexts(nn.Module):
    """Passes of the network: what each hides of a record, and which of that it is asked for.

    Attributes:
        hidden, scored: bool, shape (passes, parts).
        asked: The scored parts of each pass, as heads are asked about them.
    """

    hidden: Tensor
    scored: Tensor

    def __init__(self, hidden: Tensor, scored: Tensor) -> None:
        super().__init__()
        self.register_buffer("hidden", hidden)
        self.register_buffer("scored", scored)
        self.asked = nn.ModuleList()

    def ask(self, every: Asked) -> None:
        """Derives what is asked from what is scored, of all parts."""
        self.asked = nn.ModuleList(every.some(mine.nonzero().flatten()) for mine in self.scored)

    def of(self, position: int) -> Tensor:
        """What is hidden in the passes that score this part, bool (of these passes, parts)."""
        return self.hidden[self.scored[:, position]]


def shared_out(column_of_part: Tensor, blocks: int, generator: Generator) -> Contexts:
    """The columns shared out at random among so many blocks, each scored given all others."""
    columns = int(column_of_part.max()) + 1
    mine = torch.zeros(min(blocks, columns), columns, dtype=torch.bool)
    mine[torch.arange(columns) % len(mine), torch.randperm(columns, generator=generator)] = True
    hidden = mine[:, column_of_part]
    return Contexts(hidden, hidden.clone())


def chained(column_of_part: Tensor, order: Sequence[int]) -> Contexts:
    """The parts of these columns one by one, each scored given all that do not come after it."""
    chain = torch.cat([(column_of_part == column).nonzero().flatten() for column in order])
    scored = torch.eye(len(column_of_part), dtype=torch.bool)[chain]
    return Contexts(scored.flip(0).cumsum(0).flip(0).bool(), scored)
