"""DMDN, the deep mixture density network: scores by −log p of behaviour under learned Gaussian mixtures."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unwonted.detector import Detector
from unwonted.encode import Encoder
from unwonted.errors import DataError, check_choice
from unwonted.models.masked_mixture import MaskedMixture
from unwonted.schema import Overrides
from unwonted.train import Plan, Progress, steps_for

__all__ = ["DMDN"]

Floats = NDArray[np.float64]

STEPS = 40  # times the square root of the number of training records
FEWEST_STEPS, MOST_STEPS = 200, 4000
BATCH, RATE = 256, 4e-3
WIDTHS = {300: 64, 3000: 128, 20_000: 256}  # below so many training records
WIDEST = 384


class DMDN(Detector):
    """Deep mixture density network: scores a record by −log p of its columns under learned Gaussian mixtures.

    `DMDN()` takes every column as behaviour: one network learns p(hidden columns | visible columns) for random
    choices of what is hidden. The columns are shared out among eight blocks, and s_j (nats) is the surprise of
    column j given all other blocks. A record's score has two parts, a documented surrogate of −log p(x):

        Σ_j log(1 + exp z_j) / d  +  r / e,    z_j = (s_j − m_j)/(d_j + 0.1),

    with mean m_j and standard deviation d_j of the surprise over held-out records, so that columns of pure noise do
    not drown the telling ones, nor many ordinary columns a strange one; and r the distance from the nearest records
    of training (see `Memory`), where the network smooths over fine structure. d and e are the standard deviations of
    either part over the same records, so that both count alike.

    `DMDN(target=["bytes_out"])` gives the exact −log p(target columns | all others), several targets by the chain
    rule in the order given; nothing else is in the score then.

    Args:
        target: Columns whose density is wanted given all others; none for all columns.
        pooling: "standardised" as above, or "sum", Σ_j s_j. With targets it is always the sum.
        components: Gaussians a column, K.
        width, depth: Of the network; a width of None follows the number of records.
        memory: The most training records to keep for r, drawn at random; with 0 the surprise alone is the score.
        alert_rate, schema, ignore, exemplars, device, max_time, optimiser, learning_rate, random_state, verbose: See
            `Estimator`.

    Source: the DMDN paper (arXiv 2505.08220), equations 1 to 3.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 1)) * [[1, 2]] + [[0, 5]]
    >>> detector = DMDN(random_state=0).fit(X)
    >>> detector.predict([[0.0, 5.0], [0.0, 50.0]]).tolist()
    [1, -1]
    """

    def __init__(
        self,
        target: Sequence[str] | str | None = None,
        *,
        pooling: str = "standardised",
        components: int = 4,
        width: int | None = None,
        depth: int = 1,
        memory: int = 16_384,
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
        self.target = target
        self.pooling = pooling
        self.components = components
        self.width = width
        self.depth = depth
        self.memory = memory

    def surprise(self, X: Any) -> Floats:
        """−log p of each column given what it is conditioned on, in nats, shape (n, columns)."""
        return self._evidence(self._encoded(X))[..., 0]

    def log_density(self, X: Any) -> Floats:
        """log p(target columns | all others), in nats, shape (n,): exact, up to the constant of the columns' units.

        Raises:
            DataError: if the detector has no target; its score is then a surrogate and no density.
        """
        if not self._targets():
            raise DataError("log_density needs a target: DMDN(target=[...]); without one the score is no density")
        return self.score_samples(X)

    def _targets(self) -> tuple[str, ...]:
        return (self.target,) if isinstance(self.target, str) else tuple(self.target or ())

    def _model(self, encoder: Encoder, rows: int, seed: int) -> MaskedMixture:
        if self.memory < 0:
            raise DataError(f"memory={self.memory} is below 0; give the most training records to keep, 0 for none")
        check_choice("pooling", self.pooling, ("standardised", "sum"))
        constant = [name for name in self._targets() if name not in encoder.columns]
        if constant:
            raise DataError(f"target {constant[0]!r} is constant or empty in the training records; choose another")
        return MaskedMixture(
            encoder,
            width=self.width or next((width for below, width in WIDTHS.items() if rows < below), WIDEST),
            depth=self.depth,
            components=self.components,
            targets=self._targets(),
            standardise=self.pooling == "standardised",
            memory=min(self.memory, rows) if self.pooling == "standardised" and not self._targets() else 0,
            seed=seed,
        )

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        return Plan(steps=steps_for(rows, STEPS, FEWEST_STEPS, MOST_STEPS), batch=BATCH, rate=RATE)
