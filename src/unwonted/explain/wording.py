"""Cells of a record as people read them."""

import datetime
import math

import pyarrow as pa

from unwonted.parts import INFINITE, CyclicPart, NumericPart, Part

__all__ = ["EPOCH", "clock", "plain_number", "plain_text", "seen"]

EPOCH = datetime.date(1970, 1, 1)  # that a time of day without a date lies on
DIGITS = 5
MOST_DIGITS = 15  # that a float64 holds
IN_FULL = 1e15  # below which numbers are written without an exponent


def seen(value: pa.Scalar, part: Part, apart: float = 0.0) -> tuple[str, float | None]:
    """What a cell holds, as text (see `plain_number`) and, for numbers and hours of day, as a number."""
    plain = value.as_py()
    if plain is None:
        return "missing", None
    if isinstance(part, NumericPart):
        return plain_number(plain, apart), float(plain)
    if isinstance(part, CyclicPart):
        hour = plain.hour + plain.minute / 60 + plain.second / 3600
        return clock(hour) if plain.date() == EPOCH else f"{clock(hour)} ({plain:%A %Y-%m-%d})", hour
    if part.unit:
        return f"{plain:%A} ({plain:%Y-%m-%d %H:%M})", None
    return str(plain), None


def plain_text(value: pa.Scalar) -> str:
    """A cell as text."""
    plain = value.as_py()
    if plain is None:
        return "missing"
    return plain_number(plain) if isinstance(plain, float) else str(plain)


def clock(hour: float) -> str:
    """Hour of day as hours and minutes.

    >>> clock(13.5)
    '13:30'
    """
    minutes = round(hour * 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def plain_number(x: float, apart: float = 0.0) -> str:
    """Five significant digits, and all that stand before the point; thousands are parted by commas.

    Args:
        x: The number.
        apart: How far it is from what it is to be told from; where five digits do not, there are more.

    >>> plain_number(1234567.891), plain_number(0.00123456), plain_number(52.51601, apart=0.0002)
    ('1,234,568', '0.0012346', '52.51601')
    """
    if not abs(x) < INFINITE:
        return "infinite" if x > 0 else "−infinite" if x < 0 else "missing"
    if x and not 1e-4 <= abs(x) < IN_FULL:
        return f"{x:.{DIGITS - 1}g}"
    before = math.floor(math.log10(abs(x))) + 1 if x else 1
    telling = 1 - math.floor(math.log10(apart)) if 0 < apart < math.inf else 0
    decimals = max(0, min(max(DIGITS - before, telling), MOST_DIGITS - before))
    written = f"{x:,.{decimals}f}"
    return written.rstrip("0").rstrip(".") if decimals else written
