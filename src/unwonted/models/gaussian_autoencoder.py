"""The networks of DAGMM: autoencoders, each with a Gaussian mixture over its code and how well it restores a record."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from unwonted.density import gaussian_mixture_energy
from unwonted.encode import Encoded
from unwonted.models.base import EnergyModel, Floats
from unwonted.models.mixtures import Mixtures, soft_mixtures
from unwonted.models.vector import Vector
from unwonted.nets import MLPs, initialise_for_tanh

__all__ = ["FEATURES", "VARIANTS", "GaussianAutoencoder"]

ENERGY_WEIGHT, PENALTY_WEIGHT = 0.1, 0.005  # λ₁ and λ₂ of the paper
DROPOUT = 0.5
CHUNK = 4096
LEAST_NORM = 0.01  # a coordinate, of what is divided by
LEAST_VARIANCE = 1e-12
RARE = 0.95


def _norm(x: Tensor) -> Tensor:
    """‖x‖, but not below that of a vector of LEAST_NORM everywhere, and smooth."""
    return (x.square().sum(-1) + LEAST_NORM**2 * x.shape[-1]).sqrt()


def _euclidean(x: Tensor, restored: Tensor) -> Tensor:
    return ((x - restored).square().sum(-1) + LEAST_VARIANCE).sqrt()


def _relative(x: Tensor, restored: Tensor) -> Tensor:
    return _euclidean(x, restored) / _norm(x)


def _cosine(x: Tensor, restored: Tensor) -> Tensor:
    return (x / _norm(x)[..., None] * restored / _norm(restored)[..., None]).sum(-1)


def _manhattan(x: Tensor, restored: Tensor) -> Tensor:
    return (x - restored).abs().sum(-1)


FEATURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relative": _relative,
    "cosine": _cosine,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
}
"""What can be told of a record x and the restored x′: ‖x − x′‖/‖x‖, cos(x, x′), ‖x − x′‖, ‖x − x′‖₁; (networks, n)."""

VARIANTS = ("joint", "staged", "density", "projection")


class GaussianAutoencoder(EnergyModel[Encoded]):
    """z = [code of x; how x and the restored x′ differ], and the energy of z under a mixture of K Gaussians.

    Networks of one shape, each with first weights, a z and a mixture of its own, read the same batches side by side;
    loss and energy are the means of theirs. See `DAGMM` for the objective and the variants. Three scalings make it the
    same problem in every table: x is divided by one number, the root mean variance of its columns, which leaves
    "relative" and "cosine" as they are; z is standardised before the mixture, so that λ₂ and the floor are relative to
    its own variance; and the energy is that of the standardised z. In training the mean, the variance and the mixture
    are those of the batch, with their gradients; for scoring, those of all training records.

    Args:
        reader: Gives the inputs x of a batch.
        networks: How many.
        hidden: Sizes of the layers between x and its code; mirrored on the way back.
        code: Size of the code.
        components: K.
        estimation: Size of the hidden layer of the estimation network.
        features: Names in `FEATURES`.
        variant: One of `VARIANTS`.
        floor: Added to the variances of the mixture, as a share of those of z.
        bounded: Whether numbers beyond ±1 are read as ±(1 + log|x|): for numbers scaled from 0 to 1 over the range of
            training, so that none of the records to choose by outweighs all others.
        seed: Of the first weights.
    """

    unit: Tensor
    centre: Tensor
    spread: Tensor
    usual: Tensor

    def __init__(
        self,
        reader: Vector,
        *,
        networks: int,
        hidden: Sequence[int],
        code: int,
        components: int,
        estimation: int,
        features: Sequence[str],
        variant: str,
        floor: float,
        bounded: bool,
        seed: int,
    ) -> None:
        inputs = len(reader.owner)
        super().__init__((inputs,))
        self.architecture = {"networks": networks, "hidden": list(hidden), "code": code, "components": components}
        self.reader, self.code, self.variant, self.floor, self.bounded = reader, code, variant, floor, bounded
        self.features = [FEATURES[name] for name in features]
        latent = code + len(features)
        self.encoder = MLPs(networks, (inputs, *hidden, code))
        self.decoder = MLPs(networks, (code, *reversed(hidden), inputs))
        if variant == "joint":
            self.estimation = MLPs(networks, (latent, estimation, components), DROPOUT)
        initialise_for_tanh(self, Generator().manual_seed(seed))
        self.of_code = Mixtures(networks, components, code)
        if variant in ("joint", "staged"):
            self.of_latent = Mixtures(networks, components, latent)
        self.register_buffer("unit", torch.zeros(()))
        of_latent = (networks, 1, latent)
        for name, shape in {"centre": of_latent, "spread": of_latent, "usual": (2, 2)}.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def read(self, batch: Encoded) -> Tensor:
        x: Tensor = self.reader(batch)
        if not self.bounded:
            return x
        size = x.abs().clamp(min=1)
        return torch.where(size > 1, x.sign() * (1 + size.log()), x)

    def owners(self) -> Tensor:
        return self.reader.owner

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        """‖x − x′‖² + λ₁ E(z) + λ₂ Σ_k Σ_j 1/Σ_kjj with the mixture of the batch; the first term alone if not joint."""
        x = self.read(batch)
        if self.training:
            self._measure(x)
        z, error = self._latent(x)
        if self.variant != "joint":
            return error.mean(0)
        u = ((z - z.mean(1, keepdim=True)) / _spread(z)).double()
        memberships = self._memberships(u, generator if self.training else None)
        mixture = soft_mixtures(u, memberships, self.floor)
        penalty = mixture[2].square().sum(-1).reciprocal().sum((1, 2))
        energy = ENERGY_WEIGHT * gaussian_mixture_energy(u, *mixture) + PENALTY_WEIGHT * penalty[:, None]
        return (error + energy.to(error)).mean(0)

    @torch.no_grad()
    def remember(self, records: Encoded, generator: Generator) -> None:
        """Keeps the mean and variance of z, and the mixtures of z and of the code alone, over all records."""
        super().remember(records, generator)
        chunks = [self.read(chunk) for chunk in records.chunks(CHUNK)]
        self._measure(chunks[0])
        z = torch.cat([self._latent(x.double())[0] for x in chunks], 1)
        self.centre.copy_(z.mean(1, keepdim=True))
        self.spread.copy_(_spread(z))
        u = (z - self.centre) / self.spread
        self.of_code.fit(u[..., : self.code], self.floor, generator)
        if self.variant == "joint":
            self.of_latent.keep(*soft_mixtures(u, self._memberships(u), self.floor))
        elif self.variant == "staged":
            self.of_latent.fit(u, self.floor, generator)

    def energy(self, x: Tensor, batch: Encoded) -> Tensor:
        return self._told(x)[0]

    def evidence(self, batch: Encoded) -> Tensor:
        """Shape (n, 3): the score, then ‖x − x′‖² and the energy of the code alone, for `kinds`."""
        return torch.stack(self._told(self.read(batch)), 1)

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        """Fixes what is usual of the reconstruction error and the code's energy: median and how far to the 95 % one."""
        middle, high = np.quantile(evidence[:, 1:], (0.5, RARE), axis=0)
        self.usual.copy_(torch.from_numpy(np.stack([middle, np.maximum(high - middle, LEAST_VARIANCE)])))

    def kinds(self, evidence: Floats) -> list[str]:
        """ "projection" where a record is badly restored, "density" where its code lies where few do.

        Of the two figures that is told which is further above its median over held-out records, in units of how far
        above it the 95 % quantile is; so a word is given to every record, anomalous or not.
        """
        middle, reach = self.usual.numpy()
        error, of_code = ((evidence[:, 1:] - middle) / reach).T
        return ["projection" if rare else "density" for rare in error > of_code]

    def _measure(self, x: Tensor) -> None:
        """Sets, once, the unit of the inputs, from the first batch."""
        if not self.unit:
            self.unit.copy_(x.var(0, correction=0).mean().sqrt().clamp(min=LEAST_NORM))

    def _latent(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z, shape (networks, n, D), and ‖x − x′‖², shape (networks, n)."""
        x = (x / self.unit).expand(len(self.centre), -1, -1)
        code = self.encoder(x)
        restored = self.decoder(code)
        features = [feature(x, restored)[..., None] for feature in self.features]
        return torch.cat([code, *features], -1), (x - restored).square().sum(-1)

    def _memberships(self, u: Tensor, generator: Generator | None = None) -> Tensor:
        logits: Tensor = self.estimation(u, generator)
        return logits.softmax(-1)

    def _told(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The score, ‖x − x′‖², and the energy of the code alone, each (n,): means over the networks."""
        # A latent of little variance makes rounding errors large: those of float64 do not show.
        z, error = self._latent(x.double())
        u = (z - self.centre) / self.spread
        error, of_code = error.mean(0), self.of_code(u[..., : self.code]).mean(0)
        if self.variant == "projection":
            return error, error, of_code
        if self.variant == "density":
            return of_code, error, of_code
        return self.of_latent(u).mean(0), error, of_code


def _spread(z: Tensor) -> Tensor:
    """Standard deviation of each column of each network, shape (networks, 1, D), above zero."""
    return (z.var(1, correction=0, keepdim=True) + LEAST_VARIANCE).sqrt()
