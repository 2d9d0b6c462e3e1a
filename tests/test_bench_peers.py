"""Peers get their matrix from the training records alone, and no more rows than they can take."""

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bench_standins import images, series, tiny
from unwonted.bench import peers, rivals
from unwonted.bench.matrix import Flat, Matrix
from unwonted.bench.measuring import Job, measure
from unwonted.bench.peers import Method


@pytest.mark.parametrize("load", [images, series])
@pytest.mark.parametrize("method", [peers.iforest(), rivals.pyod("kNN"), rivals.ocsvm()])
def test_permuted_test_labels_change_no_score_of_arrays(load: Any, method: Method) -> None:
    row, other = (measure(Job("arrays", partial(load, order), method, 1)) for order in (False, True))
    assert (row["n_train"], row["n_normal"], row["n_anomalies"], row["n_columns"]) == (60, 20, 20, 36)
    assert row["scores_sha256"] == other["scores_sha256"]
    assert row["auroc"] > 0.9 > other["auroc"]


def test_another_seed_gives_another_forest() -> None:
    data = tiny(0)
    found = [peers.iforest().make(seed).fit(data.train).anomaly_score(data.test) for seed in (0, 0, 1)]
    assert (found[0] == found[1]).all()
    assert not (found[0] == found[2]).all()


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


def test_flat_arrays_are_standardised_by_channel_from_training_alone() -> None:
    rng = np.random.default_rng(0)
    train = [rng.normal([0, 50, 7], [1, 9, 0], (5, 3)) for _ in range(20)]
    flat = Flat().fit(train)
    found = flat.transform(train)
    assert found.shape == (20, 15)
    stacked = found.reshape(20, 5, 3)
    np.testing.assert_allclose(stacked.mean((0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose(stacked.std((0, 1)), [1, 1, 0])
    np.testing.assert_allclose(flat.transform([train[0] + 1])[0, 0] - found[0, 0], 1 / np.stack(train)[..., 0].std())
    grey = rng.normal(3, 2, (10, 4, 4))
    np.testing.assert_allclose(Flat().fit(grey).transform(grey), ((grey - grey.mean()) / grey.std()).reshape(10, 16))
    colour = rng.normal([3, 9], [2, 5], (10, 4, 4, 2))
    assert np.allclose(Flat().fit(colour).transform(colour).reshape(-1, 2).std(0), 1)


def test_the_autoencoder_takes_fewer_records_than_its_batch() -> None:
    data = series(False, 0)
    autoencoder = rivals.pyod("AutoEncoder").make(0).fit(data.train[:30])
    found = autoencoder.anomaly_score(data.test)
    assert found[data.is_anomaly].mean() > found[~data.is_anomaly].mean()


def test_a_peer_trains_on_no_more_rows_than_it_can_take() -> None:
    data = tiny(0)
    peer = [rivals.ocsvm(most).make(seed).fit(data.train) for most, seed in ((50, 0), (50, 0), (50, 1), (500, 0))]
    assert [one.model.detector_.shape_fit_[0] for one in peer] == [50, 50, 50, 200]
    few, again, other, all_rows = (one.anomaly_score(data.test) for one in peer)
    assert (few == again).all()
    assert not (few == other).all()
    assert (all_rows == rivals.ocsvm().make(1).fit(data.train).anomaly_score(data.test)).all()


def test_a_peer_alerts_on_about_the_rate_it_was_given() -> None:
    data = tiny(0)
    for method in (peers.iforest(), rivals.pyod("kNN"), rivals.pyod("IForest"), rivals.ocsvm()):
        peer = method.make(0).fit(data.train)
        share = np.mean(-peer.anomaly_score(data.train) < peer.offset_)
        assert 0.03 <= share <= 0.07, method.name


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyOD's networks pin memory where there is no accelerator
@pytest.mark.parametrize("name", rivals.PYOD)
def test_every_peer_finds_an_obvious_outlier(name: str) -> None:
    rng = np.random.default_rng(0)
    train = pa.table({f"x{j}": rng.normal(5, 2, 40) for j in range(2)})
    test = pa.table({f"x{j}": np.append(rng.normal(5, 1, 9), 15.0) for j in range(2)})
    method = rivals.pyod(name)
    first, again = (method.make(seed).fit(train).anomaly_score(test) for seed in ((0, 0) if method.seeded else (0, 1)))
    assert first.shape == (10,)
    assert np.isfinite(first).all()
    assert (first == again).all(), "something draws that is not told the seed"
    assert first.argmax() == 9


def test_every_peer_is_known_by_the_libraries_that_do_its_work() -> None:
    libraries = {method.name: method.libraries for method in rivals.every()}
    assert len(libraries) == 17
    assert all("pyod" in of for of in libraries.values())
    assert {name for name, of in libraries.items() if "torch" in of} == {
        "LUNAR",
        "DIF",
        "AutoEncoder",
        "VAE",
        "DeepSVDD",
    }


def test_infinite_scores_are_the_highest() -> None:
    peer = peers.Peer(Infinite())
    found = peer.fit(pa.table({"x": [0.0, 1.0]})).anomaly_score(pa.table({"x": [0.0, 1.0]}))
    assert np.isfinite(found).all()
    assert found[1] > 1e300 > found[0]


class Infinite:
    """A model that is infinitely sure of what lies above the mean."""

    def fit(self, matrix: np.ndarray) -> None:
        pass

    def decision_function(self, matrix: np.ndarray) -> np.ndarray:
        return np.where(matrix[:, 0] > 0, np.inf, 1.0)
