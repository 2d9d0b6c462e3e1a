"""CSV of every usual dialect reads alike, and no row, zero or blank gets lost."""

import math

import pytest

from unwonted.csvfile import read_csv, to_utf8
from unwonted.errors import DataError


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_delimiters_and_line_ends_are_found_out(separator, end):
    rows = ["user|note|n", 'ann|"1,5; 2"|1', "bob|it's; a, b|2"]
    if separator == "|":
        rows = [row.replace("; ", "/") for row in rows]
    data = end.join(row.replace("|", separator) for row in rows)
    if separator != "|":  # the other separators stand in the quoted note only
        data = data.replace("it's; a, b", "its")
    table, notices = read_csv(data.encode(), "log.csv")
    assert table.column_names == ["user", "note", "n"]
    assert table["n"].to_pylist() == [1, 2]
    assert notices == ()


def test_a_given_delimiter_wins():
    assert read_csv(b"a,b;c\n1,2;3\n", "log.csv", delimiter=";")[0].column_names == ["a,b", "c"]
    assert read_csv(b"a,b\tc\n1,2\t3\n", "log.csv", delimiter="tab")[0].column_names == ["a,b", "c"]
    with pytest.raises(DataError, match="not one character"):
        read_csv(b"a\n1\n", "log.csv", delimiter="::")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_of_every_width_is_found_out(encoding):
    text = "näme;wert\nÖl;7\n"
    assert to_utf8(text.encode(encoding), "log.csv") == (text.encode(), ())


def test_other_bytes_are_latin_and_say_so():
    data, notices = to_utf8("näme\nÖl\n".encode("latin-1"), "log.csv")
    assert data.decode() == "näme\nÖl\n"
    assert notices == ("log.csv: not UTF-8, so read as Latin-1",)


def test_types_follow_all_rows_not_the_first_ones():
    rows = b"a,b,c\n" + b"1,1,true\n" * 300_000 + b"x,2.5,false\n"
    table, _ = read_csv(rows, "log.csv")
    assert [str(kind) for kind in table.schema.types] == ["string", "double", "string"]
    assert table.num_rows == 300_001


def test_leading_zeros_are_not_lost():
    table, _ = read_csv(b'a,b,c,d\n10,5,00:30:00,"01"\n007,0,01:00:00,0\n', "log.csv")
    assert table["a"].to_pylist() == ["10", "007"]
    assert table["b"].to_pylist() == [5, 0]
    assert table["d"].to_pylist() == ["01", "0"]


@pytest.mark.parametrize(
    "codes",
    [
        ["0xC000006D", "0x10"],
        ["18446744073709551610", "18446744073709551615"],
        ["00000000000000000012", "12345678901234567890"],
        ["+0012", "+0013"],
        ["1.5", "007"],
        ["1.5", "9007199254740993"],
        ["1" * 400, "2"],
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("before", ["", "\t"])
def test_what_numbers_cannot_hold_stays_text(codes, end, before):
    data = end.join(["n,code", *(f"7,{before}{code}" for code in codes)])
    table, _ = read_csv(data.encode(), "log.csv")
    assert table["code"].to_pylist() == [before + code for code in codes]
    assert table["n"].to_pylist() == [7, 7]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["0.1234567890123456789", "1e20"], [0.12345678901234568, 1e20]),
        (["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
        (["1.5", "1234567890123456"], [1.5, 1234567890123456]),
        (["9007199254740992", "0.5"], [2**53, 0.5]),
        (["1e999", "18446744073709551616.0"], [math.inf, 2.0**64]),
        (["0", "00.5"], [0, 0.5]),
    ],
)
def test_numbers_that_are_held_stay_numbers_beside_codes(written, read):
    data = "\n".join(["n,code", *(f"{number},007" for number in written)])
    assert read_csv(data.encode(), "log.csv")[0]["n"].to_pylist() == read


def test_blank_lines_are_records_only_where_there_is_one_column():
    assert read_csv(b"a\n1\n\n3\n", "log.csv")[0]["a"].to_pylist() == [1, None, 3]
    assert read_csv(b"\n\na,b\n1,2\n\n3,4\n", "log.csv")[0]["b"].to_pylist() == [2, 4]


def test_quotes_may_hold_anything_and_inches_are_no_quotes():
    table, _ = read_csv(b'a,b\n1,"x\ny, ""z"""\n2,5" disk\n', "log.csv")
    assert table["b"].to_pylist() == ['x\ny, "z"', '5" disk']


def test_two_stray_quotes_swallow_no_lines():
    lines = [f"user{i},{i}" for i in range(40)]
    lines[9], lines[30] = '"' + lines[9], '"' + lines[30]
    with pytest.raises(DataError, match=r"log\.csv, line 11: a quote is opened that holds this line and more"):
        read_csv("\n".join(["user,n", *lines]).encode(), "log.csv")
    with pytest.raises(DataError, match=r"log\.csv, line 11: a quote is opened that holds this line and more"):
        read_csv("\r".join(["user,n", *lines]).encode(), "log.csv")  # lines as old Macs end them
    with pytest.raises(DataError, match="not one character of ASCII"):
        read_csv(b"a,b\n1,2\n", "log.csv", delimiter="¦")


def test_empty_is_missing_and_words_for_missing_stay_in_text():
    table, _ = read_csv(b'n,s\nNA,NA\n1,""\n,x\n', "log.csv")
    assert table.to_pydict() == {"n": [None, 1, None], "s": ["NA", None, "x"]}


def test_columns_without_a_name_get_one_and_say_so():
    table, notices = read_csv(b",a,\n0,x,\n1,y,\n", "log.csv")
    assert table.column_names == ["unnamed_1", "a", "unnamed_3"]
    assert notices == (
        "log.csv: column 1 has no name; called 'unnamed_1'",
        "log.csv: column 3 has no name; called 'unnamed_3'",
    )


def test_a_missing_header_is_noticed():
    assert "looks like a record" in read_csv(b"1.5,x\n2.5,y\n", "log.csv")[1][0]
    assert read_csv(b"0,1\n2.5,y\n", "log.csv")[1] == ()


def test_one_giant_field_is_read():
    data = b"a,b\n1," + b"x" * 3_000_000 + b"\n2,y\n"
    assert read_csv(data, "log.csv")[0].num_rows == 2
