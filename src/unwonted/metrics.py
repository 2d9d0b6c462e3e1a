"""How well scores and alerts agree with labels: AUROC, AUPRC, F1 and the rest, thin over scikit-learn."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from unwonted.errors import DataError

__all__ = ["calibration_error", "classification", "detection_by_category", "evaluate", "normal_mask", "reliability"]


def evaluate(
    scores: ArrayLike, is_anomaly: ArrayLike, alerts: ArrayLike, *, alert_rate: float, threshold: float
) -> dict[str, Any]:
    """Quality of scores and alerts against labels; an anomaly is the positive class throughout.

    Args:
        scores: Anomaly scores, shape (n,), higher = stranger; infinite ones too.
        is_anomaly: Truth, booleans of shape (n,).
        alerts: Which records were called anomalous, booleans of shape (n,).
        alert_rate: The rate the alerts were asked for; passed through.
        threshold: The score above which a record was an alert; passed through.

    Returns:
        auroc, auprc (average precision), precision, recall, f1 (0 where there is no alert), accuracy,
        confusion (tn, fp, fn, tp), alert_rate, alert_share_normal (realised share of alerts among the normal
        records), threshold, n. Plain Python numbers.

    Raises:
        DataError: A score or a label is missing, the labels are of one class only, or the lengths differ.

    Example:
        >>> result = evaluate([1, 2, 3, 4], [0, 0, 1, 1], [0, 1, 1, 1], alert_rate=0.5, threshold=1.5)
        >>> result["auroc"], result["recall"], result["alert_share_normal"], result["confusion"]
        (1.0, 1.0, 0.5, {'tn': 1, 'fp': 1, 'fn': 0, 'tp': 2})
    """
    score, truth, alert = _columns(scores, _flags(is_anomaly), alerts)
    found = classification(truth, alert)
    cells = found["confusion"]
    return {
        "auroc": float(roc_auc_score(truth, score)),
        "auprc": float(average_precision_score(truth, score)),
        **found,
        "alert_rate": alert_rate,
        "alert_share_normal": cells["fp"] / (cells["fp"] + cells["tn"]),
        "threshold": threshold,
        "n": truth.size,
    }


def classification(truth: ArrayLike, found: ArrayLike) -> dict[str, Any]:
    """precision, recall, f1 (0 where nothing is found), accuracy and confusion (tn, fp, fn, tp) of a yes or no.

    >>> classification([0, 0, 1, 1], [0, 1, 1, 1])["accuracy"]
    0.75
    """
    tn, fp, fn, tp = (int(count) for count in confusion_matrix(truth, found, labels=[False, True]).ravel())
    precision, recall, f1, _ = precision_recall_fscore_support(truth, found, average="binary", zero_division=0)
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "accuracy": float(accuracy_score(truth, found)),
        "confusion": {"tn": tn, "fp": fp, "fn": fn, "tp": tp},
    }


def reliability(probability: ArrayLike, truth: ArrayLike, bins: int = 10) -> list[dict[str, float]]:
    """How often what was given a probability is so: by bins of equal width, those that hold any.

    Args:
        probability: Shape (n,), from 0 to 1.
        truth: Booleans, shape (n,).
        bins: How many.

    Returns:
        One dict a bin: n, probability (its mean) and share (of those that are so).

    >>> reliability([0.1, 0.2, 0.9], [False, True, True], bins=2)
    [{'n': 2, 'probability': 0.15000000000000002, 'share': 0.5}, {'n': 1, 'probability': 0.9, 'share': 1.0}]
    """
    p, so = _numbers(probability, "probability"), np.asarray(truth, dtype=bool)
    place = np.clip((p * bins).astype(int), 0, bins - 1)
    return [
        {"n": int(here.sum()), "probability": float(p[here].mean()), "share": float(so[here].mean())}
        for here in (place == i for i in range(bins))
        if here.any()
    ]


def calibration_error(probability: ArrayLike, truth: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: how far probability and share lie apart in the bins of `reliability`, by their size.

    Source: Naeini et al. (2015).

    Raises:
        DataError: There are no records, or a probability is missing.

    >>> round(calibration_error([0.1, 0.2, 0.9], [False, True, True], bins=2), 4)
    0.2667
    """
    found = reliability(probability, truth, bins)
    if not found:
        raise DataError("There are no records; how well probabilities are calibrated is measured on some.")
    total = sum(entry["n"] for entry in found)
    return sum(entry["n"] * abs(entry["probability"] - entry["share"]) for entry in found) / total


