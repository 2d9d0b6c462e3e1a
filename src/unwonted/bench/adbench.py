"""28 ADBench tables and the other development sets, one-class: `unwonted bench adbench`."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from unwonted.bench import ours, peers, tables
from unwonted.bench.loads import LIMITS, load
from unwonted.bench.measuring import Load, jobs
from unwonted.bench.running import Kept, Progress, chosen, command, environment, write
from unwonted.bench.running import run as run_jobs
from unwonted.datasets import ADBENCH

__all__ = ["DEVELOPMENT", "load", "page", "run"]

DEVELOPMENT = (2, 4, 8, 12, 16, 19, 21, 26, 30, 31, 34, 38, 41, 42)
"""Tables that choices were made on; none was made on the other 14."""


def run(
    out: Path, seeds: int = 5, progress: Progress | None = None, only: Sequence[str] | None = None
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

    Raises:
        DataError: `only` names what does not exist.
    """
    groups = {
        "development": [name for number, name in ADBENCH.items() if number in DEVELOPMENT],
        "other": [name for number, name in ADBENCH.items() if number not in DEVELOPMENT],
        "development, mixed columns": ["nsl-kdd", "online-shoppers"],
    }
    names = chosen(only, [name for group in groups.values() for name in group])
    loads: dict[str, Load] = {name: partial(load, name) for name in names}
    work = jobs(loads, [*ours.methods(), peers.knn(), peers.iforest()], seeds)
    kept = Kept(out)
    rows = run_jobs(work, workers=2, threads=1, fresh=False, kept=kept, progress=progress)
    results = environment(command("adbench", seeds, only))
    picked = {group: [name for name in there if name in names] for group, there in groups.items()}
    results |= {"limits": LIMITS, "groups": picked, "rows": rows}
    write(out / "adbench.json", results, page(results))
    return results


def page(results: Mapping[str, Any]) -> str:
    """AUROC by table, one section for each group of tables."""
    limits = results["limits"]
    parts = [
        "One-class: a random half of the normal rows trains, the other half and all anomalies are the test, "
        f"a split for each seed. At most {limits['train']:,} training rows, {limits['test_normal']:,} normal "
        f"and {limits['test_anomalies']:,} anomalous test rows, drawn by the seed. AUROC, mean ± standard "
        "deviation over seeds. Choices were made on the development sets, none on the other tables."
    ]
    for group, names in results["groups"].items():
        rows = [row for row in results["rows"] if row["table"] in names]
        if rows:
            parts += [f"## {group[0].upper()}{group[1:]}", tables.auroc_by_table(rows)]
    parts += ["## Trained against untrained", tables.UNTRAINED, tables.trained_untrained(results["rows"])]
    return tables.page("ADBench and other tables, one-class", results, [*parts, tables.failures(results["rows"])])
