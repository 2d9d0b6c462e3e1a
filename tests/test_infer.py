"""Kinds and roles are guessed from names and values, and every guess that may surprise is told."""

import datetime as dt

import pyarrow as pa
import pytest

from unwonted.infer import Kind, Role, infer_column

MANY = range(100)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 5, 7], Kind.NUMERIC),
        ([0.5, 1.5], Kind.NUMERIC),
        ([0, 1, 2], Kind.NUMERIC),
        ([0, 1, None], Kind.BOOLEAN),
        ([0.0, 1.0, float("nan")], Kind.BOOLEAN),
        (["0", "1", "1.0"], Kind.BOOLEAN),
        ([True, False], Kind.BOOLEAN),
        (["TRUE", "false", "NA"], Kind.BOOLEAN),
        (["Yes", "no"], Kind.BOOLEAN),
        (["yes", "no", "maybe"], Kind.CATEGORICAL),
        (["yes", "true"], Kind.CATEGORICAL),
        (["1", " 2.5", "-1e9", "inf", ""], Kind.NUMERIC),
        (["2024-01-01", "2024-02-01T10:00:00Z"], Kind.DATETIME),
        (["10:00", "11:30:01"], Kind.DATETIME),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)], Kind.DATETIME),
        ([dt.time(1), dt.time(2)], Kind.DATETIME),
        ([dt.timedelta(1), dt.timedelta(2)], Kind.NUMERIC),
        (["tcp", "udp"], Kind.CATEGORICAL),
        (["-", "1", "2"], Kind.CATEGORICAL),
        ([7, 7], Kind.CONSTANT),
        ([7, None], Kind.NUMERIC),
        ([None, None], Kind.CONSTANT),
        (["", "NA"], Kind.CONSTANT),
        ([float("nan")] * 2, Kind.CONSTANT),
    ],
)
def test_kinds(values, kind):
    column = infer_column("a", pa.array(values))
    assert (column.kind, column.role) == (kind, Role.FEATURE)
    assert bool(column.notices) is (kind is Kind.CONSTANT)


@pytest.mark.parametrize(("odd", "kind"), [(5, Kind.NUMERIC), (6, Kind.CATEGORICAL)])
def test_text_is_numbers_from_95_percent_on(odd, kind):
    values = [str(number % 40) for number in range(100 - odd)] + ["many"] * odd
    column = infer_column("a", pa.array(values))
    assert column.kind is kind
    if kind is Kind.NUMERIC:
        assert column.notices == ("column 'a': 5 of 100 values are no numbers (such as 'many') and count as missing",)


def test_the_share_counts_rows_not_spellings():
    values = ["-"] * 10 + [str(number) for number in range(90)]
    assert infer_column("a", pa.array(values)).kind is Kind.CATEGORICAL


def test_some_odd_dates_are_counted():
    values = [f"2024-01-{day:02}" for day in range(1, 31)] + ["soon"]
    column = infer_column("a", pa.array(values))
    assert column.kind is Kind.DATETIME
    assert "1 of 31 values are no dates (such as 'soon')" in column.notices[0]


def test_leading_zeros_mean_codes_where_they_are_the_rule():
    assert infer_column("a", pa.array(["01234", "90210", "10115"])).kind is Kind.CATEGORICAL
    assert infer_column("a", pa.array(["007", "12", "3"])).kind is Kind.CATEGORICAL
    assert infer_column("a", pa.array(["00", *map(str, MANY)])).kind is Kind.NUMERIC


def test_whole_numbers_that_a_float_would_merge_are_codes():
    ids = [str(2**64 + i) for i in range(7)] * 10
    column = infer_column("session", pa.array(ids))
    assert column.kind is Kind.CATEGORICAL
    assert "more digits than a number keeps" in column.notices[0]
    assert infer_column("size", pa.array([str(2**60 + 2**10 * i) for i in range(70)])).kind is Kind.NUMERIC


@pytest.mark.parametrize("name", ["id", "ID", "user_id", "sessionId", "flow.uuid", "unnamed_1", "__index_level_0__"])
@pytest.mark.parametrize("values", [list(MANY), [f"u{number}" for number in MANY]])
def test_near_unique_identifiers_are_ignored_and_told(name, values):
    column = infer_column(name, pa.array(values))
    assert column.role is Role.IGNORE
    assert "named like an identifier" in column.notices[0]
    assert "100 of 100 values are distinct" in column.notices[0]
    assert infer_column(name, pa.array(values), role=Role.FEATURE).role is Role.FEATURE


