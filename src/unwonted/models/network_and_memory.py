"""A record by its columns, by how rare they are, and by its neighbours, on one scale and averaged."""

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
    """What the network and the nearest records say: the mean of where a record stands by either, and by `Rarity`.

    Rarity has the weight of the share of columns with outcomes that others may settle, against 1: beside the nearest
    records it finds no more in numbers. All are on the scale of `CommonScale`.

    Args:
        encoder: The parts.
        network: The deep mixture density network; the only member that is trained by gradient.
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
        of_network = self._of_network(evidence)
        if self.memory is None:
            return self.network.pool(of_network)
        by_column = self.network.by_strangest_view(of_network) + self.weight_of_rarity() * self.network.rare(of_network)
        return by_column / (2 + self.weight_of_rarity()) + self.by_distance(evidence)

    def by_distance(self, evidence: Floats) -> Floats:
        if self.memory is None:
            return super().by_distance(evidence)
        shares: Floats = self.scale.parts(evidence[..., -1:])[..., 0] / (2 + self.weight_of_rarity())
        return shares

    def neighbours(self, batch: Encoded) -> list[Tensor]:
        if self.memory is None:
            return super().neighbours(batch)
        return self.memory.nearest(self.points(batch), self.points)

    def held(self, kept: Tensor, position: int) -> list[tuple[int, float]]:
        return self.points.held(kept, position)

    def weight_of_rarity(self) -> float:
        """Of rarity, where the strangest view has 1 and the nearest records have 1."""
        return float(self.network.told.double().mean())

    def _of_network(self, evidence: Floats) -> Floats:
        return evidence if self.memory is None else evidence[..., :-1]


def _placed(model: nn.Module, keys: Any) -> None:
    assert isinstance(model, NetworkAndMemory)
    model.place()
