"""Columns of any Arrow type or Python values to the few plain types that the rest of the package knows."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from unwonted.coerce import outside_calendar
from unwonted.errors import DataError

__all__ = ["array_of", "tidied", "transposed"]


def tidied(names: Sequence[str], columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Table:
    """A table of numbers, booleans, times and text under names that occur once.

    Dictionaries are decoded, a struct becomes one column a field ("user.name"), a list becomes its JSON text; text
    are also times outside the years that Python knows.

    Raises:
        DataError: if two columns have one name, or columns differ in length.

    >>> tidied(["user"], [pa.array([{"name": "ann", "tags": [1, 2]}])]).to_pylist()
    [{'user.name': 'ann', 'user.tags': '[1, 2]'}]
    """
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise DataError(f"columns of {min(lengths)} to {max(lengths)} values; every column needs one value a row")
    table = pa.table(list(columns), names=list(names))
    while any(pa.types.is_struct(column.type) for column in table.columns):
        table = table.flatten()
    repeated = [name for name, times in Counter(table.column_names).items() if times > 1]
    if repeated:
        raise DataError(f"column {repeated[0]!r} occurs twice; rename one of them")
    return pa.table([_plain(column) for column in table.columns], names=table.column_names)


def array_of(values: Iterable[Any]) -> pa.Array:
    """An Arrow array of a column's values; as text if they have no type in common.

    Raises:
        DataError: if a value is complex.

    >>> array_of([1, "a", None, True]).to_pylist()
    ['1', 'a', None, 'true']
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.array([_spelt(value) for value in values], pa.string())


def transposed(rows: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    """The columns of rows given as mappings; a key that a row lacks is null there.

    >>> {name: values.to_pylist() for name, values in transposed([{"a": 1}, {"b": "x"}]).items()}
    {'a': [1, None], 'b': [None, 'x']}
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {str(_spelt(name)): array_of([row.get(name) for row in rows]) for name in names}


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], kind.value_type))
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) and pc.any(outside_calendar(column)).as_py():
        return column.cast(pa.string())
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_string(kind) or pa.types.is_null(kind):
        return column
    # To Arrow a period of pandas is an ordinal; which month or day that is, pandas alone can tell.
    periods = getattr(kind, "extension_name", "") == "pandas.period"
    values = column.to_pandas() if periods else column.to_pylist()
    return pa.chunked_array([pa.array([_spelt(value) for value in values], pa.string())])


def _spelt(value: Any) -> str | None:
    """A value as text; None if it is missing (None, NaN, and the missing values of pandas)."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, complex):
        raise DataError("Complex data not supported; pass real and imaginary parts as columns of their own.")
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")  # so that no two values become one
    text = json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
    return text.encode(errors="backslashreplace").decode()
