"""DMDN, the deep mixture density network: scores by −log p of behaviour under learned Gaussian mixtures."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unwonted.detector import Detector
from unwonted.encode import Encoded, Encoder
from unwonted.errors import DataError, check_choice
from unwonted.models.masked_mixture import POOLINGS, MaskedMixture
from unwonted.parts import VALUE
from unwonted.schema import Overrides
from unwonted.train import Plan, Progress, steps_for

__all__ = ["DMDN", "plan_for", "width_for"]

Floats = NDArray[np.float64]

# Steps are so many times the square root of the number of training records, and no fewer than the second figure.
OF_ALL_COLUMNS = 12.5, 100, 8e-3
OF_TARGETS = 25, 200, 4e-3
MOST_STEPS = 5000
BATCH = 128
WIDTHS = {300: 64, 3000: 128}  # below so many training records
WIDEST = 256


def width_for(rows: int) -> int:
    """Width of the network for so many training records."""
    return next((width for below, width in WIDTHS.items() if rows < below), WIDEST)


def plan_for(rows: int, targets: bool = False) -> Plan:
    """How long to train the network on so many records, of all columns or of targets."""
    times, fewest, rate = OF_TARGETS if targets else OF_ALL_COLUMNS
    return Plan(steps=steps_for(rows, times, fewest, MOST_STEPS), batch=BATCH, rate=rate)


class DMDN(Detector):
    """Deep mixture density network: scores a record by −log p of its columns under learned Gaussian mixtures.

    `DMDN()` takes every column as behaviour: one network learns p(hidden columns | visible columns), random
    halves of them hidden. A record is seen in three views, each a sum over columns of w_j · −log p(x_j | …) in nats:

    - given others: the columns are shared out among eight blocks, and each is given those of all other blocks;
    - given halves: each is given a random half of the columns, and counts by the one of three that it is oddest beside;
    - given nothing: each by itself.

    w_j is 1, but of a category, a flag or a small count 1/max(1 − U_j, .02), where Theil's uncertainty coefficient U_j
    says how far the others settle what it is: a protocol that goes with none of its services is worth more than an
    unusual month. A fourth sum is that given others with all w_j = 1.

    With c the median of such a sum e over held-out records and u how far their 90 % quantile is above it, the record
    stands at the largest of the four f((e − c)/u), with f(t) = t below 0 and log(1 + t) above: it is as strange as it
    looks from where it looks strangest. 0 is usual, log 2 is what by a single sum one ordinary record in ten exceeds.

    Nats add up to what the loudest columns say. So the score is the mean of that and of where the record stands,
    measured likewise, by Σ_j −log q_j, where q_j is the share of usual records whose surprise is as large in column j
    given others (see `Rarity`).

    `DMDN(target=["bytes_out"])` gives the exact −log p(target columns | all others), several targets by the chain
    rule in the order given; nothing else is in the score then, which is in nats. It is the density on scaled axes;
    `log_density` has that in the columns' own units.

    Args:
        target: Columns whose density is wanted given all others; none for all columns.
        pooling: "rarity" as above; "views" without the rarity, better where many training records are anomalies; or
            "sum", Σ_j −⅔ log p(x_j | others) − ⅓ log p(x_j) in nats, a surrogate of −log p(x) that needs no held-out
            records. With targets it is always the sum.
        components: Gaussians a column, K.
        width, depth: Of the network; a width of None follows the number of records.
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
        pooling: str = "rarity",
        components: int = 4,
        width: int | None = None,
        depth: int = 1,
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

    def surprise(self, X: Any) -> Floats:
        """−log p of each column given what the record's score gives it, in nats, shape (n, columns)."""
        evidence = self._evidence(self._encoded(X))
        assert isinstance(self.model_, MaskedMixture)
        return self.model_.counted(evidence)

    def log_density(self, X: Any) -> Floats:
        """log p(target columns | all others), in nats, shape (n,): exact, in the units of the columns.

        A number that is measured has a density, per unit of its column (a date per hour of the day); one that is
        counted or rounded, so that values repeat, and a category have a probability. The score is −log p by the scaled
        axes on which the network learns, and differs by the slope of these, which is not the same for all values.

        Raises:
            DataError: if the detector has no target; its score is then a surrogate and no density.
        """
        encoded = self._encoded(X)
        targets = {column.name for column in self.schema_.targets}
        if not targets:
            raise DataError("log_density needs a target: DMDN(target=[...]); without one the score is no density")
        assert isinstance(encoded, Encoded)
        log_p = -self.model_.score(self._evidence(encoded))
        for place, position in enumerate(self.encoder_.valued):
            part = self.encoder_.parts[position]
            if part.column in targets:
                slope = part.log_slope(encoded.values[:, place].double().numpy())
                log_p += np.where(encoded.codes[:, position].numpy() == VALUE, slope, 0.0)
        return log_p

    def _targets(self) -> tuple[str, ...]:
        return (self.target,) if isinstance(self.target, str) else tuple(self.target or ())

    def _model(self, encoder: Encoder, rows: int, seed: int) -> MaskedMixture:
        check_choice("pooling", self.pooling, POOLINGS)
        if len(set(self._targets())) < len(self._targets()):
            raise DataError(f"target={self.target!r} names a column twice; name each once")
        constant = [name for name in self._targets() if name not in encoder.columns]
        if constant:
            raise DataError(f"target {constant[0]!r} is constant or empty in the training records; choose another")
        return MaskedMixture(
            encoder,
            width=self.width or width_for(rows),
            depth=self.depth,
            components=self.components,
            targets=self._targets(),
            pooling=self.pooling,
            seed=seed,
        )

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        return plan_for(rows, targets=bool(self.target))
