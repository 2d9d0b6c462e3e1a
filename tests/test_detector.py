"""The estimator around a model: what it takes, refuses and promises; the alert rate over a thousand fits."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from conftest import behaviour
from unwonted import DAGMM, DMDN, DSEBM, DataError, DensityEnsemble, estimator, sequences
from unwonted.arrays import Layout
from unwonted.checks import state
from unwonted.detector import Detector
from unwonted.encode import Encoded, Encoder
from unwonted.models.base import ColumnModel, Floats
from unwonted.schema import Schema
from unwonted.train import Plan, Progress

# One step of training: what is asked here does not depend on what was learned.
SMALL = {"width": 16, "depth": 1, "components": 2, "random_state": 0, "max_time": 1e-6}


class Memory(ColumnModel):
    """How far the nearest record is whose loss it was asked for: it overfits all it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.seen: list[Tensor] = []
        self.settled = 0

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        self.seen.append(batch.values)
        return self.log_scale + batch.values.square().sum(1) * (-2 * self.log_scale).exp() / 2

    def surprise(self, batch: Encoded) -> Tensor:
        known = torch.cat(self.seen).unique(dim=0)
        return torch.cdist(batch.values, known, compute_mode="donot_use_mm_for_euclid_dist").amin(1)[:, None]

    def part_surprise(self, batch: Encoded) -> Tensor:
        return self.surprise(batch)

    def scored_columns(self) -> list[int]:
        return [0]

    def conditional(self, batch: Encoded, position: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        nothing = batch.values[:, :0]
        return nothing, (nothing, nothing, nothing)

    def pool(self, evidence: Floats) -> Floats:
        return evidence[..., 0]

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        self.settled += len(evidence)

    def culprit(self, batch: Encoded) -> str:
        return "nothing"


class Tiny(Detector):
    """Small enough to fit a thousand times; a wrong split or calibration shows in its alert rate at once."""

    def _model(self, encoder: Encoder, rows: int, seed: int) -> Memory:
        return Memory()

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        return Plan(steps=4, batch=rows, epochs=2)


def shares(rows: int, draws: int, rates: tuple[float, ...], new: int = 60, digits: int = 9) -> tuple[np.ndarray, Tiny]:
    """Share of alerts among new records, for each draw of records and new ones, and each rate."""
    rng = np.random.default_rng(rows)
    found = np.empty((draws, len(rates)))
    for draw in range(draws):
        sample = np.round(rng.standard_t(3, (rows + new, 1)), digits)
        tiny = Tiny(exemplars=0, random_state=draw).fit(sample[:rows])
        p = tiny.p_value(sample[rows:])
        found[draw] = [(p <= rate).mean() for rate in rates]
    return found, tiny


@pytest.mark.parametrize(
    ("rows", "calibration", "digits", "draws"),
    [
        pytest.param(400, 60, 9, 1000, id="60 for calibration"),
        pytest.param(267, 40, 9, 1000, id="40 for calibration"),
        pytest.param(300, 45, 1, 300, id="most are duplicates"),
    ],
)
def test_over_many_fits_the_share_of_alerts_keeps_to_the_rate(
    rows: int, calibration: int, digits: int, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimator, "SMALL", 200)  # 40 calibration records, by the usual way of three parts
    rates = (0.05, 0.2)
    found, tiny = shares(rows, draws, rates, digits=digits)
    assert tiny.summary_["calibration"] == len(tiny.calibration_.scores) == calibration
    for share, rate in zip(found.T, rates, strict=True):
        error = share.std() / math.sqrt(len(share))
        assert share.mean() <= rate + 3 * error
        if digits == 9:  # nor are alerts withheld: exactly what the ranks promise, where nothing ties
            assert share.mean() >= tiny.calibration_.promised_share(rate).mean - 3 * error


def test_small_tables_calibrate_by_folds_and_say_that_nothing_is_promised() -> None:
    found, tiny = shares(60, 100, (0.1,))
    assert tiny.summary_["calibration"] == 60
    assert any("approximate" in notice and "300" in notice for notice in tiny.notices_)
    assert 0.02 < found.mean() < 0.13  # calibrated on records it had learned from, it would be near one
    assert not any("approximate" in notice for notice in Tiny(random_state=0).fit(behaviour(300)).notices_)


def test_validation_settles_the_pooling_and_calibration_does_not() -> None:
    tiny = Tiny(random_state=0).fit(behaviour(400))
    assert tiny.model_.settled == tiny.summary_["validation"] == 40
    counts = [tiny.summary_[part] for part in ("train", "validation", "calibration")]
    assert sum(counts) == tiny.summary_["rows"] == 400


def test_too_few_calibration_records_for_the_rate_are_said() -> None:
    tiny = Tiny(alert_rate=0.01, random_state=0).fit(behaviour(300))
    assert any("45 calibration records" in notice for notice in tiny.notices_)
    assert (tiny.predict(behaviour(300, seed=5)) == 1).all()
    assert tiny.offset_ == -math.inf


@pytest.mark.parametrize("rate", [0, 1, -0.1, math.nan])
def test_a_bad_alert_rate_is_refused_before_the_work(rate: float) -> None:
    tiny = Tiny(alert_rate=rate)
    with pytest.raises(DataError, match="alert_rate"):
        tiny.fit(behaviour(20))
    assert not hasattr(tiny, "schema_")


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 3))
    x[:, 1] += x[:, 0]
    return x


