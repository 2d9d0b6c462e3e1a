"""Values read the same whatever type and spelling they arrive in, one at a time."""

import datetime as dt
import math

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
        ("10:30", dt.datetime(1970, 1, 1, 10, 30)),
        ("1700000000", dt.datetime(2023, 11, 14, 22, 13, 20)),
        ("31.01.2024", None),
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


@given(st.lists(st.sampled_from(["1", "1.0", "x", "", "2024-01-01", "yes", "NA", " 7", "007", "inf"]), min_size=1))
@settings(max_examples=100, deadline=None)
def test_a_value_reads_alone_as_among_others(values):
    for read in (as_text, as_numbers, as_dates, as_flags):
        assert read(pa.array(values)).to_pylist() == [read(pa.array([value]))[0].as_py() for value in values]