def detection_by_category(
    alerts: ArrayLike, scores: ArrayLike, categories: Sequence[Any], normal: ArrayLike
) -> list[dict[str, Any]]:
    """How well each kind of anomaly is found, the most frequent kind first.

    Args:
        alerts: Which records were called anomalous, booleans of shape (n,).
        scores: Anomaly scores, shape (n,), higher = stranger; infinite ones too.
        categories: The kind of each record, n values, compared as text.
        normal: Which records are normal, booleans of shape (n,).

    Returns:
        One dict a kind of anomaly: category, n, alerts (how many of them were), recall (their share) and
        auroc (this kind against all normal records).

    Raises:
        DataError: A score or a label is missing, the labels are of one class only, or the lengths differ.

    Example:
        >>> detection_by_category([0, 0, 1, 0], [1, 2, 3, 1], ["ok", "ok", "scan", "leak"], [1, 1, 0, 0])
        ... # doctest: +NORMALIZE_WHITESPACE
        [{'category': 'leak', 'n': 1, 'alerts': 0, 'recall': 0.0, 'auroc': 0.25},
         {'category': 'scan', 'n': 1, 'alerts': 1, 'recall': 1.0, 'auroc': 1.0}]
    """
    score, truth, alert = _columns(scores, ~_flags(normal), alerts)
    kinds = np.array([str(category) for category in categories], dtype=object)
    if kinds.size != truth.size:
        raise DataError(f"There are {kinds.size} categories for {truth.size} records; give one for each.")
    rows = []
    for kind in sorted(set(kinds[truth])):
        mine = truth & (kinds == kind)
        either = mine | ~truth
        n, found = int(mine.sum()), int(alert[mine].sum())
        auroc = float(roc_auc_score(mine[either], score[either]))
        rows.append({"category": kind, "n": n, "alerts": found, "recall": found / n, "auroc": auroc})
    return sorted(rows, key=lambda row: -row["n"])


def _columns(
    scores: ArrayLike, truth: NDArray[np.bool_], alerts: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """The rank of each score, for only their order counts and infinity has a place in it; truth and alerts."""
    score, alert = _numbers(scores, "score"), np.asarray(alerts, dtype=bool)
    if not score.shape == truth.shape == alert.shape:
        raise DataError(
            f"Scores, labels and alerts differ in shape ({score.shape}, {truth.shape}, {alert.shape}); "
            "give one of each a record."
        )
    if truth.all() or not truth.any():
        kind = "normal" if not truth.any() else "anomalous"
        all_of = "The only record is" if truth.size == 1 else f"All {truth.size:,} records are"
        found = f"{all_of} labelled {kind}" if truth.size else "There are no records"
        raise DataError(f"{found}; measuring needs normal and anomalous ones: check the label and its values.")
    return np.unique(score, return_inverse=True)[1], truth, alert


def _flags(values: ArrayLike) -> NDArray[np.bool_]:
    """Truth as booleans; a missing one would count as true."""
    given = np.asarray(values)
    missing = sum(value is None or bool(value != value) for value in given.tolist()) if given.dtype.kind in "fO" else 0
    if missing:
        raise DataError(f"{missing:,} of {given.size:,} labels are missing; leave these records out.")
    return given.astype(bool)


def _numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    numbers = np.asarray(values, dtype=np.float64)
    if np.isnan(numbers).any():
        raise DataError(f"A {what} is missing (NaN) for {np.isnan(numbers).sum():,} of {numbers.size:,} records.")
    return numbers


def normal_mask(labels: Sequence[Any], normal: Sequence[Any]) -> NDArray[np.bool_]:
    """Which labels mean normal: 0, "0" and False are one value, as are 1, "1" and True.

    >>> normal_mask([0, "0", False, "false", 1, None], [0]).tolist()
    [True, True, True, True, False, False]
    """
    wanted = {_canonical(value) for value in normal}
    return np.array([_canonical(value) in wanted for value in labels], dtype=bool)


def _canonical(value: Any) -> str | None:
    if hasattr(value, "as_py"):
        value = value.as_py()
    if value is None:
        return None
    text = str(value).strip()
    if text.lower() in ("false", "true"):
        return str(int(text.lower() == "true"))
    with suppress(ValueError):
        return str(int(text))  # before a float, which has not all of its digits
    with suppress(ValueError):
        size = float(text)
        return str(int(size)) if size.is_integer() else text
    return text
