"""How methods compare over many tables: means, ranks, and whether the ranks differ by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from unwonted.bench.measuring import Row, mean_sd
from unwonted.bench.tables import finished, grouped

__all__ = ["Comparison", "Standing", "compare", "critical_difference"]


@dataclass(frozen=True)
class Standing:
    """One method over the tables of a comparison.

    Attributes:
        method: Its name.
        auroc, auprc, f1: Means over the tables that every method finished, of means over seeds; NaN where there is
            no such table. F1 is at the number of anomalies.
        rank: Mean rank by AUROC over all tables, 1 the best; ties share theirs; a table with a failed run has the
            last.
        wins: Tables on which no other method has a higher AUROC.
        finished: Tables without a failed run.
        seeds: The fewest and the most runs on a table that are compared.
        fit, score, peak: Median over tables of the mean seconds to fit, to score, and MB; NaN where none finished.
    """

    method: str
    auroc: float
    auprc: float
    f1: float
    rank: float
    wins: int
    finished: int
    seeds: tuple[int, int]
    fit: float
    score: float
    peak: float


@dataclass(frozen=True)
class Comparison:
    """Methods on the same tables.

    Attributes:
        standings: The best mean rank first.
        tables: On which all of them were run.
        complete: How many of these every method finished.
        partial: Methods that were run on some of the tables alone, each with their number; they have no standing.
    """

    standings: list[Standing]
    tables: list[str]
    complete: int
    partial: dict[str, int]
    ranks: np.ndarray

    def friedman(self) -> float:
        """The probability of ranks so far apart if all methods were alike; NaN for less than three methods."""
        if len(self.standings) < 3 or len(self.tables) < 2:
            return float("nan")
        return float(stats.friedmanchisquare(*self.ranks.T).pvalue)


def compare(rows: Sequence[Row]) -> Comparison:
    """Compares methods on the tables that at least half of them were run on, each with the seeds that all have there.

    Splits differ in how hard they are: a method with fewer seeds would be measured on others than the rest.
    """
    cells: dict[Any, list[Row]] = grouped(rows, lambda row: (row["table"], row["method"]))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    every = list(dict.fromkeys(row["table"] for row in rows))
    tables = [table for table in every if sum((table, method) in cells for method in methods) >= len(methods) / 2]
    run_on = {method: sum((table, method) in cells for table in tables) for method in methods}
    partial = {method: count for method, count in run_on.items() if count < len(tables)}
    methods = [method for method in methods if method not in partial]
    for table in tables:
        shared = set.intersection(*({row["seed"] for row in cells[table, method]} for method in methods))
        for method in methods:
            cells[table, method] = [row for row in cells[table, method] if row["seed"] in shared]
    done = {key: finished(runs) for key, runs in cells.items()}
    complete = [table for table in tables if all(done[table, method] for method in methods)]
    quality = np.array([[_auroc(cells[table, method]) for method in methods] for table in tables])
    quality = quality.reshape(len(tables), len(methods))
    ranks = stats.rankdata(-quality, axis=1)
    best = quality >= quality.max(axis=1, keepdims=True, initial=-np.inf)
    standings = [
        _standing(
            method,
            [done[table, method] for table in complete],
            [cells[table, method] for table in tables],
            ranks[:, i],
            best[:, i] & np.isfinite(quality[:, i]),
        )
        for i, method in enumerate(methods)
    ]
    order = sorted(range(len(methods)), key=lambda i: standings[i].rank)
    return Comparison([standings[i] for i in order], tables, len(complete), partial, ranks[:, order])


def _standing(
    method: str, complete: list[list[Row]], cells: list[list[Row]], ranks: np.ndarray, wins: np.ndarray
) -> Standing:
    """Of a method with these finished runs on the tables that all finished, all runs, ranks and wins on each table."""
    counts = [len(runs) for runs in cells]
    done = [finished(runs) for runs in cells]
    return Standing(
        method=method,
        auroc=_mean(complete, "auroc"),
        auprc=_mean(complete, "auprc"),
        f1=_mean(complete, "oracle", "f1"),
        rank=float(ranks.mean()),
        wins=int(wins.sum()),
        finished=sum(len(runs) == len(of) for runs, of in zip(cells, done, strict=True)),
        seeds=(min(counts), max(counts)),
        fit=_median(done, "fit_seconds"),
        score=_median(done, "score_seconds"),
        peak=_median(done, "peak_mb"),
    )


def _auroc(runs: Sequence[Row]) -> float:
    """The mean over seeds; below all others where one failed."""
    return -np.inf if any("error" in row for row in runs) else mean_sd([row["auroc"] for row in runs])[0]


def _mean(cells: Sequence[Sequence[Row]], *path: str) -> float:
    def figure(row: Any) -> float:
        for name in path:
            row = row[name]
        return float(row)

    return mean_sd([mean_sd([figure(row) for row in runs])[0] for runs in cells])[0] if cells else float("nan")


def _median(cells: Sequence[Sequence[Row]], figure: str) -> float:
    means = [mean_sd([row[figure] for row in runs])[0] for runs in cells if runs]
    return float(np.median(means)) if means else float("nan")


def critical_difference(methods: int, tables: int) -> float:
    """How far apart two mean ranks have to lie to differ at the level of 5 %: Nemenyi's test.

    Source: J. Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006.

    Example:
        >>> round(critical_difference(10, 30), 3)
        2.473
    """
    quantile = stats.studentized_range.ppf(0.95, methods, np.inf) / 2**0.5
    return float(quantile * (methods * (methods + 1) / (6 * tables)) ** 0.5)
