"""One run of one method on one data set with one seed, as a row of figures."""

import hashlib
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unwonted.bench.peers import ALERT_RATE, Method, Scorer, Trained
from unwonted.datasets import Dataset
from unwonted.datasets.problem import some_of, take
from unwonted.metrics import detection_by_category, evaluate

__all__ = [
    "HELD_OUT",
    "Job",
    "Load",
    "Row",
    "Work",
    "at_anomaly_ratio",
    "jobs",
    "mean_sd",
    "measure",
    "origin",
    "peak_mb",
    "scores",
]

Row = dict[str, Any]
Load = Callable[[int], Dataset]

HELD_OUT = 10_000
"""The most ordinary test records whose mean loss is a held-out objective."""


class Work(Protocol):
    """What can be run: small enough to travel to another process."""

    @property
    def names(self) -> Row:
        """How its row begins: table, method and seed."""

    @property
    def what(self) -> str:
        """What makes two runs the same, but for the code."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The distributions that do the work of a peer; empty where this package does it."""

    def perform(self) -> Row:
        """Runs it here and now; a failure is a row with an `error`."""


@dataclass(frozen=True)
class Job:
    """One method on one data set with one seed."""

    table: str
    load: Load
    method: Method
    seed: int

    @property
    def names(self) -> Row:
        """Table, method and seed."""
        return {"table": self.table, "method": self.method.name, "seed": self.seed}

    @property
    def libraries(self) -> tuple[str, ...]:
        """Those of the method."""
        return self.method.libraries

    @property
    def what(self) -> str:
        """Data, method and seed."""
        twin = "twin" * self.method.untrained
        return f"{self.table} {origin(self.load)} | {self.method.name} {origin(self.method.make)}{twin} | {self.seed}"

    def perform(self) -> Row:
        """See `measure`."""
        return measure(self)


def origin(make: Callable[..., Any]) -> str:
    """What a function at the top of a module is, with the arguments bound to it."""
    if isinstance(make, partial):
        return f"{origin(make.func)}{make.args}{make.keywords}"
    return f"{make.__module__}.{make.__qualname__}"


def jobs(tables: Mapping[str, Load], methods: Iterable[Method], seeds: int, fixed: bool = False) -> list[Job]:
    """Every method on every table for seeds 0 … seeds−1; on a fixed split, a seedless method runs once."""
    return [
        Job(table, load, method, seed)
        for table, load in tables.items()
        for method in methods
        for seed in range(1 if fixed and not method.seeded else seeds)
    ]


def scores(data: Dataset, scorer: Scorer) -> tuple[np.ndarray, float, float]:
    """The test's anomaly scores, seconds to fit and seconds to score; neither sees a label."""
    started = time.perf_counter()
    scorer.fit(data.train)
    fitted = time.perf_counter()
    found = np.asarray(scorer.anomaly_score(data.test), dtype=np.float64)
    return found, fitted - started, time.perf_counter() - fitted


def measure(job: Job) -> Row:
    """Runs a job here and now.

    Returns:
        table, method, seed, the part sizes, the metrics of `unwonted.metrics.evaluate`, `oracle` (see
        `at_anomaly_ratio`), `by_category` where there are kinds, fit_seconds, score_seconds, peak_mb (the most
        memory that this process held beyond what it held at the start) and scores_sha256; for a method with an
        untrained twin, `objective` (mean loss of ordinary test records, None where not finite) and `untrained`: the
        twin's objective, auroc, auprc, oracle and scores_sha256. Where the method failed, `error` in place of all
        figures.
    """
    before = peak_mb()
    data = job.load(job.seed)
    row = job.names
    row |= {"n_train": len(data.train), "n_normal": int((~data.is_anomaly).sum())}
    row |= {"n_anomalies": int(data.is_anomaly.sum()), "n_columns": data.columns}
    try:
        scorer = job.method.make(job.seed)
        score, fit_seconds, score_seconds = scores(data, scorer)
        peak = peak_mb() - before
        both = _both(data, scorer, job.seed) if job.method.untrained else {}
        figures = _figures(data, score, scorer.offset_)
    except Exception as error:  # a peer may raise anything; hours of other results must not be lost with it
        return row | {"error": f"{type(error).__name__}: {error}"}
    row |= figures | {"fit_seconds": fit_seconds, "score_seconds": score_seconds, "peak_mb": peak}
    return row | {"scores_sha256": hashlib.sha256(score.tobytes()).hexdigest()} | both


def _figures(data: Dataset, score: np.ndarray, offset: float) -> Row:
    """Quality of the scores, and of the alerts at the method's own threshold."""
    alerts = -score < offset
    row: Row = evaluate(score, data.is_anomaly, alerts, alert_rate=ALERT_RATE, threshold=-offset)
    row |= {"oracle": at_anomaly_ratio(score, data.is_anomaly)}
    if data.categories is not None:
        row["by_category"] = detection_by_category(alerts, score, list(data.categories), ~data.is_anomaly)
    return row


def _both(data: Dataset, scorer: Scorer, seed: int) -> Row:
    """The held-out objective after training, and what the untrained twin makes of the same test."""
    if not isinstance(scorer, Trained):
        raise TypeError(f"{type(scorer).__name__} has no untrained twin or no objective to compare")
    ordinary = some_of(np.flatnonzero(~data.is_anomaly), HELD_OUT, np.random.default_rng([seed, 4]))
    held_out = take(data.test, ordinary)
    twin = scorer.untrained().fit(data.train)
    score = np.asarray(twin.anomaly_score(data.test), dtype=np.float64)
    figures = evaluate(score, data.is_anomaly, score > np.inf, alert_rate=0.0, threshold=np.inf)
    before: Row = {"objective": _finite(twin.objective(held_out)), "auroc": figures["auroc"], "auprc": figures["auprc"]}
    before |= {"oracle": at_anomaly_ratio(score, data.is_anomaly)}
    before |= {"scores_sha256": hashlib.sha256(score.tobytes()).hexdigest()}
    return {"objective": _finite(scorer.objective(held_out)), "untrained": before}


def _finite(objective: float) -> float | None:
    return float(objective) if np.isfinite(objective) else None  # as JSON has it


def at_anomaly_ratio(score: np.ndarray, is_anomaly: np.ndarray) -> Row:
    """precision, recall, f1 and confusion with the share of anomalies known, as the DAGMM paper has it.

    Called anomalous is what scores above the (1 − ρ) quantile of the test's scores, ρ the share of anomalies in the
    test: an oracle's threshold. Records that tie with it are not called.

    Example:
        >>> at_anomaly_ratio(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]))
        {'precision': 0.5, 'recall': 0.5, 'f1': 0.5, 'confusion': {'tn': 1, 'fp': 1, 'fn': 1, 'tp': 1}}
    """
    ratio = float(np.mean(is_anomaly))
    threshold = float(np.quantile(score, 1 - ratio, method="lower"))
    found = evaluate(score, is_anomaly, score > threshold, alert_rate=ratio, threshold=threshold)
    return {key: found[key] for key in ("precision", "recall", "f1", "confusion")}


def peak_mb() -> float:
    """The most memory that this process has held so far, in MB."""
    # On Linux ru_maxrss is inherited from the process that spawned this one, so it says nothing of a child
    # smaller than its parent; the kernel's high-water mark starts anew with the new program.
    status = Path("/proc/self/status")
    if status.exists():
        marks = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        if marks:
            return int(marks[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n − 1) over seeds; the deviation of a single value is 0.

    Example:
        >>> mean_sd([1.0, 3.0])
        (2.0, 1.4142135623730951)
    """
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
