"""Benchmarks with labels: what a row holds, that no score sees a test label, few labels, thresholds, the search."""

from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from unwonted import DataError
from unwonted.bench import learners, searching, teaching
from unwonted.bench.keeping import Kept
from unwonted.bench.learners import Learner
from unwonted.bench.teaching import Lesson, Trial, best_threshold, teach
from unwonted.datasets.labelled import UNKNOWN, LabelledProblem, held_out, scarce, some_rows, thinned


def tiny(seed: int, turned: bool = False) -> LabelledProblem:
    """Attacks send more; with `turned`, the test's labels stand in another order."""
    rng = np.random.default_rng(seed)

    def part(n: int) -> tuple[pa.Table, np.ndarray]:
        attack = rng.random(n) < 0.4
        sent = rng.normal(0, 1, n) + 3 * attack
        return pa.table({"sent": sent, "action": np.where(rng.random(n) < 0.5, "read", "write")}), attack

    (train, labels), (test, is_attack) = part(200), part(100)
    kinds = np.where(is_attack, np.where(np.arange(100) % 2, "worm", "scan"), "normal")
    if turned:
        order = np.random.default_rng(9).permutation(100)
        is_attack, kinds = is_attack[order], kinds[order]
    return LabelledProblem("tiny", train, labels.astype(np.int64), test, is_attack, kinds)


class Line:
    """P(attack | x) as a logistic function of what was sent, with a slope."""

    facts: dict[str, Any] = {"parameters": 1}  # noqa: RUF012

    def __init__(self, seed: int, slope: float = 2.0) -> None:
        self.slope = slope

    def fit(self, X: pa.Table, y: np.ndarray) -> Self:
        sent = X["sent"].to_numpy()
        self.middle = (sent[y == 1].mean() + sent[y == 0].mean()) / 2
        return self

    def attack_probability(self, X: pa.Table) -> np.ndarray:
        return 1 / (1 + np.exp(-self.slope * (X["sent"].to_numpy() - self.middle)))


class Broken(Line):
    """It fails."""

    def fit(self, X: pa.Table, y: np.ndarray) -> Self:
        raise ValueError("no luck")


line = Learner("line", Line)


def test_a_row_says_how_well_each_threshold_does() -> None:
    row = teach(Lesson("tiny", tiny, line, 0))
    assert set(row["at"]) == {"0.5", "global mean", "validation"}
    data = tiny(0)
    model = Line(0).fit(held_out(data, 0.15, 0).train, held_out(data, 0.15, 0).labels)
    p = model.attack_probability(data.test)
    for rule, found in row["at"].items():
        called = p > found["threshold"]
        assert found["accuracy"] == pytest.approx(np.mean(called == data.is_attack)), rule
    assert row["at"]["global mean"]["threshold"] == pytest.approx(
        model.attack_probability(held_out(data, 0.15, 0).train).mean()
    )
    assert set(row["found"]) == {"scan", "worm"}
    assert row["auroc"] > 0.95
    assert 0 <= row["calibration_error"] < 0.2
    assert row["n_train"] == row["n_labelled"] == 200


@pytest.mark.parametrize("learner", [line, learners.dmdn, learners.dmdn_literal, *learners.references])
def test_no_score_sees_a_label_of_the_test(learner: Learner) -> None:
    straight, turned = (teach(Lesson("tiny", partial(tiny, turned=t), learner, 0)) for t in (False, True))
    assert straight["scores_sha256"] == turned["scores_sha256"]
    assert straight["at"]["validation"]["threshold"] == turned["at"]["validation"]["threshold"]
    assert straight["auroc"] > turned["auroc"] + 0.2


@given(st.lists(st.tuples(st.sampled_from([0.0, 1e-9, 0.3, 1 - 1e-9, 1 - 1e-16, 1.0]), st.booleans()), min_size=1))
def test_no_threshold_has_a_better_f1(held: list[tuple[float, bool]]) -> None:
    probability, is_attack = np.array([p for p, _ in held]), np.array([attack for _, attack in held])

    def quality(threshold: float) -> float:
        return f1_score(is_attack, probability > threshold, zero_division=0)

    chosen = best_threshold(probability, is_attack)
    assert quality(chosen) == max(quality(threshold) for threshold in (-1.0, *probability))
    assert chosen not in probability or np.nextafter(chosen, 1) in probability  # between them, where there is room


def test_the_best_threshold_is_found_where_nearly_all_probabilities_are_0_or_1() -> None:
    probability = np.repeat([0.0, 0.4, 0.6, 1.0], [5000, 1, 1, 5000])
    is_attack = probability > 0.5  # no quantile of a hundred tells the two in the middle apart
    assert best_threshold(probability, is_attack) == 0.5


def test_a_failure_is_a_row() -> None:
    assert teach(Lesson("tiny", tiny, Learner("broken", Broken), 0))["error"] == "ValueError: no luck"


def test_the_search_takes_the_setting_with_the_most_likely_labels(tmp_path: Path) -> None:
    slopes = [{"slope": slope} for slope in (0.01, 2.0, 50.0)]
    work = [Trial("trial", tiny, line.at(**each), 0) for each in slopes]
    nats = [trial.perform()["nats"] for trial in work]
    assert nats[1] < min(nats[0], nats[2])
    assert len({Kept(tmp_path).key(trial, 1) for trial in work}) == 3  # none is taken for another
    assert len(searching.SETTINGS) == 4


def test_all_training_records_that_do_not_teach_a_trial_judge_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    for most in (teaching.TRIAL_ROWS, 50):
        monkeypatch.setattr(teaching, "TRIAL_ROWS", most)
        row = Trial("trial", tiny, line, 0).perform()
        sizes.append((row["n_train"], row["n_test"]))
    assert sizes == [(100, 100), (50, 150)]


def test_few_labels_leave_every_record_and_some_of_each_class() -> None:
    data = scarce(tiny(0), 0.01, seed=1)
    assert data.train.num_rows == 200
    assert sorted(np.unique(data.labels).tolist()) == [UNKNOWN, 0, 1]
    assert (data.labels != UNKNOWN).sum() == 2
    known = data.labels != UNKNOWN
    np.testing.assert_array_equal(data.labels[known], tiny(0).labels[known])


def test_thinned_training_has_no_label_and_so_many_attacks() -> None:
    whole = tiny(0)
    data = thinned(whole, 0.1, seed=0)
    assert (data.labels == UNKNOWN).all()
    attacks = data.train.num_rows - (whole.labels == 0).sum()
    assert attacks / data.train.num_rows == pytest.approx(0.1, abs=0.01)


def test_held_out_records_come_from_training_alone_and_unlabelled_ones_stay() -> None:
    data = scarce(tiny(0), 0.5, seed=0)
    part = held_out(data, 0.2, seed=0)
    assert part.train.num_rows + part.test.num_rows == 200
    assert (part.labels == UNKNOWN).sum() == (data.labels == UNKNOWN).sum()
    assert set(part.test["sent"].to_pylist()) <= set(data.train["sent"].to_pylist())
    assert some_rows(tiny(0), 50, 0).train.num_rows == 50
    few = some_rows(tiny(0), 50, 0)
    assert few.test.num_rows == len(few.is_attack) == len(few.categories) == 50


def test_a_problem_with_its_label_among_the_columns_is_refused() -> None:
    data = tiny(0)
    leaking = data.train.append_column("attack_cat", pa.array(["x"] * 200))
    with pytest.raises(DataError, match="label column 'attack_cat'"):
        LabelledProblem("leak", leaking, data.labels, data.test, data.is_attack)
