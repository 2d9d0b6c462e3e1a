"""Records in: frames, arrays and files of any usual format to one Arrow table, nothing dropped silently."""

import bz2
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from narwhals.exceptions import DuplicateError
from pyarrow import feather, parquet

from unwonted.csvfile import read_csv, to_utf8
from unwonted.errors import DataError
from unwonted.jsonlines import read_json_lines
from unwonted.npzfile import read_npz
from unwonted.sinks import atomic_write, check_output, write_table
from unwonted.tidy import array_of, tidied, transposed
from unwonted.uniting import united

__all__ = ["as_table", "atomic_write", "check_output", "notices_of", "read_table", "write_table"]

_NOTICES = b"unwonted.notices"
_JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
_BINARY_ENDINGS = (".parquet", ".pq", ".arrow", ".feather", ".ipc")


def as_table(X: Any) -> pa.Table:
    """Turns records held in memory into an Arrow table of numbers, booleans, times and text.

    Args:
        X: a pandas, Polars or Arrow table, a 2-D array, a list of rows or of mappings, or a mapping of column
        names to
            values. Columns of an array or of a list of rows are called `x0`, `x1`, ... A column that mixes
            types becomes text.

    Raises:
        DataError: if X is sparse, complex or not two-dimensional, or if two columns have one name.

    >>> as_table([[1, "a"], [2, "b"]]).to_pydict()
    {'x0': [1, 2], 'x1': ['a', 'b']}
    """
    if isinstance(X, pa.RecordBatch):
        X = pa.Table.from_batches([X])
    if isinstance(X, pa.Table):
        return tidied(X.column_names, X.columns)
    if isinstance(X, list | tuple) and X and all(isinstance(row, Mapping) for row in X):
        X = transposed(X)
    if isinstance(X, Mapping):
        return tidied([str(name) for name in X], [array_of(values) for values in X.values()])
    if hasattr(X, "toarray") and not isinstance(X, np.ndarray):
        raise DataError(
            "Sparse data was passed, but dense data is required. Use '.toarray()' to convert to a dense numpy array."
        )
    try:
        frame = nw.from_native(X, pass_through=True, allow_series=True)
    except DuplicateError as error:
        repeated = [str(name) for name, times in Counter(X.columns).items() if times > 1]
        raise DataError(f"column {repeated[0]!r} occurs twice; rename one of them") from error
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, nw.DataFrame):
        series = list(frame.iter_columns())
        return tidied([str(one.name) for one in series], [_series(one) for one in series])
    columns = _rows(X) if isinstance(X, list | tuple) else None
    if columns is None:
        columns = _array(np.asarray(frame.to_native() if isinstance(frame, nw.Series) else X))
    return tidied([f"x{place}" for place in range(len(columns))], columns)


def read_table(
    paths: str | Path | Sequence[str | Path], *, delimiter: str | None = None, text: Collection[str] = ()
) -> pa.Table:
    """Reads one table from one or several files.

    CSV (delimiter and encoding found out), Parquet, JSON lines, Arrow (Feather) and NumPy's .npz (see `read_npz`), each
    also as gzip, bzip2 or Zstandard. A file's content decides what it is. Columns of several files are matched by name.

    Args:
        paths: the files, whose rows follow one another in this order. delimiter: the character between the
        fields of a CSV file; found out if not given. text: columns to be kept as written even where they look
        like numbers or dates. A model's categories belong
            here (`Schema.text`), or else the other rows of a file could change how one is spelt.

    Returns:
        The table; `notices_of` tells what the user should know about how it was read.

    Raises:
        DataError: naming file, line or column, if a file is missing, empty, damaged, ragged or has no rows,
        or if the
            files have different columns.
    """
    files = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise DataError("no input file is named; give at least one")
    notices: list[str] = []
    tables: list[pa.Table] = []
    for path in files:
        table, said = _read_file(path, delimiter, text)
        if not table.num_columns:
            raise DataError(f"{path}: has no columns")
        if not table.num_rows:
            raise DataError(f"{path}: has columns but no rows")
        tables.append(table)
        notices += said
    table, clashes = united(tables, files)
    return table.replace_schema_metadata({_NOTICES: json.dumps([*notices, *clashes])})


def notices_of(table: pa.Table) -> tuple[str, ...]:
    """What `read_table` has to say about how this table was read."""
    return tuple(json.loads((table.schema.metadata or {}).get(_NOTICES, b"[]")))


