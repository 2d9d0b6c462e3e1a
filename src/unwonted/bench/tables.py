"""Markdown tables from rows of figures: means and standard deviations over seeds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unwonted.bench.measuring import HELD_OUT, Row, mean_sd

__all__ = [
    "MEMORY",
    "UNTRAINED",
    "at",
    "at_alert_rate",
    "by_method",
    "by_table",
    "confusion",
    "failures",
    "figure",
    "finished",
    "grouped",
    "markdown",
    "oracle",
    "page",
    "speed",
    "trained_untrained",
]

UNTRAINED = (
    "Untrained is the same detector with the initial weights of its network, and all that follows training (statistics "
    f"over the training records, calibration) done anew. Objective: mean loss of at most {HELD_OUT:,} ordinary test "
    "records, lower is better. Every run is compared with its own twin."
)
"""What the tables of `trained_untrained` compare."""

MEMORY = "Memory is what a job held, its data included, beyond the libraries that were loaded before it."
"""What `peak_mb` is."""

_CELLS = ("tn", "fp", "fn", "tp")


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


def figure(rows: Sequence[Row], *path: str, form: str = ".4f") -> str:
    """Mean ± standard deviation of a figure over runs; `path` leads to it through the rows.

    Example:
        >>> figure([{"oracle": {"f1": 0.5}}, {"oracle": {"f1": 0.7}}], "oracle", "f1")
        '0.6000 ± 0.1414'
    """
    values = [at(row, path) for row in rows]
    if None in values:
        return "not finite"
    mean, deviation = mean_sd(values)
    return f"{mean:{form}} ± {deviation:{form}}" if len(rows) > 1 else f"{mean:{form}}"


def at(row: Row, path: Sequence[str]) -> Any:
    """The figure that `path` leads to through a row."""
    found: Any = row
    for name in path:
        found = found[name]
    return found


def by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The runs of each method, without those that failed."""
    return grouped(finished(rows), lambda row: row["method"])


def oracle(rows: Sequence[Row], published: Mapping[str, tuple[float, float, float]]) -> str:
    """Quality at the anomaly ratio of each method, and under them what a paper reports."""
    lines = [
        [
            f"{method} (oracle rate)",
            str(len(runs)),
            *(figure(runs, "oracle", metric) for metric in ("precision", "recall", "f1")),
            *confusion(runs, "oracle", "confusion"),
        ]
        for method, runs in by_method(rows).items()
    ]
    lines += [
        [f"*{method}, paper (oracle rate)*", "", *(f"*{number:.4f}*" for number in numbers), *[""] * len(_CELLS)]
        for method, numbers in published.items()
    ]
    head = ["method", "runs", "precision", "recall", "F1", "true negatives", "false alerts", "missed", "found"]
    return markdown(head, lines)


def at_alert_rate(rows: Sequence[Row]) -> str:
    """Quality at each method's own threshold for the alert rate, and of the ranking."""
    metrics = ("auroc", "auprc", "precision", "recall", "f1", "alert_share_normal")
    lines = [
        [method, *(figure(runs, metric) for metric in metrics), *confusion(runs, "confusion")]
        for method, runs in by_method(rows).items()
    ]
    head = ["method", "AUROC", "AUPRC", "precision", "recall", "F1", "alerts among normal"]
    return markdown([*head, "true negatives", "false alerts", "missed", "found"], lines)


def confusion(rows: Sequence[Row], *path: str) -> list[str]:
    """Mean counts: true negatives, false alerts, missed, found."""
    return [f"{mean_sd([at(row, path)[cell] for row in rows])[0]:,.0f}" for cell in _CELLS]


def trained_untrained(rows: Sequence[Row]) -> str:
    """Each detector beside itself before training: held-out objective, AUROC, F1 at the anomaly ratio."""
    both = [row for row in rows if "untrained" in row]
    lines = []
    for (table, method), runs in grouped(both, lambda row: (row["table"], row["method"])).items():
        finite = [row for row in runs if None not in (row["objective"], row["untrained"]["objective"])]
        lower = sum(row["objective"] < row["untrained"]["objective"] for row in finite)
        higher = sum(row["auroc"] > row["untrained"]["auroc"] for row in runs)
        lines.append(
            [
                f"{table}, {method}",
                figure(runs, "objective", form=".4g"),
                figure(runs, "untrained", "objective", form=".4g"),
                f"{lower} of {len(runs)}",
                figure(runs, "auroc"),
                figure(runs, "untrained", "auroc"),
                f"{higher} of {len(runs)}",
                figure(runs, "oracle", "f1"),
                figure(runs, "untrained", "oracle", "f1"),
            ]
        )
    head = ["data set, method", "objective", "untrained", "lower in", "AUROC", "untrained", "higher in"]
    return markdown([*head, "F1 (oracle rate)", "untrained (oracle rate)"], lines)


