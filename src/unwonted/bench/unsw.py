"""UNSW-NB15, official one-class split: `unwonted bench unsw`."""

import os
from pathlib import Path
from typing import Any

from unwonted.bench import peers, tables
from unwonted.bench.protocols import Progress, environment, jobs, write
from unwonted.bench.protocols import run as run_jobs
from unwonted.datasets import UNSW_TTL, Dataset, unsw_oneclass

__all__ = ["FULL", "WITHOUT_TTL", "run"]

FULL, WITHOUT_TTL = "all columns", "without TTL"


def full(seed: int) -> Dataset:
    """The official split; it has no seed."""
    return unsw_oneclass()


def without_ttl(seed: int) -> Dataset:
    """The official split without the columns that betray the traffic generator."""
    return unsw_oneclass().without(*UNSW_TTL)


def run(out: Path, seeds: int = 5, progress: Progress | None = None, threads: int | None = None) -> dict[str, Any]:
    """Runs the benchmark and writes `unsw.json` and `unsw.md`.

    Every job has a new process, one after the other: times and memory are its own, on a machine that does
    nothing else.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds for what draws random numbers.
        progress: Called after each job as (done, total, text).
        threads: Threads of each job; None for as many as there are cores.

    Returns:
        What `unsw.json` holds: environment and one row for each method and seed.
    """
    rivals = [make(log) for make in (peers.knn, peers.lof, peers.iforest, peers.autoencoder) for log in (False, True)]
    work = [
        *jobs({FULL: full}, [peers.DMDN, *rivals], seeds, fixed=True),
        *jobs({WITHOUT_TTL: without_ttl}, [peers.DMDN, peers.knn(log=True)], seeds, fixed=True),
    ]
    threads = threads or os.cpu_count() or 1
    rows = run_jobs(work, workers=1, threads=threads, fresh=True, progress=progress)
    results = environment(f"unwonted bench unsw --seeds {seeds}", seeds) | {"threads": threads, "rows": rows}
    write(out / "unsw.json", results, tables.unsw(results))
    return results
