"""Benchmarks see no label, measure what they say, and show failures."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bench_standins import BROKEN, LEARNER, NAIVE, NORM, Norm, permuted, tiny
from unwonted import datasets
from unwonted.bench import adbench, loads, measuring, ours, peers, results, rivals, tables, unsw
from unwonted.bench.adbench import GROUPS
from unwonted.bench.keeping import Kept
from unwonted.bench.loads import LIMITS, all_in_one, capped
from unwonted.bench.measuring import Job, at_anomaly_ratio, measure
from unwonted.bench.peers import Method
from unwonted.errors import DataError


def board(groups: dict[str, list[str]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Results of `adbench` with these rows."""
    every = {"development": [], "development, mixed columns": [], "confirming": [], "embeddings": []} | groups
    made = {"made_by": {"run 1": results.environment("test")}, "protocol": "one-class", "ours": ["ours"]}
    return {"limits": LIMITS | {"seconds": 600.0}, "groups": every, "rows": rows, **made}


def test_a_row_has_the_metrics_and_the_cost() -> None:
    row = measure(Job("tiny", tiny, NORM, 0))
    assert (row["table"], row["method"], row["seed"]) == ("tiny", "norm", 0)
    assert (row["n_train"], row["n_normal"], row["n_anomalies"], row["n_columns"]) == (200, 100, 50, 2)
    assert row["auroc"] > 0.98
    assert row["recall"] > 0.9
    assert row["alert_share_normal"] < 0.05
    assert sum(row["confusion"].values()) == 150
    assert {item["category"]: item["n"] for item in row["by_category"]} == {"leak": 25, "scan": 25}
    assert row["fit_seconds"] > 0
    assert row["score_seconds"] > 0
    assert row["peak_mb"] >= 0


@pytest.mark.parametrize(
    "method",
    [NORM, LEARNER, peers.iforest(), rivals.pyod("kNN", most=150), rivals.pyod("LOF", log=True), rivals.ocsvm(150)],
)
def test_permuted_test_labels_change_no_score(method: Method) -> None:
    row, other = (measure(Job("tiny", load, method, 1)) for load in (tiny, permuted))
    assert row["scores_sha256"] == other["scores_sha256"]
    assert row["auroc"] != other["auroc"]
    assert row["auroc"] > 0.9
    if method.untrained:
        assert row["untrained"]["scores_sha256"] == other["untrained"]["scores_sha256"]
        assert row["untrained"]["auroc"] != other["untrained"]["auroc"]


def test_a_detector_stands_beside_itself_before_training() -> None:
    row, data = measure(Job("tiny", tiny, LEARNER, 0)), tiny(0)
    ordinary = data.test["bytes"].to_numpy()[~data.is_anomaly]
    assert row["objective"] == pytest.approx(np.abs(ordinary - np.mean(data.train["bytes"].to_numpy())).mean())
    assert row["untrained"]["objective"] == pytest.approx(np.abs(ordinary - 3).mean())
    assert row["untrained"]["auroc"] < 0.7 < 0.98 < row["auroc"]
    assert row["untrained"]["oracle"]["f1"] < row["oracle"]["f1"]
    assert row["untrained"]["scores_sha256"] != row["scores_sha256"]


def test_a_method_without_the_promised_twin_is_a_failure() -> None:
    row = measure(Job("tiny", tiny, Method("norm", Norm, untrained=True), 0))
    assert "Norm has no untrained twin" in row["error"]


def test_at_the_anomaly_ratio_as_many_are_called_as_there_are() -> None:
    rng = np.random.default_rng(0)
    for anomalies in (1, 7, 80, 199):
        truth = rng.permutation(np.arange(200) < anomalies)
        score = rng.normal(truth * 1.5, 1)
        called = np.argsort(score)[-anomalies:]
        found = at_anomaly_ratio(score, truth)
        assert found["confusion"]["tp"] == truth[called].sum()
        assert found["confusion"]["tp"] + found["confusion"]["fp"] == anomalies
        assert found["precision"] == found["recall"] == pytest.approx(truth[called].mean())
        assert found["f1"] == pytest.approx(truth[called].mean())


def test_constant_scores_find_nothing_at_the_anomaly_ratio() -> None:
    found = at_anomaly_ratio(np.zeros(10), np.arange(10) < 9)
    assert (found["f1"], found["confusion"]["tp"]) == (0, 0)


def test_a_failure_is_a_row_and_a_line_on_the_page() -> None:
    rows = [measure(Job("tiny", tiny, method, seed)) for method in (NORM, BROKEN) for seed in (0, 1)]
    assert "auroc" not in rows[2]
    assert rows[2]["error"] == "RuntimeError: did not converge"
    page = adbench.page(board({"development": ["tiny"]}, rows))
    assert "2 of 4 runs failed" in page
    assert "- tiny, broken, seed 0, 1: RuntimeError: did not converge" in page


