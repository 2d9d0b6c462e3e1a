"""Frames, arrays and files become one table; what cannot be read is named, with its line."""

import bz2
import gzip
import io

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
