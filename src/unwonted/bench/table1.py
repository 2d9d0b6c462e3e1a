"""The DMDN paper's Table 1, and what it leaves open: `unwonted bench table1`."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from unwonted.bench import learners, lessons, searching
from unwonted.bench.keeping import Kept
from unwonted.bench.learners import Learner
from unwonted.bench.results import chosen, command, environment, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs
from unwonted.bench.sections import joined
from unwonted.bench.table1_page import HEADINGS, page
from unwonted.bench.teaching import Lesson, LoadLabelled

__all__ = ["run"]

SHARES = (0.1, 0.01, 0.001)
THINNED = (0.01, 0.05, 0.1)
DRAWS = 10  # at the smallest share


def run(
    out: Path,
    seeds: int | None = None,
    progress: Progress | None = None,
    only: Sequence[str] | None = None,
    quick: bool = False,
) -> dict[str, Any]:
    """Runs the benchmark and writes `table1.json` and `table1.md`, or `table1-quick.json` and its page.

    An interrupted run goes on where it stopped; sections of earlier runs that are not asked for stay in the results.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds; None for five, and ten draws of the fewest labels.
        progress: Called after each job as (done, total, text).
        only: Sections to run (random, apart, without-ttl, scarce, unlabelled, nsl-kdd, kddcup); None runs all.
        quick: One seed on 1,000 records, in two minutes: a look at whether all runs, whose figures mean nothing.

    Returns:
        What the file holds: the rows of each section, how they were made, and the trials of the search.

    Raises:
        DataError: `only` names what does not exist.
    """
    kept = Kept(out)
    names = ["quick"] if quick else chosen(only, [name for name in HEADINGS if name != "quick"])
    found, trials = searching.search(
        [learners.dmdn, *learners.BASELINES], lessons.small if quick else lessons.unsw, kept, progress, quick
    )
    work = {name: _lessons(name, found, 1 if quick else seeds) for name in names}
    rows = iter(
        run_jobs(
            [job for part in work.values() for job in part],
            workers=2,
            threads=1,
            kept=kept,
            progress=progress,
        )
    )
    made = environment(command("table1", seeds, only) + " --quick" * quick)
    found_rows = {name: [next(rows) for _ in part] for name, part in work.items()}
    file = out / ("table1-quick.json" if quick else "table1.json")
    results = joined(file, list(HEADINGS), found_rows, made) | {"trials": trials}
    write(file, results, page(results))
    return results


def _lessons(section: str, found: Mapping[str, Learner], seeds: int | None) -> list[Lesson]:
    ours = [found["DMDN"], *(found[learner.name] for learner in learners.BASELINES)]
    every = [*ours, *learners.references]
    usual = 5 if seeds is None else seeds
    if section == "scarce":
        return [
            lesson
            for share in SHARES
            for lesson in _each(
                {f"{share:.1%} of the labels": partial(lessons.few_labels, share)},
                [found["DMDN"], *learners.references],
                DRAWS if seeds is None and share == SHARES[-1] else usual,
            )
        ]
    if section == "unlabelled":
        loads: dict[str, LoadLabelled] = {
            f"{share:.0%} attacks, no labels": partial(lessons.no_labels, share) for share in THINNED
        }
        return _each(loads, [learners.one_class], usual)
    whole: dict[str, tuple[LoadLabelled, list[Learner]]] = {
        "random": (lessons.unsw, [*every, learners.dmdn_literal.at(**found["DMDN"].settings)]),
        "apart": (lessons.apart, every),
        "without-ttl": (lessons.without_ttl, [found["DMDN"], learners.references[0]]),
        "nsl-kdd": (lessons.nsl_kdd, every),
        "kddcup": (lessons.kddcup, every),
        "quick": (lessons.small, every),
    }
    load, taught = whole[section]
    return _each({HEADINGS[section]: load}, taught, usual)


def _each(loads: Mapping[str, LoadLabelled], taught: Sequence[Learner], seeds: int) -> list[Lesson]:
    return [
        Lesson(table, load, learner, seed)
        for table, load in loads.items()
        for learner in taught
        for seed in range(seeds)
    ]
