"""DSEBM on tables in the DAGMM paper's protocol, on digits and on gestures: `unwonted bench dsebm`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from unwonted import datasets
from unwonted.bench import ours, papers, rivals, sections, tables
from unwonted.bench.loads import digit, gesture, shuffled_gesture
from unwonted.bench.measuring import Load, Row
from unwonted.bench.running import Progress
from unwonted.bench.sections import Section

__all__ = ["page", "run"]

_SHUFFLED = ", time shuffled"


def run(
    out: Path, seeds: int | None = None, progress: Progress | None = None, only: Sequence[str] | None = None
) -> dict[str, Any]:
    """Runs the benchmark and writes `dsebm.json` and `dsebm.md`.

    An interrupted run goes on where it stopped; see `unwonted.bench.keeping.Kept`.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds; None for five on large sets and ten on small ones.
        progress: Called after each job as (done, total, text).
        only: Sections to run (kddcup, kddcup-attacks, thyroid, arrhythmia, mnist, natops, natops-shuffled, speed);
            None runs all.

    Returns:
        What `dsebm.json` holds: environment, and the rows of each section.

    Raises:
        DataError: `only` names what does not exist.
    """
    return sections.run("dsebm", _sections(), page, out, seeds, only, progress)


def _sections() -> list[Section]:
    both = [ours.dsebm("energy"), ours.dsebm("reconstruction")]
    others = [rivals.ocsvm(), rivals.pyod("AutoEncoder")]
    digits: dict[str, Load] = {f"mnist-{which}": partial(digit, which) for which in range(10)}
    gestures: dict[str, Load] = {f"natops-{which}": partial(gesture, which) for which in range(1, 7)}
    shuffled: dict[str, Load] = {f"{name}{_SHUFFLED}": partial(shuffled_gesture, int(name[-1])) for name in gestures}
    timed = [replace(both[0], untrained=False), rivals.pyod("AutoEncoder")]
    times: dict[str, Load] = {"kddcup": datasets.kddcup, "mnist-0": digits["mnist-0"], "natops-1": gestures["natops-1"]}
    return [
        *(
            Section(name, {name: load}, [*both, *papers.rivals()], seeds)
            for name, (load, seeds, _) in papers.SETS.items()
        ),
        Section("mnist", digits, [*both, *others], seeds=5, fixed=True),
        Section("natops", gestures, [*both, *others], seeds=10, fixed=True),
        Section("natops-shuffled", shuffled, both, seeds=10),
        Section("speed", times, timed, seeds=1, alone=True),
    ]


def page(results: Mapping[str, Any]) -> str:
    """Quality by data set, digits, gestures, trained against untrained, speed."""
    parts = papers.opening(results, "DAGMM in this protocol: [dagmm.md](dagmm.md).")
    parts.append("DSEBM-e scores by energy, DSEBM-r by reconstruction error.")
    parts += papers.quality(results, ("DSEBM-e", "DSEBM-r", "DAGMM", "OC-SVM"))
    there = results["sections"]
    if there.get("mnist"):
        parts += [
            "## MNIST, one digit against the rest",
            "The training images of one digit train, the 10,000 test images are the test. The energy is convolutional; "
            "the peers read the pixels, standardised together, as one row. AUROC.",
            tables.by_table(there["mnist"]),
        ]
    if there.get("natops") or there.get("natops-shuffled"):
        parts += [
            "## NATOPS, one gesture against the rest",
            "The 30 training series of one gesture train, the 180 test series are the test. The energy is recurrent; "
            "the peers read the series, each channel standardised, as one row. *Time shuffled*: the steps of each "
            "series, in training and test, stand in an order of its own, so what is lost was learned from it. AUROC.",
            tables.by_table([*there.get("natops", []), *map(_in_its_column, there.get("natops-shuffled", []))]),
        ]
    return tables.page("DSEBM", results, [*parts, *papers.closing(results)])


def _in_its_column(row: Row) -> Row:
    """A row on shuffled series beside those on the series as they are."""
    return row | {"table": row["table"].removesuffix(_SHUFFLED), "method": row["method"] + _SHUFFLED}