@pytest.mark.parametrize("name", ["bytes", "idle", "paid", "index_of_refraction", "identity"])
def test_near_unique_numbers_of_other_names_are_features(name):
    assert infer_column(name, pa.array(list(MANY))).role is Role.FEATURE


def test_identifiers_that_repeat_are_features():
    column = infer_column("id", pa.array([number % 60 for number in MANY]))
    assert column.role is Role.FEATURE
    assert infer_column("id", pa.array([number + 0.5 for number in MANY])).role is Role.FEATURE


@pytest.mark.parametrize("name", ["label", "Label", "attack_cat", "isFraud", "is_anomaly"])
@pytest.mark.parametrize("values", [["normal", "worm", "dos"], [0, 1, 0], [True, False, True]])
def test_what_is_named_like_a_label_is_learnt_and_told(name, values):
    column = infer_column(name, pa.array(values * 40))
    assert column.role is Role.FEATURE
    assert "named like a label" in column.notices[-1]
    assert not infer_column(name, pa.array(values * 40), role=Role.LABEL).notices
    assert not infer_column("labelled_bytes", pa.array(values * 40)).notices
    assert not infer_column("attack", pa.array([x / 7 for x in range(100)])).notices


@pytest.mark.parametrize(("count", "role"), [(49, Role.FEATURE), (50, Role.IGNORE)])
def test_free_text_is_ignored_and_told(count, role):
    column = infer_column("a", pa.array([f"text {number}" for number in range(count)]))
    assert column.role is role
    assert bool(column.notices) is (role is Role.IGNORE)
    dates = [dt.date.fromordinal(700_000 + number).isoformat() for number in MANY]
    assert infer_column("a", pa.array(dates)).role is Role.FEATURE


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("dst_port", [80, 443, 22], 'kind = "categorical" may suit it'),
        ("zipCode", [1, 2, 3], 'kind = "categorical" may suit it'),
        ("user", ["ann", "bob"], 'role = "entity" may suit it'),
        ("hostName", ["a", "b"], 'role = "entity" may suit it'),
        ("Stime", [1421927377, 1421928178], 'kind = "datetime" may suit it'),
    ],
)
def test_telling_names_are_noticed_not_acted_on(name, values, words):
    column = infer_column(name, pa.array(values))
    assert column.role is Role.FEATURE
    assert column.kind is (Kind.CATEGORICAL if isinstance(values[0], str) else Kind.NUMERIC)
    assert len(column.notices) == 1
    assert words in column.notices[0]
    assert infer_column("count", pa.array(values)).notices == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["1,5", "-20,25", "3,0"], "numbers with commas"),
        (["1,000", "2,500,000", "1,250.5"], "numbers with commas"),
        (["1.234,5", "12,0", "0,7"], "numbers with commas"),
        (["31.01.2024", "1.2.2024", "05.12.2023"], "dates"),
        (["1/31/24", "2/1/2024 10:30", "12/5/2023"], "dates"),
        (["10.0.0.1", "10.0.0.2", "10.1.0.1"], None),
        (["1.2.34", "1.3.0", "2.0.11"], None),
        (["a,b", "1,b", "c,1"], None),
        (["1,5", "some", "more"], None),
    ],
)
def test_numbers_and_dates_of_other_countries_are_told(values, words):
    written = values * 3
    said = [notice for notice in infer_column("x", pa.array(written)).notices if "taken as names" in notice]
    assert len(said) == (words is not None)
    assert all(words in notice and repr(written[0]) in notice for notice in said)
    assert not infer_column("x", pa.array(written), Kind.CATEGORICAL, Role.FEATURE).notices


@pytest.mark.parametrize(
    "values", [[f"{i},5" for i in range(90)], [f"{i % 28 + 1}.{i // 28 + 1}.2024" for i in range(90)]]
)
def test_they_are_told_where_they_would_be_ignored_as_free_text(values):
    column = infer_column("x", pa.array(values))
    assert column.role == Role.IGNORE
    assert ["look like" in notice for notice in column.notices] == [True, False]


def test_what_is_declared_is_kept_without_comment():
    column = infer_column("port", pa.array([80, 443]), Kind.CATEGORICAL, Role.LABEL)
    assert (column.kind, column.role, column.notices) == (Kind.CATEGORICAL, Role.LABEL, ())
    assert infer_column("label", pa.array([0, 0]), role=Role.LABEL).notices == ()
