"""`unwonted fit`: learns from records and writes a model file."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from unwonted.arrays import array_column
from unwonted.cli.labels import about, check_pair, read_labels
from unwonted.cli.options import (
    Delimiter,
    Files,
    Json,
    Label,
    Names,
    Normal,
    Output,
    Quiet,
    Rate,
    SchemaFile,
    Seed,
)
from unwonted.cli.terminal import Terminal
from unwonted.errors import DataError
from unwonted.models import CLASSIFIERS, DEFAULT, MODELS, classifier_class, model_class
from unwonted.schema import read_overrides
from unwonted.sources import check_output, notices_of, read_table

__all__ = ["fit"]

OWNERS = {"target": "dmdn", "memory": "ensemble", "criterion": "dsebm"}
"""Flags that only one model has, and which; who gives one and no model gets that model."""


def fit(
    *files: Files,
    output: Annotated[Path, Output],
    model: Annotated[
        str | None,
        Parameter(
            help="One of `unwonted models`; else ensemble, dmdn with --target or --supervised, dsebm with --criterion."
        ),
    ] = None,
    label: Label = None,
    normal: Normal = None,
    supervised: Annotated[
        bool, Parameter(negative=(), help="Learn to tell the labels apart, from all records that have one.")
    ] = False,
    target: Names = None,
    memory: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=0),
            help="Training records to keep, to measure distances from: some 64 where training may hold many anomalies, "
            "0 for none; else 16,384.",
        ),
    ] = None,
    criterion: Annotated[
        Literal["energy", "reconstruction"] | None,
        Parameter(help="What DSEBM scores by: its energy, or how far it moves a record to restore it; else energy."),
    ] = None,
    ignore: Names = None,
    schema: SchemaFile = None,
    delimiter: Delimiter = None,
    seed: Seed = 0,
    alert_rate: Rate = 0.05,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    max_time: Annotated[str | None, Parameter(help="Train no longer than this: 30s, 5m, 1h.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Learn from normal records, or from labelled ones, and write a model file."""
    terminal = Terminal(quiet, as_json)
    check_output(output, [schema, *files])
    own = {"target": target or None, "memory": memory, "criterion": criterion}
    options: dict[str, Any] = {flag: value for flag, value in own.items() if value is not None}
    if supervised:
        _check_supervised(label, list(options))
    else:
        check_pair(label, normal or [])
    limit = None if max_time is None else _seconds(max_time)
    name = model or ("dmdn" if supervised else next((OWNERS[flag] for flag in options), DEFAULT))
    kind = _kind(name, supervised)
    for flag in options:
        if name != OWNERS[flag]:
            other = f"--model {model}" if model else f"--{next(iter(options))}"
            raise DataError(f"--{flag} is for --model {OWNERS[flag]}; leave it or {other} out")
    overrides = {} if schema is None else read_overrides(schema)
    text = [name for name, declared in overrides.items() if declared.get("kind") == "categorical"]
    table = read_table(files, delimiter=delimiter, text=text)
    notices = list(notices_of(table))
    given: list[Any] = [table]
    if label is not None:
        labels = read_labels(table, label, normal or [], files)
        if supervised:
            options["normal"] = normal
            given = [table, table[label]]
            notices.append(f"learnt from the {labels.known.sum():,} of {table.num_rows:,} records that have a label")
        else:
            notices.append(f"learnt from the {labels.normal.sum():,} of {table.num_rows:,} records labelled normal")
            given = [table.filter(labels.normal)]
        if array_column(table) is None:
            overrides = {**overrides, label: {"role": "label"}}
    with about(files), terminal.training() as report:
        detector = kind(
            **options,
            alert_rate=alert_rate,
            schema=overrides,
            ignore=tuple(ignore or ()),
            device=device,
            max_time=limit,
            random_state=seed,
            verbose=report,
        ).fit(*given)
    if supervised and not normal:
        usual = detector.classes_[detector.normal_].tolist()
        notices.append(f"without --normal the most frequent label, {usual[0]!r}, counts as normal")
    detector.save(output)
    promise = detector.calibration_.promised_share(detector.alert_rate)
    notices += detector.notices_
    terminal.notices(notices)
    summary = detector.summary_
    terminal.say(
        f"{output}: learnt from {summary['rows']:,} records in {len(detector.columns_)} columns "
        f"({summary['train']:,} to train, {summary['validation']:,} to choose, {summary['calibration']:,} to "
        f"calibrate) in {summary['steps']:,} steps and {summary['seconds']:.0f} s; "
        f"{_ended(summary['stopped_by'])}",
        f"of normal records like these {promise.mean:.2%} will be alerts "
        f"({promise.low:.2%} to {promise.high:.2%} in nine models of ten)",
    )
    if as_json:
        terminal.json(
            {
                "model": str(output),
                "columns": list(detector.columns_),
                **summary,
                "alert_rate": detector.alert_rate,
                "promised_share": {"mean": promise.mean, "low": promise.low, "high": promise.high},
                "notices": notices,
            }
        )


def _kind(model: str, supervised: bool) -> Any:
    """The class of a model, with labels or without.

    Raises:
        DataError: if there is none of this name, or only one for the other case.
    """
    if supervised:
        if model in MODELS and model not in CLASSIFIERS:
            raise DataError(f"--model {model} learns without labels; leave --supervised out, or choose of {_listed()}")
        return classifier_class(model)
    if model in CLASSIFIERS and model not in MODELS:
        raise DataError(f"--model {model} learns from labels; add --supervised and --label COLUMN")
    return model_class(model)


def _listed() -> str:
    return ", ".join(CLASSIFIERS)


def _check_supervised(label: str | None, flags: list[str]) -> None:
    """Refuses what does not go with --supervised.

    Raises:
        DataError: naming the flag that is missing or too much.
    """
    if label is None:
        raise DataError("--label is missing: name the column that holds the labels to learn")
    if flags:
        raise DataError(f"--{flags[0]} is for a density without labels; leave it or --supervised out")


def _ended(stopped_by: str) -> str:
    return {
        "patience": "it had stopped getting better",
        "max_time": "stopped by --max-time, so the same seed need not give the same model",
    }.get(stopped_by, "all steps were done")


def _seconds(text: str) -> float:
    """Seconds of a length of time such as 30s, 5m, 1h; a bare number is seconds.

    >>> _seconds("5m"), _seconds("1.5h"), _seconds("30")
    (300.0, 5400.0, 30.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise DataError(f"--max-time {text!r}: write a length of time such as 30s, 5m or 1h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
