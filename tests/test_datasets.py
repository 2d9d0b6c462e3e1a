"""Data sets give nothing away and are the publishers'; the demo's log is seeded, fair and not easy."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from unwonted import datasets
from unwonted.datasets import LABELS, MISUSE, ORDINARY, Dataset, adbench, contaminated, files, office_log
from unwonted.datasets.problem import half_of_all
from unwonted.errors import DataError


def ordinal(log: pa.Table) -> np.ndarray:
    """The log as a matrix: hour and weekday of times, alphabetical codes for categories, medians for gaps."""
    columns = [
        pc.hour(log["timestamp"]).to_numpy() + pc.minute(log["timestamp"]).to_numpy() / 60,
        pc.day_of_week(log["timestamp"]).to_numpy(),
    ]
    for column in log.drop_columns(["timestamp"]).columns:
        if pa.types.is_string(column.type):
            texts = np.array([text or "?" for text in column.to_pylist()])
            columns.append(np.unique(texts, return_inverse=True)[1])
        else:
            numbers = column.cast("double").to_numpy()
            columns.append(np.where(np.isnan(numbers), np.nanmedian(numbers), numbers))
    return np.column_stack(columns)


@pytest.mark.parametrize("seed", [0, 1])
def test_an_isolation_forest_does_not_solve_the_log(seed: int) -> None:
    log, kinds = office_log(seed)
    matrix = ordinal(log)
    score = -IsolationForest(random_state=0).fit(matrix).score_samples(matrix)
    assert roc_auc_score(kinds != ORDINARY, score) < 0.9


def test_the_log_is_the_same_for_a_seed_and_another_for_another() -> None:
    log, kinds = office_log(3)
    again, kinds_again = office_log(3)
    assert log.equals(again)
    assert (kinds == kinds_again).all()
    assert not log.equals(office_log(4)[0])


def test_the_log_has_the_promised_shape() -> None:
    log, kinds = office_log(0)
    assert 6000 <= log.num_rows <= 9000
    assert set(kinds) == {ORDINARY, *MISUSE}
    assert 0.02 < np.mean(kinds != ORDINARY) < 0.03
    assert min(np.sum(kinds == kind) for kind in MISUSE) >= 30
    assert len(log["user"].unique()) >= 30
    assert log["session_minutes"].null_count > 0
    assert log["country"].null_count > 0
    assert np.mean(log["bytes_out"].to_numpy() == 0) > 0.2
    times = log["timestamp"].to_pylist()
    assert times == sorted(times)


def test_every_value_of_a_misuse_is_ordinary_for_somebody() -> None:
    log, kinds = office_log(0)
    ordinary, misuse = log.filter(kinds == ORDINARY), log.filter(kinds != ORDINARY)
    for name in ("user", "department", "host", "application", "action", "destination", "country", "remote"):
        assert set(misuse[name].to_pylist()) <= set(ordinary[name].to_pylist()), name
    for name in ("bytes_out", "files", "session_minutes", "failed_logins"):
        # Misuse is not simply the far end of a column: ordinary records go as far, or nearly.
        highest = np.nanmax(ordinary[name].to_numpy().astype(float))
        assert np.nanquantile(misuse[name].to_numpy().astype(float), 0.95) <= highest, name


def test_each_kind_breaks_a_habit_of_its_user() -> None:
    log, kinds = office_log(0)
    rows = log.to_pylist()
    known: dict[str, list[dict[str, object]]] = {}
    for row, kind in zip(rows, kinds, strict=True):
        if kind == ORDINARY:
            known.setdefault(row["user"], []).append(row)
    for row, kind in zip(rows, kinds, strict=True):
        own = known[row["user"]]
        if kind == "exfiltration":
            assert row["destination"] not in {other["destination"] for other in own}
        elif kind == "stolen account":
            assert row["application"] not in {other["application"] for other in own}
        elif kind == "night work":
            assert row["timestamp"].hour < 5
            assert np.mean([other["timestamp"].hour < 5 for other in own]) < 0.01
        elif kind == "password guessing":
            assert row["host"] not in {other["host"] for other in own}
            assert row["failed_logins"] > max(other["failed_logins"] for other in own)
        elif kind == "slow copying":
            same = [other["files"] for other in own if other["application"] == row["application"]]
            assert row["files"] > max(same)


def test_the_order_of_the_log_does_not_give_the_misuse_away() -> None:
    _, kinds = office_log(0)
    positions = np.flatnonzero(kinds != ORDINARY) / len(kinds)
    assert 0.35 < positions.mean() < 0.65
    assert np.quantile(positions, 0.1) < 0.25
    assert np.quantile(positions, 0.9) > 0.75


@pytest.mark.parametrize("leak", ["label", "attack_cat", "id", "difficulty", "Revenue", "Label"])
def test_a_label_column_is_refused_as_an_input(leak: str) -> None:
    table = pa.table({"a": [1, 2], leak: [0, 1]})
    with pytest.raises(DataError, match=leak):
        Dataset("leaky", table, table, np.array([False, True]))


def test_parts_that_do_not_belong_together_are_refused() -> None:
    table = pa.table({"a": [1, 2]})
    with pytest.raises(DataError, match="other columns"):
        Dataset("x", table, pa.table({"b": [1, 2]}), np.array([False, True]))
    with pytest.raises(DataError, match="2 test rows"):
        Dataset("x", table, table, np.array([True]))
    with pytest.raises(DataError, match="2 test rows"):
        Dataset("x", table, table, np.array([True, False]), categories=np.array(["a"]))


@pytest.fixture
def shoppers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small file in the place of the shop sessions, with its hash on record."""
    rng = np.random.default_rng(0)
    table = pa.table({"pages": np.arange(40), "Revenue": np.where(rng.random(40) < 0.25, "TRUE", "FALSE")})
    file = tmp_path / "online-shoppers" / "online_shoppers_intention.parquet"
    file.parent.mkdir()
    pq.write_table(table, file)
    monkeypatch.setenv("UNWONTED_DATA", str(tmp_path))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(files.SHA256, files.SHOPPERS, sha256)
    return file


