"""Benchmarks see no label, repeat themselves, measure what they say, and lose no failure."""

import os
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from unwonted import datasets
from unwonted.bench import adbench, peers, protocols, tables, unsw
from unwonted.bench.peers import Matrix, Method, Peer
from unwonted.bench.protocols import LIMITS, Job, capped, jobs, measure, run, write
from unwonted.datasets import Dataset


def tiny(seed: int) -> Dataset:
    """Ordinary records around 0, anomalies far out in one number and with another action."""
    rng = np.random.default_rng(seed)

    def part(shift: np.ndarray) -> pa.Table:
        bytes_out = rng.normal(0, 1, len(shift)) + 6 * shift
        copies = shift & (rng.random(len(shift)) < 0.5)
        action = np.where(copies, "copy", rng.choice(["read", "write"], len(shift)))
        return pa.table({"bytes": bytes_out, "action": action})

    is_anomaly = np.arange(150) % 3 == 0
    kinds = np.where(is_anomaly, np.where(np.arange(150) % 2, "leak", "scan"), "normal")
    return Dataset("tiny", part(np.zeros(200, bool)), part(is_anomaly), is_anomaly, kinds)


def permuted(seed: int) -> Dataset:
    """The same records, the labels in another order."""
    data = tiny(seed)
    order = np.random.default_rng(99).permutation(len(data.is_anomaly))
    return Dataset("tiny", data.train, data.test, data.is_anomaly[order], None)


