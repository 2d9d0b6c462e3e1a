"""UNSW-NB15, official one-class split: `unwonted bench unsw`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unwonted.bench import loads, ours, rivals, tables
from unwonted.bench.keeping import Kept
from unwonted.bench.measuring import Load, Row, jobs, mean_sd
from unwonted.bench.peers import Method
from unwonted.bench.results import added, command, earlier, environment, named, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs

__all__ = ["FULL", "WITHOUT_TTL", "page", "peers", "run"]

FULL, WITHOUT_TTL = "all columns", "without TTL"

_QUALITY = ("auroc", "auprc", "precision", "recall", "f1", "accuracy", "alert_share_normal")
_FEW, _SLOW = 10_000, ("OCSVM", "KDE", "LUNAR")


def peers() -> list[Method]:
    """Every peer on raw and on log inputs; those whose time grows too fast train on some of the rows."""
    return [
        rivals.pyod(name, log, most=_FEW if name in _SLOW else None) for name in rivals.PYOD for log in (False, True)
    ]


def run(
    out: Path,
    seeds: int = 5,
    progress: Progress | None = None,
    methods: Sequence[str] | None = None,
    workers: int = 1,
    limit: float = 1800.0,
) -> dict[str, Any]:
    """Runs the benchmark and writes `unsw.json` and `unsw.md`.

    Rows that are in the results already are not run again as long as their code is the same; those of other methods
    and seeds stay.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds for what draws random numbers.
        progress: See `unwonted.bench.running`.
        methods: Names of the methods to run, each with its variants; None runs all.
        workers: Processes at a time, of one thread each; with one, on a machine that does nothing else, times are
            their own.
        limit: Seconds that a run may take.

    Returns:
        What `unsw.json` holds: how it was made and one row for each set of columns, method and seed.

    Raises:
        DataError: `methods` names what does not exist; a data file is missing or altered.
    """
    sets: dict[str, Load] = {FULL: loads.unsw, WITHOUT_TTL: loads.unsw_without_ttl}
    work = jobs(sets, named([*ours.methods(), *peers()], methods), seeds, fixed=True)
    before = earlier(out / "unsw.json")
    kept = Kept(out, before["rows"])
    rows = run_jobs(work, workers=workers, threads=1, limit=limit, kept=kept, progress=progress)
    results = {"limit": limit, **added(before, rows, environment(command("unsw", seeds, methods=methods)))}
    write(out / "unsw.json", results, page(results))
    return results


def page(results: Mapping[str, Any]) -> str:
    """For each set of columns quality, categories, confusion; trained against untrained, cost."""
    parts = [
        "Trained on the 56,000 normal flows of the official training part, without labels; scored on all 82,332 flows "
        "of the official test part. Mean ± standard deviation over seeds; rows without ± are of one, or draw no "
        "numbers. Alerts at a rate of 5 %, from each method's own threshold; an attack is the positive class. Peers "
        "are PyOD's with its defaults, on standardised numbers and one-hot categories, the numbers raw or as their "
        "logarithm; "
        f"{', '.join(_SLOW[:-1])} and {_SLOW[-1]}, whose time grows too fast, train on {_FEW:,} rows drawn by the "
        f"seed. A run may take {results['limit']:g} s."
    ]
    for table in (FULL, WITHOUT_TTL):
        groups = tables.by_method([row for row in results["rows"] if row["table"] == table])
        if groups:
            parts += [f"## {table[0].upper()}{table[1:]}", *_quality(groups)]
    parts += ["## Trained against untrained", tables.UNTRAINED, tables.trained_untrained(results["rows"])]
    full = tables.by_method([row for row in results["rows"] if row["table"] == FULL])
    parts += [
        "## Cost",
        "All columns, one thread; of several seeds the least. Training as a ratio to the AutoEncoder's, scoring as a "
        f"ratio to that of kNN, both on log inputs. {tables.MEMORY}",
        _cost(full),
        tables.failures(results["rows"]),
    ]
    return tables.page("UNSW-NB15, official one-class split", results, parts)


def _quality(groups: Mapping[str, Sequence[Row]]) -> list[str]:
    head = ["method", "AUROC", "AUPRC", "precision", "recall", "F1", "ACC", "alerts among normal"]
    quality = [[name, *(tables.figure(rows, metric) for metric in _QUALITY)] for name, rows in groups.items()]
    confusion = [[name, *tables.confusion(rows, "confusion")] for name, rows in groups.items()]
    return [
        tables.markdown(head, quality),
        "By category of attack: share found at the 5 % alert rate, and AUROC against all normal flows.",
        _by_category(groups),
        "Confusion at the 5 % alert rate.",
        tables.markdown(["method", "true negatives", "false alerts", "missed", "found"], confusion),
    ]


def _by_category(groups: Mapping[str, Sequence[Row]]) -> str:
    kinds = [(item["category"], item["n"]) for item in next(iter(groups.values()))[0]["by_category"]]
    lines = []
    for name, rows in groups.items():
        found = [{item["category"]: item for item in row["by_category"]} for row in rows]
        cells = [
            " / ".join(f"{mean_sd([by[kind][metric] for by in found])[0]:.3f}" for metric in ("recall", "auroc"))
            for kind, _ in kinds
        ]
        lines.append([name, *cells])
    return tables.markdown(["method", *(f"{kind} ({n:,})" for kind, n in kinds)], lines)


def _cost(groups: Mapping[str, Sequence[Row]]) -> str:
    def least(name: str, metric: str) -> float:
        return float(min(row[metric] for row in groups[name]))

    lines = []
    for name in groups:
        ratios = [
            f"{least(name, metric) / least(peer, metric):.2f}" if peer in groups else "–"
            for peer, metric in (("AutoEncoder, log inputs", "fit_seconds"), ("kNN, log inputs", "score_seconds"))
        ]
        seconds = [f"{least(name, 'fit_seconds'):.1f}", f"{least(name, 'score_seconds'):.1f}"]
        lines.append([name, seconds[0], ratios[0], seconds[1], ratios[1], f"{least(name, 'peak_mb'):,.0f}"])
    head = ["method", "training, s", "÷ AutoEncoder", "scoring, s", "÷ kNN", "peak memory, MB"]
    return tables.markdown(head, lines)
