"""Tables of several files to one, each column in a type that holds the values of all."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from unwonted.coerce import as_text, is_text
from unwonted.errors import DataError

__all__ = ["united"]

_UNITS = ("ns", "us", "ms", "s")


def united(tables: Sequence[pa.Table], files: Sequence[Path]) -> tuple[pa.Table, list[str]]:
    """The rows of all tables under the first one's columns, matched by name; types that clash are widened.

    Returns:
        The table, and a notice for each column that only text could hold.

    Raises:
        DataError: naming the column and the files, if one lacks what another has.
    """
    names = tables[0].column_names
    for table, path in zip(tables[1:], files[1:], strict=True):
        lacking = [name for name in names if name not in table.column_names]
        added = [name for name in table.column_names if name not in names]
        for column, without, having in [(lacking, path, files[0]), (added, files[0], path)]:
            if column:
                raise DataError(
                    f"{without}: lacks column {column[0]!r}, which {having} has; give both the same columns"
                )
    columns, notices = [], []
    for name in names:
        parts = [table[name] for table in tables]
        column = _joined(parts)
        if is_text(column.type) and not all(is_text(part.type) or pa.types.is_null(part.type) for part in parts):
            found = dict.fromkeys(str(part.type) for part in parts)
            notices.append(f"column {name!r}: the files hold {' and '.join(found)}, so it is read as text")
        columns.append(column)
    return pa.table(columns, names=names), notices


def _joined(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """The values of one column in all files, in the first common type that holds every one."""
    for kind in _common_types({part.type for part in parts if not pa.types.is_null(part.type)}):
        try:
            chunks = [chunk for part in parts for chunk in _cast(part, kind).chunks]
        except pa.ArrowInvalid:
            continue
        return pa.chunked_array(chunks, kind)
    return pa.chunked_array([as_text(chunk) for part in parts for chunk in part.chunks], pa.string())


def _common_types(found: set[pa.DataType]) -> list[pa.DataType]:
    """Types that may hold values of all these, the best one first; none where only text does."""
    kinds = sorted(found, key=str)
    if len(kinds) < 2:
        return kinds or [pa.null()]
    if all(map(pa.types.is_integer, kinds)):
        return [pa.int64(), pa.uint64()]
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        return [pa.float64()]
    if all(map(pa.types.is_decimal, kinds)):
        scale = max(kind.scale for kind in kinds)
        precision = scale + max(kind.precision - kind.scale for kind in kinds)
        return [pa.decimal256(precision, scale)] if precision <= 76 else [pa.float64()]
    if all(map(pa.types.is_duration, kinds)) or all(map(pa.types.is_time, kinds)):
        return sorted(kinds, key=lambda kind: _UNITS.index(kind.unit))
    if all(pa.types.is_timestamp(kind) or pa.types.is_date(kind) for kind in kinds):
        zones = {getattr(kind, "tz", None) for kind in kinds}
        return [pa.timestamp("us", zones.pop())] if len(zones) == 1 else []
    return []


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column in another type; only times may be cut, at microseconds, for no more is read of them."""
    return column.cast(kind, safe=not pa.types.is_timestamp(kind))
