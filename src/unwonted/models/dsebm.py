"""DSEBM, the deep structured energy-based model: scores by an energy learned by score matching."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator

from unwonted.arrays import ArrayEncoder
from unwonted.detector import Detector
from unwonted.encode import Encoder
from unwonted.energies import Energy
from unwonted.energies.convolutional import ConvolutionalEnergy
from unwonted.energies.dense import DenseEnergy
from unwonted.energies.recurrent import RecurrentEnergy
from unwonted.errors import DataError, check_choice
from unwonted.models.energy_based import CRITERIA, EnergyBased, Values
from unwonted.models.vector import Vector
from unwonted.nets import initialise
from unwonted.schema import Overrides
from unwonted.train import Plan, Progress, steps_for

__all__ = ["DSEBM"]


@dataclass(frozen=True)
class Recipe:
    """How the energy of one form of records is built and trained.

    Attributes:
        width: Of the layers, of the state, or features of a whole image.
        noise: In standard deviations.
        steps: Times the square root of the number of training records, between fewest and most.
        batch, rate: Of training.
    """

    width: int
    noise: float
    steps: float
    fewest: int
    most: int
    batch: int
    rate: float


TABLES = Recipe(width=128, noise=0.8, steps=40, fewest=200, most=4000, batch=256, rate=1.5e-2)
SEQUENCES = Recipe(width=32, noise=1.0, steps=20, fewest=100, most=1000, batch=256, rate=1.5e-2)
IMAGES = Recipe(width=256, noise=2.0, steps=12, fewest=200, most=1500, batch=128, rate=5e-3)
HOT_NOISE = 0.4  # of zeros and ones
START = 0.35  # times the usual first weights
STRAYS = 0.2
MAPS = 4


class DSEBM(Detector):
    """Deep structured energy-based model: scores a record by an energy E, with p ∝ exp(−E).

    It takes tables, sequences and images (see `unwonted.sequences`). A record of a table is read as a vector x (see
    `Vector`) in units of the noise σ, u = x/σ. The energy is fully connected,

        E(u) = ½‖u − b′‖² − Σ_j h_{L,j},    h_l = softplus(W_lᵀ h_{l−1} + b_l),    h_0 = u,

    and learned by score matching: f(u) = u − ∇E(u) shall restore records from noise of unit scale, so that exp(−E)
    is, up to a factor, the density of records *under that noise*. Structure finer than the noise is not told apart.
    Sequences have a recurrent energy and images a convolutional one (see `RecurrentEnergy`, `ConvolutionalEnergy`); the
    score of a sequence is its energy per step.

    Score matching does not see how much weight lies on either side of a gap that holds no record, and the energy may
    be lower in the gap than at its ends. For the criterion "energy", therefore, one record in five of those trained on
    strays in an input or two (see `EnergyBased`): the density learned has thin tails across the gaps. The slope of the
    energy, which "reconstruction" goes by, is the gentler for it; there no record strays.

    Args:
        criterion: "energy", E in nats up to a constant, or "reconstruction", ‖u − f(u)‖² = ‖∇E(u)‖², which is small
            at every flat place of the energy, be it a maximum.
        noise: Scale σ of the noise on numbers, in standard deviations of the column or channel; None for 0.8 in tables,
            1 in sequences and 2 in images.
        width: Of the energy's layers, of the state, or features of a whole image; None for 128, 32 and 256.
        depth: How many layers the energy of a table has.
        alert_rate, schema, ignore, exemplars, device, max_time, optimiser, learning_rate, random_state, verbose: See
            `Estimator`.

    Source: Zhai, Cheng, Lu and Zhang (2016), "Deep structured energy based models for anomaly detection".

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 1)) * [[1, 2]] + [[0, 5]]
    >>> detector = DSEBM(random_state=0).fit(X)
    >>> detector.predict([[0.0, 5.0], [0.0, 50.0]]).tolist()
    [1, -1]
    """

    takes_arrays = True

    def __init__(
        self,
        criterion: str = "energy",
        *,
        noise: float | None = None,
        width: int | None = None,
        depth: int = 2,
        alert_rate: float = 0.05,
        schema: Overrides | None = None,
        ignore: Sequence[str] = (),
        exemplars: int = 1000,
        device: str = "auto",
        max_time: float | None = None,
        optimiser: str = "adamw",
        learning_rate: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | Callable[[Progress], None] = False,
    ) -> None:
        super().__init__(
            alert_rate=alert_rate,
            schema=schema,
            ignore=ignore,
            exemplars=exemplars,
            device=device,
            max_time=max_time,
            optimiser=optimiser,
            learning_rate=learning_rate,
            random_state=random_state,
            verbose=verbose,
        )
        self.criterion = criterion
        self.noise = noise
        self.width = width
        self.depth = depth

    def _model(self, encoder: Encoder | ArrayEncoder, rows: int, seed: int) -> EnergyBased:
        check_choice("criterion", self.criterion, CRITERIA)
        if self.noise is not None and not self.noise > 0:
            raise DataError(f"noise={self.noise} is not above 0; give a scale in standard deviations")
        if isinstance(encoder, ArrayEncoder):
            return self._model_of_arrays(encoder, seed)
        reader, width = Vector(encoder), self.width or TABLES.width
        energy = DenseEnergy(len(reader.owner), [width] * self.depth)
        _start(energy, seed)
        return EnergyBased(
            reader,
            torch.where(reader.numeric, self.noise or TABLES.noise, HOT_NOISE),
            energy,
            criterion=self.criterion,
            strays=STRAYS if self.criterion == "energy" else 0.0,
            architecture={"width": width},
            owner=reader.owner,
        )

    def _model_of_arrays(self, encoder: ArrayEncoder, seed: int) -> EnergyBased:
        recipe = _recipe(encoder)
        width = self.width or recipe.width
        energy: Energy
        if len(encoder.shape) == 1:
            energy = RecurrentEnergy(encoder.shape[0], width, width)
        else:
            height, breadth, channels = encoder.shape
            energy = ConvolutionalEnergy((height, breadth, channels), MAPS, width)
        _start(energy, seed)
        noise, architecture = torch.full(encoder.shape, self.noise or recipe.noise), {"width": width}
        return EnergyBased(Values(), noise, energy, criterion=self.criterion, architecture=architecture)

    def _plan(self, encoder: Encoder | ArrayEncoder, rows: int) -> Plan:
        recipe = _recipe(encoder)
        steps = steps_for(rows, recipe.steps, recipe.fewest, recipe.most)
        return Plan(steps=steps, batch=recipe.batch, rate=recipe.rate)


def _recipe(encoder: Encoder | ArrayEncoder) -> Recipe:
    if isinstance(encoder, Encoder):
        return TABLES
    return SEQUENCES if len(encoder.shape) == 1 else IMAGES


def _start(energy: Energy, seed: int) -> None:
    """Draws weights so small that the energy starts near that of a normal density, without dips far from the data."""
    initialise(energy, Generator().manual_seed(seed))
    with torch.no_grad():
        for weights in energy.parameters():
            weights.mul_(START)