class Norm:
    """Distance from the mean of the first column; its threshold is the largest that it saw in training."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, X: pa.Table) -> Self:
        self.mean = float(np.mean(X["bytes"].to_numpy()))
        self.offset_ = -float(self.anomaly_score(X).max())
        return self

    def anomaly_score(self, X: pa.Table) -> np.ndarray:
        return np.abs(X["bytes"].to_numpy() - self.mean)


class Threads(Norm):
    """Scores with the number of threads that its process was given, to tell it to the test."""

    def anomaly_score(self, X: pa.Table) -> np.ndarray:
        return super().anomaly_score(X) * 0 + float(os.environ["OMP_NUM_THREADS"])


class Broken(Norm):
    """Fails to fit."""

    def fit(self, X: pa.Table) -> Self:
        raise RuntimeError("did not converge")


NORM, BROKEN = Method("norm", Norm), Method("broken", Broken)


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
    assert row["peak_mb"] > 20


@pytest.mark.parametrize("method", [NORM, peers.iforest(), peers.knn(), peers.lof(log=True)])
def test_permuted_test_labels_change_no_score(method: Method) -> None:
    row, other = (measure(Job("tiny", load, method, 1)) for load in (tiny, permuted))
    assert row["scores_sha256"] == other["scores_sha256"]
    assert row["auroc"] != other["auroc"]
    assert row["auroc"] > 0.9


def test_another_seed_gives_another_forest() -> None:
    data = tiny(0)
    found = [peers.iforest().make(seed).fit(data.train).anomaly_score(data.test) for seed in (0, 0, 1)]
    assert (found[0] == found[1]).all()
    assert not (found[0] == found[2]).all()


def test_a_failure_is_a_row_and_a_line_on_the_page() -> None:
    rows = [measure(Job("tiny", tiny, method, seed)) for method in (NORM, BROKEN) for seed in (0, 1)]
    assert "auroc" not in rows[2]
    assert rows[2]["error"] == "RuntimeError: did not converge"
    page = tables.adbench(
        protocols.environment("test", 2) | {"limits": LIMITS, "groups": {"small": ["tiny"]}, "rows": rows}
    )
    assert "2 of 4 runs failed" in page
    assert "did not converge" in page


def test_processes_of_their_own_give_the_same_rows_in_order() -> None:
    work = jobs({"tiny": tiny}, [NORM, Method("threads", Threads)], seeds=2)
    seen: list[tuple[int, int, str]] = []
    before = os.environ.get("OMP_NUM_THREADS")
    rows = run(work, workers=2, threads=1, fresh=False, progress=lambda *at: seen.append(at))
    assert os.environ.get("OMP_NUM_THREADS") == before
    assert [row["method"] for row in rows] == ["norm", "norm", "threads", "threads"]
    assert [row["seed"] for row in rows] == [0, 1, 0, 1]
    assert rows[0]["scores_sha256"] == measure(work[0])["scores_sha256"]
    assert rows[2]["threshold"] == 1.0
    assert "peak_mb" not in rows[0]
    assert [at[:2] for at in seen] == [(done, 4) for done in (1, 2, 3, 4)]


def test_a_fresh_process_has_a_peak_of_its_own() -> None:
    hog = Method("hog", Hog)
    rows = run(jobs({"tiny": tiny}, [hog, NORM], 1), workers=1, threads=1, fresh=True)
    assert rows[0]["peak_mb"] > rows[1]["peak_mb"] + 250


class Hog(Norm):
    """Holds 300 MB for a moment."""

    def fit(self, X: pa.Table) -> Self:
        assert np.ones(300 * 2**17).sum() > 0
        return super().fit(X)


def test_on_a_fixed_split_a_seedless_method_runs_once() -> None:
    work = jobs({"a": tiny}, [NORM, peers.knn()], seeds=3, fixed=True)
    assert [job.method.name for job in work] == ["norm", "norm", "norm", "kNN"]
    assert [job.seed for job in work] == [0, 1, 2, 0]
    assert len(jobs({"a": tiny}, [NORM, peers.knn()], seeds=3)) == 6


def test_the_matrix_knows_only_the_training_records() -> None:
    train = pa.table({"n": [0.0, 2.0, None, np.inf], "flag": [True, False, True, False], "text": ["a", "b", None, "a"]})
    matrix = Matrix().fit(train)
    found = matrix.transform(train)
    assert found.shape == (4, 1 + 2 + 3)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(0), 1)
    # n is 0, 2, the median 1 and the highest 2: mean 1.25, variance 0.6875.
    np.testing.assert_allclose(found[:, 0], (np.array([0, 2, 1, 2]) - 1.25) / 0.6875**0.5)
    other = pa.table({"n": [5.0, None], "flag": [True, None], "text": ["c", "a"]})
    both = matrix.transform(other)
    assert (both[:1] == matrix.transform(other.slice(0, 1))).all()
    np.testing.assert_allclose(both[:, 0], (np.array([5, 1]) - 1.25) / 0.6875**0.5)
    assert (both[0, 3:] < 0).all()
    assert (both[1, 1:3] < 0).all()


def test_log_inputs_tame_a_heavy_tail() -> None:
    train = pa.table({"n": [0.0, 10.0, 1e9, -1e9]})
    raw, log = (Matrix(log).fit(train).transform(train)[:, 0] for log in (False, True))
    assert raw[1] - raw[0] < 1e-6
    assert log[1] - log[0] > 0.1
    assert log[3] < log[0]


def test_a_time_becomes_hour_and_weekday() -> None:
    train = pa.table({"at": np.array(["2025-03-03T06:30", "2025-03-04T18:30"], dtype="datetime64[us]")})
    np.testing.assert_allclose(Matrix().fit(train).transform(train), [[-1, -1], [1, 1]])


def test_a_peer_alerts_on_about_the_rate_it_was_given() -> None:
    data = tiny(0)
    for method in (peers.iforest(), peers.knn()):
        peer = method.make(0).fit(data.train)
        share = np.mean(-peer.anomaly_score(data.train) < peer.offset_)
        assert 0.03 <= share <= 0.07, method.name


def test_capping_keeps_small_parts_and_cuts_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "LIMITS", {"train": 120, "test_normal": 200, "test_anomalies": 20})
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
    page = tables.unsw(protocols.environment("unwonted bench unsw", 2) | {"threads": 2, "rows": rows})
    mean, deviation = protocols.mean_sd([rows[0]["auroc"], rows[1]["auroc"]])
    assert f"| norm | {mean:.4f} ± {deviation:.4f} |" in page
    assert "| norm | 6.0 | 2.00 | 0.5 | 0.50 |" in page
    assert "norm, without TTL" in page
    assert "leak (25)" in page
    assert "0 of 7 runs failed" in page
    assert "2 thread(s)" in page
    assert "`unwonted bench unsw`" in page


def test_the_mean_over_tables_is_taken_for_each_seed() -> None:
    figures = {("a", 0): 0.5, ("a", 1): 0.7, ("b", 0): 0.9, ("b", 1): 0.7}
    sizes = {"n_train": 1, "n_normal": 1, "n_anomalies": 1}
    rows = [
        sizes | {"table": table, "method": "m", "seed": seed, "auroc": auroc}
        for (table, seed), auroc in figures.items()
    ]
    page = tables.adbench(
        protocols.environment("test", 2) | {"limits": LIMITS, "groups": {"both": ["a", "b"]}, "rows": rows}
    )
    assert "| a | 1 | 1 | 1 | 0.6000 ± 0.1414 |" in page
    assert "**0.7000 ± 0.0000**" in page


def test_results_are_json_with_what_is_needed_to_repeat_them(tmp_path: Path) -> None:
    results = protocols.environment("unwonted bench unsw --seeds 2", 2) | {"rows": [{"threshold": np.inf}]}
    write(tmp_path / "new" / "unsw.json", results, "# A page\n")
    found = msgspec.json.decode((tmp_path / "new" / "unsw.json").read_bytes())
    assert found["seeds"] == [0, 1]
    assert found["versions"].keys() >= {"python", "torch", "scikit-learn", "pyod"}
    assert found["rows"] == [{"threshold": None}]


def test_the_groups_are_two_halves_of_the_28_tables() -> None:
    other = set(datasets.ADBENCH) - set(adbench.DEVELOPMENT)
    assert len(adbench.DEVELOPMENT) == len(other) == 14


@pytest.mark.data
def test_the_adbench_run_writes_json_and_page(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNWONTED_DATA", str(data_dir))
    monkeypatch.setattr(peers, "DMDN", NAIVE)
    monkeypatch.setattr(adbench, "run_jobs", lambda work, **how: [measure(job) for job in work])
    results = adbench.run(tmp_path, seeds=1, only=("45_wine", "21_Lymphography"))
    assert [row["method"] for row in results["rows"]] == ["naive", "kNN", "IForest"] * 2
    assert all(row["auroc"] > 0.85 for row in results["rows"])
    page = (tmp_path / "adbench.md").read_text(encoding="utf-8")
    assert "21_Lymphography" in page.split("## Other")[0]
    assert "45_wine" in page.split("## Other")[1]
    assert msgspec.json.decode((tmp_path / "adbench.json").read_bytes())["rows"] == results["rows"]


class Naive(Peer):
    """A small forest in the place of our detector."""

    def __init__(self, seed: int) -> None:
        from sklearn.ensemble import IsolationForest

        super().__init__(IsolationForest(n_estimators=50, contamination=0.05, random_state=seed))


NAIVE = Method("naive", Naive)
