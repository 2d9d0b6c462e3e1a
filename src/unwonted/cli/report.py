"""`unwonted report`: writes the HTML page about a file's records."""

import warnings
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from unwonted.cli.labels import about, check_column, check_pair, read_labels
from unwonted.cli.options import (
    Delimiter,
    Files,
    Json,
    Label,
    Model,
    NewRate,
    Normal,
    Output,
    Quiet,
    above_zero,
    loaded,
)
from unwonted.cli.scoring import anomaly_scores
from unwonted.cli.terminal import Terminal
from unwonted.errors import DataWarning
from unwonted.familiar import familiar
from unwonted.sources import atomic_write, check_output, notices_of, read_table
from unwonted.words import count

__all__ = ["report"]


def report(
    model: Model,
    /,
    *files: Files,
    output: Annotated[Path, Output],
    label: Label = None,
    normal: Normal = None,
    categories: Annotated[str | None, Parameter(help="Column that groups detection, finer than the labels.")] = None,
    top: Annotated[int, Parameter(help="How many of the strangest records to show.")] = 20,
    alert_rate: NewRate = None,
    delimiter: Delimiter = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a self-contained HTML page about the records, which are strange, and why."""
    from unwonted.report import build_report

    terminal = Terminal(quiet, as_json)
    check_output(output, [model, *files])
    check_pair(label, normal or [], needed=categories is not None)
    above_zero("--top", top)
    detector = loaded(model, alert_rate)
    table = read_table(files, delimiter=delimiter, text=detector.schema_.text)
    notices = list(notices_of(table))
    given: dict[str, Any] = {"score": lambda records: anomaly_scores(detector, records, terminal)}
    if label is not None:
        labels = read_labels(table, label, normal or [], files)
        if categories is not None:
            check_column(table, categories, files)
        if not labels.known.all():
            without = count(int((~labels.known).sum()), "record has", "records have")
            notices.append(f"{without} no label: shown, but nothing is judged by them")
        given |= {"labels": table[label].to_pylist(), "normal": normal}
        if categories is not None:
            given["categories"] = table[categories].to_pylist()
    with about(files), warnings.catch_warnings():
        records, noticed = detector.schema_.select(table)
        notices += [*noticed, *familiar(detector, records)]
        warnings.simplefilter("ignore", DataWarning)  # told by the notices, once
        page = build_report(detector, table, title=files[0].name, top=top, **given)
    atomic_write(output, page.encode())
    terminal.notices(notices)
    terminal.say(f"{output}: report on {count(table.num_rows, 'record')}; open it in a browser")
    if as_json:
        terminal.json({"report": str(output), "records": table.num_rows, "notices": notices})
