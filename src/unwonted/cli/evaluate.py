"""`unwonted evaluate`: compares scores and alerts with labels."""

from typing import Any

import pyarrow as pa

from unwonted.cli.labels import about, check_pair, read_labels
from unwonted.cli.options import Delimiter, Files, Json, Label, Model, NewRate, Normal, Quiet, loaded
from unwonted.cli.terminal import Terminal
from unwonted.sources import notices_of, read_table

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    /,
    *files: Files,
    label: Label = None,
    normal: Normal = None,
    alert_rate: NewRate = None,
    delimiter: Delimiter = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare scores and alerts with labels."""
    from unwonted import metrics
    from unwonted.cli import scoring

    terminal = Terminal(quiet, as_json)
    check_pair(label, normal or [], needed=True)
    assert label is not None
    detector = loaded(model, alert_rate)
    table = read_table(files, delimiter=delimiter, text=detector.schema_.text)
    notices = list(notices_of(table))
    labels = read_labels(table, label, normal or [], files)
    with about(files):
        scored = scoring.score(detector, table, terminal)
        known = labels.known
        result = metrics.evaluate(
            scored.scores[known],
            ~labels.normal[known],
            scored.alerts[known],
            alert_rate=detector.alert_rate,
            threshold=detector.calibration_.threshold(detector.alert_rate),
        )
        if scored.labels is not None:
            found = ~metrics.normal_mask(scored.labels[known].tolist(), _normal(detector))
            given = sorted(table[label].filter(pa.array(known)).unique().to_pylist(), key=str)
            new = ~metrics.normal_mask(given, detector.classes_.tolist())
            if new.any():
                notices.append(
                    f"label {given[new.argmax()]!r} was never seen in training: no record is predicted to have it"
                )
            result["predicted"] = metrics.classification(~labels.normal[known], found)
    if not known.all():
        notices.append(f"{(~known).sum():,} records have no label and are left out")
    terminal.notices([*notices, *scored.notices])
    if as_json:
        terminal.json(result)
    else:
        confusion, predicted = result.pop("confusion"), result.pop("predicted", {})
        counts = predicted.pop("confusion", {})
        told = [(f"{name}, by the label predicted", value) for name, value in {**predicted, **counts}.items()]
        terminal.table(("measure", "value"), [*result.items(), *confusion.items(), *told])


def _normal(detector: Any) -> list[Any]:
    """The classes of a classifier that mean normal."""
    found: list[Any] = detector.classes_[detector.normal_].tolist()
    return found
