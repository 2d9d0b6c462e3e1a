"""What the report says, gathered from a detector and a table: numbers, words and groups, no mark-up."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unwonted.arrays import Layout
from unwonted.errors import DataError
from unwonted.labels import is_gap
from unwonted.metrics import normal_mask
from unwonted.report.findings import Finding, findings
from unwonted.report.promise import Promise, promise
from unwonted.report.quality import Quality, quality
from unwonted.report.scores import Histogram, Training, histogram, training
from unwonted.schema import Schema, profile
from unwonted.words import as_score, count, number, percent, text_of

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["ColumnRow", "Content", "prepare"]


@dataclass(frozen=True)
class ColumnRow:
    """One column as the schema understood it."""

    name: str
    kind: str
    role: str
    distinct: str
    missing: str
    example: str
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """Everything on the page, in the order in which it is read."""

    title: str
    headline: str
    summary: tuple[str, ...]
    records: int
    width: str  # columns or channels that the model reads
    unit: str  # what contributions belong to, columns or channels
    alerts: int
    alert_share: str
    promise: Promise | None
    findings: tuple[Finding, ...]
    histogram: Histogram
    training: Training | None
    facts: tuple[tuple[str, str], ...]
    columns: tuple[ColumnRow, ...]
    notices: tuple[str, ...]
    quality: Quality | None
    unjudged: str  # why labels were given and yet nothing is measured by them


def prepare(
    detector: "Estimator",
    table: pa.Table,
    labels: Sequence[Any] | None,
    normal: Sequence[Any] | None,
    categories: Sequence[Any] | None,
    title: str,
    top: int,
    score: Callable[[pa.Table], NDArray[np.float64]],
) -> Content:
    """Scores the table once and works out everything that the page shows.

    Raises:
        DataError: labels or categories do not fit the table, or labels come without `normal`.
    """
    n = table.num_rows
    unit = "channel" if isinstance(detector.schema_, Layout) else "column"
    for name, values in (("labels", labels), ("categories", categories)):
        if values is not None and len(values) != n:
            raise DataError(f"{name} has {len(values)} values, the table {n} rows; give one value a row")
    if labels is not None and normal is None:
        raise DataError("labels were given without the values that mean normal; name them with normal=[...]")
    given = None if labels is None else [_plain(value) for value in labels]
    known = np.array([not is_gap(value) for value in given or ()], dtype=bool)
    ordinary = None if given is None or normal is None else normal_mask(given, normal) & known
    if ordinary is not None and normal is not None and not ordinary.any():
        listed = ", ".join(map(repr, normal))
        raise DataError(
            f"none of the {known.sum()} labels is {listed}, the values said to mean normal; name one that occurs"
        )
    scores = np.asarray(score(table), dtype=np.float64)
    p_values = detector.calibration_.p_values(scores)
    threshold = detector.calibration_.threshold(detector.alert_rate)
    alerts = scores > threshold
    rows = np.lexsort((np.arange(n), -scores))[:top]
    head = table.take(pa.array(rows, pa.int64()))
    names = None
    judged, unjudged = None, ""
    if ordinary is not None and given is not None:
        grouped = given if categories is None else categories
        names = [text_of(_plain(name)) if told else "no label" for name, told in zip(grouped, known, strict=True)]
        anomaly = ~ordinary[known]
        if anomaly.any():
            groups = [name for name, told in zip(names, known, strict=True) if told]
            judged = quality(scores[known], anomaly, alerts[known], groups, detector.alert_rate, threshold)
        else:
            unjudged = f"All {known.sum():,} labels mean normal: with one kind alone there is nothing to tell apart."
    counted = alerts if ordinary is None else alerts[ordinary]
    kept = promise(detector.calibration_, detector.alert_rate, counted, ordinary is not None)
    return Content(
        title=title,
        headline=_headline(n, int(alerts.sum())),
        summary=_summary(detector, threshold, scores, p_values),
        records=n,
        width=count(len(detector.columns_), unit),
        unit=unit,
        alerts=int(alerts.sum()),
        alert_share=percent(alerts.mean()),
        promise=kept,
        findings=findings(
            detector.explain(head, top=3),
            np.asarray(detector.contributions(head), dtype=np.float64),
            detector.columns_,
            table,
            rows.tolist(),
            _context(detector, table),
            names,
        ),
        histogram=histogram(np.asarray(detector.calibration_.scores, dtype=np.float64), scores, threshold),
        training=training(detector.history_),
        facts=_facts(detector.summary_),
        columns=_columns(detector, table),
        notices=tuple(n for n in detector.notices_ if n not in detector.schema_.notices),
        quality=judged,
        unjudged=unjudged,
    )


def _headline(n: int, alerts: int) -> str:
    if alerts == 0:
        return "The record does not stand out." if n == 1 else f"None of {n:,} records stands out."
    return f"{alerts:,} of {count(n, 'record')} {'stands' if alerts == 1 else 'stand'} out."


def _summary(
    detector: "Estimator", threshold: float, scores: NDArray[np.float64], p_values: NDArray[np.float64]
) -> tuple[str, ...]:
    """The two or three sentences under the headline."""
    held, summary = len(detector.calibration_.scores), detector.summary_
    source = f"The model learnt what is habitual from {count(int(summary['rows']), 'record')}"
    if not summary["validation"]:  # K-fold scores
        kept = "each of them held out in turn"
    else:
        kept = f"{held:,} of them held out" + " at first" * (summary["train"] == summary["rows"])
    if not math.isfinite(threshold):
        return (
            f"{source}, {kept}: too few to promise an alert rate "
            f"of {percent(detector.alert_rate)}: the smallest that can be promised is "
            f"{percent(1 / (held + 1))}. The strangest records are listed all the same.",
        )
    strangest = int(np.argmax(scores))
    rarity = max(1, round(1 / float(p_values[strangest])))
    often = "fewer than one" if float(p_values[strangest]) * (held + 1) < 1.5 else "about one"
    return (
        f"{source}, {kept} to set the threshold at a score of {as_score(threshold)}.",
        f"The strangest record scores {as_score(float(scores[strangest]))}; {often} in {rarity:,} "
        "habitual records scores as high.",
    )


def _context(detector: "Estimator", table: pa.Table) -> list[str]:
    """Columns that are no features yet tell a reader who, when or which record it was."""
    present = set(table.column_names) - set(detector.columns_)
    return [column.name for column in detector.schema_.columns if column.name in present][:4]


def _facts(summary: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The training run in a few figures."""
    wanted = (
        ("rows", "records learnt from"),
        ("train", "to fit the weights"),
        ("validation", "to choose when to stop"),
        ("calibration", "to set the threshold"),
        ("steps", "training steps"),
        ("seconds", "seconds"),
    )
    return tuple((number(round(float(summary[key]), 1)), told) for key, told in wanted if summary.get(key) is not None)


def _columns(detector: "Estimator", table: pa.Table) -> tuple[ColumnRow, ...]:
    schema, n = detector.schema_, max(1, table.num_rows)
    present = tuple(column for column in schema.columns if column.name in table.column_names)
    seen = {row["name"]: row for row in profile(table, Schema(present))}
    rows = []
    for column in schema.columns:
        row = seen.get(column.name)
        if row is None:
            distinct, missing, example = "–", "–", "not in these records"
        else:
            distinct, missing = f"{row['distinct']:,}", percent(row["missing"] / n) if row["missing"] else "–"
            example = " to ".join(text_of(end) for end in row["range"]) if row["range"] else ", ".join(row["examples"])
        notices = tuple(notice.removeprefix(f"column {column.name!r}: ") for notice in column.notices)
        rows.append(ColumnRow(column.name, str(column.kind), str(column.role), distinct, missing, example, notices))
    return tuple(rows)


def _plain(value: Any) -> Any:
    return value.as_py() if isinstance(value, pa.Scalar) else value
