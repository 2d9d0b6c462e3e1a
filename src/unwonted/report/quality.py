"""Where labels are given: how well the scores tell anomalies from normal records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from unwonted.metrics import detection_by_category, evaluate
from unwonted.report.truth import Truth
from unwonted.words import percent

__all__ = ["CategoryRow", "Quality", "Rates", "judged", "quality"]

_POINTS = 400


@dataclass(frozen=True)
class Rates:
    """A curve of one rate against another, the point that the alerts sit on, and the level of chance."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    point: tuple[float, float] | None
    chance: float
    describe: str


@dataclass(frozen=True)
class CategoryRow:
    """How many records of one category were flagged; `auroc` sets it against all normal records."""

    name: str
    records: int
    flagged: int
    share: str
    width: float
    auroc: str


@dataclass(frozen=True)
class Quality:
    """Everything the section on labels shows."""

    figures: tuple[tuple[str, str, str], ...]  # name, value, what it means
    confusion: Mapping[str, int]
    roc: Rates
    precision_recall: Rates
    categories: tuple[CategoryRow, ...]
    normal: CategoryRow


def quality(
    scores: NDArray[np.float64],
    anomaly: NDArray[np.bool_],
    alerts: NDArray[np.bool_],
    categories: Sequence[str],
    alert_rate: float,
    threshold: float,
) -> Quality:
    """Metrics and curves of scores against labels; both classes have to occur."""
    measured: Mapping[str, Any] = evaluate(scores, anomaly, alerts, alert_rate=alert_rate, threshold=threshold)
    found = detection_by_category(alerts, scores, categories, ~anomaly)
    finite = np.nan_to_num(scores, posinf=np.finfo(np.float64).max, neginf=np.finfo(np.float64).min)
    false_rate, true_rate, _ = roc_curve(anomaly, finite)
    precision, recall, _ = precision_recall_curve(anomaly, finite)
    confusion = measured["confusion"]
    flagged_normal, normals = measured["alert_share_normal"], confusion["fp"] + confusion["tn"]
    told = f"area {measured['auroc']:.3f}"
    point = (measured["recall"], measured["precision"]) if alerts.any() else None
    return Quality(
        figures=(
            ("AUROC", f"{measured['auroc']:.3f}", "an anomaly outranks a normal record this often"),
            (
                "AUPRC",
                f"{measured['auprc']:.3f}",
                f"precision over all thresholds; chance {anomaly.mean():.3f}",
            ),
            ("Precision", percent(measured["precision"]), "of the alerts are anomalies"),
            ("Recall", percent(measured["recall"]), "of the anomalies are alerts"),
            ("F1", f"{measured['f1']:.3f}", "harmonic mean of the two"),
        ),
        confusion=confusion,
        roc=Rates(*_thin(false_rate, true_rate), (flagged_normal, measured["recall"]), 0.5, f"ROC curve, {told}."),
        precision_recall=Rates(
            *_thin(recall[::-1], precision[::-1]),
            point,
            float(anomaly.mean()),
            f"Precision-recall curve, average precision {measured['auprc']:.3f}.",
        ),
        categories=tuple(_category(row["category"], row["n"], row["alerts"], f"{row['auroc']:.3f}") for row in found),
        normal=_category("normal", normals, confusion["fp"], ""),
    )


def judged(
    told: Truth, scores: NDArray[np.float64], alerts: NDArray[np.bool_], alert_rate: float, threshold: float
) -> tuple[Quality | None, str]:
    """The quality by the records that have a label, or why there is none to tell."""
    known = told.known
    anomaly = ~told.normal[known]
    if not anomaly.any():
        found = "The only label means" if len(anomaly) == 1 else f"All {len(anomaly):,} labels mean"
        return None, f"{found} normal: with one kind alone there is nothing to tell apart."
    names = [name for name, has_label in zip(told.names, known, strict=True) if has_label]
    return quality(scores[known], anomaly, alerts[known], names, alert_rate, threshold), ""


def _category(name: str, records: int, flagged: int, auroc: str) -> CategoryRow:
    share = flagged / records
    return CategoryRow(name, records, flagged, percent(share), 100 * share, auroc)


def _thin(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most a few hundred points of a curve, evenly along its length."""
    if len(x) <= _POINTS:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], _POINTS)).clip(max=len(x) - 1))
    return x[keep], y[keep]
