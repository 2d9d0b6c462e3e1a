"""The detector people get who choose none: an ensemble of a network and the nearest records."""

from collections.abc import Callable, Sequence

import numpy as np

from unwonted.detector import Detector
from unwonted.encode import Encoder
from unwonted.errors import DataError
from unwonted.models.dmdn import plan_for, width_for
from unwonted.models.masked_mixture import MaskedMixture
from unwonted.models.network_and_memory import NetworkAndMemory
from unwonted.schema import Overrides
from unwonted.train import Plan, Progress

__all__ = ["DensityEnsemble"]


class DensityEnsemble(Detector):
    """Two densities: what is odd in a record's columns, and how far it is from its nearest likes.

    - by column, the deep mixture density network of `DMDN`: −log p of each column given others, given halves, or by
      itself, whichever is strangest; a category or flag counts more, the further the others settle what it is;
    - by neighbours, the mean distance of the three nearest of all records, where a network smooths over. Held-out ones
      are among them: each is measured by the others, so that calibration holds.

    A record's score is the mean of the two, on the scale of `DMDN`: with c the median over held-out records and u how
    far their 90 % quantile is above it, f((e − c)/u), with f(t) = t below 0 and log(1 + t) above. 0 is usual, log 2 is
    what one ordinary record in ten exceeds. Columns contribute in proportion to their parts, and the contributions sum
    to the score.

    Args:
        components: Gaussians a column, of the network.
        width, depth: Of the network; a width of None follows the number of records.
        memory: The most records to keep for the nearest ones, drawn at random from all that it is given; with 0 none is
            kept, and the network alone makes the score.
        alert_rate, schema, ignore, exemplars, device, max_time, optimiser, learning_rate, random_state, verbose: See
            `Estimator`.

    Sources: the DMDN paper (arXiv 2505.08220), equations 1 to 3, for the network; Loftsgaarden and Quesenberry (1965)
    for densities by nearest neighbours.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 1)) * [[1, 2]] + [[0, 5]]
    >>> detector = DensityEnsemble(random_state=0).fit(X)
    >>> detector.predict([[0.0, 5.0], [0.0, 50.0]]).tolist()
    [1, -1]
    """

    def __init__(
        self,
        *,
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
        self.components = components
        self.width = width
        self.depth = depth
        self.memory = memory

    def _model(self, encoder: Encoder, rows: int, seed: int) -> NetworkAndMemory:
        if self.memory < 0:
            raise DataError(f"memory={self.memory} is below 0; give the most training records to keep, 0 for none")
        network = MaskedMixture(
            encoder,
            width=self.width or width_for(rows),
            depth=self.depth,
            components=self.components,
            pooling="views",
            seed=seed,
        )
        return NetworkAndMemory(encoder, network, most=self.memory)

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        return plan_for(rows)
