"""Writes tables and other results to files: whole or not at all, and harmless to open in a spreadsheet."""

import bz2
import contextlib
import gzip
import io
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from unwonted.coerce import is_text
from unwonted.errors import DataError

__all__ = ["atomic_write", "check_output", "check_table_output", "write_table"]

# What a spreadsheet would run as a formula; a lone dash and a plain number are none.
_FORMULA = r"^[=+\-@\t\r\n]"
_HARMLESS = r"^(-|[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)$"


def write_table(table: pa.Table, path: str | Path) -> None:
    """Writes a table in the format that the file's name ends in.

    `.csv`, `.parquet` or `.jsonl`, the text formats also with `.gz`, `.bz2` or `.zst` behind; a device
    without an ending (`/dev/stdout`) gets CSV. NaN is written as missing. In CSV, text that a spreadsheet
    would take for a formula gets an apostrophe in front; numbers stay as they are. JSON lines hold infinities
    as `Infinity`.

    Args:
        table: of numbers, booleans, times and text.
        path: the file to write or to replace.

    Raises:
        DataError: if the ending is unknown or the file cannot be written; nothing is left behind then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(pa.table({"user": ["=1+1"], "n": [-2]}), folder + "/a.csv")
    ...     print(Path(folder, "a.csv").read_text())
    "user","n"
    "'=1+1",-2
    <BLANKLINE>
    """
    path = Path(path)
    check_output(path)
    encode, pack = _formats(path)
    columns = [_nan_is_null(column) for column in table.columns]
    atomic_write(path, pack(encode(pa.table(columns, names=table.column_names))))


def atomic_write(path: str | Path, data: bytes | memoryview) -> None:
    """Writes bytes to a file that is afterwards either the new one, whole, or what it was before.

    The bytes go to a new file in the same folder, reach the disk, and then take the name. What is no regular
    file (a device, a pipe) is written to directly.

    Raises:
        DataError: if that is not possible, with the reason; nothing is left behind then.
    """
    path = Path(path)
    check_output(path)
    try:
        if _is_device(path):
            with path.open("ab") as device:
                device.write(data)
            return
        target = path.resolve()
        part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                if target.exists():
                    os.chmod(part, stat.S_IMODE(target.stat().st_mode))
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror or error}); free space or give another path"
        ) from error


def check_output(path: str | Path, inputs: Iterable[str | Path | None] = ()) -> None:
    """Refuses a path that cannot become a file, before any long work is done for it.

    Args:
        path: what is to be written.
        inputs: files that are read for it and must not be replaced by it.

    Raises:
        DataError: if its folder does not exist, is no folder or cannot be written to, if the path itself is a folder,
            or if it is one of the inputs.
    """
    path = Path(path)
    for read in inputs:
        if read is not None and path.is_file() and os.path.exists(read) and path.samefile(read):
            raise DataError(f"{path}: is read here, and would be replaced; give another path to write to")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; give the name of a file in it")
    if not path.parent.exists():
        raise DataError(f"{path}: the folder {path.parent} does not exist; create it first")
    if not path.parent.is_dir():
        raise DataError(f"{path}: {path.parent} is a file, not a folder; give another path")
    if _is_device(path):
        return
    try:
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
    except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: nothing can be written there ({reason}); give another path") from error


def check_table_output(path: str | Path, inputs: Iterable[str | Path | None] = ()) -> None:
    """Refuses a path that a table cannot be written to, its ending included, before any long work is done.

    Raises:
        DataError: as `check_output`, and if the ending is unknown.
    """
    check_output(path, inputs)
    _formats(Path(path))


def _is_device(path: Path) -> bool:
    """Whether a path is to be written to as it is; `/dev/stdout` is that even where it leads to a regular file."""
    return path.exists() and (not path.is_file() or str(path.parent) in ("/dev", "/dev/fd"))


def _formats(path: Path) -> tuple[Callable[[pa.Table], bytes], Callable[[bytes], bytes]]:
    """How to encode and how to compress for this name."""
    endings = [ending.lower() for ending in path.suffixes]
    pack = _PACKERS.get(endings[-1]) if endings else None
    if pack is not None:
        endings.pop()
    ending = endings[-1] if endings else ""
    if not ending and pack is None and _is_device(path):
        return _csv, bytes
    encode = _ENCODERS.get(ending)
    if encode is None or (pack is not None and encode is _parquet):
        raise DataError(f"{path}: unknown ending; end the name in .csv, .csv.gz, .parquet or .jsonl")
    return encode, pack or bytes


def _csv(table: pa.Table) -> bytes:
    columns = [_guarded(column) if is_text(column.type) else column for column in table.columns]
    names = _guarded(pa.chunked_array([table.column_names], pa.string())).to_pylist()
    sink = io.BytesIO()
    arrow_csv.write_csv(pa.table(columns, names=names), sink)
    return sink.getvalue()


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _jsonl(table: pa.Table) -> bytes:
    """One object a line, put together column by column."""
    parts: list[object] = []
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        parts += [
            ("{" if place == 0 else ", ") + json.dumps(name, ensure_ascii=False) + ": ",
            _json_values(column),
        ]
    if not parts or not table.num_rows:
        return b""
    lines = pc.binary_join_element_wise(*parts, "}", "")
    return ("\n".join(lines.to_pylist()) + "\n").encode()


def _json_values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_floating(kind):
        text = column.cast(pa.string())
        text = pc.replace_substring_regex(text, "^(-?)inf$", r"\1Infinity")
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        text = column.cast(pa.string())
    else:
        coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
        quoted = [json.dumps(value, ensure_ascii=False) for value in coded.dictionary.to_pylist()]
        text = pa.chunked_array([pa.array(quoted, pa.string()).take(coded.indices)])
    return pc.fill_null(text, "null")


def _guarded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    column = column.cast(pa.string())
    risky = pc.and_not(pc.match_substring_regex(column, _FORMULA), pc.match_substring_regex(column, _HARMLESS))
    return pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)


def _nan_is_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)


_ENCODERS: dict[str, Callable[[pa.Table], bytes]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
}
_PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": _gzip, ".bz2": bz2.compress, ".zst": _zstd}
