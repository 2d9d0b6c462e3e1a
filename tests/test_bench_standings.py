"""Means, ranks and their significance are those worked out by hand; the drawing shows them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unwonted.bench import drawing, scoreboard
from unwonted.bench.standings import compare, critical_difference

Row = dict[str, Any]
FIGURES: dict[str, dict[str, tuple[float | None, float | None]]] = {
    "a": {"x": (0.9, 0.8), "y": (0.7, 0.7), "z": (0.95, 0.65)},  # means .85 .7 .8: ranks 1 3 2
    "b": {"x": (0.6, 0.6), "y": (0.6, 0.6), "z": (0.5, 0.5)},  # ranks 1.5 1.5 3
    "c": {"x": (0.5, 0.5), "y": (0.9, 0.9), "z": (0.99, None)},  # z failed once: ranks 2 1 3
    "d": {"x": (0.8, 0.8), "y": (0.9, 0.9), "z": (None, None)},  # ranks 2 1 3
}


def row(table: str, method: str, seed: int, auroc: float | None) -> Row:
    names = {"table": table, "method": method, "seed": seed}
    if auroc is None:
        return names | {"error": "its process ended with status 1"}
    sizes = {"n_train": 10, "n_normal": 10, "n_anomalies": 2}
    cost = {"fit_seconds": 1.0 + seed, "score_seconds": 0.5, "peak_mb": 100.0 if method == "x" else 200.0}
    return names | sizes | cost | {"auroc": auroc, "auprc": auroc / 2, "oracle": {"f1": auroc / 4}}


def rows() -> list[Row]:
    return [
        row(table, method, seed, auroc)
        for table, of in FIGURES.items()
        for method, aurocs in of.items()
        for seed, auroc in enumerate(aurocs)
    ]


def test_standings_are_those_worked_out_by_hand() -> None:
    found = compare(rows())
    by = {one.method: one for one in found.standings}
    assert found.tables == ["a", "b", "c", "d"]
    assert found.complete == 3  # z has no run on d
    assert [one.method for one in found.standings] == ["x", "y", "z"]
    assert [by[name].rank for name in "xyz"] == pytest.approx([6.5 / 4, 6.5 / 4, 11 / 4])
    assert [by[name].wins for name in "xyz"] == [2, 3, 0]
    assert [by[name].finished for name in "xyz"] == [4, 4, 2]
    assert [by[name].auroc for name in "xyz"] == pytest.approx([1.95 / 3, 2.2 / 3, 2.29 / 3])
    assert by["x"].auprc == pytest.approx(1.95 / 6)
    assert by["x"].f1 == pytest.approx(1.95 / 12)
    assert (by["x"].fit, by["x"].score, by["x"].peak, by["z"].peak) == (1.5, 0.5, 100.0, 200.0)


def test_methods_are_compared_on_the_seeds_that_all_have() -> None:
    more = [*rows(), row("a", "x", 2, 0.01), row("b", "y", 2, None)]
    assert compare(more).standings == compare(rows()).standings


def test_a_method_on_some_of_the_tables_alone_is_named_and_not_ranked() -> None:
    more = [*rows(), row("a", "new", 0, 0.99), row("e", "new", 0, 0.99)]
    found = compare(more)
    assert found.partial == {"new": 1}
    assert found.tables == ["a", "b", "c", "d"], "a table of one method alone counts"
    assert [one.rank for one in found.standings] == [one.rank for one in compare(rows()).standings]
    assert "new (1 of 4)" in "\n".join(scoreboard.group(more, ["y"]))


def test_the_page_has_the_standings() -> None:
    page = "\n".join(scoreboard.group(rows(), ["y"], "../docs/ranks.svg"))
    assert "| x | 0.6500 | 0.3250 | 0.1625 | 1.62 | 2 | 4 of 4 | 2 | 1.50 | 0.50 | 100 |" in page
    assert "| **y** | **0.7333** |" in page
    assert "| z | 0.7633 | 0.3817 | 0.1908 | 2.75 | 0 | 2 of 4 | 2 |" in page
    assert "Means over 3 tables, ranks over 4." in page
    assert f"where they are {critical_difference(3, 4):.2f} apart (Nemenyi)" in page
    assert "![Mean ranks and critical difference](../docs/ranks.svg)" in page
    assert "| b | 10 | 10 | 2 | 0.600 ± 0.000 | 0.600 ± 0.000 | 0.500 ± 0.000 |" in page


@pytest.mark.parametrize(("methods", "quantile"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_has_the_published_quantiles(methods: int, quantile: float) -> None:
    """Demšar (2006), table 5."""
    expected = quantile * np.sqrt(methods * (methods + 1) / (6 * 14))
    assert critical_difference(methods, 14) == pytest.approx(expected, rel=3e-4)


def test_ranks_that_never_differ_are_chance_and_ranks_that_always_do_are_not() -> None:
    orders = [[0.9, 0.8, 0.7], [0.8, 0.7, 0.9], [0.7, 0.9, 0.8]]
    turning = [row(f"t{i}", name, 0, orders[i % 3][j]) for i in range(12) for j, name in enumerate("xyz")]
    steady = [row(f"t{i}", name, 0, orders[0][j]) for i in range(12) for j, name in enumerate("xyz")]
    assert compare(turning).friedman() == pytest.approx(1)
    # Friedman's statistic is 12 · 2 = 24 with two degrees of freedom: the chance is exp(−12).
    assert compare(steady).friedman() == pytest.approx(np.exp(-12))
    assert np.isnan(compare([one for one in steady if one["method"] != "z"]).friedman())


def test_the_drawing_joins_what_does_not_differ(tmp_path: Path) -> None:
    ranks = {"ours": 1.0, "kNN": 2.0, "LOF": 2.5, "DIF": 6.0}
    assert drawing._alike(sorted(ranks.values()), 2.0) == [(0, 2)]
    assert drawing._alike([1.0, 2.0, 3.0, 9.0], 1.5) == [(0, 1), (1, 2)]
    assert drawing._alike([1.0, 9.0], 1.5) == []
    drawing.mean_ranks(ranks, 2.0, ["ours"], tmp_path / "ranks.svg")
    text = (tmp_path / "ranks.svg").read_text(encoding="utf-8")
    assert all(f"{name}  {rank:.2f}" in text or f"{rank:.2f}  {name}" in text for name, rank in ranks.items())
    assert "critical difference 2.00" in text
    drawing.mean_ranks(ranks, 2.0, ["ours"], tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text(encoding="utf-8") == text
