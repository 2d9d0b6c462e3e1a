"""Values read the same whatever type and spelling they arrive in, one at a time."""

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unwonted.coerce import MISSING, as_dates, as_flags, as_numbers, as_text, without_missing


@pytest.mark.parametrize("word", [*MISSING, "", "  ", "\t"])
def test_words_for_missing_are_missing_in_every_kind(word):
    for read in (without_missing, as_text, as_numbers, as_dates, as_flags):
        assert read(pa.array([word, None])).null_count == 2


@pytest.mark.parametrize("word", ["-", "?", "0", "none of these", "nano"])
def test_other_words_are_values(word):
    assert without_missing(pa.array([word])).to_pylist() == [word]


@given(st.floats(allow_nan=False))
@settings(max_examples=200, deadline=None)
def test_numbers_read_as_python_reads_them(number):
    assert as_numbers(pa.array([repr(number), f" {number!r} "])).to_pylist() == [number, number]


@given(st.text(alphabet="0123456789+-.eEinfaty_x ", max_size=8))
@settings(max_examples=300, deadline=None)
def test_text_is_a_number_exactly_where_python_says_so(text):
    try:
        expected = float(text) if "_" not in text and not math.isnan(float(text)) else None
    except ValueError:
        expected = None
    assert as_numbers(pa.array([text])).to_pylist() == [expected]


def test_other_types_as_numbers():
    assert as_numbers(pa.array([True, None])).to_pylist() == [1, None]
    assert as_numbers(pa.array([1.5, math.nan, math.inf])).to_pylist() == [1.5, None, math.inf]
    assert as_numbers(pa.array([dt.timedelta(minutes=1), None])).to_pylist() == [60, None]
    assert as_numbers(pa.array([2**63 - 1])).to_pylist() == [float(2**63)]
    assert as_numbers(pa.array([dt.date(2024, 1, 1)])).null_count == 1
    assert as_numbers(pa.array([None, None])).type == pa.float64()


@given(
    st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)),
    st.integers(-14 * 60, 14 * 60),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_dates_read_as_python_reads_them(moment, minutes, spaced):
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    written = [moment.isoformat(), moment.replace(tzinfo=zone).isoformat(), moment.date().isoformat()]
    if spaced:
        written = [text.replace("T", " ") for text in written]
    midnight = dt.datetime.combine(moment.date(), dt.time())
    assert as_dates(pa.array(written)).to_pylist() == [
        moment,
        moment - dt.timedelta(minutes=minutes),
        midnight,
    ]


@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32))
@settings(max_examples=300, deadline=None)
def test_days_that_do_not_exist_are_no_dates(year, month, day):
    try:
        expected = dt.datetime(year, month, day)
    except ValueError:
        expected = None
    if year > 0:
        assert as_dates(pa.array([f"{year:04}-{month:02}-{day:02}"])).to_pylist() == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31T10:00:00Z", dt.datetime(2024, 1, 31, 10)),
        ("2024-01-31 10:00:00,123", dt.datetime(2024, 1, 31, 10, 0, 0, 123000)),
        ("2024-01-31T10:00:00.123456789+01:00", dt.datetime(2024, 1, 31, 9, 0, 0, 123456)),
        ("2024-01-31 10:00:00.5+00", dt.datetime(2024, 1, 31, 10, 0, 0, 500000)),  # as PostgreSQL writes it
        ("2024-01-31 10", dt.datetime(2024, 1, 31, 10)),
        ("2024-01-31 10-03", dt.datetime(2024, 1, 31, 13)),
        ("10:30", dt.datetime(1970, 1, 1, 10, 30)),
        ("1700000000", dt.datetime(2023, 11, 14, 22, 13, 20)),
        ("31.01.2024", None),
        ("2024-01-31 1", None),
        ("2024-01-31 24:00", None),
        ("yesterday", None),
    ],
)
def test_spellings_of_dates(text, expected):
    assert as_dates(pa.array([text])).to_pylist() == [expected]


