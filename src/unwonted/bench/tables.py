"""Markdown tables from a benchmark's results: means and standard deviations over seeds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unwonted.bench.protocols import Row, mean_sd

__all__ = ["adbench", "markdown", "unsw"]

_QUALITY = ("auroc", "auprc", "precision", "recall", "f1", "accuracy", "alert_share_normal")


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures.

    Example:
        >>> print(markdown(["method", "AUROC"], [["kNN", ".93"]]))
        | method | AUROC |
        | :-- | --: |
        | kNN | .93 |
    """
    rule = [":--"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


def unsw(results: Mapping[str, Any]) -> str:
    """The page of the UNSW-NB15 benchmark: quality, confusion, by category, cost."""
    groups = _grouped(results["rows"], lambda row: (row["table"], row["method"]))
    names = {key: key[1] if key[0] == "all columns" else f"{key[1]}, {key[0]}" for key in groups}
    done = {key: rows for key, rows in groups.items() if not any("error" in row for row in rows)}
    quality = [[names[key], *(_figure(rows, metric) for metric in _QUALITY)] for key, rows in done.items()]
    confusion = [
        [
            names[key],
            *(f"{mean_sd([row['confusion'][cell] for row in rows])[0]:,.0f}" for cell in ("tn", "fp", "fn", "tp")),
        ]
        for key, rows in done.items()
    ]
    return _page(
        "UNSW-NB15, official one-class split",
        results,
        [
            "Trained on the 56,000 normal flows of the official training part, without labels; scored on all "
            "82,332 flows of the official test part. Mean ± standard deviation over seeds; rows without ± "
            "draw no random numbers. Alerts at a rate of 5 %, from each method's own threshold; an attack is "
            "the positive class.",
            markdown(
                ["method", "AUROC", "AUPRC", "precision", "recall", "F1", "ACC", "alerts among normal"],
                quality,
            ),
            "## Confusion at the 5 % alert rate",
            markdown(["method", "true negatives", "false alerts", "missed", "found"], confusion),
            "## By category of attack",
            "Share found at the 5 % alert rate, and AUROC against all normal flows.",
            _by_category(done, names),
            "## Cost",
            f"Each job alone in a new process, {results['threads']} thread(s). Training as a ratio to the "
            "AutoEncoder's, scoring as a ratio to that of kNN, both on log inputs; peak memory is the whole "
            "process's.",
            _cost(done, names),
            _failures(results["rows"]),
        ],
    )


def adbench(results: Mapping[str, Any]) -> str:
    """The page of the ADBench benchmark: AUROC by table, one section for each group of tables."""
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
            parts += [f"## {group[0].upper()}{group[1:]}", _auroc_by_table(rows)]
    return _page("ADBench and other tables, one-class", results, [*parts, _failures(results["rows"])])


def _auroc_by_table(rows: Sequence[Row]) -> str:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    cells = _grouped([row for row in rows if "error" not in row], lambda row: (row["table"], row["method"]))
    first = {row["table"]: row for row in reversed(rows)}
    lines = []
    for table, row in sorted(first.items(), key=lambda item: _number(item[0])):
        sizes = [f"{row[size]:,}" for size in ("n_train", "n_normal", "n_anomalies")]
        found = [_figure(cells[table, method], "auroc") if (table, method) in cells else "–" for method in methods]
        lines.append([table, *sizes, *found])
    complete = [table for table in first if all((table, method) in cells for method in methods)]
    means = []
    for method in methods:
        # The mean over tables is taken for each seed, so that its deviation is that of a whole run.
        seeds = _grouped([row for t in complete for row in cells[t, method]], lambda row: row["seed"])
        overall = [mean_sd([row["auroc"] for row in of_seed])[0] for of_seed in seeds.values()]
        means.append("{:.4f} ± {:.4f}".format(*mean_sd(overall)) if overall else "–")
    lines.append([f"**mean of {len(complete)}**", "", "", "", *(f"**{mean}**" for mean in means)])
    return markdown(["table", "train", "test normal", "test anomalies", *methods], lines)


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
    return markdown(["method", *(f"{kind} ({n:,})" for kind, n in kinds)], lines)


def _cost(groups: Mapping[Any, Sequence[Row]], names: Mapping[Any, str]) -> str:
    def mean(key: Any, metric: str) -> float:
        return mean_sd([row[metric] for row in groups[key]])[0]

    full = next(iter(groups))[0]
    fit, score = (full, "AutoEncoder, log inputs"), (full, "kNN, log inputs")
    lines = []
    for key in groups:
        ratios = [
            f"{mean(key, metric) / mean(peer, metric):.2f}" if peer in groups else "–"
            for peer, metric in ((fit, "fit_seconds"), (score, "score_seconds"))
        ]
        seconds = [f"{mean(key, 'fit_seconds'):.1f}", f"{mean(key, 'score_seconds'):.1f}"]
        lines.append([names[key], seconds[0], ratios[0], seconds[1], ratios[1], f"{mean(key, 'peak_mb'):,.0f}"])
    head = ["method", "training, s", "÷ AutoEncoder", "scoring, s", "÷ kNN", "peak memory, MB"]
    return markdown(head, lines)


def _figure(rows: Sequence[Row], metric: str) -> str:
    mean, deviation = mean_sd([row[metric] for row in rows])
    return f"{mean:.4f} ± {deviation:.4f}" if len(rows) > 1 else f"{mean:.4f}"


def _failures(rows: Sequence[Row]) -> str:
    """What failed, in words; a failure is not left out of the page."""
    failed = [row for row in rows if "error" in row]
    lines = [f"- {row['table']}, {row['method']}, seed {row['seed']}: {row['error']}" for row in failed]
    return "\n".join([f"{len(failed)} of {len(rows)} runs failed.", "", *lines]).strip()


def _page(title: str, results: Mapping[str, Any], parts: Sequence[str]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    foot = f"Made by `{results['command']}` (seeds {results['seeds']}; {results['machine']}; {versions})."
    return "\n\n".join([f"# {title}", *parts, foot]) + "\n"


def _grouped(rows: Sequence[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _number(table: str) -> tuple[int, str]:
    head = table.split("_", 1)[0]
    return (int(head), "") if head.isdigit() else (1000, table)