def test_half_of_the_ordinary_rows_train_and_all_others_test(shoppers: Path) -> None:
    revenue = pq.read_table(shoppers)["Revenue"].to_pylist()
    data = datasets.online_shoppers(seed=1)
    train, test = (set(part["pages"].to_pylist()) for part in (data.train, data.test))
    assert train | test == set(range(40))
    assert not train & test
    assert {revenue[i] for i in train} == {"FALSE"}
    assert len(train) == revenue.count("FALSE") // 2
    truth = [revenue[i] == "TRUE" for i in data.test["pages"].to_pylist()]
    assert data.is_anomaly.tolist() == truth
    assert not datasets.online_shoppers(seed=2).train.equals(data.train)
    assert datasets.online_shoppers(seed=1).train.equals(data.train)


def numbered(n: int, seed: int) -> tuple[pa.Table, np.ndarray]:
    """Records that carry their number, a quarter of them anomalies."""
    return pa.table({"number": np.arange(n)}), np.random.default_rng(seed).random(n) < 0.25


def test_in_the_papers_protocol_half_of_all_rows_train_with_their_ordinary_ones() -> None:
    inputs, is_anomaly = numbered(400, seed=0)
    data = half_of_all("halves", inputs, is_anomaly, seed=3)
    train, test, withheld = (set(part["number"].to_pylist()) for part in (data.train, data.test, data.withheld))
    assert len(test) == 200
    assert train | test | withheld == set(range(400))
    assert len(train) + len(test) + len(withheld) == 400
    assert not is_anomaly[list(train)].any()
    assert is_anomaly[list(withheld)].all()
    assert data.is_anomaly.tolist() == is_anomaly[data.test["number"].to_numpy()].tolist()
    assert 0 < data.is_anomaly.sum() < is_anomaly.sum()
    assert not half_of_all("halves", inputs, is_anomaly, seed=4).test.equals(data.test)
    assert half_of_all("halves", inputs, is_anomaly, seed=3).train.equals(data.train)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_contaminated_training_has_the_share_of_anomalies_and_the_same_test(share: float) -> None:
    inputs, is_anomaly = numbered(4000, seed=1)
    clean = half_of_all("halves", inputs, is_anomaly, seed=3)
    dirty = contaminated(clean, share, seed=3)
    train = dirty.train["number"].to_numpy()
    assert len(set(train)) == len(train)
    assert abs(is_anomaly[train].mean() - share) < 1 / len(train)
    assert set(train[~is_anomaly[train]]) == set(clean.train["number"].to_pylist())
    assert set(train[is_anomaly[train]]) <= set(clean.withheld["number"].to_pylist())
    assert np.flatnonzero(is_anomaly[train]).mean() < 0.8 * len(train), "the anomalies stand at the end"
    assert dirty.test.equals(clean.test)
    assert (dirty.is_anomaly == clean.is_anomaly).all()
    assert not contaminated(clean, share, seed=4).train.equals(dirty.train)