def by_table(rows: Sequence[Row], metric: str = "auroc", form: str = ".4f") -> str:
    """A figure of each method on each table, and the mean over the tables that every method finished."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    cells = grouped(finished(rows), lambda row: (row["table"], row["method"]))
    first = {row["table"]: row for row in reversed(finished(rows))}
    lines = []
    for table, row in sorted(first.items(), key=lambda item: _number(item[0])):
        sizes = [f"{row[size]:,}" for size in ("n_train", "n_normal", "n_anomalies")]
        found = [
            figure(cells[table, method], metric, form=form) if (table, method) in cells else "–" for method in methods
        ]
        lines.append([table, *sizes, *found])
    complete = [table for table in first if all((table, method) in cells for method in methods)]
    means = [_overall([cells[table, method] for table in complete], metric, form) for method in methods]
    lines.append([f"**mean of {len(complete)}**", "", "", "", *(f"**{mean}**" for mean in means)])
    return markdown(["table", "train", "test normal", "test anomalies", *methods], lines)


def _overall(cells: Sequence[Sequence[Row]], metric: str, form: str) -> str:
    """The mean over tables; its deviation is that of a whole run, over the seeds that all tables have."""
    if not cells:
        return "–"
    by_seed = [{row["seed"]: row[metric] for row in runs} for runs in cells]
    common = set.intersection(*(set(of) for of in by_seed))
    _, deviation = mean_sd([mean_sd([of[seed] for of in by_seed])[0] for seed in sorted(common)])
    mean, _ = mean_sd([mean_sd(list(of.values()))[0] for of in by_seed])
    return f"{mean:{form}} ± {deviation:{form}}" if len(common) > 1 else f"{mean:{form}}"


def speed(rows: Sequence[Row]) -> str:
    """Seconds and rows per second, to train and to score, and peak memory."""
    lines = []
    for (table, method), runs in grouped(finished(rows), lambda row: (row["table"], row["method"])).items():
        first = runs[0]
        fit, score = (mean_sd([row[metric] for row in runs])[0] for metric in ("fit_seconds", "score_seconds"))
        tested = first["n_normal"] + first["n_anomalies"]
        lines.append(
            [
                f"{table}, {method}",
                *(f"{first['n_train']:,}", f"{fit:.1f}", f"{first['n_train'] / fit:,.0f}"),
                *(f"{tested:,}", f"{score:.1f}", f"{tested / score:,.0f}"),
                f"{mean_sd([row['peak_mb'] for row in runs])[0]:,.0f}",
            ]
        )
    head = ["data set, method", "trained on", "s", "rows/s", "scored", "s", "rows/s", "peak memory, MB"]
    return markdown(head, lines)


def failures(rows: Sequence[Row]) -> str:
    """What failed, in words; a failure is not left out of the page. Seeds with the same error share a line."""
    failed = [row for row in rows if "error" in row]
    same = grouped(failed, lambda row: (row["table"], row["method"], row["error"]))
    lines = [
        f"- {table}, {method}, seed {', '.join(str(row['seed']) for row in runs)}: {error}"
        for (table, method, error), runs in same.items()
    ]
    return "\n".join([f"{len(failed)} of {len(rows)} runs failed.", "", *lines]).strip()


def page(title: str, results: Mapping[str, Any], parts: Sequence[str]) -> str:
    """A whole page: title, parts, and how it was made."""
    made_by: Mapping[str, Any] = results.get("made_by", {"": results})
    sections: dict[str, list[str]] = {}
    for name, made in made_by.items():
        sections.setdefault(made["command"], []).append(name)
    feet = []
    for command, names in sections.items():
        made = made_by[names[0]]
        versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
        what = f"{', '.join(names)}: made" if len(made_by) > 1 else "Made"
        feet.append(f"{what} by `{command}` ({made['machine']}; {versions}).")
    return "\n\n".join([f"# {title}", *parts, *feet]) + "\n"


def grouped(rows: Sequence[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """Rows by key, in the order in which keys come."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def finished(rows: Sequence[Row]) -> list[Row]:
    """The runs that did not fail."""
    return [row for row in rows if "error" not in row]


def _number(table: str) -> tuple[int, str]:
    head = table.split("_", 1)[0]
    return (int(head), "") if head.isdigit() else (1000, table)
