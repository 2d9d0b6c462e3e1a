"""A benchmark of several sections, each with data sets, methods and seeds of its own."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from unwonted.bench.keeping import Kept
from unwonted.bench.measuring import Job, Load, Row, jobs
from unwonted.bench.peers import Method
from unwonted.bench.results import chosen, command, environment, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs

__all__ = ["Section", "every_row", "joined", "run"]


@dataclass(frozen=True)
class Section:
    """Methods on data sets.

    Attributes:
        name: By which a user chooses it.
        tables: Data sets by name.
        methods: What runs on each.
        seeds: How many seeds, unless the user says.
        fixed: True where the split is the publisher's: a seedless method then runs once.
        alone: True to run each job by itself, in a new process on all cores, for its times and memory.
    """

    name: str
    tables: Mapping[str, Load]
    methods: Sequence[Method]
    seeds: int
    fixed: bool = False
    alone: bool = False

    def jobs(self, seeds: int | None) -> list[Job]:
        """What is to run, for the user's number of seeds; times want only one."""
        return jobs(self.tables, self.methods, self.seeds if seeds is None or self.alone else seeds, self.fixed)


def run(
    name: str,
    sections: Sequence[Section],
    page: Callable[[dict[str, Any]], str],
    out: Path,
    seeds: int | None,
    only: Sequence[str] | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Runs sections, two processes of one thread each but for those that run `alone`, and writes results and page.

    Args:
        name: Of the benchmark, as the command has it.
        sections: All of them.
        page: Makes the page of the results.
        out: Folder of the results, and of the rows kept in case of an interruption.
        seeds: How many seeds in each section; None for its own number.
        only: Names of the sections to run; None runs all.
        progress: Called after each job.

    Returns:
        Environment, threads of the jobs that ran alone, `sections`: the rows of each by name, also of those that an
        earlier run left in the file, and `made_by`: how each was made.

    Raises:
        DataError: `only` names what does not exist.
    """
    names = chosen(only, [section.name for section in sections])
    kept, threads = Kept(out), os.cpu_count() or 1
    found: dict[str, list[Row]] = {}
    for alone in (False, True):
        batch = [section for section in sections if section.name in names and section.alone == alone]
        work = [section.jobs(seeds) for section in batch]
        rows = iter(
            run_jobs(
                [job for part in work for job in part],
                workers=1 if alone else 2,
                threads=threads if alone else 1,
                kept=kept,
                progress=progress,
            )
        )
        found |= {section.name: [next(rows) for _ in part] for section, part in zip(batch, work, strict=True)}
    file, made = out / f"{name}.json", environment(command(name, seeds, only))
    order = [section.name for section in sections]
    results = joined(file, order, found, made) | {"threads": threads}
    write(file, results, page(results))
    return results


def joined(file: Path, order: Sequence[str], rows: Mapping[str, list[Row]], made: Mapping[str, Any]) -> dict[str, Any]:
    """Results of the sections that ran, and of those that an earlier run left in the file, each with how it was made.

    Args:
        file: Where results are kept.
        order: Of all sections there are.
        rows: Of each section that ran now.
        made: Command, versions and machine of this run.

    Returns:
        `made`, and `sections` and `made_by`, rows and how they were made by section.
    """
    before = msgspec.json.decode(file.read_bytes()) if file.exists() else {"sections": {}, "made_by": {}}
    sections = {**before["sections"], **rows}
    made_by = {**before["made_by"], **dict.fromkeys(rows, made)}
    there = [name for name in order if name in sections]
    return {
        **made,
        "sections": {name: sections[name] for name in there},
        "made_by": {name: made_by[name] for name in there},
    }


def every_row(results: Mapping[str, Any]) -> list[Row]:
    """The rows of all sections."""
    return [row for rows in results["sections"].values() for row in rows]
