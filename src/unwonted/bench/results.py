"""What benchmarks write: the command that made them, figures as JSON, and their page."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from unwonted.bench.keeping import versions
from unwonted.bench.measuring import Row
from unwonted.bench.peers import Method
from unwonted.errors import DataError
from unwonted.sources import atomic_write

__all__ = ["added", "chosen", "command", "earlier", "environment", "named", "write"]


def chosen(only: Sequence[str] | None, there: Sequence[str]) -> list[str]:
    """The names asked for, in the order in which they run; None asks for all.

    Raises:
        DataError: One of them does not exist.
    """
    wanted = list(there if only is None else only)
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise DataError(f"--only {unknown[0]}: there is no such data set; choose of {', '.join(there)}")
    return [name for name in there if name in wanted]


def named(methods: Sequence[Method], names: Sequence[str] | None) -> list[Method]:
    """The methods asked for, each with its variants ("kNN" and "kNN, log inputs"); None asks for all.

    Raises:
        DataError: One of them does not exist.
    """
    if names is None:
        return list(methods)
    there = [method.name for method in methods]
    for name in names:
        if not any(_is(each, name) for each in there):
            raise DataError(f"--method {name}: there is no such method; choose of {', '.join(there)}")
    return [method for method in methods if any(_is(method.name, name) for name in names)]


def _is(method: str, name: str) -> bool:
    return method == name or method.startswith(f"{name}, ")


def command(
    name: str, seeds: int | None, only: Sequence[str] | None = None, methods: Sequence[str] | None = None
) -> str:
    """The command that makes a result.

    Example:
        >>> command("dsebm", 2, ["mnist", "natops"])
        'unwonted bench dsebm --seeds 2 --only mnist --only natops'
    """
    flags = [] if seeds is None else [f"--seeds {seeds}"]
    flags += [f"--only {section}" for section in only or ()]
    flags += [f'--method "{method}"' if " " in method else f"--method {method}" for method in methods or ()]
    return " ".join([f"unwonted bench {name}", *flags])


def environment(command: str) -> dict[str, Any]:
    """What a reader needs to judge and repeat a result: command, versions, machine."""
    return {
        "command": command,
        "versions": versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def earlier(file: Path) -> dict[str, Any]:
    """The results that an earlier run left in a file, or none."""
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes()) if file.exists() else {"rows": []}
    return found


def added(before: Mapping[str, Any], rows: Sequence[Row], made: Mapping[str, Any]) -> dict[str, Any]:
    """Earlier results with the rows of a run, which replace those of the same table, method and seed.

    Args:
        before: Earlier results, with `rows` and `made_by`; a row without a key is of no known code, and dropped.
        rows: Of this run.
        made: Command, versions and machine of this run.

    Returns:
        `rows`, and `made_by`: how they were made, run by run.
    """
    known = [row for row in before["rows"] if "key" in row]
    found = {(row["table"], row["method"], row["seed"]): row for row in (*known, *rows)}
    runs = [run for run in before.get("made_by", {}).values() if run != made] if len(found) > len(rows) else []
    return {"made_by": {f"run {i + 1}": run for i, run in enumerate([*runs, made])}, "rows": list(found.values())}


def write(path: Path, results: Mapping[str, Any], page: str) -> None:
    """Writes results as JSON, infinite thresholds as null, and their page; each whole or not at all.

    The JSON is indented, but for `rows`, also those of `sections`, of which each has a line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {key: value for key, value in results.items() if key not in ("rows", "sections")}
    members = [msgspec.json.format(msgspec.json.encode(head), indent=1)[2:-2]] if head else []
    if "sections" in results:
        sections = (_listed(name, rows, b"  ") for name, rows in results["sections"].items())
        members.append(b' "sections": {\n' + b",\n".join(sections) + b"\n }")
    if "rows" in results:
        members.append(_listed("rows", results["rows"], b" "))
    text = b"{\n" + b",\n".join(members) + b"\n}"
    atomic_write(path, text + b"\n")
    atomic_write(path.with_suffix(".md"), page.encode())


def _listed(name: str, rows: Sequence[Row], margin: bytes) -> bytes:
    """A list under a name as JSON, a line for each row."""
    lines = b",\n".join(margin + b" " + msgspec.json.encode(row) for row in rows)
    return margin + msgspec.json.encode(name) + b": [\n" + lines + b"\n" + margin + b"]"
