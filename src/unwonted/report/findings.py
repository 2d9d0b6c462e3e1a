"""The top anomalies, each made ready to show: who, how strange, which columns, what instead."""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unwonted.report.beside import Pair
from unwonted.report.curves import Curve, curve
from unwonted.words import as_score, percent, probability

if TYPE_CHECKING:
    from unwonted.explain import Explanation, Picture, Reason

__all__ = ["Bar", "Finding", "Likely", "ReasonView", "Shown", "bars", "findings"]

_BARS = 8  # columns drawn one by one; the others are summed into a last bar
_ALSO = 0.2  # a further column is named from this share of the first one's contribution on


@dataclass(frozen=True)
class Bar:
    """One column's contribution, placed in percent of the bar's track."""

    column: str
    text: str
    left: float
    width: float
    positive: bool
    rest: bool = False


@dataclass(frozen=True)
class Likely:
    """One category with its expected share; `seen` marks what the record has."""

    text: str
    share: str
    width: float
    seen: bool


@dataclass(frozen=True)
class ReasonView:
    """One column that makes the record strange."""

    column: str
    seen: str
    beside: str  # what stands beside it: what was expected, or the nearest normal record's; empty where there is none
    expected: str
    near: str  # what the nearest of all training records hold, where that counts
    contribution: str
    curve: Curve | None
    likely: tuple[Likely, ...]


@dataclass(frozen=True)
class Shown:
    """What the page shows of a record beside its explanation."""

    row: int
    label: str | None
    predicted: str  # by a classifier
    context: tuple[tuple[str, str], ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Finding:
    """One record worth a look."""

    rank: int
    record: int  # counted from 1, as people count rows
    score: str
    p_value: str
    alert: bool
    phrase: str
    strength: float  # score in percent of the highest one shown
    label: str | None
    predicted: str
    context: tuple[tuple[str, str], ...]
    also: tuple[str, ...]  # further columns that are strange enough to name in the summary
    reasons: tuple[ReasonView, ...]
    bars: tuple[Bar, ...]
    differing: tuple[Pair, ...]
    alike: tuple[Pair, ...]
    baseline: str  # the score that contributions are measured from; empty where they sum to the score
    kind: str
    picture: "Picture | None"


def findings(
    explanations: Sequence["Explanation"],
    contributions: NDArray[np.float64],
    columns: Sequence[str],
    shown: Sequence[Shown],
    hours: Set[str],
) -> tuple[Finding, ...]:
    """Builds one finding for each explanation.

    Args:
        explanations: one a record, strangest first.
        contributions: `(n, d)`, the same records' contributions to the score.
        columns: the `d` column names.
        shown: what else is shown of the same records.
        hours: names of columns of which hours of the day are expected.
    """
    strongest = max((e.score for e in explanations if math.isfinite(e.score)), default=1.0)
    views = []
    for rank, (explanation, record) in enumerate(zip(explanations, shown, strict=True), start=1):
        reasons = explanation.reasons
        views.append(
            Finding(
                rank=rank,
                record=record.row + 1,
                score=as_score(explanation.score),
                p_value=probability(explanation.p_value),
                alert=explanation.alert,
                phrase=reasons[0].phrase if reasons else "no single column stands out",
                strength=100 * min(1.0, max(0.02, explanation.score / strongest)) if strongest > 0 else 100.0,
                label=record.label,
                predicted=record.predicted,
                context=record.context,
                also=tuple(r.column for r in reasons[1:] if r.contribution > _ALSO * reasons[0].contribution),
                reasons=tuple(
                    _reason(reason, _beside(reason, explanation), reason.column in hours) for reason in reasons
                ),
                bars=bars(columns, contributions[rank - 1]),
                differing=tuple(pair for pair in record.pairs if pair.differs),
                alike=tuple(pair for pair in record.pairs if not pair.differs),
                baseline=as_score(explanation.baseline) if explanation.baseline else "",
                kind=explanation.kind,
                picture=explanation.picture,
            )
        )
    return tuple(views)


def bars(columns: Sequence[str], values: NDArray[np.float64]) -> tuple[Bar, ...]:
    """Contributions as bars on one common track, largest first, the small ones summed at the end.

    >>> [(b.column, b.left, b.width) for b in bars(["a", "b"], np.array([-1.0, 3.0]))]
    [('b', 25.0, 75.0), ('a', 0.0, 25.0)]
    """
    values = np.clip(np.asarray(values, dtype=np.float64), -1e15, 1e15)  # so that sums stay finite
    order = np.argsort(-np.abs(values), kind="stable")
    shown = order if len(order) <= _BARS + 1 else order[:_BARS]
    items = [(columns[i], float(values[i]), False) for i in shown]
    if len(shown) < len(order):
        rest = order[_BARS:]
        items.append((f"{len(rest)} other columns", float(values[rest].sum()), True))
    low = min(0.0, *(value for _, value, _ in items))
    high = max(0.0, *(value for _, value, _ in items))
    span = high - low or 1.0
    return tuple(
        Bar(
            column=name,
            text=as_score(value, signed=True),
            left=100 * (min(value, 0.0) - low) / span,
            width=100 * abs(value) / span,
            positive=value > 0,
            rest=rest_of,
        )
        for name, value, rest_of in items
    )


def _reason(reason: "Reason", beside: str, of_hours: bool) -> ReasonView:
    expected = reason.expected
    describe = f"Expected values of {reason.column}: {expected.text}. Seen: {reason.seen}."
    return ReasonView(
        column=reason.column,
        seen=reason.seen,
        beside=beside,
        expected=expected.text,
        near=", ".join(reason.likes),
        contribution=as_score(reason.contribution, signed=True),
        curve=curve(expected, reason.seen_value, describe, around_the_clock=of_hours),
        likely=_likely(reason),
    )


def _beside(reason: "Reason", explanation: "Explanation") -> str:
    """What the text stands for that is shown beside what was seen."""
    if reason.surprise is not None:
        return "expected"
    picture = explanation.picture
    nearest = explanation.nearest if picture is None else picture.nearest
    return "" if nearest is None else "nearest normal"


def _likely(reason: "Reason") -> tuple[Likely, ...]:
    shares = list(reason.expected.likely[:4])
    if not shares:
        return ()
    held = reason.expected.held
    if held and held not in shares:
        shares.append(held)
    return tuple(
        Likely(text, percent(share), min(100.0, max(0.8, 100 * share)), (text, share) == held) for text, share in shares
    )