@pytest.fixture(scope="module")
def fitted(numbers: np.ndarray) -> DMDN:
    return DMDN(**SMALL).fit(pd.DataFrame(numbers, columns=["a", "b", "c"]))


def test_pandas_polars_and_arrow_say_the_same(numbers: np.ndarray, fitted: DMDN) -> None:
    wanted = fitted.anomaly_score(pd.DataFrame(numbers, columns=["a", "b", "c"]))
    columns = dict(zip("cab", (numbers[:, 2], numbers[:, 0], numbers[:, 1]), strict=True))
    arrow = pa.table(columns)
    for frame in (
        pl.DataFrame(columns),
        arrow,
        arrow.to_batches()[0],
        pd.DataFrame(columns, index=range(60, 0, -1)),
        pa.concat_tables([arrow.slice(0, 7), arrow.slice(7)]),
    ):
        assert fitted.anomaly_score(frame).tolist() == wanted.tolist()
    assert state(DMDN(**SMALL).fit(pl.DataFrame(columns).select("a", "b", "c"))) == state(fitted)


def test_scores_are_the_same_to_the_bit_with_one_thread_and_with_several(fitted: DMDN) -> None:
    many = pd.DataFrame(np.random.default_rng(5).normal(size=(1500, 3)), columns=["a", "b", "c"])
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(fitted.anomaly_score(many))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)
    assert len(np.unique(found[0])) > 1000


def test_arrays_go_by_position(numbers: np.ndarray) -> None:
    by_position = DMDN(**SMALL).fit(numbers)
    assert by_position.n_features_in_ == 3
    assert not hasattr(by_position, "feature_names_in_")
    wanted = by_position.anomaly_score(numbers)
    for same in (numbers.astype(object), numbers.tolist(), np.asfortranarray(numbers)):
        assert by_position.anomaly_score(same).tolist() == wanted.tolist()
    with pytest.raises(ValueError, match="features"):
        by_position.predict(numbers[:, :2])


def test_the_records_given_are_left_as_they_were(numbers: np.ndarray, fitted: DMDN) -> None:
    given = numbers.copy()
    given[3, 1] = np.nan
    before = given.copy()
    by_position = DMDN(**SMALL).fit(given)
    by_position.explain(given)
    np.testing.assert_array_equal(given, before)
    frame = pd.DataFrame(given, columns=["a", "b", "c"])
    fitted.explain(frame)
    np.testing.assert_array_equal(frame.to_numpy(), before)


def test_a_lacking_column_is_named(numbers: np.ndarray, fitted: DMDN) -> None:
    with pytest.raises(DataError, match="'b'"):
        fitted.predict(pd.DataFrame(numbers[:, [0, 2]], columns=["a", "c"]))


@pytest.mark.parametrize(
    "detector",
    [DMDN(), DMDN(pooling="sum"), DMDN(target="a"), DensityEnsemble(), DensityEnsemble(memory=0), DAGMM(), DSEBM()],
)
def test_no_records_have_no_scores(numbers: np.ndarray, detector: Detector) -> None:
    detector.set_params(max_time=1e-6).fit(pd.DataFrame(numbers, columns=["a", "b", "c"]))
    none = pa.table({name: pa.array([], pa.float64()) for name in "abc"})
    assert detector.anomaly_score(none).shape == detector.p_value(none).shape == detector.predict(none).shape == (0,)
    assert detector.contributions(none).shape == (0, 3)
    assert detector.explain(none) == []


