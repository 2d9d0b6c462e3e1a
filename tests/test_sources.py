"""Frames, arrays and files become one table; what cannot be read is named, with its line."""

import bz2
import datetime as dt
import gzip
import io
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from pyarrow import feather, parquet

from unwonted.errors import DataError
from unwonted.sources import as_table, notices_of, read_table, write_table

COLUMNS = {"user": ["ann", None, "bob"], "bytes": [1, 2, 3], "rate": [0.5, None, 2.25]}


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table, dict])
def test_every_frame_is_the_same_table(library):
    assert as_table(library(COLUMNS)).to_pydict() == COLUMNS


def test_a_frames_index_is_no_column():
    frame = pd.DataFrame({"a": [1, 2]}, index=[7, 9])
    assert as_table(frame).column_names == ["a"]


def test_dictionaries_and_large_text_become_plain_text():
    frame = pl.DataFrame({"a": pl.Series(["x", None], dtype=pl.Categorical)})
    for table in (as_table(frame), as_table(pd.DataFrame({"a": pd.Categorical(["x", None])}))):
        assert table.schema.field("a").type == pa.string()
        assert table["a"].to_pylist() == ["x", None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "x", None, True, 2.5], ["1", "x", None, "true", "2.5"]),
        ([pd.NA, "x", float("nan"), pd.NaT, b"y"], [None, "x", None, None, "y"]),
        ([2**70, 1], [str(2**70), "1"]),
        ([1, 2, None], [1, 2, None]),
    ],
)
@pytest.mark.parametrize("library", ["pandas", "polars", "numpy"])
def test_columns_of_mixed_objects_become_text(library, values, expected):
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    if library == "pandas":
        X = pd.DataFrame({"x0": objects})
    elif library == "polars":
        X = pl.DataFrame({"x0": pl.Series(values, dtype=pl.Object)})
    else:
        X = objects[:, None]
    assert as_table(X)["x0"].to_pylist() == expected


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "g", "i1", "u8", "?", "U3", "S3", "O"])
def test_arrays_of_every_kind_keep_their_values(kind):
    table = as_table(np.array([[1, 0], [0, 1], [1, 1]]).astype(kind))
    assert table.column_names == ["x0", "x1"]
    assert [float(value == "True" or value) for value in table["x1"].to_pylist()] == [0, 1, 1]


def test_rows_and_mappings():
    assert as_table([[1, "a"], (2, "b")]).to_pydict() == {"x0": [1, 2], "x1": ["a", "b"]}
    assert as_table([{"a": 1}, {"b": "x"}]).to_pydict() == {"a": [1, None], "b": [None, "x"]}
    assert as_table(np.empty((0, 2))).shape == (0, 2)


def test_nested_values_are_spread_or_spelt():
    table = as_table(pl.DataFrame({"u": [{"name": "ann", "at": {"x": 1}}], "tags": [["a", "b"]]}))
    assert table.to_pydict() == {"u.name": ["ann"], "u.at.x": [1], "tags": ['["a", "b"]']}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.cut([1, 5, 11], [0, 4, 10]), ['{"left": 0, "right": 4}', '{"left": 4, "right": 10}', None]),
        (pd.PeriodIndex(["2024-01", "2024-02", None], freq="M"), ["2024-01", "2024-02", None]),
        (pd.Categorical(pd.PeriodIndex(["2024-01", None], freq="M")), ["2024-01", None]),
        ([b"\xff", b"\xfe", b"ok"], ["\\xff", "\\xfe", "ok"]),
    ],
)
def test_values_of_foreign_types_become_text_that_tells_them_apart(values, expected):
    assert as_table(pd.DataFrame({"a": values}))["a"].to_pylist() == expected


def test_half_a_character_is_spelt_out():
    assert as_table({"a": ["x\ud800", "x\ud801", None]})["a"].to_pylist() == ["x\\ud800", "x\\ud801", None]
    assert as_table({"a": [["x\ud800"], "b"]})["a"].to_pylist() == ['["x\\ud800"]', "b"]


def test_dictionaries_of_anything_are_decoded():
    coded = pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array([[1, 2], [3]]))
    assert as_table(pa.table({"a": coded}))["a"].to_pylist() == ["[3]", "[1, 2]"]


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.timestamp("us", "UTC"), pa.date32()])
def test_times_that_python_cannot_hold_become_text(kind):
    far = 2_932_897 if kind == pa.date32() else 253_402_300_800 * (1 if kind.unit == "s" else 10**6)
    table = as_table(pa.table({"held": pa.array([0, None], kind), "far": pa.array([0, far], kind)}))
    assert table.schema.types == [kind, pa.string()]
    assert [text.split()[0] for text in table["far"].to_pylist()] == ["1970-01-01", "10000-01-01"]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.ones(3), "Expected 2D array, got 1D array instead"),
        (pd.Series([1, 2]), "Expected 2D array, got 1D array instead"),
        (5, "got scalar array"),
        (np.ones((1, 1, 1)), "Found array with dim 3"),
        (scipy.sparse.eye_array(2).tocsr(), "Sparse data was passed"),
        (np.ones((1, 1)) * 1j, "Complex data not supported"),
        (pd.DataFrame({"a": [1j]}), "Complex data not supported"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "column 'a' occurs twice"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "column '1' occurs twice"),
        (pa.table([[1], [2]], names=["a", "a"]), "column 'a' occurs twice"),
        ([[1], [1, 2]], "rows of 1 to 2 values"),
        ({"a": [1], "b": [1, 2]}, "columns of 1 to 2 values"),
    ],
)
def test_what_is_no_table_is_a_value_error(X, words):
    with pytest.raises(DataError, match=words) as caught:
        as_table(X)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def arrow_file(table, write):
    sink = io.BytesIO()
    write(table, sink)
    return sink.getvalue()


