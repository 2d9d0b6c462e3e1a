"""CSV text to an Arrow table: encoding and delimiter found out, every row kept or the bad line named."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from unwonted.coerce import MISSING
from unwonted.errors import DataError
from unwonted.numerals import beyond_floats, may_hold_codes, was_rounded_or_shortened

__all__ = ["read_csv", "to_utf8"]

_DELIMITERS = ",;\t|"
_SPOKEN = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_SAMPLE = 1 << 16
_BLOCK = 1 << 30  # Arrow's blocks must hold whole records; one block holds any record


def to_utf8(data: bytes, where: str) -> tuple[bytes, tuple[str, ...]]:
    """Text in UTF-8, UTF-16 or UTF-32 (by mark or zero bytes) or else Latin-1, as UTF-8 without a mark.

    Args:
        data: the file's bytes.
        where: what messages call the file.

    Returns:
        The bytes in UTF-8, and what the user should know about how they were read.

    Raises:
        DataError: if the bytes are no text.

    >>> to_utf8("é".encode("utf-16"), "log.csv")[0].decode()
    'é'
    """
    encoding = _wide_encoding(data)
    if encoding is None and b"\0" in data[:_SAMPLE]:
        raise DataError(f"{where}: holds binary data, no table; give CSV, Parquet, JSON lines or Arrow")
    try:
        if encoding is not None:
            return data.decode(encoding).removeprefix("\ufeff").encode(), ()
        data.decode()
        return data.removeprefix(codecs.BOM_UTF8), ()
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise DataError(f"{where}: starts like {encoding} text but is not; save it as UTF-8") from error
        return data.decode("latin-1").encode(), (f"{where}: not UTF-8, so read as Latin-1",)


def read_csv(
    data: bytes, where: str, *, delimiter: str | None = None, text: Collection[str] = ()
) -> tuple[pa.Table, tuple[str, ...]]:
    """Reads CSV text with a header line; each column gets the narrowest type that fits all its rows.

    Args:
        data: the text in UTF-8.
        where: what messages call the file.
        delimiter: the character between fields (or `tab`); found out if not given.
        text: columns to be kept as they are written, whatever they look like.

    Returns:
        The table, and what the user should know about how it was read. Empty fields are null.

    Raises:
        DataError: naming the line, if a row has more or fewer fields than the header or a quote stays open;
        or if
            there is no row, or two columns have one name.

    >>> read_csv(b"user;bytes\\nann;12\\n", "log.csv")[0].to_pylist()
    [{'user': 'ann', 'bytes': 12}]
    """
    separator = _sniff(data) if delimiter is None else _SPOKEN.get(delimiter.lower(), delimiter)
    if len(separator) != 1 or not separator.isascii() or separator in '"\r\n':
        raise DataError(f"delimiter {delimiter!r} is not one character of ASCII; give one such as ',' or ';' or 'tab'")
    _check_quotes(data, separator, where)
    header, notices = _header(data, separator, where)
    kinds = {name: pa.string() for name in text}
    table = _parse(data, separator, header, kinds, where)
    if not table.num_rows:
        raise DataError(f"{where}: has a header line but no rows")
    _check_swallowed(data, separator, table.num_rows, where)
    codes = _misread_columns(data, separator, header, table, where)
    if codes:
        table = _parse(data, separator, header, kinds | {name: pa.string() for name in codes}, where)
    columns = [_blank_is_null(column) for column in table.columns]
    return pa.table(columns, names=header), notices


def _wide_encoding(data: bytes) -> str | None:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = data[: _SAMPLE & ~1]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * len(sample) / 2 and even == 0:
        return "utf-16-le"
    if even > 0.4 * len(sample) / 2 and odd == 0:
        return "utf-16-be"
    return None


def _records(data: bytes, separator: str, strict: bool = False) -> Iterator[tuple[int, int, list[str]]]:
    """First line, last line and fields of each record that has any; slow: for samples and diagnoses."""
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8", "replace", newline="")
    reader = csv.reader(text, delimiter=separator, strict=strict)
    last = 0
    for record in reader:
        first, last = last + 1, reader.line_num
        if record:
            yield first, last, record


def _sniff(data: bytes) -> str:
    """The delimiter by which most lines have as many fields as the header; of such ones, that of most."""
    sample = data[:_SAMPLE]
    if len(data) > _SAMPLE and b"\n" in sample:
        sample = sample[: sample.rindex(b"\n")]

    def fit(separator: str) -> tuple[float, int]:
        try:
            widths = [len(record) for _, _, record in _records(sample, separator)]
        except csv.Error:
            return 0.0, 0
        wide = widths[0] if widths else 0
        return (widths.count(wide) / len(widths), wide) if wide > 1 else (0.0, 0)

    return max(_DELIMITERS, key=fit)


def _header(data: bytes, separator: str, where: str) -> tuple[list[str], tuple[str, ...]]:
    """The column names, each a name and each once."""
    try:
        _, _, cells = next(_records(data, separator))
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{where}: has no header line; the first line must name the columns") from error
    names = [name or f"unnamed_{place}" for place, name in enumerate(cells, 1)]
    notices = [
        f"{where}: column {place} has no name; called {names[place - 1]!r}"
        for place, name in enumerate(cells, 1)
        if not name
    ]
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise DataError(f"{where}: column {repeated[0]!r} occurs twice in the header; rename one of them")
    if any(re.fullmatch(r"\s*-?\d+\.\d+([eE][+-]?\d+)?\s*|\s*-\d+\s*", name) for name in names):
        notices.append(f"{where}: the first line looks like a record; if so, put a line of column names above it")
    return names, tuple(notices)


def _parse(data: bytes, separator: str, header: list[str], kinds: dict[str, pa.DataType], where: str) -> pa.Table:
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(_owned_by_arrow(data.lstrip(b"\r\n"))),
            read_options=arrow_csv.ReadOptions(
                block_size=min(len(data) + 1, _BLOCK), column_names=header, skip_rows_after_names=1
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator,
                newlines_in_values=b'"' in data,
                # In a one-column file a blank line is a record whose value is missing.
                ignore_empty_lines=len(header) > 1,
            ),
            convert_options=arrow_csv.ConvertOptions(
                null_values=MISSING, true_values=[], false_values=[], column_types=kinds
            ),
        )
    except pa.ArrowException as error:
        raise _diagnosis(data, separator, where, error) from error


def _owned_by_arrow(data: bytes) -> pa.Buffer:
    """A copy outside Python: Arrow's own thread may drop it last, and a Python object so at exit aborts the process."""
    sink = pa.BufferOutputStream()
    sink.write(data)
    return sink.getvalue()


