"""28 ADBench tables and the other development sets, one-class: `unwonted bench adbench`."""

from functools import partial
from pathlib import Path
from typing import Any

from unwonted import datasets
from unwonted.bench import peers, tables
from unwonted.bench.protocols import LIMITS, Load, Progress, capped, environment, jobs, write
from unwonted.bench.protocols import run as run_jobs
from unwonted.datasets import ADBENCH, Dataset

__all__ = ["DEVELOPMENT", "load", "run"]

DEVELOPMENT = (2, 4, 8, 12, 16, 19, 21, 26, 30, 31, 34, 38, 41, 42)
"""Tables that choices were made on; none was made on the other 14."""


def load(name: str, seed: int) -> Dataset:
    """A development set or ADBench table by name, of at most `LIMITS` rows."""
    if name == "nsl-kdd":
        return capped(datasets.nsl_kdd(seed), seed)
    if name == "online-shoppers":
        return capped(datasets.online_shoppers(seed), seed)
    return capped(datasets.adbench(name, seed), seed)


def run(
    out: Path, seeds: int = 5, progress: Progress | None = None, only: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """Runs the benchmark and writes `adbench.json` and `adbench.md`.

    Two processes of one thread each, reused: times are rough and memory is not reported.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds; each draws its own split.
        progress: Called after each job as (done, total, text).
        only: Names of the tables to run; None runs all thirty.

    Returns:
        What `adbench.json` holds: environment, limits, groups of tables, one row for each run.
    """
    groups = {
        "development": [name for number, name in ADBENCH.items() if number in DEVELOPMENT],
        "other": [name for number, name in ADBENCH.items() if number not in DEVELOPMENT],
        "development, mixed columns": ["nsl-kdd", "online-shoppers"],
    }
    chosen = {group: [name for name in names if only is None or name in only] for group, names in groups.items()}
    loads: dict[str, Load] = {name: partial(load, name) for names in chosen.values() for name in names}
    work = jobs(loads, [peers.DMDN, peers.knn(), peers.iforest()], seeds)
    rows = run_jobs(work, workers=2, threads=1, fresh=False, progress=progress)
    results = environment(f"unwonted bench adbench --seeds {seeds}", seeds)
    results |= {"limits": LIMITS, "groups": chosen, "rows": rows}
    write(out / "adbench.json", results, tables.adbench(results))
    return results
