"""UNSW-NB15, official one-class split: `unwonted bench unsw`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unwonted.bench import loads, ours, peers, tables
from unwonted.bench.measuring import Row, jobs, mean_sd
from unwonted.bench.running import Kept, Progress, command, environment, write
from unwonted.bench.running import run as run_jobs

__all__ = ["FULL", "WITHOUT_TTL", "page", "run"]

FULL, WITHOUT_TTL = "all columns", "without TTL"

_QUALITY = ("auroc", "auprc", "precision", "recall", "f1", "accuracy", "alert_share_normal")


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
        *jobs({FULL: loads.unsw}, [*ours.methods(), *rivals], seeds, fixed=True),
        *jobs({WITHOUT_TTL: loads.unsw_without_ttl}, [*ours.methods(), peers.knn(log=True)], seeds, fixed=True),
    ]
    threads = threads or os.cpu_count() or 1
    kept = Kept(out)
    rows = run_jobs(work, workers=1, threads=threads, fresh=True, kept=kept, progress=progress)
    results = environment(command("unsw", seeds)) | {"threads": threads, "rows": rows}
    write(out / "unsw.json", results, page(results))
    return results


def page(results: Mapping[str, Any]) -> str:
    """Quality, confusion, by category, trained against untrained, cost."""
    groups = tables.grouped(results["rows"], lambda row: (row["table"], row["method"]))
    names = {key: key[1] if key[0] == FULL else f"{key[1]}, {key[0]}" for key in groups}
    done = {key: rows for key, rows in groups.items() if not any("error" in row for row in rows)}
    quality = [[names[key], *(tables.figure(rows, metric) for metric in _QUALITY)] for key, rows in done.items()]
    confusion = [[names[key], *tables.confusion(rows, "confusion")] for key, rows in done.items()]
    return tables.page(
        "UNSW-NB15, official one-class split",
        results,
        [
            "Trained on the 56,000 normal flows of the official training part, without labels; scored on all "
            "82,332 flows of the official test part. Mean ± standard deviation over seeds; rows without ± "
            "draw no random numbers. Alerts at a rate of 5 %, from each method's own threshold; an attack is "
            "the positive class.",
            tables.markdown(
                ["method", "AUROC", "AUPRC", "precision", "recall", "F1", "ACC", "alerts among normal"],
                quality,
            ),
            "## Confusion at the 5 % alert rate",
            tables.markdown(["method", "true negatives", "false alerts", "missed", "found"], confusion),
            "## By category of attack",
            "Share found at the 5 % alert rate, and AUROC against all normal flows.",
            _by_category(done, names),
            "## Trained against untrained",
            tables.UNTRAINED,
            tables.trained_untrained(results["rows"]),
            "## Cost",
            f"Each job alone in a new process, {results['threads']} thread(s). Training as a ratio to the "
            "AutoEncoder's, scoring as a ratio to that of kNN, both on log inputs; peak memory is the whole "
            "process's.",
            _cost(done, names),
            tables.failures(results["rows"]),
        ],
    )


def _by_category(groups: Mapping[Any, Sequence[Row]], names: Mapping[Any, str]) -> str:
    kinds = [(item["category"], item["n"]) for item in next(iter(groups.values()))[0]["by_category"]]
    lines = []
    for key, rows in groups.items():
        found = [{item["category"]: item for item in row["by_category"]} for row in rows]
        cells = [
            " / ".join(f"{mean_sd([by[kind][metric] for by in found])[0]:.3f}" for metric in ("recall", "auroc"))
            for kind, _ in kinds
        ]
        lines.append([names[key], *cells])
    return tables.markdown(["method", *(f"{kind} ({n:,})" for kind, n in kinds)], lines)


def _cost(groups: Mapping[Any, Sequence[Row]], names: Mapping[Any, str]) -> str:
    def mean(key: Any, metric: str) -> float:
        return mean_sd([row[metric] for row in groups[key]])[0]

    fit, score = (FULL, "AutoEncoder, log inputs"), (FULL, "kNN, log inputs")
    lines = []
    for key in groups:
        ratios = [
            f"{mean(key, metric) / mean(peer, metric):.2f}" if peer in groups else "–"
            for peer, metric in ((fit, "fit_seconds"), (score, "score_seconds"))
        ]
        seconds = [f"{mean(key, 'fit_seconds'):.1f}", f"{mean(key, 'score_seconds'):.1f}"]
        lines.append([names[key], seconds[0], ratios[0], seconds[1], ratios[1], f"{mean(key, 'peak_mb'):,.0f}"])
    head = ["method", "training, s", "÷ AutoEncoder", "scoring, s", "÷ kNN", "peak memory, MB"]
    return tables.markdown(head, lines)