def _diagnosis(data: bytes, separator: str, where: str, error: Exception) -> DataError:
    """Which line has too many or too few fields; looked for only once parsing has failed."""
    width, last = 0, 0
    try:
        for first, last, record in _records(data, separator):  # noqa: B007
            width = width or len(record)
            if len(record) != width:
                found = "1 field" if len(record) == 1 else f"{len(record)} fields"
                return DataError(
                    f"{where}, line {first}: {found} where the header has {width}; "
                    "mend the line or name the right delimiter"
                )
    except csv.Error:
        pass
    reason = str(error).splitlines()[0]
    return DataError(f"{where}: cannot be read as CSV after line {last} ({reason}); mend the file")


def _check_quotes(data: bytes, separator: str, where: str) -> None:
    """A quote that is never closed would swallow the rest of the file into one field."""
    if data.count(b'"') % 2 == 0:
        return
    first = last = 0
    try:
        for first, last, _ in _records(data, separator):  # noqa: B007
            pass
    except csv.Error as error:
        raise DataError(f"{where}: cannot be read as CSV after line {last} ({error}); mend the file") from error
    if last > first:
        raise DataError(f"{where}, line {first}: a quote is opened and never closed; close or double it")


def _check_swallowed(data: bytes, separator: str, rows: int, where: str) -> None:
    """Two stray quotes would make one field of all lines between them: what follows the second tells them from a pair.

    Raises:
        DataError: naming the line with the first.
    """
    if b'"' not in data or rows + 1 >= _lines(data):
        return
    if rows + 1 >= sum(bool(line.strip()) for line in data.splitlines()):
        return
    last = 0
    try:
        for _, last, _ in _records(data, separator, strict=True):  # noqa: B007
            pass
    except csv.Error as error:
        raise DataError(
            f"{where}, line {last + 1}: a quote is opened that holds this line and more, and text follows where it is "
            "closed; double or remove the quote"
        ) from error


def _lines(data: bytes) -> int:
    """How many lines there are, blank ones among them; counted without a copy."""
    ends = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
    return ends + (not data.endswith((b"\n", b"\r")))


def _misread_columns(data: bytes, separator: str, header: list[str], table: pa.Table, where: str) -> list[str]:
    """Columns read as numbers that are none: codes and long numbers, of which no digit must be lost."""
    kinds = {name: table.schema.field(name).type for name in header}
    doubtful = [name for name, kind in kinds.items() if pa.types.is_integer(kind) or pa.types.is_floating(kind)]
    if not may_hold_codes(data, separator):
        doubtful = [name for name in doubtful if beyond_floats(table[name])]
    if not doubtful:
        return []
    written = _parse(data, separator, header, dict.fromkeys(doubtful, pa.string()), where)
    return [name for name in doubtful if was_rounded_or_shortened(written[name], table[name])]


def _blank_is_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