def test_other_types_as_dates():
    berlin = pa.array([0, None], pa.timestamp("ns", "Europe/Berlin"))
    assert as_dates(berlin).to_pylist() == [dt.datetime(1970, 1, 1), None]
    assert as_dates(pa.array([dt.date(2024, 1, 1)])).to_pylist() == [dt.datetime(2024, 1, 1)]
    assert as_dates(pa.array([dt.time(1, 2)])).to_pylist() == [dt.datetime(1970, 1, 1, 1, 2)]
    seconds = 1_700_000_000
    epochs = pa.array([seconds * 10**power for power in (0, 3, 6, 9)])
    assert as_dates(epochs).to_pylist() == [dt.datetime(2023, 11, 14, 22, 13, 20)] * 4
    assert as_dates(pa.array([math.inf, math.nan, None])).null_count == 3


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["1970-01-01", "0001-01-01T00:00:00+02:00", "0000-01-01", "9999-12-31T23:00:00-02:00", "-9e10"]),
        pa.array([0, 2**60, -(2**60), 2**62, -(10**12)], pa.timestamp("s")),
        pa.array([0, 2**60, -(2**60), 2**62, -(10**15)], pa.timestamp("ms", "Europe/Berlin")),
        pa.array([0, 2**60, -(2**60), 2**62, -(10**17)], pa.timestamp("us", "UTC")),
        pa.array([0, 2**31 - 1, -(2**31), 2_932_897, -719_163], pa.date32()),
        pa.array([0, 86_400_000 * 2**30, -86_400_000 * 2**30, 86_400_000 * 2**23, None], pa.date64()),
        pa.array([0, -9e10, 1e30, -1e30, math.inf]),
        pa.array([0, -(10**11) + 1, -(9 * 10**10), -(7 * 10**10), None]),
    ],
)
def test_there_is_no_date_outside_the_years_1_to_9999(values):
    assert as_dates(values).to_pylist() == [dt.datetime(1970, 1, 1), None, None, None, None]


def test_the_first_and_the_last_date_are_dates():
    ends = [dt.datetime.min, dt.datetime.max]
    assert as_dates(pa.array([end.isoformat() for end in ends])).to_pylist() == ends
    assert as_dates(pa.array(ends)).to_pylist() == ends
    assert as_dates(pa.array([end.date() for end in ends]))[1].as_py() == dt.datetime(9999, 12, 31)


def test_flags_know_the_usual_words_and_keep_news():
    assert as_flags(pa.array(["TRUE", " yes", "Y", "on", "1", "1.0"])).to_pylist() == ["true"] * 6
    assert as_flags(pa.array(["False", "no", "n", "OFF", "0"])).to_pylist() == ["false"] * 5
    assert as_flags(pa.array([0, 1, 2, None])).to_pylist() == ["false", "true", "2", None]
    assert as_flags(pa.array([0.0, 1.0, 0.5, math.inf])).to_pylist() == ["false", "true", "0.5", "inf"]
    assert as_flags(pa.array([True, False])).to_pylist() == ["true", "false"]


def test_text_has_one_spelling_whatever_the_type():
    for values in (
        [80, -3, 2**52],
        [80.0, -3.0, 2.0**52],
        ["80", "-3", str(2**52)],
        ["80.0", "-3.00", f"{2**52}.0"],
    ):
        assert as_text(pa.array(values)).to_pylist() == ["80", "-3", str(2**52)]
    assert as_text(pa.array([1.5, math.inf, None])).to_pylist() == ["1.5", "inf", None]
    assert as_text(pa.array([" a ", "007", "1.50"])).to_pylist() == [" a ", "007", "1.50"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("0.00", pa.decimal128(5, 2)),
        ("0", pa.decimal128(38, 10)),
        ("1.00", pa.decimal64(18, 2)),
        ("-2.50", pa.decimal256(60, 7)),
        ("0.00001", pa.decimal128(38, 10)),
        ("0.0000001", pa.decimal128(38, 10)),
        ("120000", pa.decimal128(9, -3)),
        ("1234567890123456.5", pa.decimal128(38, 4)),
    ],
)
def test_decimals_are_spelt_like_the_equal_floats(number, kind):
    decimals, floats = pa.array([Decimal(number), None], kind), pa.array([float(number), None])
    assert as_text(decimals).to_pylist() == as_text(floats).to_pylist()


def test_whole_decimals_keep_every_digit():
    assert as_text(pa.array([Decimal(2**63 + 1)], pa.decimal128(38, 4))).to_pylist() == [str(2**63 + 1)]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, -3, None]),
        pa.array([1.0, 0.5, 1e20, -0.0, 1e-9, math.inf, math.nan]),
        pa.array([0.1, 16777217.0], pa.float32()),
        pa.array([Decimal("0.00"), Decimal("1.50"), None], pa.decimal128(5, 2)),
        pa.array(["1.0", "1.00", "NA", "", " 1.0", "007", "-0.0", "x.0"]),
        pa.array([True, None]),
        pa.array([dt.date(2024, 1, 1)]),
        pa.array([dt.datetime(2024, 1, 1, 0, 30)]),
        pa.array([dt.timedelta(seconds=1)]),
    ],
)
def test_what_was_read_once_reads_the_same_again(values):
    for read in (as_text, as_numbers, as_dates, as_flags):
        once = read(values)
        assert read(once).equals(once)


@given(st.lists(st.sampled_from(["1", "1.0", "x", "", "2024-01-01", "yes", "NA", " 7", "007", "inf"]), min_size=1))
@settings(max_examples=100, deadline=None)
def test_a_value_reads_alone_as_among_others(values):
    for read in (as_text, as_numbers, as_dates, as_flags):
        assert read(pa.array(values)).to_pylist() == [read(pa.array([value]))[0].as_py() for value in values]
