"""`unwonted inspect` and `models`: how a data file is understood, what a model file holds, what there is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unwonted.arrays import Arrays, Layout, as_arrays
from unwonted.cli.labels import about
from unwonted.cli.options import Delimiter, Json, Quiet, SchemaFile
from unwonted.cli.terminal import Terminal
from unwonted.explain.wording import plain_number
from unwonted.models import CLASSIFIERS, MODELS, classifier_class, model_class
from unwonted.schema import Schema, profile, read_overrides
from unwonted.sources import notices_of, read_table

if TYPE_CHECKING:
    from unwonted.artifact import Manifest

__all__ = ["inspect", "models"]


def inspect(
    file: Annotated[Path, Parameter(help="A data file or a model file.")],
    /,
    *,
    schema: SchemaFile = None,
    delimiter: Delimiter = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show how a data file is understood, or what a model file holds."""
    terminal = Terminal(quiet, as_json)
    if _is_model(file):
        _inspect_model(file, terminal)
    else:
        _inspect_data(file, schema, delimiter, terminal)


def models(*, quiet: Quiet = False, as_json: Json = False) -> None:
    """List the models that fit can train."""
    terminal = Terminal(quiet, as_json)
    known = {name: _first_line(model_class(name)) for name in MODELS}
    taught = {name: _first_line(classifier_class(name)) for name in CLASSIFIERS}
    if as_json:
        terminal.json({"without_labels": known, "supervised": taught})
    else:
        terminal.table(("model", "what it is"), known.items())
        terminal.table(("model, --supervised", "what it is"), taught.items())


def _first_line(of: type) -> str:
    return (of.__doc__ or "").strip().splitlines()[0]


def _is_model(path: Path) -> bool:
    """Whether a file is, or is meant to be, a model file: by its ending, or by how it starts."""
    if path.suffix == ".safetensors":
        return True
    if not path.is_file():
        return False  # what a pipe once gave, it gives to no second reader
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError:
        return False
    return len(head) == 9 and head[4:] == b"\0\0\0\0{"


def _inspect_data(path: Path, schema: Path | None, delimiter: str | None, terminal: Terminal) -> None:
    """Prints each column's kind, role and content, and what was noticed."""
    overrides = {} if schema is None else read_overrides(schema)
    text = [name for name, declared in overrides.items() if declared.get("kind") == "categorical"]
    table = read_table(path, delimiter=delimiter, text=text)
    notices = notices_of(table)
    with about([path]):
        arrays = as_arrays(table)
        rows = profile(table, Schema.infer(table, overrides)) if arrays is None else []
    if arrays is not None:
        _inspect_arrays(path, arrays, notices, terminal)
        return
    if terminal.as_json:
        terminal.json({"file": str(path), "records": table.num_rows, "columns": rows, "notices": list(notices)})
        return
    terminal.notices(notices)
    terminal.table(
        ("column", "kind", "role", "distinct", "missing", "holds", "noticed"),
        [
            (
                row["name"],
                row["kind"],
                row["role"],
                row["distinct"],
                row["missing"],
                _holds(row),
                _noticed(row),
            )
            for row in rows
        ],
        title=f"{path}: {table.num_rows:,} records",
    )


def _inspect_arrays(path: Path, arrays: Arrays, notices: Sequence[str], terminal: Terminal) -> None:
    """Prints what sequences or images look like."""
    facts = {
        "file": str(path),
        "records": arrays.num_rows,
        "holds": Layout.of(arrays).described(),
        "lengths": f"{arrays.lengths.min():,} to {arrays.lengths.max():,}",
        "values": f"{plain_number(arrays.values.min())} to {plain_number(arrays.values.max())}",
    }
    if arrays.images:
        del facts["lengths"]
    if terminal.as_json:
        terminal.json({**facts, "notices": list(notices)})
        return
    terminal.notices(notices)
    terminal.table(("fact", "value"), [(key, _fact(value)) for key, value in facts.items()])


def _inspect_model(path: Path, terminal: Terminal) -> None:
    """Prints what a model file says of itself; reads all of it, so that a damaged file is found out."""
    from unwonted.artifact import load, read_manifest

    detector, manifest = load(path), read_manifest(path)
    promise = detector.calibration_.promised_share(detector.alert_rate)
    facts: dict[str, Any] = {
        "file": str(path),
        "model": manifest.model,
        **_labels(manifest),
        "written_by": f"unwonted {manifest.package}, format {manifest.format}",
        **{f"training_{key}": value for key, value in manifest.summary.items()},
        "calibration_records": len(detector.calibration_.scores),
        "alert_rate": detector.alert_rate,
        "promised_share": promise.mean,
        "smallest_alert_rate": detector.calibration_.smallest_rate,
        "learnt_from": manifest.schema.described() if isinstance(manifest.schema, Layout) else "a table",
        "training_records_kept": detector.exemplars_.num_rows,
        "training_records_in_memory": manifest.architecture.get("memory", 0),
    }
    columns = [
        {"name": c.name, "kind": c.kind.value, "role": c.role.value, "notices": list(c.notices)}
        for c in manifest.schema.columns
    ]
    if terminal.as_json:
        terminal.json({**facts, "config": manifest.config, "columns": columns, "notices": list(manifest.notices)})
        return
    terminal.table(("fact", "value"), [(key.replace("_", " "), _fact(value)) for key, value in facts.items()])
    terminal.lines("")
    if columns:
        terminal.table(
            ("column", "kind", "role", "noticed"),
            [(c["name"], c["kind"], c["role"], _noticed(c)) for c in columns],
        )
    terminal.lines("")
    kept = {
        "in readable form": facts["training_records_kept"],
        "as scaled numbers": facts["training_records_in_memory"],
    }
    held = " and ".join(f"{count:,} training records {how}" for how, count in kept.items() if count)
    terminal.lines(
        f"The file holds {held}, and the categories that training saw."
        if held
        else "The file holds no training record, but the categories that training saw."
    )
    others = [notice for notice in manifest.notices if notice not in manifest.schema.notices]
    terminal.lines(*(f"notice: {notice}" for notice in others))


def _labels(manifest: "Manifest") -> dict[str, Any]:
    """What a classifier tells apart."""
    if manifest.labels is None:
        return {}
    values, normal = manifest.labels.values, manifest.labels.normal
    usual = [str(value) for value, is_so in zip(values, normal, strict=True) if is_so]
    return {"labels": ", ".join(map(str, values)), "normal": ", ".join(usual)}


def _holds(row: dict[str, Any]) -> str:
    from unwonted.words import text_of

    if row["range"]:
        return " to ".join(text_of(end) for end in row["range"])
    return ", ".join(example[:30] for example in row["examples"])


def _noticed(row: dict[str, Any]) -> str:
    return "; ".join(notice.removeprefix(f"column {row['name']!r}: ") for notice in row["notices"])


def _fact(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
