"""Two densities of a record, by column and by neighbours, whose surprises are put on one scale and averaged."""

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

__all__ = ["NetworkAndMemory", "unit"]

UPPER = 0.9  # quantile of the held-out records that is one unit above their median
LEAST_SHARE = 0.25  # of their standard deviation that a unit is, where nine records in ten are nearly equal
LEAST_UNIT = 1e-3


class NetworkAndMemory(ColumnModel):
    """What the network and the nearest records say, brought to one scale.

    With e_m(x) what member m says of a record, c_m its median over held-out records and u_m how far their 90 % quantile
    is above that (or a quarter of their standard deviation, if that is more), the score is the mean over members of

        f((e_m(x) − c_m)/u_m),    f(t) = log(1 + t) for t > 0, t else:

    strictly increasing, so that no two scores tie, and slow enough that no member outshouts the other far out. A
    column's part of e_m has the same part of f.

    Args:
        encoder: The parts.
        network: The deep mixture density network; the only member that is trained by gradient.
        kept: How many training records to keep; 0 for none, and no member that looks for the nearest.
    """

    centre: Tensor
    unit: Tensor

    def __init__(self, encoder: Encoder, network: MaskedMixture, *, kept: int) -> None:
        super().__init__()
        self.network = network
        self.architecture = network.architecture | {"memory": kept}
        self.points = Points(encoder, kept)
        self.memory = Memory(self.points) if kept else None
        members = 2 if kept else 1
        self.register_buffer("centre", torch.zeros(members, len(encoder.columns), dtype=torch.float64))
        self.register_buffer("unit", torch.ones(members, dtype=torch.float64))
        self.register_load_state_dict_post_hook(_placed)  # type: ignore[no-untyped-call]

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        return self.network.loss(batch, generator)

    def surprise(self, batch: Encoded) -> Tensor:
        return self.network.surprise(batch)

    def part_surprise(self, batch: Encoded) -> Tensor:
        return self.network.part_surprise(batch)

    def scored_columns(self) -> list[int]:
        return self.network.scored_columns()

    def conditional(self, batch: Encoded, position: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        return self.network.conditional(batch, position)

    def culprit(self, batch: Encoded) -> str:
        return self.network.culprit(batch)

    def evidence(self, batch: Encoded) -> Tensor:
        """Shape (n, columns, members): surprise, and the distance of the nearest records."""
        found = [self.network.surprise(batch)]
        if self.memory is not None:
            found.append(self.memory(self.points(batch), self.points))
        return torch.stack(found, 2)

    def remember(self, records: Encoded, generator: Generator) -> None:
        self.points.remember(records, generator)
        self.place()

    def place(self) -> None:
        """Works out what follows from the kept records, once they are there."""
        self.points.place()
        if self.memory is not None:
            self.memory.place(self.points)

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        if len(evidence) < 2:
            return
        totals = evidence.sum(1)
        means = evidence.mean(0).T
        # A column's centre is its mean; what is between the sum of means and the median is shared out evenly.
        shift = (np.median(totals, axis=0) - means.sum(1)) / means.shape[1]
        self.centre.copy_(torch.from_numpy(means + shift[:, None]))
        self.unit.copy_(torch.tensor([unit(total) for total in totals.T]))

    def pool(self, evidence: Floats) -> Floats:
        parts = (evidence - self.centre.cpu().numpy().T) / self.unit.cpu().numpy()
        t = parts.sum(1, keepdims=True)
        above = np.maximum(t, 0.0)
        slope = np.divide(np.log1p(above), above, out=np.ones_like(above), where=above > 0)
        pooled: Floats = (parts * slope).mean(2)
        return pooled


def unit(held_out: Floats) -> float:
    """How far above the median of held-out totals, shape (n,), a record stands out by one unit."""
    above = np.quantile(held_out, UPPER) - np.median(held_out)
    return float(max(above, LEAST_SHARE * held_out.std())) + LEAST_UNIT


def _placed(model: nn.Module, keys: Any) -> None:
    assert isinstance(model, NetworkAndMemory)
    model.place()
