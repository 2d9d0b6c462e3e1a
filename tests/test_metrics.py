"""Metrics: values worked out by hand, and every way in which labels cannot be measured."""

import json
from typing import Any

import numpy as np
import pytest

from unwonted.errors import DataError
from unwonted.metrics import calibration_error, detection_by_category, evaluate, normal_mask, reliability

_SCORES = [0.1, 0.4, 0.35, 0.8, 0.7]
_TRUTH = [False, False, True, True, False]
_ALERTS = [False, True, False, True, True]


def test_every_key_has_the_value_worked_out_by_hand() -> None:
    result = evaluate(_SCORES, _TRUTH, _ALERTS, alert_rate=0.25, threshold=0.37)
    assert result == {
        "auroc": pytest.approx(4 / 6),  # of 6 pairs 0.35 wins one, 0.8 three
        "auprc": pytest.approx((1 / 1 + 2 / 4) / 2),  # precision where each anomaly is reached
        "precision": pytest.approx(1 / 3),
        "recall": pytest.approx(1 / 2),
        "f1": pytest.approx(0.4),
        "accuracy": pytest.approx(2 / 5),
        "confusion": {"tn": 1, "fp": 2, "fn": 1, "tp": 1},
        "alert_rate": 0.25,
        "alert_share_normal": pytest.approx(2 / 3),
        "threshold": 0.37,
        "n": 5,
    }
    json.dumps(result)  # no NumPy number among them


def test_tied_scores_are_worth_a_half() -> None:
    assert evaluate([1, 1], [0, 1], [0, 0], alert_rate=0.5, threshold=2.0)["auroc"] == 0.5


def test_no_alert_at_all_is_zero_and_no_warning() -> None:
    result = evaluate(_SCORES, _TRUTH, [False] * 5, alert_rate=0.01, threshold=9.0)
    assert result["precision"] == result["recall"] == result["f1"] == result["alert_share_normal"] == 0


@pytest.mark.parametrize(("truth", "said"), [([0, 0, 0], "labelled normal"), ([1, 1, 1], "labelled anomalous")])
def test_labels_of_one_class_are_refused_with_a_sentence(truth: list[int], said: str) -> None:
    with pytest.raises(DataError, match=said):
        evaluate([1, 2, 3], truth, [0, 0, 1], alert_rate=0.1, threshold=2.0)


def test_no_records_and_unequal_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="no records"):
        evaluate([], [], [], alert_rate=0.1, threshold=0.0)
    with pytest.raises(DataError, match="differ in shape"):
        evaluate([1, 2], [0, 1, 0], [0, 1], alert_rate=0.1, threshold=0.0)
    with pytest.raises(DataError, match="3 categories for 2"):
        detection_by_category([0, 1], [1, 2], ["a", "b", "c"], [1, 0])


def test_each_kind_of_anomaly_is_measured_against_the_normal_records_alone() -> None:
    categories = np.array(["ok", "dos", "ok", "dos", "scan", "dos", "ok", "ok"], dtype=object)
    scores = [1, 9, 2, 0, 2.5, 8, 3, 4]
    alerts = [0, 1, 0, 0, 0, 1, 0, 1]
    normal = categories == "ok"
    assert detection_by_category(alerts, scores, categories, normal) == [
        {
            "category": "dos",
            "n": 3,
            "alerts": 2,
            "recall": pytest.approx(2 / 3),
            "auroc": pytest.approx(8 / 12),
        },
        {"category": "scan", "n": 1, "alerts": 0, "recall": 0.0, "auroc": pytest.approx(2 / 4)},
    ]


def test_categories_may_be_numbers_and_missing() -> None:
    rows = detection_by_category([1, 0, 1], [3, 1, 2], [7, "x", None], [False, True, False])
    assert [row["category"] for row in rows] == ["7", "None"]


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_missing_label_is_refused_and_no_anomaly(missing: Any) -> None:
    with pytest.raises(DataError, match="1 of 4 labels are missing"):
        evaluate([1, 2, 3, 4], [0, 0, missing, 1], [0, 0, 1, 1], alert_rate=0.1, threshold=1.0)
    with pytest.raises(DataError, match="1 of 4 labels are missing"):
        detection_by_category([0, 0, 1, 1], [1, 2, 3, 4], list("abcd"), [1, 1, missing, 0])


def test_a_missing_score_is_refused_with_a_sentence() -> None:
    with pytest.raises(DataError, match=r"score is missing \(NaN\) for 1 of 4 records"):
        evaluate([1, np.nan, 3, 4], [0, 0, 1, 1], [0, 0, 1, 1], alert_rate=0.1, threshold=1.0)
    with pytest.raises(DataError, match="probability is missing"):
        reliability([0.1, np.nan], [True, False])


def test_infinite_scores_rank_beyond_all_others_and_tie_with_one_another() -> None:
    most = np.finfo(np.float64).max
    truth, alerts = [0, 1, 0, 1, 1], [0, 1, 0, 1, 1]
    infinite = evaluate([-np.inf, 2, most, np.inf, np.inf], truth, alerts, alert_rate=0.1, threshold=1.0)
    assert infinite == evaluate([0, 1, 2, 3, 3], truth, alerts, alert_rate=0.1, threshold=1.0)
    rows = detection_by_category(alerts, [-np.inf, 2, most, np.inf, np.inf], list("abacc"), np.equal(truth, 0))
    assert [row["auroc"] for row in rows] == [1.0, 0.5]


def test_the_calibration_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="no records"):
        calibration_error([], [])


def test_whole_numbers_are_told_apart_by_all_their_digits() -> None:
    assert normal_mask([2**53 + 1, str(2**53 + 1), 2**53, float(2**53)], [2**53]).tolist() == [False, False, True, True]
    assert normal_mask(["1e3", "1000.0", " +1000", "1" * 5000], [1000]).tolist() == [True, True, True, False]
