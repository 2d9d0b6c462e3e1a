"""One Arrow array in the canonical form of its kind: what counts as missing, a number, a date, a yes."""

import datetime as dt
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

__all__ = [
    "MISSING",
    "as_dates",
    "as_flags",
    "as_numbers",
    "as_text",
    "is_text",
    "outside_calendar",
    "padded_codes",
    "without_missing",
]

MISSING = (*sorted(csv.ConvertOptions().null_values), "<NA>", "NaT", "None")
"""The words that stand for a missing value, in text of any source; blank text counts as missing too."""

_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf|infinity))$"
_PADDED = r"^[+-]?0\d+$"

# Every date that the pattern lets through exists, so that Arrow's parser, which knows only "all or an error",
# never fails on one odd cell.
_LEAP_YEAR = r"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_DAY = (
    r"(\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))"
    rf"|{_LEAP_YEAR}-02-29)"
)
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?"
_HOUR = rf"({_CLOCK}|[01]\d|2[0-3])"
_ZONE = r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"

_TRUE = pa.array(["true", "yes", "t", "y", "on", "1"])
_FALSE = pa.array(["false", "no", "f", "n", "off", "0"])

# Below these sizes a number counts seconds, milliseconds, microseconds since 1970; above all, nanoseconds.
_EPOCH_SCALES = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))

_CALENDAR = pa.array([dt.datetime.min, dt.datetime.max], pa.timestamp("us"))


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def without_missing(values: pa.Array) -> pa.Array:
    """Makes every missing value a null: NaN, blank text, and the words of `MISSING`.

    >>> without_missing(pa.array(["a", " ", "NA", None])).null_count
    3
    """
    if pa.types.is_floating(values.type):
        return _null_where(pc.is_nan(values), values)
    if is_text(values.type):
        return _per_value(values, _blank_missing)
    return values


def as_numbers(values: pa.Array) -> pa.Array:
    """The values as float64; what is missing or no number is null, infinities stay.

    Durations become seconds, booleans 0 and 1. Text may be padded by spaces; "1,000" is no number.

    >>> as_numbers(pa.array(["1.5", " -inf", "many"])).to_pylist()
    [1.5, -inf, None]
    """
    kind = values.type
    if is_text(kind):
        return _per_value(values, _parse_numbers)
    if pa.types.is_duration(kind):
        return pc.divide(values.cast(pa.duration("us"), safe=False).cast(pa.int64()).cast(pa.float64()), 1e6)
    if pa.types.is_boolean(kind):
        return values.cast(pa.int8()).cast(pa.float64())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = values.cast(pa.float64(), safe=False)
        return _null_where(pc.is_nan(numbers), numbers)
    return pa.nulls(len(values), pa.float64())


def as_dates(values: pa.Array) -> pa.Array:
    """The values as UTC times without a zone, in microseconds; what is missing or no date is null.

    Text is ISO 8601, with or without a zone (none: taken as UTC); a time of day lies on 1970-01-01. Numbers
    count from 1970 in seconds, milli-, micro- or nanoseconds, by each number's own size. Outside the years 1 to
    9999 there is no date.

    >>> as_dates(pa.array(["2024-02-29T23:30:00-01:00", "2023-02-29"])).to_pylist()
    [datetime.datetime(2024, 3, 1, 0, 30), None]
    """
    kind, micros = values.type, pa.timestamp("us")
    if is_text(kind):
        return _per_value(values, _parse_dates)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _on_calendar(values).cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).cast(micros)
    if pa.types.is_time(kind):
        return values.cast(pa.time64("us"), safe=False).cast(pa.int64()).cast(micros)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _on_calendar(_epoch(values.cast(pa.float64(), safe=False)))
    return pa.nulls(len(values), micros)


def as_flags(values: pa.Array) -> pa.Array:
    """The values as the text "true" or "false"; anything else that is not missing stays, as text.

    A third value is news, not a gap, so it keeps its name and meets the encoder as an unseen category.

    >>> as_flags(pa.array(["Yes", "no", "maybe", ""])).to_pylist()
    ['true', 'false', 'maybe', None]
    """
    return _per_value(as_text(values), _parse_flags)


