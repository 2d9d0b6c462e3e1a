"""Sentences of the page that depend on what the model is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.base import ClassifierMixin

from unwonted.models.base import ColumnModel

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["Wording", "learnt_anew", "wording"]


@dataclass(frozen=True)
class Wording:
    """What the page calls things."""

    opens: str  # what is told of each of the strangest records
    start: str  # the record whose score contributions are measured from, where they do not sum to the score
    higher: str  # what a higher score means
    score: str  # what a score is
    loss: str
    best: str  # what became of the best epoch


def wording(detector: "Estimator") -> Wording:
    """The sentences that are true of a detector."""
    kept = detector.exemplars_.num_rows > 0
    start = "the nearest normal record" if kept else "a typical record"
    told = f"What a column adds is measured from {start} on."
    best = (
        "the best of a first network; then one learnt anew, for as long, from all records"
        if learnt_anew(detector.summary_)
        else "whose weights were kept"
    )
    if isinstance(detector.model_, ColumnModel):
        expected = "what was expected in its place given the rest of the record, or the part of it beside which it is "
        return Wording(
            f"Each opens to what was seen, to {expected}strangest{', and to the normal record most like it' * kept}.",
            start,
            "The higher a score, the less probable the record.",
            "How improbable a record is. Every column's share of it is shown, so the score is its own explanation.",
            "loss, in nats",
            best,
        )
    opens = f"Each opens to what was seen{', and to the normal record most like it' * kept}."
    if isinstance(detector, ClassifierMixin):
        higher = "The higher a score, the less probable it is that the record is normal."
        return Wording(opens, start, higher, f"The log odds that a record is not normal. {told}", "loss, in nats", best)
    higher = "The higher a score, the further the record from what is habitual."
    return Wording(
        opens,
        start,
        higher,
        f"How far a record is from what is habitual, by the model's own measure. {told}",
        "loss",
        best,
    )


def learnt_anew(summary: Mapping[str, Any]) -> bool:
    """Whether the model learnt once more, from all records, after held-out ones had judged a first network."""
    return bool(summary["validation"] and summary["train"] == summary["rows"])
