"""ADBench's tables and embeddings, and two sets with mixed columns, against every peer: `unwonted bench adbench`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from unwonted.bench import drawing, ours, rivals, scoreboard, tables
from unwonted.bench.expecting import Patience
from unwonted.bench.keeping import Kept
from unwonted.bench.loads import LIMITS, load, load_unlabelled
from unwonted.bench.measuring import Row, jobs
from unwonted.bench.results import added, chosen, command, earlier, environment, named, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs
from unwonted.bench.standings import Comparison, compare, critical_difference
from unwonted.datasets import ADBENCH, EMBEDDINGS

__all__ = ["DEVELOPMENT", "GROUPS", "Protocol", "page", "run"]

Protocol = Literal["one-class", "unsupervised"]

DEVELOPMENT = (2, 4, 8, 12, 16, 19, 21, 26, 30, 31, 34, 38, 41, 42)
"""Tables that choices are made on; the other 14 confirm them."""

GROUPS = {
    "development": [name for number, name in ADBENCH.items() if number in DEVELOPMENT],
    "development, mixed columns": ["nsl-kdd", "online-shoppers"],
    "confirming": [name for number, name in ADBENCH.items() if number not in DEVELOPMENT],
    "embeddings": list(EMBEDDINGS),
}
"""What is run, in this order."""

_SHOWN = ("confirming", "all 28", "embeddings", "development", "development, mixed columns")
_DRAWN = {"confirming": "confirming", "all 28": "all"}
_LIMIT, _PATIENCE = 600.0, (60.0, 3)
_FIGURES = ("auroc", "auprc", "fit_seconds", "score_seconds", "seconds", "peak_mb", "objective")


def run(
    out: Path,
    seeds: int = 5,
    progress: Progress | None = None,
    only: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    protocol: Protocol = "one-class",
    workers: int = 2,
    limit: float = _LIMIT,
    figures: Path = Path("docs"),
) -> dict[str, Any]:
    """Runs the benchmark and writes `adbench.json`, `adbench.md` and figures, or `adbench-unsupervised` and so on.

    Rows that are in the results already are not run again as long as their code is the same; those of other tables,
    methods and seeds stay.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds; each draws its own split. Where the first three fits take over a minute, three.
        progress: See `unwonted.bench.running`.
        only: Names of the tables to run; None runs all.
        methods: Names of the methods to run; None runs all.
        protocol: "one-class" trains on a half of the normal rows; "unsupervised" on all that it then scores.
        workers: Processes at a time, of one thread each.
        limit: Seconds that a run may take.
        figures: Folder for the drawings.

    Returns:
        What the JSON holds: how it was made, limits, groups of tables, names of our methods, a row for each run.

    Raises:
        DataError: `only` or `methods` names what does not exist; a data file is missing or altered.
    """
    loading = load if protocol == "one-class" else load_unlabelled
    names = chosen(only, [name for there in GROUPS.values() for name in there])
    wanted = named([*ours.methods(), *rivals.every()], methods)
    plain = [replace(method, untrained=False) for method in wanted]
    twins = set(GROUPS["development"] + GROUPS["development, mixed columns"])
    work = [
        job for name in names for job in jobs({name: partial(loading, name)}, wanted if name in twins else plain, seeds)
    ]
    seconds, few = _PATIENCE
    work.sort(key=lambda job: job.seed >= few)  # the first seeds say which methods are too slow for more
    stem = _stem(protocol)
    file = out / f"{stem}.json"
    before = earlier(file)
    rows = run_jobs(
        work,
        workers=workers,
        threads=1,
        limit=limit,
        kept=Kept(out, before["rows"]),
        patience=Patience(seconds, few),
        progress=progress,
    )
    flags = "adbench" if protocol == "one-class" else f"adbench --protocol {protocol}"
    made = environment(command(flags, seeds, only, methods))
    found = added(before, [_compact(row) for row in rows], made)
    results = {
        "protocol": protocol,
        "limits": LIMITS | {"seconds": limit},
        "groups": GROUPS,
        "ours": [method.name for method in ours.methods()],
        **found,
        "rows": sorted(found["rows"], key=_place),
    }
    write(file, results, page(results))
    for group, name in _DRAWN.items():
        there = compare(_of(results, group))
        if _drawable(there):
            ranks = {one.method: one.rank for one in there.standings}
            apart = critical_difference(len(ranks), len(there.tables))
            drawing.mean_ranks(ranks, apart, results["ours"], figures / f"{stem}-{name}.svg")
    return results


def _compact(row: Row) -> Row:
    """What the page needs, figures to six digits: thousands of rows go into one file."""
    kept = ("table", "method", "seed", "key", "n_train", "n_normal", "n_anomalies", "error")
    small: Row = {name: row[name] for name in kept if name in row}
    small |= {name: _six(row[name]) for name in _FIGURES if name in row}
    small |= {"oracle": {"f1": _six(row["oracle"]["f1"])}} if "oracle" in row else {}
    if "untrained" in row:
        small["untrained"] = _compact({"oracle": row["untrained"]["oracle"]} | row["untrained"])
    return small


def _six(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.6g}")


def _place(row: Row) -> tuple[int, int, str, int]:
    """By table, our methods and the peers as they run, and seed."""
    order = [name for there in GROUPS.values() for name in there]
    methods = [*(method.name for method in ours.methods()), *rivals.PYOD]
    place = methods.index(row["method"]) if row["method"] in methods else len(methods)
    return (order.index(row["table"]) if row["table"] in order else len(order), place, row["method"], row["seed"])


def _of(results: Mapping[str, Any], group: str) -> list[Row]:
    groups = results["groups"]
    names = [*groups["development"], *groups["confirming"]] if group == "all 28" else groups[group]
    return [row for row in results["rows"] if row["table"] in names]


def _drawable(there: Comparison) -> bool:
    return len(there.standings) > 2 and len(there.tables) > 1


def _stem(protocol: str) -> str:
    """What the names of the results and figures begin with."""
    return "adbench" if protocol == "one-class" else "adbench-unsupervised"


def page(results: Mapping[str, Any]) -> str:
    """Standings and figures by group of tables, trained against untrained, failures."""
    limits, supervised = results["limits"], results["protocol"] == "one-class"
    parts = [_protocol(limits, supervised), scoreboard.OPENING]
    for group in _SHOWN:
        rows = _of(results, group)
        if rows:
            drawn = group in _DRAWN and _drawable(compare(rows))
            picture = f"../docs/{_stem(results['protocol'])}-{_DRAWN[group]}.svg" if drawn else None
            parts += [f"## {group[0].upper()}{group[1:]}", *scoreboard.group(rows, results["ours"], picture)]
    if any("untrained" in row for row in results["rows"]):
        parts += ["## Trained against untrained", tables.UNTRAINED, tables.trained_untrained(results["rows"])]
    kind = "one-class" if supervised else "unsupervised"
    return tables.page(
        f"ADBench and other tables, {kind}", results, [*parts, "## Failures", tables.failures(results["rows"])]
    )


def _protocol(limits: Mapping[str, Any], supervised: bool) -> str:
    if supervised:
        how = (
            "One-class: a random half of the normal rows trains, the other half and all anomalies are the test, "
            f"a split for each seed. At most {limits['train']:,} training rows, {limits['test_normal']:,} normal "
            f"and {limits['test_anomalies']:,} anomalous test rows, drawn by the seed and the same for every method."
        )
    else:
        how = (
            "Unsupervised: each method trains on all rows, without labels, and scores the same rows; of large tables "
            f"on {limits['train']:,} drawn by the seed, the share of anomalies as in the table."
        )
    return (
        f"{how} Peers are PyOD's with its defaults; they read standardised numbers and one-hot categories. A run may "
        f"take {limits['seconds']:g} s. Choices were made on the development sets; what the others had to do with them "
        "is in `docs/roadmap.md`."
    )
