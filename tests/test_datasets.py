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
from unwonted.datasets import LABELS, MISUSE, ORDINARY, Dataset, adbench, office_log
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
    monkeypatch.setitem(datasets._SHA256, "online-shoppers/online_shoppers_intention.parquet", sha256)
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
@pytest.mark.parametrize("which", [38, "thyroid", "38_thyroid"])
def test_a_table_goes_by_number_or_name(which: int | str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNWONTED_DATA", str(data_dir))
    data = adbench(which, seed=2)
    assert data.name == "38_thyroid"
    assert (data.train.num_rows, data.train.num_columns, data.is_anomaly.sum()) == (1839, 6, 93)
