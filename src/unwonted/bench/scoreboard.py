"""The page of many methods on many tables: standings by group, each table's figures, what failed."""

from collections.abc import Sequence

from unwonted.bench import tables
from unwonted.bench.measuring import Row
from unwonted.bench.standings import Comparison, Standing, compare, critical_difference

__all__ = ["OPENING", "group"]

_HEAD = (
    "method",
    "mean AUROC",
    "mean AUPRC",
    "mean F1 (oracle)",
    "mean rank",
    "wins",
    "tables finished",
    "seeds",
    "fit, s",
    "score, s",
    "peak, MB",
)

OPENING = (
    "Methods are compared on the same splits: on each table with the seeds that all of them have; figures by table are "
    "of all seeds. Means are over the tables that every method finished; F1 (oracle) calls as many records as there "
    "are anomalies. Ranks are by AUROC; a table with a failed run has the last rank. Seconds and peak memory are "
    f"medians over tables, one thread, taken beside other jobs. {tables.MEMORY} Methods of this package are bold."
)
"""What the figures of `group` are."""


def group(rows: Sequence[Row], ours: Sequence[str], picture: str | None = None) -> list[str]:
    """The parts of one group of tables.

    Args:
        rows: Of its tables.
        ours: The methods of this package.
        picture: Link to the figure of the ranks, where there is one.
    """
    found = compare(rows)
    parts = [_summary(found, ours)]
    if found.partial:
        total = len(found.tables)
        few = ", ".join(f"{method} ({count} of {total})" for method, count in found.partial.items())
        parts.append(f"Not compared, for they ran on some of the tables alone: {few}.")
    parts.append(_chance(found))
    if picture is not None:
        parts.append(f"![Mean ranks and critical difference]({picture})")
    for name, metric in (("AUROC", "auroc"), ("AUPRC", "auprc")):
        parts += [f"{name} by table", tables.by_table(rows, metric, form=".3f")]
    return [part for part in parts if part]


def _summary(found: Comparison, ours: Sequence[str]) -> str:
    return tables.markdown(_HEAD, [_line(standing, standing.method in ours, found) for standing in found.standings])


def _line(one: Standing, bold: bool, found: Comparison) -> list[str]:
    seeds = "–".join(str(count) for count in dict.fromkeys(one.seeds))
    cells = [
        one.method,
        *(f"{value:.4f}" for value in (one.auroc, one.auprc, one.f1)),
        f"{one.rank:.2f}",
        str(one.wins),
        f"{one.finished} of {len(found.tables)}",
        seeds,
        *(f"{seconds:.2f}" for seconds in (one.fit, one.score)),
        f"{one.peak:,.0f}",
    ]
    return [f"**{cell}**" for cell in cells] if bold else cells


def _chance(found: Comparison) -> str:
    """What the ranks are worth."""
    count, methods = len(found.tables), len(found.standings)
    told = f"Means over {found.complete} tables, ranks over {count}."
    chance = found.friedman()
    if chance != chance:
        return told
    apart = critical_difference(methods, count)
    return (
        f"{told} All methods being alike, ranks so different would have a probability of {chance:.2g} (Friedman); two "
        f"mean ranks differ at the level of 5 % where they are {apart:.2f} apart (Nemenyi)."
    )