TABLE = pa.table(COLUMNS)
CONTENTS = {
    "csv": b"user,bytes,rate\nann,1,0.5\n,2,\nbob,3,2.25\n",
    "jsonl": b'{"user":"ann","bytes":1,"rate":0.5}\n{"bytes":2}\n\n{"rate":2.25,"bytes":3,"user":"bob"}\n',
    "parquet": arrow_file(TABLE, parquet.write_table),
    "feather": arrow_file(TABLE, feather.write_feather),
}
PACKERS = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("content", CONTENTS)
def test_every_format_and_compression_reads_the_same(tmp_path, content, packing):
    path = tmp_path / f"log.{content}{packing}"
    path.write_bytes(PACKERS[packing](CONTENTS[content]))
    table = read_table(path)
    assert table.to_pydict() == COLUMNS
    assert table.schema.types == [pa.string(), pa.int64(), pa.float64()]
    assert notices_of(table) == ()


@pytest.mark.parametrize("content", CONTENTS)
def test_content_decides_where_the_name_says_nothing(tmp_path, content):
    path = tmp_path / "log"
    path.write_bytes(CONTENTS[content])
    assert read_table(str(path)).to_pydict() == COLUMNS


def test_hive_like_folders_add_no_column(tmp_path):
    path = tmp_path / "day=3" / "log.parquet"
    path.parent.mkdir()
    path.write_bytes(CONTENTS["parquet"])
    assert read_table(path).column_names == list(COLUMNS)