def test_capping_keeps_small_parts_and_cuts_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "LIMITS", {"train": 120, "test_normal": 200, "test_anomalies": 20})
    data, cut = tiny(0), capped(tiny(0), seed=5)
    assert (cut.train.num_rows, int((~cut.is_anomaly).sum()), int(cut.is_anomaly.sum())) == (120, 100, 20)
    truth = dict(zip(data.test["bytes"].to_pylist(), data.is_anomaly.tolist(), strict=True))
    assert [truth[value] for value in cut.test["bytes"].to_pylist()] == cut.is_anomaly.tolist()
    assert cut.categories is not None
    assert ((cut.categories == "normal") == ~cut.is_anomaly).all()
    assert capped(tiny(0), seed=5).train.equals(cut.train)
    assert not capped(tiny(0), seed=6).train.equals(cut.train)


def test_the_unsw_page_shows_quality_categories_and_ratios() -> None:
    methods = [NORM, Method("kNN, log inputs", Norm), Method("AutoEncoder, log inputs", Norm)]
    rows = [measure(Job(unsw.FULL, tiny, method, seed)) for method in methods for seed in (0, 1)]
    rows += [measure(Job(unsw.WITHOUT_TTL, tiny, NORM, 0))]
    for row in rows:
        row |= {"fit_seconds": 3.0, "score_seconds": 1.0}
    rows[0] |= {"fit_seconds": 6.0, "score_seconds": 0.5}
    rows[1] |= {"fit_seconds": 6.0, "score_seconds": 0.5}
    page = unsw.page(results.environment("unwonted bench unsw") | {"limit": 1800.0, "rows": rows})
    mean, deviation = measuring.mean_sd([rows[0]["auroc"], rows[1]["auroc"]])
    assert f"| norm | {mean:.4f} ± {deviation:.4f} |" in page
    assert "| norm | 6.0 | 2.00 | 0.5 | 0.50 |" in page
    assert "| norm |" in page.split("## Without TTL")[1].split("##")[0]
    assert "leak (25)" in page
    assert "0 of 7 runs failed" in page
    assert "`unwonted bench unsw`" in page


def test_the_unsw_run_has_every_peer_twice_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals_of = {method.name: method for method in unsw.peers()}
    assert len(rivals_of) == 34
    assert {name for name in rivals_of if "log inputs" in name} == {f"{name}, log inputs" for name in rivals.PYOD}
    few = {name for name, method in rivals_of.items() if method.make(0).most == 10_000}
    assert few == {f"{name}{log}" for name in ("OCSVM", "KDE", "LUNAR") for log in ("", ", log inputs")}

    def run_here(work: list[Job], *, kept: Kept, **how: Any) -> list[dict[str, Any]]:
        assert how["limit"] == 1800
        return [measure(job) | {"key": kept.key(job, 1)} for job in work]

    monkeypatch.setattr(loads, "unsw", tiny)
    monkeypatch.setattr(loads, "unsw_without_ttl", tiny)
    monkeypatch.setattr(ours, "methods", lambda: [LEARNER])
    monkeypatch.setattr(unsw, "run_jobs", run_here)
    unsw.run(tmp_path, seeds=2, methods=["learner"])
    found = unsw.run(tmp_path, seeds=2, methods=["kNN"])
    rows = [(row["table"], row["method"], row["seed"]) for row in found["rows"]]
    learned = [(table, "learner", seed) for table in (unsw.FULL, unsw.WITHOUT_TTL) for seed in (0, 1)]
    near = [(table, f"kNN{log}", 0) for table in (unsw.FULL, unsw.WITHOUT_TTL) for log in ("", ", log inputs")]
    assert rows == learned + near
    page = (tmp_path / "unsw.md").read_text(encoding="utf-8")
    assert "OCSVM, KDE and LUNAR, whose time grows too fast, train on 10,000 rows" in page
    assert page.count("| kNN, log inputs |") == 7  # quality, categories and confusion of both, and cost


def test_the_mean_over_tables_is_taken_for_each_seed() -> None:
    figures = {("a", 0): 0.5, ("a", 1): 0.7, ("b", 0): 0.9, ("b", 1): 0.7}
    sizes = {"n_train": 1, "n_normal": 1, "n_anomalies": 1}
    rows = [
        sizes | {"table": table, "method": "m", "seed": seed, "auroc": auroc}
        for (table, seed), auroc in figures.items()
    ]
    page = tables.by_table(rows)
    assert "| a | 1 | 1 | 1 | 0.6000 ± 0.1414 |" in page
    assert "**0.7000 ± 0.0000**" in page
    # Without the second seed of one table its deviation is unknown, and the mean that of the means.
    assert "**0.7500**" in tables.by_table(rows[:3])


def test_the_groups_are_two_halves_of_the_28_tables() -> None:
    other = set(datasets.ADBENCH) - set(adbench.DEVELOPMENT)
    assert len(adbench.DEVELOPMENT) == len(other) == 14


