"""A model that is an energy: how it is trained under noise, and the two scores read off it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from unwonted.arrays import Grids
from unwonted.batch import Batch
from unwonted.energies import Energy
from unwonted.energies.matching import denoising_loss, gradient
from unwonted.energies.recurrent import RecurrentEnergy
from unwonted.models.base import CHUNK, EnergyModel

__all__ = ["CRITERIA", "EnergyBased", "Values"]

CRITERIA = ("energy", "reconstruction")
STRAYING_INPUTS = 2  # of a record that strays, on average
FARTHEST = 8.0  # noise scales, as standard deviation


class EnergyBased(EnergyModel[Batch]):
    """Learns p(u) ∝ exp(−E(u)) of records u = x/σ under noise of unit scale, by denoising them.

    The score is E(u) in nats, up to a constant, or the reconstruction error ‖u − f(u)‖² = ‖∇E(u)‖²; of sequences, per
    valid step. Nothing taught E how to go on where records of training do not come, even when they stray: an input of a
    vector that is more than `FARTHEST` noise scales outside of what training held counts as if it were there, and what
    it is beyond adds half of its square to the energy, or its square to the error, as for a normal density.

    Args:
        reader: A module that reads the inputs x of a batch.
        noise: Scale σ of the noise of each input, of a shape that broadcasts to that of a record's inputs.
        energy: E, with its first weights drawn.
        criterion: "energy" or "reconstruction".
        strays: Share of the records trained on that stray, for records that are vectors.
        architecture: See `Model`.
        owner: See `EnergyModel.owners`.
    """

    noise: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(
        self,
        reader: Callable[[Any], Tensor],
        noise: Tensor,
        energy: Energy,
        *,
        criterion: str,
        strays: float = 0.0,
        architecture: dict[str, Any],
        owner: Tensor | None = None,
    ) -> None:
        super().__init__(tuple(noise.shape))
        self.reader, self.landscape = reader, energy
        self.criterion = criterion
        self.strays = strays
        self.architecture = architecture
        self.owner = owner
        self.register_buffer("noise", noise)
        self.register_buffer("lowest", torch.full_like(noise, -torch.inf))
        self.register_buffer("highest", torch.full_like(noise, torch.inf))

    def read(self, batch: Batch) -> Tensor:
        x: Tensor = self.reader(batch)
        return x

    def owners(self) -> Tensor | None:
        return self.owner

    def energy(self, x: Tensor, batch: Batch) -> Tensor:
        anywhere, lengths = x / self.noise, _lengths(batch)
        u = anywhere.clamp(self.lowest, self.highest)
        beyond = (anywhere - u).square().flatten(1).sum(1)
        if self.criterion == "energy":
            score: Tensor = self.landscape(u, lengths) + beyond / 2
        else:
            score = gradient(self.landscape, u, lengths).square().flatten(1).sum(1) + beyond
        return score if lengths is None else score / lengths

    def remember(self, records: Batch, generator: Generator) -> None:
        super().remember(records, generator)
        if self.noise.dim() == 1 and not isinstance(records, Grids):
            ranges = [torch.aminmax(self.read(chunk) / self.noise, dim=0) for chunk in records.chunks(CHUNK)]
            self.lowest.copy_(torch.stack([found.min for found in ranges]).amin(0) - FARTHEST)
            self.highest.copy_(torch.stack([found.max for found in ranges]).amax(0) + FARTHEST)
        lengths = _lengths(records)
        if isinstance(self.landscape, RecurrentEnergy) and lengths is not None:
            self.landscape.level(self.read(records) / self.noise, lengths)

    def loss(self, batch: Batch, generator: Generator) -> Tensor:
        """½‖u − f(u + ε)‖² with ε from N(0, I), where some u have strayed: see `denoising_loss`."""
        u = self.read(batch) / self.noise
        if self.strays:
            u = _strayed(u, self.strays, generator)
        noise = torch.randn(u.shape, generator=generator).to(u)
        return denoising_loss(self.landscape, u, noise, _lengths(batch))


class Values(nn.Module):
    """The inputs of sequences and images: their standardised values."""

    def forward(self, batch: Grids) -> Tensor:
        return batch.values


def _strayed(u: Tensor, share: float, generator: Generator) -> Tensor:
    """A share of the records moved in some inputs by N(0, s²), s between 1 and FARTHEST, log-uniform."""
    chance = min(0.5, STRAYING_INPUTS / u.shape[1])
    moved = torch.rand(u.shape, generator=generator) < chance
    moved &= torch.rand(len(u), 1, generator=generator) < share
    scale = FARTHEST ** torch.rand(len(u), 1, generator=generator)
    return u + (moved * scale * torch.randn(u.shape, generator=generator)).to(u)


def _lengths(batch: Batch) -> Tensor | None:
    """Valid steps of sequences; what has a fixed size has none."""
    return batch.lengths if isinstance(batch, Grids) and batch.values.dim() == 3 else None
