"""Two densities of a record, by column and by neighbours, on one scale and averaged."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from unwonted.encode import Encoded, Encoder
from unwonted.models.base import ColumnModel, Floats
from unwonted.models.masked_mixture import MaskedMixture
from unwonted.models.memory import Memory
from unwonted.models.points import Points
from unwonted.models.scale import CommonScale

__all__ = ["NetworkAndMemory"]


class NetworkAndMemory(ColumnModel):
    """What the network and the nearest records say: the mean of where a record stands by either.

    Where it stands by the nearest records is told on the scale of `CommonScale`, as the network tells its views.

    Args:
        encoder: The parts.
        network: The deep mixture density network, by views; the only member that is trained by gradient.
        most: The most records to keep; 0 for none, and no member that looks for the nearest.
    """

    remembers_all = True

    def __init__(self, encoder: Encoder, network: MaskedMixture, *, most: int) -> None:
        super().__init__()
        self.network = network
        self.architecture = network.architecture | {"memory": most}
        self.points = Points(encoder, most)
        self.memory = Memory(self.points) if most else None
        self.scale = CommonScale(1, len(encoder.columns))
        self.register_load_state_dict_post_hook(_placed)  # type: ignore[no-untyped-call]

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        return self.network.loss(batch, generator)

    def surprise(self, batch: Encoded) -> Tensor:
        return self.network.surprise(batch)

    def part_surprise(self, batch: Encoded) -> Tensor:
        return self.network.part_surprise(batch)

    def scored_columns(self) -> list[int]:
        return self.network.scored_columns()

    def conditional(self, batch: Encoded, position: int, view: int = 0) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        return self.network.conditional(batch, position, view)

    def culprit(self, batch: Encoded) -> str:
        return self.network.culprit(batch)

    def evidence(self, batch: Encoded) -> Tensor:
        """Shape (n, columns, views + 1): those of the network, and the distance of the nearest records."""
        return self._evidence(batch, kept=False)

    def evidence_of_kept(self, batch: Encoded) -> Tensor:
        return self._evidence(batch, kept=True)

    def _evidence(self, batch: Encoded, kept: bool) -> Tensor:
        found = self.network.evidence(batch)
        if self.memory is None:
            return found
        return torch.cat([found, self.memory(self.points(batch), self.points, kept).unsqueeze(2)], 2)

    def views(self, evidence: Floats) -> NDArray[np.intp]:
        return self.network.views(self._of_network(evidence))

    def remember(self, records: Encoded, generator: Generator) -> None:
        self.points.remember(records, generator)
        self.architecture["memory"] = len(self.points.codes)
        self.place()

    def kept(self) -> NDArray[np.intp]:
        return self.points.drawn

    def place(self) -> None:
        """Works out what follows from the kept records, once they are there."""
        self.points.place()
        if self.memory is not None:
            self.memory.place(self.points)

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        self.network.settle(self._of_network(evidence))
        if self.memory is not None:
            self.scale.settle(evidence[..., -1:])

    def pool(self, evidence: Floats) -> Floats:
        by_column = self.network.pool(self._of_network(evidence))
        return by_column if self.memory is None else by_column / 2 + self.by_distance(evidence)

    def by_distance(self, evidence: Floats) -> Floats:
        if self.memory is None:
            return super().by_distance(evidence)
        shares: Floats = self.scale.parts(evidence[..., -1:])[..., 0] / 2
        return shares

    def neighbours(self, batch: Encoded) -> list[Tensor]:
        if self.memory is None:
            return super().neighbours(batch)
        return self.memory.nearest(self.points(batch), self.points)

    def held(self, kept: Tensor, position: int) -> list[tuple[int, float]]:
        return self.points.held(kept, position)

    def _of_network(self, evidence: Floats) -> Floats:
        return evidence if self.memory is None else evidence[..., :-1]


def _placed(model: nn.Module, keys: Any) -> None:
    assert isinstance(model, NetworkAndMemory)
    model.place()
