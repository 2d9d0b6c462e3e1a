"""One fit: splits the records, trains, chooses and calibrates, each on records of its own."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch import Generator

from unwonted.arrays import Arrays
from unwonted.labels import Labels
from unwonted.models.base import Model, in_padded_chunks
from unwonted.progress import lines, silent
from unwonted.split import folds, split_rows
from unwonted.train import History, Plan, Progress, Trainable, train
from unwonted.words import count

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["SMALL", "Fitting"]

Floats = NDArray[np.float64]

SMALL = 300
"""Records below which calibration uses K-fold scores."""
FOLDS = 5


class Fitting:
    """One fit: splits the records, trains, chooses, calibrates, each on a part of its own."""

    def __init__(
        self,
        estimator: "Estimator",
        schema: Any,
        records: pa.Table | Arrays,
        rng: np.random.Generator,
        started: float,
        labels: Labels | None = None,
    ) -> None:
        self.estimator, self.schema, self.records, self.labels = estimator, schema, records, labels
        self.seed, self.rng = int(rng.integers(2**31)), rng
        self.device = estimator._device(schema)
        limit = estimator.max_time
        self.deadline = math.inf if limit is None else started + limit
        verbose = estimator.verbose
        self.report = verbose if callable(verbose) else lines() if verbose else silent
        self.notices: list[str] = []
        self.training, self.trainings = 0, 1

    def by_split(self) -> None:
        """Train, validation and calibration part; the usual way."""
        before = time.monotonic()
        anew = self.estimator.learns_anew and self.labels is not None and self.labels.are_plenty
        self.trainings += anew
        calibrating = None if self.labels is None else self.labels.is_normal
        split = split_rows(self.records, self.rng, self._strata(), calibrating)
        self.train_rows = split.train
        self.encoder, self.model, self.history = self._trained(split.train, split.validation)
        judged = self._evidence(self.model, self.encoder, split.validation)
        self._settle(judged, split.validation)
        normal = self._calibrated_by(split.calibration)
        self.calibration = self._scores(self._calibrating(self.model, self.encoder, normal))
        self.counts = {
            "train": len(split.train),
            "validation": len(split.validation),
            "calibration": len(normal),
        }
        if anew:
            self._learn_anew(judged, split.validation, time.monotonic() - before)

    def by_folds(self) -> None:
        """Each fold scored by a model that saw neither it nor, but for stopping, the fold after it."""
        self.trainings += FOLDS
        parts = folds(self.records, FOLDS, self.rng, self._strata())
        held_out, calibrating, best = [], [], []
        for i in range(len(parts)):
            after = (i + 1) % len(parts)
            rest = np.concatenate([part for j, part in enumerate(parts) if j not in (i, after)])
            encoder, model, history = self._trained(rest, parts[after])
            judged = self._evidence(model, encoder, parts[i])
            held_out.append(judged)
            calibrating.append(self._calibrating(model, encoder, parts[i]) if model.remembers_all else judged)
            best.append(history.best_step)
        steps = int(np.median(best))
        self.history = self._learn_all(lambda plan: plan.cut_to(steps))
        evidence, rows = np.concatenate(held_out), np.concatenate(parts)
        self._settle(evidence, rows)
        self.calibration = self._scores(np.concatenate(calibrating)[np.isin(rows, self._calibrated_by(rows))])
        self.counts = {"train": len(self.train_rows), "validation": 0, "calibration": len(self.calibration)}
        self.notices.append(
            f"with {count(len(self.calibration), 'record')} the p-values rest on {len(parts)}-fold scores: "
            f"the alert rate is approximate, where {SMALL} records or more would promise it"
        )

    def _learn_anew(self, judged: Floats, judges: NDArray[np.int64], seconds: float) -> None:
        """Learns from all records for as long as was best; what held-out records said of the first network stays.

        A label is worth most as an example: of a network that has seen all of them, one that has seen most of them
        says well enough when to stop and how sure to be.
        """
        if time.monotonic() + seconds > self.deadline:
            self.notices.append(
                f"max_time left none to learn anew from all records: the model has seen {self.counts['train']} of "
                f"{self.records.num_rows}"
            )
            return
        steps = self.history.best_step
        self.notices.append(
            "the model learnt anew from all records, the p-values rest on scores of the one before: the alert rate is "
            "approximate"
        )
        self._learn_all(lambda plan: replace(plan, steps=steps))
        self._settle(judged, judges)
        self.counts["train"] = self.records.num_rows

    def _learn_all(self, planned: Callable[[Plan], Plan]) -> History:
        """Learns from all records, which leaves none to stop by."""
        self.train_rows = np.arange(self.records.num_rows)
        self.encoder, self.model, history = self._trained(self.train_rows, self.train_rows[:0], planned)
        return history

    def exemplars(self, most: int) -> pa.Table | Arrays:
        """At most so many training records, drawn from the less surprising ones."""
        drawn = self.rng.permutation(self._normal(self.train_rows))[: 2 * most]
        if not len(drawn):
            return self.records.slice(0, 0)
        scores = self._scores(self._evidence(self.model, self.encoder, drawn))
        ordinary = drawn[scores <= np.quantile(scores, 1 - self.estimator.alert_rate)]
        return self.records.take(np.sort(ordinary[:most]))

    def _trained(
        self,
        rows: NDArray[np.int64],
        validation: NDArray[np.int64],
        planned: Callable[[Plan], Plan] = lambda plan: plan,
    ) -> tuple[Any, Model[Any], History]:
        learn = self.records.take(rows)
        encoder = self.estimator._encoder(learn, self.schema)
        model = self.estimator._model(encoder, len(rows), self.seed).to(self.device)
        plan = self.estimator._plan_by(self.estimator._plan(encoder, len(rows)))
        encoded = self._batch(encoder, rows)
        lesson = self.estimator._lesson(encoder, encoded, self._batch(encoder, validation), self.seed, self._learn)
        history = self._learn(model, *lesson, planned(plan))
        kept = self._batch(encoder, np.arange(self.records.num_rows)) if model.remembers_all else encoded
        model.remember(kept, Generator().manual_seed(self.seed))
        return encoder, model.eval(), history

    def _learn(self, model: Trainable, records: Any, held_out: Any, plan: Plan) -> History:
        self.training += 1
        place = {"training": self.training, "trainings": max(self.training, self.trainings)}

        def report(progress: Progress) -> None:
            self.report(replace(progress, **place))

        return train(model, records, held_out, plan, seed=self.seed, deadline=self.deadline, report=report)

    def _batch(self, encoder: Any, rows: NDArray[np.int64]) -> Any:
        """Encoded records on the device, with their labels where there are any."""
        encoded = encoder.transform(self.records.take(rows))
        if self.labels is not None:
            encoded = self.labels.beside(encoded, rows)
        return encoded.to(self.device)

    def _evidence(self, model: Model[Any], encoder: Any, rows: NDArray[np.int64]) -> Floats:
        return in_padded_chunks(model.evidence, encoder.transform(self.records.take(rows)), self.device)

    def _calibrating(self, model: Model[Any], encoder: Any, rows: NDArray[np.int64]) -> Floats:
        """Evidence as new records like these would have it: those that the model keeps do not meet themselves."""
        kept = np.isin(rows, model.kept())
        found = [
            in_padded_chunks(way, encoder.transform(self.records.take(these)), self.device)
            for way, these in ((model.evidence_of_kept, rows[kept]), (model.evidence, rows[~kept]))
            if len(these)
        ]
        kept_first = np.concatenate(found)
        evidence = np.empty_like(kept_first)
        evidence[np.argsort(~kept, kind="stable")] = kept_first
        return evidence

    def _settle(self, evidence: Floats, rows: NDArray[np.int64]) -> None:
        self.model.settle(evidence, None if self.labels is None else self.labels.codes[rows])

    def _strata(self) -> NDArray[np.int64] | None:
        return None if self.labels is None else self.labels.codes

    def _normal(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the rows that are labelled normal; if none is, those without a label; if all have others, all."""
        if self.labels is None:
            return rows
        found = (rows[which[rows]] for which in (self.labels.is_normal, self.labels.may_be_normal))
        return next((normal for normal in found if len(normal)), rows)

    def _calibrated_by(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The normal ones of the rows, by which p-values are told; it notices where these are not labelled so."""
        normal = self._normal(rows)
        if self.labels is not None and not self.labels.is_normal[normal].all():
            others = "those without a label" if self.labels.may_be_normal[normal].all() else "anomalies"
            self.notices.append(
                f"none of the records that were held out is labelled normal: p-values and alerts rest on {others}; "
                "label more normal records"
            )
        return normal

    def _scores(self, evidence: Floats) -> Floats:
        return self.model.score(evidence)
