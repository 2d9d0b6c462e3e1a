"""One run of one learner on one labelled data set with one seed, as a row of figures."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from unwonted.bench.learners import Learner
from unwonted.bench.measuring import Row, origin, peak_mb
from unwonted.datasets.labelled import UNKNOWN, LabelledProblem, held_out
from unwonted.metrics import calibration_error, classification, reliability

__all__ = ["VALIDATION_SHARE", "Lesson", "LoadLabelled", "Trial", "best_threshold", "teach"]

VALIDATION_SHARE = 0.15
TRIAL_ROWS = 6_800
LoadLabelled = Callable[[int], LabelledProblem]


@dataclass(frozen=True)
class Lesson:
    """One learner on one data set with one seed."""

    table: str
    load: LoadLabelled
    learner: Learner
    seed: int

    @property
    def names(self) -> Row:
        """Table, method, seed and the learner's settings."""
        settings = dict(self.learner.settings)
        return {"table": self.table, "method": self.learner.name, "seed": self.seed, "settings": settings}

    @property
    def libraries(self) -> tuple[str, ...]:
        """None: what learns from labels goes with the package."""
        return ()

    @property
    def what(self) -> str:
        """Data, learner with its settings, and seed."""
        learner = f"{self.learner.name} {origin(self.learner.make)} {sorted(self.learner.settings.items())}"
        return f"{self.table} {origin(self.load)} | {learner} | {self.seed}"

    def perform(self) -> Row:
        """See `teach`."""
        return teach(self)


@dataclass(frozen=True)
class Trial(Lesson):
    """The same on 6,800 of the training records, or half of them, judged by the others: to choose settings by."""

    @property
    def what(self) -> str:
        """As above, marked as a trial."""
        return f"trial of {TRIAL_ROWS} | {super().what}"

    def perform(self) -> Row:
        """The row of a trial: `nats`, the mean of −log P(label | x) over the held-out training records."""
        whole = self.load(self.seed)
        data = held_out(whole, max(0.5, 1 - TRIAL_ROWS / len(whole.labels)), self.seed)
        row = _start(self, data)
        started = time.perf_counter()
        try:
            model = self.learner.make(self.seed, **self.learner.settings)
            model.fit(data.train, data.labels)
            probability = model.attack_probability(data.test)
        except Exception as error:  # hours of other results must not be lost with it
            return row | {"error": f"{type(error).__name__}: {error}"}
        return row | {
            "nats": float(log_loss(data.is_attack, np.clip(probability, 1e-12, 1 - 1e-12))),
            "fit_seconds": time.perf_counter() - started,
        }


def teach(lesson: Lesson) -> Row:
    """Runs a lesson here and now.

    A validation part of the training records, 15 %, is held out from learning; where fewer than 20 have labels, none.

    Returns:
        table, method, seed, settings, the part sizes; auroc, auprc, log_loss, calibration_error and reliability
        where the learner gives probabilities; `at`: for each threshold rule precision, recall, f1, accuracy, confusion
        and the threshold; `found` by category at 0.5; what the learner says of itself; fit_seconds, score_seconds,
        peak_mb (see `measure`), scores_sha256. Where the learner failed, `error` in place of all figures.
    """
    before = peak_mb()
    data = lesson.load(lesson.seed)
    known = data.labels != UNKNOWN
    judged = held_out(data, VALIDATION_SHARE, lesson.seed) if known.sum() >= 20 and known.mean() > 0.05 else data
    row = _start(lesson, data)
    try:
        model = lesson.learner.make(lesson.seed, **lesson.learner.settings)
        started = time.perf_counter()
        model.fit(judged.train, judged.labels)
        fitted = time.perf_counter()
        probability = model.attack_probability(data.test)
        scored = time.perf_counter()
        rules = _rules(lesson.learner, model, judged, judged is not data)
    except Exception as error:  # a library may raise anything; hours of other results must not be lost with it
        return row | {"error": f"{type(error).__name__}: {error}"}
    row |= {"auroc": float(roc_auc_score(data.is_attack, probability))}
    row |= {"auprc": float(average_precision_score(data.is_attack, probability))}
    if lesson.learner.probable:
        row |= {
            "log_loss": float(log_loss(data.is_attack, np.clip(probability, 1e-12, 1 - 1e-12))),
            "calibration_error": calibration_error(probability, data.is_attack),
            "reliability": reliability(probability, data.is_attack),
        }
    row["at"] = {
        rule: classification(data.is_attack, probability > threshold) | {"threshold": threshold}
        for rule, threshold in rules.items()
    }
    if data.categories is not None:
        kinds = data.categories
        row["found"] = {
            kind: float((probability > 0.5)[(kinds == kind) & data.is_attack].mean())
            for kind in np.unique(kinds[data.is_attack]).tolist()
        }
    digest = hashlib.sha256(probability.tobytes()).hexdigest()
    seconds = {"fit_seconds": fitted - started, "score_seconds": scored - fitted}
    return row | model.facts | seconds | {"peak_mb": peak_mb() - before, "scores_sha256": digest}


def _start(lesson: Lesson, data: LabelledProblem) -> Row:
    return lesson.names | {
        "n_train": len(data.labels),
        "n_labelled": int((data.labels != UNKNOWN).sum()),
        "n_test": len(data.is_attack),
        "n_attacks": int(data.is_attack.sum()),
        "n_columns": data.train.num_columns,
    }


def _rules(learner: Learner, model: Any, judged: LabelledProblem, validated: bool) -> dict[str, float]:
    """Thresholds on P(attack | x), none of which has seen a label of the test.

    "0.5"; "global mean", the paper's: attack where P(normal | x) is below its mean over the training records;
    "validation": the one with the best F1 on held-out training records; see `best_threshold`.
    """
    rules = {"0.5": 0.5} if learner.probable else {"p ≤ 5 %": 0.95}
    if learner.probable:
        rules["global mean"] = float(np.mean(model.attack_probability(judged.train)))
    if validated:
        rules["validation"] = best_threshold(model.attack_probability(judged.test), judged.is_attack)
    return rules


def best_threshold(probability: NDArray[np.float64], is_attack: NDArray[np.bool_]) -> float:
    """The threshold with the best F1 where attacks are above it: of all there are, midway between two probabilities.

    It may also lie below all of them; where several are equally good, the highest is taken.

    >>> best_threshold(np.array([0.0, 1.0, 0.98, 0.9]), np.array([False, True, True, False]))
    0.94
    """
    order = np.argsort(-probability, kind="stable")
    levels, found = probability[order], is_attack[order].cumsum()
    last = np.flatnonzero(np.append(np.diff(levels) < 0, True))  # a threshold lies below the last of equal ones
    f1 = 2 * found[last] / (last + 1 + found[-1])
    best = last[int(np.argmax(f1))]
    below = levels[best + 1] if best + 1 < len(levels) else -1.0
    middle = (levels[best] + below) / 2
    return float(middle if middle < levels[best] else below)
