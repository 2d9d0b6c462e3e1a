"""Checks that scores, alerts, p-values, contributions and probabilities mean what they say."""

import copy
from typing import Any

import numpy as np
import pyarrow as pa

from unwonted.checks.subject import Subject
from unwonted.detector import Detector

__all__ = [
    "check_alert_rate_moves_the_threshold",
    "check_alerts_are_p_values",
    "check_contributions",
    "check_probabilities",
]

CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}


def check_alerts_are_p_values(subject: Subject) -> None:
    """`predict` is −1 exactly where the p-value is at most `alert_rate`, on ties too."""
    detector = copy.copy(subject.fitted)
    many = pa.concat_tables([subject.records.select(subject.new.column_names), subject.new])
    p = detector.p_value(many)
    alerts_seen = 0
    for rate in (0.01, 0.1, *np.unique(p[p < 1])[:4]):
        detector.alert_rate = float(rate)
        alerts = detector.predict(many) == -1
        np.testing.assert_array_equal(alerts, p <= rate, err_msg=f"alerts are not p ≤ {rate}")
        np.testing.assert_array_equal(
            alerts, detector.decision_function(many) < 0, err_msg="predict and decision_function"
        )
        alerts_seen += int(alerts.sum())
    assert alerts_seen, "nothing is ever an alert"


def check_alert_rate_moves_the_threshold(subject: Subject) -> None:
    """Another `alert_rate` after the fit moves the threshold and nothing else."""
    detector = copy.copy(subject.fitted)
    scores, p, low = detector.score_samples(subject.new), detector.p_value(subject.new), detector.offset_
    detector.alert_rate = 4 * detector.alert_rate
    np.testing.assert_array_equal(detector.score_samples(subject.new), scores, err_msg="alert_rate moves scores")
    np.testing.assert_array_equal(detector.p_value(subject.new), p, err_msg="alert_rate moves p-values")
    assert detector.offset_ > low, "a higher alert_rate does not move offset_ up"
    np.testing.assert_array_equal(
        detector.decision_function(subject.new), scores - detector.offset_, err_msg="decision_function"
    )


def check_contributions(subject: Subject) -> None:
    """Contributions, one a column, sum to what a score is above its baseline; scores are not all the same."""
    detector = subject.fitted
    contributions, scores = detector.contributions(subject.new), detector.anomaly_score(subject.new)
    assert contributions.shape == (subject.new.num_rows, len(detector.columns_)), "contributions' shape"
    baseline = np.array([explanation.baseline for explanation in detector.explain(subject.new, top=1)])
    np.testing.assert_allclose(contributions.sum(1) + baseline, scores, **CLOSE, err_msg="contributions' sum")
    if isinstance(detector, Detector):
        np.testing.assert_array_equal(detector.score_samples(subject.new), -scores, err_msg="score_samples")
    assert scores.std() > 0, "all records have one score"
    for row, explanation in enumerate(detector.explain(subject.new.slice(0, 3), top=99)):
        given = [reason.contribution for reason in explanation.reasons]
        assert given == sorted(given, reverse=True), "reasons are not sorted by contribution"
        total = sum(given) + explanation.baseline
        np.testing.assert_allclose(total, scores[row], **CLOSE, err_msg="the reasons' sum")


def check_probabilities(subject: Subject) -> None:
    """Probabilities sum to 1; the prediction is the most probable class; the score is the log odds against normal."""
    classifier = subject.fitted
    p = classifier.predict_proba(subject.new)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12, err_msg="probabilities do not sum to 1")
    np.testing.assert_array_equal(classifier.predict(subject.new), classifier.classes_[p.argmax(1)])
    normal = p[:, classifier.normal_].sum(1)
    np.testing.assert_allclose(
        1 / (1 + np.exp(classifier.anomaly_score(subject.new))), normal, rtol=1e-6, err_msg="scores are no log odds"
    )
