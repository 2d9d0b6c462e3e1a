"""DMDN, the deep mixture density network: scores by −log p of behaviour under learned Gaussian mixtures."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unwonted.detector import Detector
from unwonted.encode import Encoder
from unwonted.errors import DataError
from unwonted.models.masked_mixture import MaskedMixture
from unwonted.schema import Overrides
from unwonted.train import Plan, Progress

__all__ = ["DMDN"]

Floats = NDArray[np.float64]

STEPS = 30  # times the square root of the number of training records
FEWEST_STEPS, MOST_STEPS = 200, 2500
BATCH, RATE = 256, 2e-3
LARGE = 20_000  # training records from which batches, and the learning rate with them, are twice as large


class DMDN(Detector):
    """Deep mixture density network: scores a record by −log p of its columns under learned Gaussian mixtures.

    `DMDN()` takes every column as behaviour: one network learns p(hidden columns | visible columns) for random
    choices of what is hidden, and scores each column given fixed random halves of the others. The surprise of
    column j, s_j (nats), is pooled to the anomaly score Σ_j log(1 + exp z_j), z_j = (s_j − m_j)/(d_j + 0.1), with
    mean m_j and standard deviation d_j over held-out records: a documented surrogate, so that columns of pure noise
    do not drown the telling ones, nor many ordinary columns a strange one. `DMDN(target=["bytes_out"])` gives
    the exact −log p(target columns | all others), several targets by the chain rule in the order given.

    Args:
        target: Columns whose density is wanted given all others; none for all columns.
        pooling: "standardised" as above, or "sum", Σ_j s_j. With targets it is always the sum.
        components: Gaussians a column, K.
        width, depth: Of the network; a width of None follows the number of records.
        alert_rate, schema, ignore, exemplars, device, max_time, random_state, verbose: See `Detector`.

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
        components: int = 6,
        width: int | None = None,
        depth: int = 2,
        alert_rate: float = 0.05,
        schema: Overrides | None = None,
        ignore: Sequence[str] = (),
        exemplars: int = 1000,
        device: str = "auto",
        max_time: float | None = None,
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
            random_state=random_state,
            verbose=verbose,
        )
        self.target = target
        self.pooling = pooling
        self.components = components
        self.width = width
        self.depth = depth

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
        if self.pooling not in ("standardised", "sum"):
            raise DataError(f"pooling {self.pooling!r} does not exist; choose of standardised, sum")
        constant = [name for name in self._targets() if name not in encoder.columns]
        if constant:
            raise DataError(f"target {constant[0]!r} is constant or empty in the training records; choose another")
        return MaskedMixture(
            encoder,
            width=self.width or (64 if rows < 300 else 128 if rows < 3000 else 256),
            depth=self.depth,
            components=self.components,
            targets=self._targets(),
            standardise=self.pooling == "standardised",
            seed=seed,
        )

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        steps = int(np.clip(STEPS * math.sqrt(rows), FEWEST_STEPS, MOST_STEPS))
        larger = 1 if rows < LARGE else 2
        return Plan(steps=steps, batch=BATCH * larger, rate=RATE * larger)
