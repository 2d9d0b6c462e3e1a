"""DSEBM: an energy in nats, its gradient's norm, and what neither may do with strange cells."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score
from torch import Generator

from unwonted import DataError, load
from unwonted.checks import ordinary_records, strange_records
from unwonted.models import MODELS
from unwonted.models.dsebm import DSEBM
from unwonted.models.energy_based import CRITERIA, EnergyBased

ROWS = 400
FAR = (20.0, 1e2, 1e4, 1e8)


@pytest.fixture(scope="module")
def fitted() -> dict[str, DSEBM]:
    records = ordinary_records(ROWS, seed=1)
    return {criterion: DSEBM(criterion, random_state=0, exemplars=50).fit(records) for criterion in CRITERIA}


def with_cell(record: pa.Table, name: str, value: object) -> pa.Table:
    at = record.column_names.index(name)
    return record.set_column(at, name, pa.array([value], record.schema.field(name).type))


def test_the_score_is_minus_log_of_the_density_under_noise() -> None:
    """Against a sum, over training records and such that stray, of normal densities as wide as the noise."""
    rng = np.random.default_rng(0)
    habit = rng.random((2000, 1)) < 0.3
    X = np.where(habit, [[6.0, 0.0]], [[0.0, 3.0]]) + rng.normal(size=(2000, 2))
    detector = DSEBM(random_state=0, exemplars=0).fit(X[:1000])
    model = detector.model_
    assert isinstance(model, EnergyBased)

    def strayed(u: np.ndarray) -> np.ndarray:
        far = np.exp(rng.uniform(0, np.log(8), (len(u), 1)))
        return u + (rng.random(u.shape) < 0.5) * far * rng.normal(size=u.shape)

    def apart(scores: np.ndarray, u: np.ndarray) -> float:
        """Standard deviation of the difference, nil where it is a constant."""
        squares = sum((u[:, i, None] - centres[:, i]) ** 2 for i in range(2))
        return float(np.std(scores + logsumexp(-0.5 * squares, axis=1, b=weights)))

    def whitened(rows: np.ndarray) -> np.ndarray:
        read = model.read(detector.encoder_.transform(detector.schema_.select(detector._table(rows))[0]))
        return (read / model.noise).numpy().astype(np.float64)

    seen, asked = whitened(X[:1000]), whitened(X[1000:])
    strays = strayed(np.repeat(seen, 40, axis=0))
    centres = np.concatenate([seen, strays])
    weights = np.repeat([0.8 / len(seen), 0.2 / len(strays)], [len(seen), len(strays)])
    scores = detector.anomaly_score(X[1000:])
    assert scores.std() > 0.4
    assert apart(scores, asked) < 0.12
    beyond = strayed(asked)
    with torch.no_grad():
        scores = model.landscape(torch.tensor(beyond, dtype=torch.float32)).numpy()
    assert scores.std() > 1.5
    assert apart(scores, beyond) < 0.8


def test_training_beats_no_training(fitted: dict[str, DSEBM]) -> None:
    ordinary, strange = ordinary_records(300, seed=3), strange_records(300, seed=4)
    truth = np.repeat([0, 1], 300)
    for criterion, detector in fitted.items():
        encoded = [detector.encoder_.transform(detector.schema_.select(part)[0]) for part in (ordinary, strange)]
        loss, auroc = [], []
        for model in (detector._model(detector.encoder_, ROWS, 0).eval(), detector.model_):
            with torch.no_grad():
                loss.append(float(model.loss(encoded[0], Generator().manual_seed(0)).mean()))
                auroc.append(roc_auc_score(truth, torch.cat([model.evidence(part)[:, 0] for part in encoded])))
        assert loss[1] < 0.6 * loss[0], criterion
        assert auroc[1] > max(0.9, auroc[0] + 0.2), criterion


def test_reconstruction_is_the_squared_slope_of_the_energy_in_whitened_coordinates(fitted: dict[str, DSEBM]) -> None:
    model = fitted["energy"].model_.double()
    encoded = fitted["energy"].encoder_.transform(ordinary_records(1, seed=5))
    x = model.read(encoded).double()
    step = 1e-5 * model.noise
    with torch.no_grad():
        ends = [model.energy(x + sign * torch.diag(step), encoded) for sign in (1, -1)]
    slope = (ends[0] - ends[1]).numpy() / 2e-5
    model.criterion = "reconstruction"
    try:
        with torch.no_grad():
            found = float(model.energy(x, encoded))
    finally:
        model.criterion = "energy"
        model.float()
    assert found == pytest.approx(float((slope**2).sum()), rel=1e-5)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_far_out_cells_score_ever_higher(fitted: dict[str, DSEBM], criterion: str) -> None:
    record, detector = ordinary_records(1, seed=5), fitted[criterion]
    part = next(part for part in detector.encoder_.parts if part.column == "spent")
    for sign in (1, -1):
        cells = part.original(sign * np.array(FAR))
        scores = detector.anomaly_score(pa.concat_tables([with_cell(record, "spent", cell) for cell in cells]))
        assert np.isfinite(scores).all()
        assert scores[0] > detector.anomaly_score(record)[0]
        assert (np.diff(scores) >= 0).all()


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_usual_where_training_never_was(criterion: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept = np.column_stack([rng.uniform(size=500), rng.normal(size=500)])
    detector = DSEBM(criterion, max_time=3.0, random_state=seed).fit(kept)
    far = np.column_stack([np.concatenate([[4.0], 10.0 ** np.arange(1, 9)]), np.zeros(9)])
    for there in (far, 1 - far):
        scores = detector.anomaly_score(there)
        assert (np.diff(scores) > 0).all()
        assert scores[0] > detector.anomaly_score(kept).max()


@pytest.mark.parametrize("criterion", CRITERIA)
def test_an_unseen_category_scores_above_all_that_were_seen(fitted: dict[str, DSEBM], criterion: str) -> None:
    records, detector = ordinary_records(20, seed=5), fitted[criterion]
    for row in range(records.num_rows):
        record = records.slice(row, 1)
        *seen, unseen = (
            detector.anomaly_score(with_cell(record, "action", action))[0]
            for action in (record["action"][0].as_py(), "never seen")
        )
        assert unseen > max(seen) + 1


def test_row_order_does_not_change_a_score(fitted: dict[str, DSEBM]) -> None:
    records = ordinary_records(700, seed=6)
    for detector in fitted.values():
        scores = detector.anomaly_score(records)
        order = np.random.default_rng(0).permutation(700)
        np.testing.assert_allclose(detector.anomaly_score(records.take(order)), scores[order], rtol=1e-6, atol=1e-6)


def test_a_saved_detector_scores_the_same(
    fitted: dict[str, DSEBM], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "dsebm", ("unwonted.models.dsebm", "DSEBM"))
    records = ordinary_records(50, seed=6)
    for criterion, detector in fitted.items():
        detector.save(tmp_path / criterion)
        again = load(tmp_path / criterion)
        np.testing.assert_array_equal(again.anomaly_score(records), detector.anomaly_score(records))


def test_an_unusual_scale_of_noise_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "dsebm", ("unwonted.models.dsebm", "DSEBM"))
    records = ordinary_records(60, seed=1)
    detector = DSEBM(noise=1.7, width=8, depth=1, random_state=0, exemplars=0).fit(records)
    detector.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert float(again.model_.noise.max()) == pytest.approx(1.7)
    np.testing.assert_array_equal(again.anomaly_score(records), detector.anomaly_score(records))


@pytest.mark.parametrize("wrong", [{"criterion": "norm"}, {"noise": 0.0}, {"noise": float("nan")}])
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError, match=next(iter(wrong))):
        DSEBM(**wrong).fit(ordinary_records(20, seed=1))