@pytest.fixture
def here(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[Job]]:
    """`adbench` with two quick methods, run in this process; gives the jobs of each run."""
    ran: list[list[Job]] = []

    def run_here(work: list[Job], *, kept: Kept, **how: Any) -> list[dict[str, Any]]:
        ran.append(work)
        return [measure(job) | {"key": kept.key(job, 1)} for job in work]

    monkeypatch.setenv("UNWONTED_DATA", str(data_dir))
    monkeypatch.setattr(ours, "methods", lambda: [NAIVE])
    monkeypatch.setattr(rivals, "every", lambda: [rivals.pyod("kNN"), rivals.pyod("PCA")])
    monkeypatch.setattr(adbench, "run_jobs", run_here)
    return ran


@pytest.mark.data
def test_the_adbench_run_writes_json_page_and_figures(here: list[list[Job]], tmp_path: Path) -> None:
    tables_run = ("45_wine", "21_Lymphography", "43_WDBC", "ResNet18_MVTec-AD_toothbrush")
    found = adbench.run(tmp_path, seeds=1, only=tables_run, figures=tmp_path / "docs")
    assert [row["method"] for row in found["rows"]] == ["naive", "kNN", "PCA"] * 4
    assert all(row["auroc"] > 0.7 for row in found["rows"])
    page = (tmp_path / "adbench.md").read_text(encoding="utf-8")
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == ["## Confirming", "## All 28", "## Embeddings", "## Development", "## Failures"]
    assert "| **naive** |" in page
    assert "../docs/adbench-confirming.svg" in page
    assert {file.name for file in (tmp_path / "docs").iterdir()} == {"adbench-confirming.svg", "adbench-all.svg"}
    lines = (tmp_path / "adbench.json").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if '"auroc"' in line]) == 12
    assert max(len(line) for line in lines) < 400
    assert msgspec.json.decode((tmp_path / "adbench.json").read_bytes()) == found
    assert adbench.page(found) == page


@pytest.mark.data
def test_a_run_with_filters_adds_to_the_results(here: list[list[Job]], tmp_path: Path) -> None:
    adbench.run(tmp_path, seeds=1, only=["45_wine"], figures=tmp_path)
    found = adbench.run(tmp_path, seeds=2, only=["45_wine"], methods=["kNN"], figures=tmp_path)
    assert [(job.method.name, job.seed) for job in here[1]] == [("kNN", 0), ("kNN", 1)]
    rows = [(row["method"], row["seed"]) for row in found["rows"]]
    assert rows == [("naive", 0), ("kNN", 0), ("kNN", 1), ("PCA", 0)]
    assert [run["command"] for run in found["made_by"].values()] == [
        "unwonted bench adbench --seeds 1 --only 45_wine",
        "unwonted bench adbench --seeds 2 --only 45_wine --method kNN",
    ]
    with pytest.raises(DataError, match="--method PC: there is no such method; choose of naive, kNN, PCA"):
        adbench.run(tmp_path, methods=["PC"])


@pytest.mark.data
def test_unsupervised_runs_train_on_what_they_score(here: list[list[Job]], tmp_path: Path) -> None:
    found = adbench.run(tmp_path, seeds=1, only=["45_wine"], protocol="unsupervised", figures=tmp_path)
    assert (tmp_path / "adbench-unsupervised.md").exists()
    row = found["rows"][0]
    assert (row["n_train"], row["n_normal"], row["n_anomalies"]) == (129, 119, 10)


def test_all_in_one_keeps_the_share_of_anomalies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "LIMITS", {"train": 70})
    data, again, other = (all_in_one(tiny(0), seed) for seed in (1, 1, 2))
    assert data.train.equals(data.test)
    assert (len(data.is_anomaly), int(data.is_anomaly.sum())) == (70, 10)  # 50 of 350
    assert data.train.equals(again.train)
    assert not data.train.equals(other.train)
    far = data.test["bytes"].to_numpy() > 4
    assert far[data.is_anomaly].mean() > 0.9 > 0.1 > far[~data.is_anomaly].mean()
    monkeypatch.setattr(loads, "LIMITS", {"train": 1000})
    assert (len(all_in_one(tiny(0), 1).is_anomaly), len(data.train)) == (350, 70)


def test_only_the_development_sets_have_untrained_twins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run_none(work: list[Job], **how: Any) -> list[dict[str, Any]]:
        twins = {job.table for job in work if job.method.untrained}
        assert twins == {name for group in ("development", "development, mixed columns") for name in GROUPS[group]}
        seeds = [job.seed >= 3 for job in work]
        assert seeds == sorted(seeds), "the first three seeds do not come first"
        assert (how["patience"].seconds, how["patience"].seeds) == (60.0, 3)
        return []

    monkeypatch.setattr(adbench, "run_jobs", run_none)
    adbench.run(tmp_path, figures=tmp_path)
