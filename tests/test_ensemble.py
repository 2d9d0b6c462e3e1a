"""The default detector: each member finds what it is there for, on one scale, in one file."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

import unwonted
from conftest import behaviour
from unwonted import DensityEnsemble, load
from unwonted.errors import DataError

QUICK = {"max_time": 1e-6, "random_state": 0}  # hardly trained: what does not learn by gradient is tested


def test_every_member_is_on_one_scale_and_none_ties_the_extremes() -> None:
    kept = behaviour(1600).drop_columns(["host"])  # some of which are too rare for a steady quantile
    detector = DensityEnsemble(**QUICK).fit(kept)
    evidence = detector._evidence(detector._encoded(behaviour(1600, seed=7)))
    assert evidence.shape[2] == 4
    network = detector.model_.network
    weighed = evidence[..., :3] * network.weights.numpy()[:, None]
    by_view = network.scale.parts(np.concatenate([weighed, evidence[..., :1]], 2)).sum(1)
    by_distance = detector.model_.scale.parts(evidence[..., 3:])[..., 0].sum(1)
    for scores in (*by_view.T, by_distance):
        assert abs(np.median(scores)) < 0.25
        assert 0.4 < np.quantile(scores, 0.9) < 1.1  # log 2 on the held-out records
    np.testing.assert_allclose(detector.model_.score(evidence), (by_view.max(1) + by_distance) / 2)
    assert len(np.unique(by_view.argmax(1))) == 4
    far = kept.take([0] * 30)
    at = far.column_names.index("bytes_out")
    beyond = max(x for x in kept["bytes_out"].to_pylist() if x is not None) * 3.0 ** np.arange(1, 31)
    scores = detector.anomaly_score(far.set_column(at, "bytes_out", pa.array(beyond)))
    assert (np.diff(scores) > 0).all()


def test_contributions_sum_to_the_score() -> None:
    detector = DensityEnsemble(**QUICK).fit(behaviour(400))
    new = behaviour(30, seed=5)
    np.testing.assert_allclose(detector.contributions(new).sum(1), detector.anomaly_score(new))


@pytest.mark.parametrize("memory", [0, 50])
def test_a_model_file_brings_it_back(memory: int, tmp_path) -> None:
    new = behaviour(30, seed=5)
    detector = DensityEnsemble(memory=memory, width=16, **QUICK).fit(behaviour(400))
    detector.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.anomaly_score(new).tolist() == detector.anomaly_score(new).tolist()
    assert again.model_.architecture["memory"] == memory
    assert len(again.model_.points.codes) == memory
    assert detector._evidence(detector._encoded(new)).shape[2] == (4 if memory else 3)


def test_held_out_records_are_kept_and_measured_by_the_others(tmp_path) -> None:
    rng = np.random.default_rng(0)
    shares = []
    for seed in range(60):
        mixing = rng.normal(size=(3, 3))
        records, new = (rng.normal(size=(n, 3)) @ mixing for n in (400, 300))
        detector = DensityEnsemble(alert_rate=0.1, width=16, exemplars=0, max_time=1e-6, random_state=seed).fit(records)
        assert len(detector.model_.points.codes) == 400
        shares.append((detector.predict(new) < 0).mean())
    # Were a held-out record at no distance from itself, most new records would be alerts.
    assert 0.07 < np.mean(shares) < 0.1 + 3 * np.std(shares) / np.sqrt(len(shares))
    detector.save(tmp_path / "model")
    assert load(tmp_path / "model").anomaly_score(new).tolist() == detector.anomaly_score(new).tolist()


@pytest.mark.parametrize(("rows", "memory"), [(900, 16_384), (900, 500), (200, 16_384)])
def test_alerts_keep_to_their_rate_where_many_records_are_alike(rows: int, memory: int) -> None:
    rng, rate, shares = np.random.default_rng(0), 0.1, []
    for draw in range(20):
        sample = rng.integers(0, 8, (rows + 500, 3)).astype(float)
        detector = DensityEnsemble(memory=memory, exemplars=0, random_state=draw).untrained().fit(sample[:rows])
        shares.append(float((detector.p_value(sample[rows:]) <= rate).mean()))
    assert np.mean(shares) <= rate + 3 * np.std(shares) / np.sqrt(len(shares))


def test_training_teaches_its_network_what_belongs_together() -> None:
    rng = np.random.default_rng(0)
    columns = {f"noise{i}": rng.normal(size=1200) for i in range(12)}
    user = rng.choice(["ann", "bob", "cem", "dot"], 1200)
    size = np.where(user == "ann", 1.0, -1.0) * rng.choice([-1, 1], 1200, p=[0.02, 0.98]) + rng.normal(0, 0.2, 1200)
    swapped = (user == "ann") != (size > 0)
    table = pa.table({**columns, "user": user, "size": size})
    ordinary = table.filter(pa.array(~swapped))
    taught = DensityEnsemble(random_state=0).fit(ordinary)
    untaught = taught.untrained().fit(ordinary)
    by_network, before = (
        roc_auc_score(swapped, detector._evidence(detector._encoded(table))[..., 0].sum(1))
        for detector in (taught, untaught)
    )
    assert before < 0.7
    assert by_network > 0.9
    assert roc_auc_score(swapped, taught.anomaly_score(table)) > 0.95


def test_it_finds_what_lies_in_a_gap_that_each_column_alone_would_not_show() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 600)
    ring = pa.table({"x": np.cos(angle) + rng.normal(0, 0.05, 600), "y": np.sin(angle) + rng.normal(0, 0.05, 600)})
    detector = DensityEnsemble(**QUICK).fit(ring)
    inside, on = detector.anomaly_score(pa.table({"x": [0.0, 1.0], "y": [0.0, 0.0]}))
    assert inside > on + 0.5
    shares = detector._evidence(detector._encoded(pa.table({"x": [0.0, 1.0], "y": [0.0, 0.0]})))[..., -1].sum(1)
    assert shares[0] > 5 * shares[1]


def test_few_kept_records_do_not_let_strange_ones_hide_each_other() -> None:
    rng = np.random.default_rng(0)
    usual, strange = rng.normal(size=(3000, 4)) @ rng.normal(size=(4, 4)), rng.normal([8, -8, 8, -8], 0.05, (30, 4))
    records, is_strange = np.vstack([usual, strange]), np.arange(3030) >= 3000

    def found(memory: int) -> tuple[float, float]:
        detector = DensityEnsemble(memory=memory, **QUICK).fit(records)
        nearest = detector._evidence(detector._encoded(records))[..., -1].sum(1)
        return roc_auc_score(is_strange, nearest), roc_auc_score(is_strange, detector.anomaly_score(records))

    assert max(found(16_384)) < 0.9
    by_nearest, whole = found(64)
    assert by_nearest > 0.9
    assert whole > 0.99


def test_it_is_what_people_get_who_choose_nothing() -> None:
    detector = unwonted.default_detector(alert_rate=0.2)
    assert isinstance(detector, DensityEnsemble)
    assert detector.alert_rate == 0.2
    with pytest.raises(DataError, match="memory=-1"):
        DensityEnsemble(memory=-1).fit(np.random.default_rng(0).normal(size=(20, 2)))
