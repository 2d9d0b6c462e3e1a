"""Numbers as they are written: leading zeros, hexadecimal and long digits, of which number types lose some."""

import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from unwonted.coerce import padded_codes

__all__ = ["beyond_floats", "may_hold_codes", "was_rounded", "was_rounded_or_shortened"]

_CODE = rb"[+-]?0(?:[0-9]+|[xX][0-9a-fA-F]+)"
_HEXADECIMAL = r"^0[xX][0-9a-fA-F]+$"
_WHOLE = r"^[+-]?\d+$"
_EXACT = 2.0**53  # up to here float64 holds every whole number


def may_hold_codes(data: bytes, separator: str) -> bool:
    """Whether some field of CSV text is written with leading zeros or in hexadecimal; one quick search.

    >>> may_hold_codes(b"n,time\\n7,00:30", ","), may_hold_codes(b"n,time\\n007,00:30", ",")
    (False, True)
    """
    edge = rb'["\r\n' + re.escape(separator).encode() + rb"]"
    return re.search(edge + rb"[ \t]*" + _CODE + rb"[ \t]*(?:" + edge + rb"|\Z)", data) is not None


def beyond_floats(numbers: pa.Array | pa.ChunkedArray) -> bool:
    """Whether a float column reaches sizes where it no longer tells whole numbers apart.

    >>> beyond_floats(pa.array([1e15, None])), beyond_floats(pa.array([-1e16]))
    (False, True)
    """
    if not pa.types.is_floating(numbers.type):
        return False
    return bool(pc.any(pc.greater_equal(pc.abs(numbers), _EXACT)).as_py())


def was_rounded_or_shortened(written: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Whether a column read as numbers lost leading zeros, hexadecimal digits or the end of a long whole number.

    >>> column = pa.chunked_array([["9007199254740993", "1.5"]])
    >>> was_rounded_or_shortened(column, column.cast(pa.float64()))
    True
    """
    text = pc.utf8_trim_whitespace(written)
    shortened = pc.any(pc.or_(padded_codes(text), pc.match_substring_regex(text, _HEXADECIMAL))).as_py()
    return bool(shortened or was_rounded(text, numbers))


def was_rounded(text: pa.Array | pa.ChunkedArray, numbers: pa.Array | pa.ChunkedArray) -> bool:
    """Whether the floats that trimmed text became lack the end of a long whole number.

    >>> was_rounded(pa.array(["9007199254740993"]), pa.array([9007199254740992.0]))
    True
    """
    if not beyond_floats(numbers):
        return False
    whole = text.filter(pc.match_substring_regex(text, _WHOLE)).unique()
    return any(Decimal(digits) != float(digits) for digits in whole.to_pylist())