def as_text(values: pa.Array) -> pa.Array:
    """The values as text, each with one spelling: 1, 1.0, "1.0" and the decimal 1.00 are "1"; missing is null.

    >>> as_text(pa.array([1.0, 2.5, float("nan")])).to_pylist()
    ['1', '2.5', None]
    """
    kind, values = values.type, without_missing(values)
    if is_text(kind):
        return pc.replace_substring_regex(values.cast(pa.string()), r"^([+-]?\d+)\.0+$", r"\1")
    if pa.types.is_floating(kind):
        wide = values.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.floor(wide), wide), pc.less(pc.abs(wide), 2.0**53))
        integers = pc.if_else(whole, wide, 0.0).cast(pa.int64()).cast(pa.string())
        return pc.if_else(whole, integers, values.cast(pa.string()))
    text = values.cast(pa.string())
    if pa.types.is_decimal(kind):  # whole ones as their digits, for no float holds 38 of them
        whole = pc.match_substring_regex(text, r"^-?\d+(\.0+)?$")
        return pc.if_else(whole, as_text(text), as_text(text.cast(pa.float64())))
    return text


def outside_calendar(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Where timestamps or dates of any unit lie outside the years 1 to 9999, in UTC, which Python cannot hold."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        kind = pa.timestamp("us" if kind.unit == "ns" else kind.unit)
        values = values.cast(pa.timestamp(kind.unit, values.type.tz), safe=False).cast(kind)
    first, last = _CALENDAR.cast(kind, safe=False)
    return pc.or_(pc.less(values, first), pc.greater(values, last))


def padded_codes(values: pa.Array) -> pa.Array:
    """Where text is a whole number with leading zeros ("007"), which no measurement is written with."""
    return pc.match_substring_regex(values, _PADDED)


def _on_calendar(dates: pa.Array) -> pa.Array:
    return _null_where(outside_calendar(dates), dates)


def _null_where(mask: pa.Array, values: pa.Array) -> pa.Array:
    return pc.if_else(mask, pa.scalar(None, values.type), values)


def _per_value(values: pa.Array, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Applies an elementwise function once to each distinct text: patterns are dear, repeats many."""
    coded = values.cast(pa.string()).dictionary_encode()
    return function(coded.dictionary).take(coded.indices)


def _blank_missing(text: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(text)
    return _null_where(pc.is_in(trimmed, pa.array(MISSING)), text)


def _parse_numbers(text: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(text)
    fits = pc.match_substring_regex(trimmed, _NUMBER)
    return _null_where(pc.invert(fits), trimmed).cast(pa.float64())


def _parse_dates(text: pa.Array) -> pa.Array:
    text = pc.utf8_trim_whitespace(text)
    text = pc.replace_substring_regex(text, r"(:\d\d)[.,](\d{1,6})\d*", r"\1.\2")
    text = pc.replace_substring_regex(text, rf"^({_CLOCK})$", r"1970-01-01 \1")
    naive = pc.match_substring_regex(text, rf"^{_DAY}([ T]{_HOUR})?$")
    zoned = pc.match_substring_regex(text, rf"^{_DAY}[ T]{_HOUR}{_ZONE}$")
    local = _null_where(pc.invert(naive), text).cast(pa.timestamp("us"))
    world = _null_where(pc.invert(zoned), text).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return _on_calendar(pc.coalesce(local, world, _epoch(_parse_numbers(text))))


def _parse_flags(text: pa.Array) -> pa.Array:
    lowered = pc.utf8_lower(pc.utf8_trim_whitespace(text))
    return pc.if_else(pc.is_in(lowered, _TRUE), "true", pc.if_else(pc.is_in(lowered, _FALSE), "false", text))


def _epoch(numbers: pa.Array) -> pa.Array:
    size, micros = pc.abs(numbers), pc.multiply(numbers, 1e-3)
    for bound, scale in reversed(_EPOCH_SCALES):
        micros = pc.if_else(pc.less(size, bound), pc.multiply(numbers, scale), micros)
    # Beyond 64 bits there is no date; NaN compares false and falls out here too.
    dated = pc.less(pc.abs(micros), 2.0**62)
    return _null_where(pc.invert(dated), micros).cast(pa.int64(), safe=False).cast(pa.timestamp("us"))