BAD = {
    "empty.csv": (b"", "empty.csv: is empty"),
    "blank.csv": (b" \n\n", "blank.csv: is empty"),
    "empty.csv.gz": (gzip.compress(b""), "empty.csv.gz: is empty"),
    "header.csv": (b"a,b\n", "has a header line but no rows"),
    "ragged.csv": (b"a,b\n1,2\n\n3\n4,5\n", "line 4: 1 field where the header has 2"),
    "wide.csv": (b'a,b\n"x\ny",2\n3,4,5\n', "line 4: 3 fields where the header has 2"),
    "twice.csv": (b"a,a\n1,2\n", "column 'a' occurs twice"),
    "open.csv": (b'a,b\n1,"x\n2,y\n3,z\n', "line 2: a quote is opened and never closed"),
    "binary.csv": (bytes(range(256)), "holds binary data"),
    "book.csv": (b"PK\x03\x04\x00", "is a zip archive or a workbook"),
    "text.parquet": (b"a,b\n1,2\n", "is named .parquet but is none"),
    "random.parquet": (bytes(range(256)), "is named .parquet but is none"),
    "cut.parquet": (CONTENTS["parquet"][:-20], "is damaged or cut short"),
    "edited.parquet": (
        CONTENTS["parquet"][:-40] + b"?" * 30 + CONTENTS["parquet"][-10:],
        "is damaged or cut",
    ),
    "latin.parquet": (
        arrow_file(pa.table({"s": pa.array([b"a", b"\xff"]).view(pa.string())}), parquet.write_table),
        r"is damaged or cut short \(.*UTF8",
    ),
    "cut.feather": (CONTENTS["feather"][:-30], "is damaged or cut short"),
    "cut.csv.gz": (gzip.compress(CONTENTS["csv"])[:-9], "is damaged or cut short"),
    "cut.csv.bz2": (bz2.compress(CONTENTS["csv"])[:-9], "is damaged or cut short"),
    "cut.csv.zst": (PACKERS[".zst"](CONTENTS["csv"])[:-9], "is damaged or cut short"),
    "norows.parquet": (arrow_file(TABLE.slice(0, 0), parquet.write_table), "has columns but no rows"),
    "list.json": (b'[{"a": 1}]', "holds no JSON lines"),
    "text.jsonl": (b"a,b\n1,2\n", "holds no JSON lines"),
    "bad.jsonl": (b'{"a": 1}\n\n{"a": tru}\n', "line 3: is no JSON object"),
    "mixed.jsonl": (b'{"a": 1}\n[2]\n', "line 2: is no JSON object"),
    "twice.jsonl": (b'{"a": 1, "a": 2}\n', r"line 1: is no JSON object \(one field occurs twice\)"),
    "nothing.jsonl": (b"{}\n{}\n", "has no columns"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named_in_one_line(tmp_path, name):
    content, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_table([tmp_path / name])
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)
    with pytest.raises(DataError, match="no input file"):
        read_table([])


def test_several_files_are_one_table_matched_by_name(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,c\n1,2,\n")
    (tmp_path / "b.jsonl").write_text('{"c": 7, "b": 1.5, "a": "x"}\n')
    table = read_table([tmp_path / "a.csv", tmp_path / "b.jsonl"])
    assert table.to_pydict() == {"a": ["1", "x"], "b": [2.0, 1.5], "c": [None, 7]}
    assert notices_of(table) == ("column 'a': the files hold int64 and string, so it is read as text",)


@pytest.mark.parametrize(
    ("one", "two", "kind"),
    [
        (pa.array([2**63 - 1]), pa.array([2**64 - 1], pa.uint64()), pa.uint64()),
        (pa.array([-1]), pa.array([2**62], pa.uint64()), pa.int64()),
        (pa.array([2**53]), pa.array([0.5]), pa.float64()),
        (pa.array([1], pa.duration("us")), pa.array([1], pa.duration("ns")), pa.duration("ns")),
        (pa.array([1], pa.time32("s")), pa.array([1], pa.time64("us")), pa.time64("us")),
        (pa.array([Decimal("1.5")]), pa.array([Decimal("20.25")]), pa.decimal256(4, 2)),
        (pa.array([Decimal(1)], pa.decimal256(76, 0)), pa.array([Decimal("0.5")]), pa.float64()),
        (pa.array([dt.date(2024, 1, 1)]), pa.array([0], pa.timestamp("ns")), pa.timestamp("us")),
    ],
)
def test_several_files_meet_in_a_type_that_holds_all_their_values(tmp_path, one, two, kind):
    for name, values in (("one", one), ("two", two)):
        parquet.write_table(pa.table({"a": values}), tmp_path / name)
    table = read_table([tmp_path / "one", tmp_path / "two"])
    assert table["a"].type == kind
    assert notices_of(table) == ()
    assert table["a"].to_pylist() == [values.cast(kind)[0].as_py() for values in (one, two)]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (pa.array([2**53 + 1]), pa.array([0.5])),
        (pa.array([-1]), pa.array([2**64 - 1], pa.uint64())),
    ],
)
def test_several_files_meet_as_text_where_no_number_type_holds_all(tmp_path, one, two):
    for name, values in (("one", one), ("two", two)):
        parquet.write_table(pa.table({"a": values}), tmp_path / name)
    table = read_table([tmp_path / "one", tmp_path / "two"])
    assert table["a"].to_pylist() == [str(one[0]), str(two[0])]
    assert "so it is read as text" in notices_of(table)[0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_several_files_with_other_columns_are_refused(tmp_path, order):
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    files[0].write_text("a,b\n1,2\n")
    files[1].write_text("a\n1\n")
    with pytest.raises(DataError, match=r"two\.csv: lacks column 'b', which .*one\.csv has"):
        read_table([files[place] for place in order])


def test_json_of_mixed_types_keeps_every_value(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1, "b": "2024-01-01"}\n{"a": "x", "b": "2024-01-02"}\n{"a": true}\n')
    assert read_table(path)["a"].to_pylist() == ["1", "x", "true"]


def test_json_of_half_a_character_is_read(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"ua": "x\\ud800"}\n{"ua": "\\ud83d\\ude00"}\n')
    assert read_table(path)["ua"].to_pylist() == ["x\\ud800", "\N{GRINNING FACE}"]
    path.write_text('{"ua\\ud800": 1}\n{"b": 2}\n')
    assert read_table(path).column_names == ["ua\\ud800", "b"]


@pytest.mark.parametrize("others", ["", ', "b": 1.5'])
def test_json_of_long_numbers_keeps_every_digit(tmp_path, others):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f'{{"a": {2**64 - end}{others}}}\n' for end in (1, 2)))
    assert [str(value) for value in read_table(path)["a"].to_pylist()] == [str(2**64 - 1), str(2**64 - 2)]
    path.write_text('{"a": 1e20}\n{"a": 0.12345678901234567}\n')
    assert read_table(path)["a"].to_pylist() == [1e20, 0.12345678901234567]


def test_columns_kept_as_text_do_not_depend_on_the_other_rows(tmp_path):
    for name, row, text in (
        ("a.csv", "a\n2.50\n", "2.50"),
        ("b.jsonl", '{"a": "2024-01-01"}\n', "2024-01-01"),
    ):
        (tmp_path / name).write_text(row)
        assert read_table(tmp_path / name)["a"].to_pylist() != [text]
        kept = read_table(tmp_path / name, text=["a", "absent"])
        assert kept.to_pydict() == {"a": [text]}


@pytest.mark.data
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl", ".parquet"])
def test_real_records_survive_every_format(data_dir, tmp_path, ending):
    table = read_table(data_dir / "online-shoppers" / "online_shoppers_intention.parquet")
    write_table(table, tmp_path / f"log{ending}")
    again = read_table(tmp_path / f"log{ending}")
    assert again.shape == (12330, 18)
    assert again.to_pydict() == table.to_pydict()
