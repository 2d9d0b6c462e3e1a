"""DMDN with labels: a class for each record, and how rare its behaviour is among normal ones."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Generator

from unwonted.classifier import Classifier
from unwonted.encode import Encoder
from unwonted.errors import check_choice
from unwonted.labels import PLENTY, UNLABELLED
from unwonted.models.beliefs import Teacher
from unwonted.models.dmdn import DMDN
from unwonted.models.labelled_mixture import HEADS, LabelledMixture
from unwonted.schema import Overrides
from unwonted.train import Learn, Plan, Progress, steps_for

__all__ = ["RATE", "DMDNClassifier"]

Floats = NDArray[np.float64]

STEPS, FEWEST_STEPS, MOST_STEPS = 28, 100, 10_000
BATCH, RATE = 256, 1e-3
WIDTHS = {300: 64, 3000: 128}  # below so many training records
WIDEST = 256


class DMDNClassifier(Classifier):
    """Deep mixture density network with labels: what a record is, and how rare.

    One network has a head p(label | x), the paper's categorical prediction, and the density of behaviour of `DMDN`, its
    statistical rarity. The label head learns from all labelled records, the density from those labelled normal and from
    unlabelled ones by their probability of being normal; see `LabelledMixture`. So a table of which few records have
    labels is learnt from whole: where fewer than half have one, a `DMDN` first learns from all records without their
    labels, and a `Teacher`, a line through what it has learnt, says of the others what they might be.

    Where more than half have one, the network learns twice: first judged by held-out records, which fix the number of
    steps, the probabilities and the p-values, then from all of them.

    `predict` and `predict_proba` tell classes; `anomaly_score`, alerts and p-values follow the log odds against normal;
    `score_samples` is the density: low for behaviour unlike all that is normal, whatever the label head makes of it.

    Args:
        normal: The label or labels that mean normal; None for the most frequent.
        head: "categorical", or "mixture", the paper's equation taken literally: a Gaussian mixture over the label as a
            number, P(c | x) = p(c | x) / Σ p(c′ | x).
        components: Gaussians a column, K.
        width, depth, dropout: Of the network; a width of None follows the number of records.
        alert_rate, schema, ignore, exemplars, device, max_time, optimiser, learning_rate, random_state, verbose: See
            `Estimator`.

    Source: the DMDN paper (arXiv 2505.08220), equations 1 to 3.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> y = np.where(X[:, 0] > 1, "strange", "usual")
    >>> classifier = DMDNClassifier(normal="usual", random_state=0).fit(X, y)
    >>> classifier.predict([[0.0, 0.0], [2.5, 0.0]]).tolist()
    ['usual', 'strange']
    """

    model_: LabelledMixture
    learns_anew = True

    def __init__(
        self,
        *,
        normal: Any = None,
        head: str = "categorical",
        components: int = 4,
        width: int | None = None,
        depth: int = 2,
        dropout: float = 0.1,
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
            normal=normal,
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
        self.head = head
        self.components = components
        self.width = width
        self.depth = depth
        self.dropout = dropout

    def score_samples(self, X: Any) -> Floats:
        """How usual the behaviour is among normal records, shape (n,): the pooled surprises of `DMDN`, negated."""
        encoded = self._encoded(X)
        if not len(encoded):
            return np.empty(0)
        return -self.model_.density.score(self._told(lambda model: model.density.evidence, encoded))

    def _evidence(self, encoded: Any) -> Floats:
        # The logits alone: what the density has to say costs eight times as much, and is asked for by itself.
        if not len(encoded):
            return super()._evidence(encoded)
        return self._told(lambda model: lambda batch: model.logits(model.read(batch)), encoded)

    def _lesson(self, encoder: Any, records: Any, held_out: Any, seed: int, learn: Learn) -> tuple[Any, Any]:
        known = records.labels[records.labels != UNLABELLED]
        if len(known) > PLENTY * len(records) or len(known.unique()) < 2:
            return super()._lesson(encoder, records, held_out, seed, learn)
        unsupervised = DMDN(components=self.components)
        density = unsupervised._model(encoder, len(records), seed).to(records.inputs.device)
        learn(density, records, held_out, unsupervised._plan(encoder, len(records)))
        teacher = Teacher(density, records, held_out, len(self.classes_), Generator().manual_seed(seed))
        # A handful of held-out labels would stop the network by chance; all records that the teacher tells of do not.
        return teacher.taught(records).balanced(), teacher.taught(held_out).alike()

    def _model(self, encoder: Encoder, rows: int, seed: int) -> LabelledMixture:
        check_choice("head", self.head, HEADS)
        return LabelledMixture(
            encoder,
            self.normal_.tolist(),
            width=self.width or next((width for below, width in WIDTHS.items() if rows < below), WIDEST),
            depth=self.depth,
            components=self.components,
            dropout=self.dropout,
            head=self.head,
            seed=seed,
        )

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        return Plan(steps=steps_for(rows, STEPS, FEWEST_STEPS, MOST_STEPS), batch=BATCH, rate=RATE, averaged=True)
