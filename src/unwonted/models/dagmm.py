"""DAGMM, the deep autoencoding Gaussian mixture model: scores by the energy of a record's code and restoration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unwonted.detector import Detector
from unwonted.encode import Encoder
from unwonted.errors import DataError, check_choice
from unwonted.models.gaussian_autoencoder import FEATURES, VARIANTS, GaussianAutoencoder
from unwonted.models.vector import Vector
from unwonted.parts import Axis
from unwonted.schema import Overrides
from unwonted.train import Plan, Progress, steps_for

__all__ = ["DAGMM"]

STEPS = 80  # times the square root of the number of training records
FEWEST_STEPS, MOST_STEPS = 200, 4000
BATCH, RATE = 256, 4e-3
ESTIMATION = 10
COMPONENTS = 4
NETWORKS = 4
FLOOR = 1e-6
PAPERS = ("relative", "cosine")
CENTRED = ("euclidean", "cosine")  # ‖x‖ says nothing where x is 0 at the mean


@dataclass(frozen=True)
class Sizes:
    """Layers down to the code, the code, components of the mixture, records a batch, networks side by side."""

    hidden: tuple[int, ...]
    code: int
    components: int
    batch: int
    networks: int = 1


PRESETS = {
    "kddcup": Sizes((60, 30, 10), 1, 4, 1024),
    "thyroid": Sizes((12, 4), 1, 2, 1024),
    "arrhythmia": Sizes((10,), 2, 2, 128),
}
"""The sizes of the paper."""


class DAGMM(Detector):
    """Deep autoencoding Gaussian mixture model: scores a record by how improbable its code and its restoration are.

    A record is read as a vector x (see `Vector`); an autoencoder gives its code and the restored x′. The latent
    z = [code; ‖x − x′‖/‖x‖; cos(x, x′)] has the energy

        E(z) = −log Σ_k φ_k N(z; μ_k, Σ_k),

    where an estimation network says how far each record belongs to each of K components, γ = softmax(net(z)), and
    φ, μ and Σ follow from these memberships. All is learned jointly, by minimising

        J = mean ‖x − x′‖² + λ₁ mean E(z) + λ₂ Σ_k Σ_j 1/Σ_kjj,    λ₁ = 0.1, λ₂ = 0.005.

    The score is E(z) in nats, of the standardised z. `explain` says of which kind an anomaly is: "projection" where x
    is badly restored, "density" where its code lies where few do.

    Args:
        preset: "kddcup", "thyroid" or "arrhythmia": the sizes of the paper, and its numbers scaled from 0 to 1; None
            for sizes that follow the table.
        variant: "joint" as above; "staged", the autoencoder first and then a mixture over z; "density", then a mixture
            over the code alone; "projection", the reconstruction error ‖x − x′‖² alone.
        features: What z has beside the code: "relative" ‖x − x′‖/‖x‖, "cosine", "euclidean" ‖x − x′‖, "manhattan"
            ‖x − x′‖₁. None for "relative" and "cosine", as above, with a preset; without, for "euclidean" and
            "cosine": numbers are then centred, and ‖x‖ is near zero for the most ordinary records.
        hidden, code, components: Sizes of the layers from x to its code, of the code, and K; None for those of the
            preset or the table.
        networks: How many, each with first weights of its own, whose energies are averaged; None for one with a preset,
            as in the paper, and else for four: one network's energy depends much on its first weights.
        floor: Least variance of a component, as a share of that of z.
        alert_rate, schema, ignore, exemplars, device, max_time, optimiser, learning_rate, random_state, verbose: See
            `Estimator`.

    Source: Zong et al. (2018), "Deep autoencoding Gaussian mixture model for unsupervised anomaly detection". Here z
    is standardised before the mixture, and x in units of its columns' root mean variance; see `GaussianAutoencoder`.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 1)) * [[1, 2]] + [[0, 5]]
    >>> detector = DAGMM(random_state=0).fit(X)
    >>> detector.predict([[0.0, 5.0], [0.0, 50.0]]).tolist()
    [1, -1]
    """

    def __init__(
        self,
        preset: str | None = None,
        *,
        variant: str = "joint",
        features: Sequence[str] | None = None,
        hidden: Sequence[int] | None = None,
        code: int | None = None,
        components: int | None = None,
        networks: int | None = None,
        floor: float = FLOOR,
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
        self.preset = preset
        self.variant = variant
        self.features = features
        self.hidden = hidden
        self.code = code
        self.components = components
        self.networks = networks
        self.floor = floor

    def _axis(self) -> Axis:
        return super()._axis() if self.preset is None else "linear"

    def _model(self, encoder: Encoder, rows: int, seed: int) -> GaussianAutoencoder:
        features = self.features or (CENTRED if self.preset is None else PAPERS)
        check_choice("preset", self.preset, (None, *PRESETS))
        check_choice("variant", self.variant, VARIANTS)
        for feature in features:
            check_choice("feature", feature, FEATURES)
        if self.networks is not None and self.networks < 1:
            raise DataError(f"networks={self.networks} is below 1; give how many are averaged")
        if not self.floor > 0:
            raise DataError(f"floor={self.floor} is not above 0; give a share of the variance")
        reader = Vector(encoder)
        sizes = self._sizes(len(reader.owner), rows)
        return GaussianAutoencoder(
            reader,
            networks=self.networks or sizes.networks,
            hidden=sizes.hidden if self.hidden is None else self.hidden,
            code=self.code or sizes.code,
            components=self.components or sizes.components,
            estimation=ESTIMATION,
            features=features,
            variant=self.variant,
            floor=self.floor,
            bounded=self._axis() == "linear",
            seed=seed,
        )

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        steps = steps_for(rows, STEPS, FEWEST_STEPS, MOST_STEPS)
        return Plan(steps=steps, batch=self._sizes(1, rows).batch, rate=RATE)

    def _sizes(self, inputs: int, rows: int) -> Sizes:
        """Of the preset, or those that follow the table."""
        if self.preset is not None:
            return PRESETS[self.preset]
        hidden = (max(4, inputs // 2), max(3, inputs // 4))
        return Sizes(hidden, min(4, max(1, inputs // 8)), min(COMPONENTS, max(1, rows // 10)), BATCH, NETWORKS)
