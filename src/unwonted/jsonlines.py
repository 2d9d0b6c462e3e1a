"""JSON lines to an Arrow table: fields of all rows, mixed types as text, or the bad line named."""

import json
import re
from collections.abc import Collection
from typing import Any

import pyarrow as pa
from pyarrow import json as arrow_json

from unwonted.errors import DataError
from unwonted.numerals import beyond_floats
from unwonted.tidy import transposed

__all__ = ["read_json_lines"]

_LONG = re.compile(rb"[:,\[\s]-?[0-9]{16,}\s*[,}\]]")
_BLOCK = 1 << 30  # Arrow's blocks must hold whole records; one block holds any record


def read_json_lines(data: bytes, where: str, *, text: Collection[str] = ()) -> pa.Table:
    """Reads one object a line; a field that a row lacks is null there, a field of mixed types becomes text.

    Args:
        data: the text in UTF-8.
        where: what messages call the file.
        text: fields to be kept as written even where they look like dates.

    Raises:
        DataError: naming the line that holds no object, or the same field twice.

    >>> read_json_lines(b'{"user": "ann"}\\n{"user": 7}', "log.jsonl").to_pylist()
    [{'user': 'ann'}, {'user': '7'}]
    """
    try:
        table = _parse(data, [])
        dated = [
            name for name in text if name in table.column_names and pa.types.is_temporal(table.schema.field(name).type)
        ]
        table = _parse(data, dated) if dated else table
    except pa.ArrowException:
        return _line_by_line(data, where)
    if any(beyond_floats(column) for column in table.columns) and _LONG.search(data):
        return _line_by_line(data, where)  # Arrow rounds whole numbers to floats where 64 bits do not hold them
    return table


def _parse(data: bytes, kept: list[str]) -> pa.Table:
    return arrow_json.read_json(
        pa.BufferReader(data),
        read_options=arrow_json.ReadOptions(block_size=min(len(data) + 1, _BLOCK)),
        parse_options=arrow_json.ParseOptions(explicit_schema=pa.schema([(name, pa.string()) for name in kept])),
    )


def _line_by_line(data: bytes, where: str) -> pa.Table:
    """The slow way, for what Arrow refuses or rounds: mixed types, long numbers, and the search for the bad line."""
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_unrepeated)
        except (ValueError, RecursionError) as error:
            reason = str(error)
            if isinstance(error, json.JSONDecodeError):  # whose own text would say "line 1"
                reason = f"{error.msg} at column {error.colno}"
            raise DataError(f"{where}, line {number}: is no JSON object ({reason}); mend the line") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}, line {number}: is no JSON object; write one object {{...}} a line")
        rows.append(row)
    return pa.table(transposed(rows))


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("one field occurs twice")
    return row
