"""`unwonted score`: writes records with score, p-value, alert and reasons, or prints the strangest."""

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from unwonted.arrays import array_column
from unwonted.cli.labels import about
from unwonted.cli.options import Delimiter, Files, Json, Model, NewRate, Output, Quiet, above_zero, loaded
from unwonted.cli.terminal import Terminal
from unwonted.sinks import check_table_output
from unwonted.sources import notices_of, read_table, write_table

__all__ = ["score"]


def score(
    model: Model,
    /,
    *files: Files,
    output: Annotated[Path | None, Output] = None,
    alert_rate: NewRate = None,
    explain: Annotated[int | None, Parameter(help="Columns named as reasons of each alert.")] = None,
    top: Annotated[int | None, Parameter(help="Only so many records, the strangest first.")] = None,
    delimiter: Delimiter = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Score records; write them with score, p-value, alert and reasons, or print the strangest."""
    from unwonted.cli import scoring

    terminal = Terminal(quiet, as_json)
    above_zero("--top", 1 if top is None else top)
    above_zero("--explain", 1 if explain is None else explain)
    if output is None:
        top, explain = top or 10, explain or 3
    else:
        # All records, scored, may take the place of the same records without scores.
        check_table_output(output, [model] if top is None else [model, *files])
    explain = explain or 0
    detector = loaded(model, alert_rate)
    table = read_table(files, delimiter=delimiter, text=detector.schema_.text)
    with about(files):
        if output is not None:
            scoring.added_names(table, explain, hasattr(detector, "classes_"))
        scored = scoring.score(detector, table, terminal)
    notices = [*notices_of(table), *scored.notices]
    rows = np.arange(table.num_rows) if top is None else scored.order[:top]
    told = rows if top is not None else np.flatnonzero(scored.alerts)
    found = scoring.explained(detector, table, told, explain, terminal) if explain else []
    if output is not None:
        why = dict(zip(told.tolist(), found, strict=False))
        write_table(scoring.scored_table(table, scored, rows, why, explain), output)
        if array_column(table) is not None:
            notices.append("sequences and images are not written again: what is written are scores, labels and reasons")
        if explain:
            notices.append(f"reasons are given for {len(why):,} of the {len(rows):,} records written")
    elif not as_json:
        terminal.lines(*scoring.in_words(found, rows.tolist()))
    terminal.notices(notices)
    if output is not None:
        terminal.say(f"{output}: {len(rows):,} scored records")
    if as_json:
        result = {
            "records": table.num_rows,
            "alerts": int(scored.alerts.sum()),
            "alert_rate": detector.alert_rate,
        }
        written = {"output": str(output)} if output else {"findings": scoring.as_objects(found, rows.tolist())}
        terminal.json({**result, **written, "notices": notices})
