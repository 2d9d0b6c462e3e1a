"""Cells of a record as people read them."""

import pyarrow as pa

from unwonted.parts import INFINITE, CyclicPart, NumericPart, Part

__all__ = ["clock", "plain_number", "plain_text", "seen"]


def seen(value: pa.Scalar, part: Part) -> tuple[str, float | None]:
    """What a cell holds, as text and, for numbers and hours of day, as a number."""
    plain = value.as_py()
    if plain is None:
        return "missing", None
    if isinstance(part, NumericPart):
        return plain_number(plain), float(plain)
    if isinstance(part, CyclicPart):
        hour = plain.hour + plain.minute / 60 + plain.second / 3600
        return f"{clock(hour)} ({plain:%A %Y-%m-%d})", hour
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


def plain_number(x: float) -> str:
    """At most five significant digits, thousands apart; whole numbers below a billion in full."""
    if not abs(x) < INFINITE:
        return "infinite" if x > 0 else "−infinite" if x < 0 else "missing"
    if x == round(x) and abs(x) < 1e9:
        return f"{x:,.0f}"
    return f"{x:,.5g}" if 1e-4 <= abs(x) < 1e6 else f"{x:.4g}"