def test_a_contamination_that_cannot_be_had_is_refused() -> None:
    data = half_of_all("halves", *numbered(400, seed=1), seed=0)
    with pytest.raises(DataError, match="withholds"):
        contaminated(data, 0.9, seed=0)
    with pytest.raises(DataError, match="withholds 0"):
        contaminated(Dataset("none", data.train, data.test, data.is_anomaly), 0.05, seed=0)


def test_arrays_of_other_shapes_do_not_belong_together() -> None:
    with pytest.raises(DataError, match="other columns"):
        Dataset("x", np.zeros((2, 4, 4)), np.zeros((1, 4, 5)), np.array([True]))
    with pytest.raises(DataError, match="other columns"):
        Dataset("x", [np.zeros((5, 3))], [np.zeros((5, 2))], np.array([True]))
    assert Dataset("x", [np.zeros((5, 3))], [np.zeros((4, 3))], np.array([True])).columns == 15


@pytest.fixture
def grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files in the place of MNIST and NATOPS: every number of a record tells which record it is of."""
    monkeypatch.setenv("UNWONTED_DATA", str(tmp_path))

    def store(path: str, shape: tuple[int, ...], kind: str, labels: list[object]) -> None:
        file = tmp_path / path
        file.parent.mkdir()
        whole = np.ones((len(labels), *shape)) * np.arange(len(labels)).reshape(-1, *[1] * len(shape))
        parts = {f"x_{part}": (whole + 100 * (part == "test")).astype(kind) for part in ("train", "test")}
        np.savez(file, **parts, y_train=np.array(labels), y_test=np.array(labels))
        monkeypatch.setitem(files.SHA256, path, hashlib.sha256(file.read_bytes()).hexdigest())

    store(files.MNIST, (28, 28), "uint8", [0, 1, 1, 2])
    store(files.NATOPS, (24, 51), "float64", ["1.0", "2.0", "2.0"])


def test_one_digit_trains_and_all_test_images_test(grids: None) -> None:
    data = datasets.mnist(1)
    assert data.train.shape == (2, 28, 28)
    np.testing.assert_allclose(data.train[:, 0, 0] * 255, [1, 2], rtol=1e-6)
    np.testing.assert_allclose(data.test[:, 5, 5] * 255, [100, 101, 102, 103], rtol=1e-6)
    assert data.is_anomaly.tolist() == [True, False, False, True]
    with pytest.raises(DataError, match="mnist-7"):
        datasets.mnist(7)


def test_one_gesture_trains_with_time_first(grids: None) -> None:
    data = datasets.natops(2)
    assert [series.shape for series in data.train] == [(51, 24)] * 2
    assert [series[0, 0] for series in data.test] == [100, 101, 102]
    assert data.is_anomaly.tolist() == [True, False, False]
    with pytest.raises(DataError, match="choose of 1, 2"):
        datasets.natops(0)


def test_shuffling_in_time_keeps_each_step_whole_and_each_series_its_own_order() -> None:
    steps = np.arange(40.0)
    series = [np.column_stack([steps, 100 + steps]), np.column_stack([steps, 100 + steps])]
    shuffled = datasets.shuffled_in_time(Dataset("s", series, series[:1], np.array([True])), seed=0)
    first, second = shuffled.train
    assert sorted(first[:, 0]) == steps.tolist()
    assert (first[:, 1] == first[:, 0] + 100).all()
    assert not (first == second).all()
    assert not (first[:, 0] == steps).all()
    assert not (shuffled.test[0] == first).all()
    assert (series[0][:, 0] == steps).all(), "the original was changed"


def test_an_altered_file_is_refused(shoppers: Path) -> None:
    data = shoppers.read_bytes()
    shoppers.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DataError, match="SHA-256"):
        datasets.online_shoppers()


def test_a_missing_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNWONTED_DATA", str(tmp_path))
    with pytest.raises(DataError, match="set UNWONTED_DATA"):
        datasets.unsw_oneclass()


def test_an_unknown_table_is_refused_with_a_list() -> None:
    with pytest.raises(DataError, match="38_thyroid"):
        adbench("no such table")


@pytest.mark.data
def test_the_publishers_files_are_as_published(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNWONTED_DATA", str(data_dir))
    unsw, nsl, shop = datasets.unsw_oneclass(), datasets.nsl_kdd(0), datasets.online_shoppers(0)
    assert (unsw.train.num_rows, unsw.test.num_rows, unsw.is_anomaly.sum()) == (56_000, 82_332, 45_332)
    assert unsw.categories is not None
    assert ((unsw.categories == "Normal") == ~unsw.is_anomaly).all()
    assert unsw.train.num_columns == 42
    assert unsw.without(*datasets.UNSW_TTL).test.num_columns == 39
    assert (nsl.train.num_rows, nsl.is_anomaly.sum()) == (67_343 // 2, 58_630)
    assert (shop.train.num_rows, shop.is_anomaly.sum()) == (10_422 // 2, 1_908)
    for data in (unsw, nsl, shop):
        assert not {name.lower() for name in data.train.column_names} & LABELS


@pytest.mark.data
def test_the_papers_data_sets_are_as_published(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNWONTED_DATA", str(data_dir))
    papers, slides = datasets.kddcup(1), datasets.kddcup(1, anomalies="attacks")
    for data, anomalies in ((papers, 97_278), (slides, 396_743)):
        assert len(data.train) + len(data.test) + len(data.withheld) == 494_021
        assert data.is_anomaly.sum() + len(data.withheld) == anomalies
        assert data.columns == 41
    assert papers.test.equals(slides.test)
    assert (papers.is_anomaly == ~slides.is_anomaly).all()
    assert papers.train.equals(slides.withheld)
    for data, rows, anomalies, columns in (
        (datasets.thyroid(1), 3772, 93, 6),
        (datasets.arrhythmia(1), 452, 66, 274),
    ):
        assert len(data.train) + len(data.test) + len(data.withheld) == rows
        assert len(data.test) == rows // 2
        assert data.is_anomaly.sum() + len(data.withheld) == anomalies
        assert data.columns == columns
    for data in (papers, slides):
        assert not {name.lower() for name in data.train.column_names} & LABELS


@pytest.mark.data
def test_the_grids_are_as_published(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNWONTED_DATA", str(data_dir))
    three, gesture = datasets.mnist(3), datasets.natops(6)
    assert (three.train.shape, len(three.test), int((~three.is_anomaly).sum())) == ((6131, 28, 28), 10_000, 1010)
    assert three.train.max() == 1
    assert (len(gesture.train), len(gesture.test), int((~gesture.is_anomaly).sum())) == (30, 180, 30)
    assert {series.shape for series in (*gesture.train, *gesture.test)} == {(51, 24)}


@pytest.mark.data
@pytest.mark.parametrize("which", [38, "thyroid", "38_thyroid"])
def test_a_table_goes_by_number_or_name(which: int | str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNWONTED_DATA", str(data_dir))
    data = adbench(which, seed=2)
    assert data.name == "38_thyroid"
    assert (data.train.num_rows, data.train.num_columns, data.is_anomaly.sum()) == (1839, 6, 93)
