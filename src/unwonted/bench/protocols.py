"""How a benchmark runs: each method on each data set for each seed, in processes of their own, into JSON."""

import hashlib
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from unwonted.bench.peers import ALERT_RATE, Method, Scorer
from unwonted.datasets import Dataset
from unwonted.metrics import detection_by_category, evaluate
from unwonted.sources import atomic_write

__all__ = [
    "LIMITS",
    "Job",
    "Row",
    "capped",
    "environment",
    "jobs",
    "mean_sd",
    "measure",
    "run",
    "scores",
    "write",
]

Row = dict[str, Any]
Load = Callable[[int], Dataset]
Progress = Callable[[int, int, str], None]
"""Called as (done, total, what was just done)."""

LIMITS = {"train": 20_000, "test_normal": 20_000, "test_anomalies": 5_000}
"""The most rows that `capped` leaves of each part."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One method on one data set with one seed; small enough to travel to another process."""

    table: str
    load: Load
    method: Method
    seed: int


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
        table, method, seed, the part sizes, the metrics of `unwonted.metrics.evaluate`, `by_category` where
        there are kinds, fit_seconds, score_seconds, peak_mb (the most memory that this process has held so
        far) and scores_sha256; where the method failed, `error` in place of all figures.
    """
    row: Row = {"table": job.table, "method": job.method.name, "seed": job.seed}
    data = job.load(job.seed)
    row |= {"n_train": data.train.num_rows, "n_normal": int((~data.is_anomaly).sum())}
    row |= {"n_anomalies": int(data.is_anomaly.sum()), "n_columns": data.train.num_columns}
    try:
        scorer = job.method.make(job.seed)
        score, fit_seconds, score_seconds = scores(data, scorer)
    except Exception as error:  # a peer may raise anything; hours of other results must not be lost with it
        return row | {"error": f"{type(error).__name__}: {error}"}
    alerts = -score < scorer.offset_
    row |= evaluate(score, data.is_anomaly, alerts, alert_rate=ALERT_RATE, threshold=-scorer.offset_)
    if data.categories is not None:
        row["by_category"] = detection_by_category(alerts, score, list(data.categories), ~data.is_anomaly)
    row |= {"fit_seconds": fit_seconds, "score_seconds": score_seconds, "peak_mb": _peak_mb()}
    return row | {"scores_sha256": hashlib.sha256(score.tobytes()).hexdigest()}


def run(work: Sequence[Job], *, workers: int, threads: int, fresh: bool, progress: Progress | None = None) -> list[Row]:
    """Runs jobs in spawned processes; the rows come in the order of the jobs.

    Args:
        work: What to run.
        workers: How many processes at a time; with one, times are not disturbed by other jobs.
        threads: Threads for each of them.
        fresh: A new process for each job, so that its peak memory is its own.
        progress: Called after each job.
    """
    rows: dict[int, Row] = {}
    tasks = 1 if fresh else None
    with (
        _threads(threads),
        ProcessPoolExecutor(workers, mp_context=get_context("spawn"), max_tasks_per_child=tasks) as pool,
    ):
        futures = {pool.submit(measure, job): index for index, job in enumerate(work)}
        for future in as_completed(futures):
            row = rows[futures[future]] = future.result()
            if not fresh:
                row.pop("peak_mb", None)
            if progress is not None:
                progress(len(rows), len(work), f"{row['table']}, {row['method']}, seed {row['seed']}")
    return [rows[index] for index in range(len(work))]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Lets processes started inside use so many threads: libraries read these variables when loaded."""
    # Without the passive policy, OpenMP's threads spin while they wait: beside any other work on the machine,
    # PyTorch on small batches then takes up to twenty times as long.
    wanted = dict.fromkeys(_THREADS, str(count)) | {"OMP_WAIT_POLICY": "PASSIVE"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _peak_mb() -> float:
    # On Linux ru_maxrss is inherited from the process that spawned this one, so it says nothing of a child
    # smaller than its parent; the kernel's high-water mark starts anew with the new program.
    status = Path("/proc/self/status")
    if status.exists():
        marks = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        if marks:
            return int(marks[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere


def capped(data: Dataset, seed: int) -> Dataset:
    """At most `LIMITS` rows of each part, drawn by the seed: every method can finish on every table."""
    rng = np.random.default_rng([seed, 1])
    train = _some(np.arange(data.train.num_rows), LIMITS["train"], rng)
    normal = _some(np.flatnonzero(~data.is_anomaly), LIMITS["test_normal"], rng)
    anomalies = _some(np.flatnonzero(data.is_anomaly), LIMITS["test_anomalies"], rng)
    test = np.sort(np.concatenate([normal, anomalies]))
    kinds = None if data.categories is None else data.categories[test]
    return Dataset(data.name, data.train.take(train), data.test.take(test), data.is_anomaly[test], kinds)


def _some(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n − 1) over seeds; the deviation of a single value is 0.

    Example:
        >>> mean_sd([1.0, 3.0])
        (2.0, 1.4142135623730951)
    """
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def environment(command: str, seeds: int) -> dict[str, Any]:
    """What a reader needs to judge and repeat a result: command, seeds, versions, machine."""
    packages = ("unwonted", "torch", "scikit-learn", "pyod", "numpy", "pyarrow")
    return {
        "command": command,
        "seeds": list(range(seeds)),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def write(path: Path, results: Mapping[str, Any], page: str) -> None:
    """Writes results as indented JSON, infinite thresholds as null, and their page; each whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    atomic_write(path.with_suffix(".md"), page.encode())