def _series(series: nw.Series[Any]) -> pa.Array | pa.ChunkedArray:
    if series.dtype == nw.Object:  # Python objects, which Polars would hand over as their addresses
        return array_of(series.to_list())
    try:
        return series.to_arrow()
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return array_of(series.to_list())


def _rows(rows: Sequence[Any]) -> list[pa.Array] | None:
    """The columns of a list of equally long rows; None if it is no such list."""
    if not rows or not all(isinstance(row, list | tuple) for row in rows):
        return None
    if any(isinstance(value, list | tuple | np.ndarray) for value in rows[0]):
        return None
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise DataError(f"rows of {min(widths)} to {max(widths)} values; every row needs one value a column")
    return [array_of(values) for values in zip(*rows, strict=True)]


def _array(values: np.ndarray[Any, Any]) -> list[pa.Array]:
    """The columns of a two-dimensional array."""
    if values.dtype.kind == "c":
        raise DataError("Complex data not supported; pass real and imaginary parts as columns of their own.")
    if values.ndim < 2:
        shape = "1D array" if values.ndim else "scalar array"
        raise DataError(
            f"Expected 2D array, got {shape} instead. Reshape your data either using array.reshape(-1, 1) "
            "if your data has a single feature or array.reshape(1, -1) if it contains a single sample."
        )
    if values.ndim > 2:
        raise DataError(f"Found array with dim {values.ndim}, while dim <= 2 is required.")
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        values = values.astype(np.float64)
    return [array_of(values[:, place]) for place in range(values.shape[1])]


def _read_file(path: Path, delimiter: str | None, text: Collection[str]) -> tuple[pa.Table, tuple[str, ...]]:
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name the files in it")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    data, ending = _unpacked(data, path)
    if not data or data.isspace():
        raise DataError(f"{path}: is empty")
    for magic, read in _READERS.items():
        if data.startswith(magic):
            try:
                table = read(pa.BufferReader(data))
                table.validate(full=True)  # what Arrow takes for text may be none
            except (pa.ArrowException, OSError) as error:
                reason = str(error).splitlines()[0]
                raise DataError(f"{path}: is damaged or cut short ({reason}); fetch or write it again") from error
            return _tidied_file(table, path), ()
    if ending == ".npz":
        return read_npz(data, str(path))
    if data.startswith(b"PK\x03\x04"):
        raise DataError(f"{path}: is a zip archive or a workbook; unpack it, or save the sheet as CSV")
    if ending in _BINARY_ENDINGS:
        raise DataError(f"{path}: is named {ending} but is none; if it holds text, name it .csv or .jsonl")
    data, notices = to_utf8(data, str(path))
    if _is_json(data, ending, path):
        table = read_json_lines(data, str(path), text=text)
    else:
        table, said = read_csv(data, str(path), delimiter=delimiter, text=text)
        notices += said
    return _tidied_file(table, path), notices


def _unpacked(data: bytes, path: Path) -> tuple[bytes, str]:
    """The bytes without their compression, and the ending that tells the format inside."""
    for magic, unpack in _UNPACKERS.items():
        if data.startswith(magic):
            try:
                data = unpack(data)
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise DataError(f"{path}: is damaged or cut short ({error}); fetch or write it again") from error
            return data, Path(path.stem).suffix.lower()
    return data, path.suffix.lower()


def _is_json(data: bytes, ending: str, path: Path) -> bool:
    start = data.lstrip()[:1]
    if start == b"{" and ending not in _JSON_ENDINGS:
        try:
            return isinstance(json.loads(data.lstrip().split(b"\n", 1)[0]), dict)
        except ValueError:
            return False
    if start != b"{" and ending in _JSON_ENDINGS:
        raise DataError(f"{path}: holds no JSON lines; write one object {{...}} a line, without a list around them")
    return start == b"{"


def _tidied_file(table: pa.Table, path: Path) -> pa.Table:
    try:
        return tidied(table.column_names, table.columns)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _unzstd(data: bytes) -> bytes:
    stream: bytes = pa.input_stream(pa.BufferReader(data), compression="zstd").read()
    return stream


_UNPACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\x28\xb5\x2f\xfd": _unzstd,
}
_READERS: dict[bytes, Callable[[pa.BufferReader], pa.Table]] = {
    b"PAR1": lambda file: parquet.ParquetFile(file).read(),
    b"ARROW1": feather.read_table,
    b"FEA1": feather.read_table,
    b"\xff\xff\xff\xff": lambda file: pa.ipc.open_stream(file).read_all(),
}
