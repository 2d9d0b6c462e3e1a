"""`unwonted evaluate`: compares scores and alerts with labels."""

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
        scored = scoring.score(detector, table)
        known = labels.known
        result = metrics.evaluate(
            scored.scores[known],
            ~labels.normal[known],
            scored.alerts[known],
            alert_rate=detector.alert_rate,
            threshold=detector.calibration_.threshold(detector.alert_rate),
        )
    if not known.all():
        notices.append(f"{(~known).sum():,} records have no label and are left out")
    terminal.notices([*notices, *scored.notices])
    if as_json:
        terminal.json(result)
    else:
        confusion = result.pop("confusion")
        terminal.table(("measure", "value"), [*result.items(), *confusion.items()])