def test_no_sequences_and_no_images_have_no_scores() -> None:
    many = np.random.default_rng(0).normal(size=(60, 8, 8))
    padded = sequences(many, np.full(60, 8))
    for some, none in ((padded, sequences(many[:0], np.zeros(0, dtype=int))), (many, many[:0])):
        assert DSEBM(max_time=1e-6).fit(some).anomaly_score(none).shape == (0,)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"a": [1.0] * 30, "b": [None] * 30}, "no column is usable"),
        ({"a": []}, "no column is usable|too few|sample"),
        ({"a": [1.0]}, "no column is usable|too few|sample"),
    ],
)
def test_records_that_teach_nothing_are_refused(table: dict[str, list[Any]], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        DMDN(**SMALL).fit(pa.table(table))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row_are_errors_of_arrays_too(rows: int) -> None:
    with pytest.raises(ValueError, match="sample"):
        DMDN(**SMALL).fit(np.zeros((rows, 2)))


def test_constant_and_ignored_columns_are_no_inputs(records: pa.Table) -> None:
    few = records.slice(0, 40)
    plain = DMDN(ignore=["host"], **SMALL).fit(few)
    assert plain.columns_ == ("time", "action", "bytes_out", "failures", "duration", "remote")
    assert any("site" in notice for notice in plain.notices_)
    new = behaviour(9, seed=3)
    wanted = plain.anomaly_score(new)
    for changed in (
        new.drop_columns(["host", "site"]),
        new.set_column(2, "host", pa.array(["elsewhere"] * 9)).set_column(7, "site", pa.array(["home"] * 9)),
    ):
        assert plain.anomaly_score(changed).tolist() == wanted.tolist()
    declared = DMDN(schema={"host": {"role": "ignore"}}, **SMALL).fit(few)
    assert declared.anomaly_score(new).tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"device": "abacus"}, "abacus"),
        ({"ignore": ["hsot"]}, "did you mean 'host'"),
        ({"schema": {"host": {"kind": "colour"}}}, "colour"),
        ({"target": ["bytes_uot"]}, "did you mean 'bytes_out'"),
        ({"target": "site"}, "constant"),
        ({"schema": {"host": {"role": "target"}}}, "nothing is asked of it"),
        ({"pooling": "median"}, "median"),
    ],
)
def test_a_wrong_argument_is_one_sentence(wrong: dict[str, Any], said: str, records: pa.Table) -> None:
    with pytest.raises(DataError, match=said) as caught:
        DMDN(**{**SMALL, **wrong}).fit(records.slice(0, 30))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="only where there is no CUDA")
def test_cuda_is_refused_where_there_is_none(records: pa.Table) -> None:
    with pytest.raises(DataError, match="cuda"):
        DMDN(**{**SMALL, "device": "cuda"}).fit(records.slice(0, 30))


@pytest.mark.parametrize(
    ("layout", "asked", "there", "taken"),
    [
        (Layout((28, 28, 1)), "auto", True, "cuda"),
        (Layout((28, 28, 1)), "auto", False, "cpu"),
        (Layout((3,)), "auto", True, "cpu"),
        (Layout((3,)), "cuda", True, "cuda"),
        (None, "auto", True, "cpu"),
        (None, "cuda", True, "cuda"),
        (Layout((28, 28, 1)), "cpu", True, "cpu"),
    ],
)
def test_a_card_is_taken_for_images_or_when_asked(
    layout: Layout | None, asked: str, there: bool, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    schema = layout or Schema.infer(pa.table({"a": [1.0, 2.0, 3.0]}))
    assert DSEBM(device=asked)._device(schema).type == taken


def test_exemplars_are_ordinary_training_records_and_none_on_request(records: pa.Table) -> None:
    assert Tiny(exemplars=0, random_state=0).fit(records).exemplars_.num_rows == 0
    tiny = Tiny(exemplars=7, random_state=0).fit(records)
    some = tiny.exemplars_
    assert some.num_rows == 7
    given, _ = tiny.schema_.select(records)
    rows = {repr(row) for row in given.select(some.column_names).to_pylist()}
    assert all(repr(row) in rows for row in some.to_pylist())


def test_progress_is_told_to_a_function_and_to_nobody_else(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[Progress] = []
    Tiny(verbose=told.append, random_state=0).fit(behaviour(300))
    assert [progress.step for progress in told] == sorted(progress.step for progress in told)
    assert told[-1].step == told[-1].steps == 4
    Tiny(random_state=0).fit(behaviour(300))
    assert capfd.readouterr() == ("", "")


def test_a_fit_cut_short_says_so(records: pa.Table) -> None:
    cut = DMDN(**SMALL).fit(records)
    assert cut.stopped_by_ == "max_time"
    assert cut.summary_["steps"] == 1
    assert np.isfinite(cut.anomaly_score(records)).all()


def test_what_is_not_fitted_says_so() -> None:
    from sklearn.exceptions import NotFittedError

    for attribute in ("columns_", "offset_"):
        with pytest.raises(NotFittedError):
            getattr(DMDN(), attribute)
    for method in ("anomaly_score", "predict", "p_value", "explain"):
        with pytest.raises(NotFittedError):
            getattr(DMDN(), method)(np.zeros((3, 2)))


def test_scoring_at_once_leaves_torch_as_many_threads_as_before() -> None:
    tiny, records, before = Tiny(random_state=0).fit(behaviour(300)), behaviour(2000, seed=1), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with ThreadPoolExecutor(4) as pool:
            scores = list(pool.map(tiny.anomaly_score, [records] * 8))
        with ThreadPoolExecutor(1) as pool:  # a thread that is new asks the whole program
            assert pool.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert all(np.array_equal(score, scores[0]) for score in scores)
