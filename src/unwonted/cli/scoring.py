"""Scores beside the records they belong to: the columns of a scored file, and findings in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from unwonted.arrays import array_column
from unwonted.cli.terminal import Terminal
from unwonted.errors import DataError
from unwonted.familiar import familiar
from unwonted.words import as_score, count, percent, probability

if TYPE_CHECKING:
    from unwonted.estimator import Estimator
    from unwonted.explain import Explanation

__all__ = ["Scored", "added_names", "anomaly_scores", "as_objects", "explained", "in_words", "score", "scored_table"]

CHUNK = 256
AT_A_TIME = 16_384  # records


@dataclass(frozen=True)
class Scored:
    """Score, p-value and alert of each record; `order` has the strangest first.

    A classifier's records have the class that is most probable, and how probable it is.
    """

    scores: NDArray[np.float64]
    p_values: NDArray[np.float64]
    alerts: NDArray[np.bool_]
    order: NDArray[np.int64]
    notices: tuple[str, ...]
    labels: NDArray[Any] | None = None
    probabilities: NDArray[np.float64] | None = None


def score(detector: "Estimator", table: pa.Table, terminal: Terminal) -> Scored:
    """Scores all records, with progress where they are many, and notices what a reader of the alerts should know."""
    records, notices = detector.schema_.select(table)
    scores = anomaly_scores(detector, records, terminal)
    p_values = detector.calibration_.p_values(scores)
    alerts = p_values <= detector.alert_rate
    said = [f"{count(int(alerts.sum()), 'alert')} among {count(len(scores), 'record')} ({percent(alerts.mean())})"]
    few = detector.calibration_.notice(detector.alert_rate)
    if few:
        said.append(few)
    said += familiar(detector, records)
    order = np.lexsort((np.arange(len(scores)), -scores))
    told: tuple[NDArray[Any], ...] = ()
    if isinstance(detector, ClassifierMixin):
        probabilities = detector.predict_proba(records)
        told = (detector.classes_[probabilities.argmax(1)], probabilities.max(1))
    return Scored(scores, p_values, alerts, order, (*notices, *said), *told)


def anomaly_scores(detector: "Estimator", records: pa.Table, terminal: Terminal) -> NDArray[np.float64]:
    """The score of each record, with progress where they are many."""
    starts = range(0, records.num_rows, AT_A_TIME)
    counted = terminal.counted(starts, "scoring") if len(starts) > 1 else [0]
    return np.concatenate([detector.anomaly_score(records.slice(start, AT_A_TIME)) for start in counted])


def added_names(table: pa.Table, explain: int, classes: bool = False) -> list[str]:
    """The names of the columns that a scored file adds; with classes, two more.

    Raises:
        DataError: if the table has such a column already.
    """
    names = ["unwonted_score", "unwonted_p", "unwonted_alert"]
    names += ["unwonted_label", "unwonted_probability"] if classes else []
    names += [f"unwonted_why_{i}" for i in range(1, explain + 1)]
    for name in names:
        if name in table.column_names:
            raise DataError(f"has a column {name!r} already; rename it, for scoring adds one of that name")
    return names


def explained(
    detector: "Estimator", table: pa.Table, rows: NDArray[np.int64], top: int, terminal: Terminal
) -> list["Explanation"]:
    """Explanations of the given rows, in their order."""
    found: list[Explanation] = []
    records, _ = detector.schema_.select(table.take(pa.array(rows)))  # what it notices, `score` has told
    for start in terminal.counted(range(0, len(rows), CHUNK), "explaining"):
        found += detector.explain(records.slice(start, CHUNK), top)
    return found


def scored_table(
    table: pa.Table, scored: Scored, rows: NDArray[np.int64], why: dict[int, "Explanation"], explain: int
) -> pa.Table:
    """The given rows with all their columns but arrays, and behind them score, p-value, alert and reasons."""
    names = added_names(table, explain, scored.labels is not None)
    added: list[Any] = [scored.scores[rows], scored.p_values[rows], scored.alerts[rows]]
    if scored.labels is not None and scored.probabilities is not None:
        added += [scored.labels[rows], scored.probabilities[rows]]
    for i in range(explain):
        told = [why[row].reasons[i : i + 1] if row in why else () for row in rows.tolist()]
        added.append(pa.array([reasons[0].phrase if reasons else None for reasons in told], pa.string()))
    held = array_column(table)
    result = (table if held is None else table.drop_columns([held])).take(pa.array(rows))
    if not result.num_columns:
        result = pa.table({"record": pa.array(rows + 1)})
    for name, values in zip(names, added, strict=True):
        result = result.append_column(name, pa.array(values))
    return result


def in_words(findings: Sequence["Explanation"], rows: Sequence[int], labels: Sequence[str] = ()) -> list[str]:
    """Findings as lines of text; records are counted from 1."""
    lines: list[str] = []
    for rank, (finding, row) in enumerate(zip(findings, rows, strict=True), 1):
        parts = [f"record {row + 1:,}", f"score {as_score(finding.score)}", f"p {probability(finding.p_value)}"]
        parts += ["ALERT"] if finding.alert else []
        parts += [f"{finding.kind} anomaly"] if finding.kind else []
        parts += [f"[{labels[row]}]"] if len(labels) else []
        lines.append(f"{rank:3}. {'  '.join(parts)}")
        lines += [f"     {reason.phrase}" for reason in finding.reasons]
    return lines


def as_objects(findings: Sequence["Explanation"], rows: Sequence[int]) -> list[dict[str, Any]]:
    """Findings as JSON objects; records are counted from 1."""
    return [
        {
            "record": row + 1,
            "score": finding.score,
            "p": finding.p_value,
            "alert": finding.alert,
            "kind": finding.kind or None,
            "why": [
                {
                    "column": reason.column,
                    "seen": reason.seen,
                    "expected": reason.expected.text,
                    "contribution": reason.contribution,
                }
                for reason in finding.reasons
            ],
            "nearest": finding.nearest,
        }
        for finding, row in zip(findings, rows, strict=True)
    ]
