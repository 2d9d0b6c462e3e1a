"""What the report says, gathered from a detector and a table: numbers, words and groups, no mark-up."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from unwonted.arrays import Arrays, Layout
from unwonted.coerce import is_text
from unwonted.errors import DataError
from unwonted.familiar import familiar
from unwonted.report.beside import beside
from unwonted.report.findings import Finding, Shown, findings
from unwonted.report.promise import Promise, promise
from unwonted.report.quality import Quality, judged
from unwonted.report.scores import Histogram, Training, histogram, training
from unwonted.report.truth import Truth, in_words, truth
from unwonted.report.wording import Wording, learnt_anew, wording
from unwonted.schema import Kind, Role, Schema, profile
from unwonted.words import as_score, count, number, percent, percent_up, text_of

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["ColumnRow", "Content", "prepare"]

_CONTEXT = 4  # columns, at most, that tell which record it was


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
    wording: Wording
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
    normal: Any,
    categories: Sequence[Any] | None,
    title: str,
    top: int,
    score: Callable[[pa.Table], NDArray[np.float64]],
) -> Content:
    """Scores the table once and works out everything that the page shows.

    Raises:
        DataError: the table has no rows, labels or categories do not fit it, or labels come without `normal`.
    """
    rows = table.num_rows
    if not rows:
        raise DataError("the table has no rows; a report needs a record at least")
    told = truth(labels, normal, categories, rows)
    records, noticed = detector.schema_.select(table)
    scores = np.asarray(score(table), dtype=np.float64)
    p_values = detector.calibration_.p_values(scores)
    threshold = detector.calibration_.threshold(detector.alert_rate)
    alerts = scores > threshold
    measured, unjudged = (None, "") if told is None else judged(told, scores, alerts, detector.alert_rate, threshold)
    counted = alerts if told is None else alerts[told.normal]
    unit = "channel" if isinstance(detector.schema_, Layout) else "column"
    strangest = np.lexsort((np.arange(rows), -scores))[:top]
    return Content(
        title=title,
        wording=wording(detector),
        headline=_headline(rows, int(alerts.sum())),
        summary=_summary(detector, threshold, scores, p_values),
        records=rows,
        width=count(len(detector.columns_), unit),
        unit=unit,
        alerts=int(alerts.sum()),
        alert_share=percent(alerts.mean()),
        promise=promise(detector.calibration_, detector.alert_rate, counted, told is not None),
        findings=_findings(detector, table, records, strangest, told, [labels, categories]),
        histogram=histogram(np.asarray(detector.calibration_.scores, dtype=np.float64), scores, threshold),
        training=training(detector.history_),
        facts=_facts(detector.summary_),
        columns=_columns(detector, table),
        notices=_notices(detector, [*noticed, *familiar(detector, records)]),
        quality=measured,
        unjudged=unjudged,
    )


def _findings(
    detector: "Estimator",
    table: pa.Table,
    records: pa.Table | Arrays,
    rows: NDArray[np.int64],
    told: Truth | None,
    labels: Sequence[Sequence[Any] | None],
) -> tuple[Finding, ...]:
    """The strangest records, ready to show."""
    head = table.take(pa.array(rows, pa.int64()))
    explanations = detector.explain(head, top=3)
    telling = [{reason.column for reason in explanation.reasons} for explanation in explanations]
    context = [(name, head[name].to_pylist()) for name in _context(detector, table, labels)]
    chosen = records.take(rows)
    flags = {column.name for column in detector.schema_.columns if column.kind is Kind.BOOLEAN}
    digits = {name for name in flags.intersection(head.column_names) if not _is_said(head.schema.field(name).type)}
    views = zip(rows.tolist(), _predicted(detector, chosen), beside(detector, chosen, telling, digits), strict=True)
    shown = [
        Shown(
            row,
            None if told is None else told.names[row],
            predicted,
            tuple((name, text_of(cells[place])) for name, cells in context),
            pairs,
        )
        for place, (row, predicted, pairs) in enumerate(views)
    ]
    contributions = np.asarray(detector.contributions(head), dtype=np.float64)
    hours = {column.name for column in detector.schema_.columns if column.kind is Kind.DATETIME}
    return findings(explanations, contributions, detector.columns_, shown, hours)


def _is_said(kind: pa.DataType) -> bool:
    """Whether a column says yes and no in words."""
    return bool(is_text(kind) or pa.types.is_boolean(kind))


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
        kept = f"{held:,} of them held out" + " at first" * learnt_anew(summary)
    if not math.isfinite(threshold):
        return (
            f"{source}, {kept}: too few to promise an alert rate "
            f"of {percent(detector.alert_rate)}: the smallest that can be promised is "
            f"{percent_up(1 / (held + 1))}. The strangest records are listed all the same.",
        )
    strangest = int(np.argmax(scores))
    rarity = max(1, round(1 / float(p_values[strangest])))
    often = "fewer than one" if float(p_values[strangest]) * (held + 1) < 1.5 else "about one"
    return (
        f"{source}, {kept} to set the threshold at a score of {as_score(threshold)}.",
        f"The strangest record scores {as_score(float(scores[strangest]))}; {often} in {rarity:,} "
        "habitual records scores as high.",
    )


def _context(detector: "Estimator", table: pa.Table, labels: Sequence[Sequence[Any] | None]) -> list[str]:
    """Columns that are no features yet tell a reader who, when or which record it was; no labels among them."""
    present = set(table.column_names) - set(detector.columns_)
    named = [in_words(values) for values in labels if values is not None]
    telling = (
        column.name
        for column in detector.schema_.columns
        if column.name in present
        and column.kind is not Kind.CONSTANT
        and column.role is not Role.LABEL
        and (not named or in_words(table[column.name]) not in named)
    )
    return list(islice(telling, _CONTEXT))


def _predicted(detector: "Estimator", records: pa.Table | Arrays) -> list[str]:
    """The label that a classifier takes for the most probable of each record, and how probable it is."""
    if not isinstance(detector, ClassifierMixin):
        return [""] * records.num_rows
    probabilities = detector.predict_proba(records)
    labels = detector.classes_[probabilities.argmax(1)].tolist()
    return [f"{text_of(label)}, {percent(p)}" for label, p in zip(labels, probabilities.max(1).tolist(), strict=True)]


def _notices(detector: "Estimator", noticed: Sequence[str]) -> tuple[str, ...]:
    """What was noticed in training and in these records, but for what stands beside the columns."""
    told = dict.fromkeys((*detector.notices_, *noticed))
    return tuple(notice for notice in told if notice not in detector.schema_.notices)


def _facts(summary: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The training run in a few figures."""
    anew = learnt_anew(summary)
    held_out = "held out at first, " * anew
    wanted = (
        ("rows", "records learnt from"),
        *(() if anew else (("train", "to fit the weights"),)),
        ("validation", f"{held_out}to choose when to stop"),
        ("calibration", f"{held_out}to set the threshold"),
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
