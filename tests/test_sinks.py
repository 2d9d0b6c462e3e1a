"""Files are written whole or not at all, read back equal, and hold no formulas."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from unwonted import sinks
from unwonted.errors import DataError
from unwonted.sinks import atomic_write, check_output, write_table
from unwonted.sources import read_table

TABLE = pa.table(
    {
        "text": ['a "q", b\nc', "ü", None, "x"],
        "whole": [1, None, -3, 2**53],
        "real": [0.1, float("inf"), None, float("-inf")],
        "flag": [True, False, None, True],
        "time": pa.array([0, 1_700_000_000_123_456, None, 5], pa.timestamp("us")),
    }
)


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.csv.gz", "a.b.csv.bz2", "a.jsonl", "a.ndjson.zst", "a.parquet"])
def test_what_is_written_reads_back_equal(tmp_path, name):
    write_table(TABLE, tmp_path / name)
    again = read_table(tmp_path / name)
    assert again.column_names == TABLE.column_names
    if name != "a.parquet":  # text formats have no types of their own
        flags = [None if flag is None else str(flag).lower() == "true" for flag in again["flag"].to_pylist()]
        again = again.set_column(3, "flag", pa.array(flags))
        again = again.set_column(4, "time", again["time"].cast(pa.timestamp("us")))
    assert again.to_pydict() == TABLE.to_pydict()
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-1+1", "-x", "@SUM(A1)", "\t=1", "\r=1", "=", "+"])
def test_formulas_are_made_harmless_in_csv_alone(tmp_path, cell):
    table = pa.table({cell: [cell, "a" + cell]})
    write_table(table, tmp_path / "a.csv")
    assert read_table(tmp_path / "a.csv").to_pydict() == {"'" + cell: ["'" + cell, "a" + cell]}
    for name in ("a.jsonl", "a.parquet"):
        write_table(table, tmp_path / name)
        assert read_table(tmp_path / name).to_pydict() == table.to_pydict()


def test_numbers_and_a_lone_dash_are_no_formulas(tmp_path):
    write_table(pa.table({"n": [-1.5, 2.0], "s": ["-", "-5e3"]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == '"n","s"\n-1.5,"-"\n2,"-5e3"\n'


def test_nan_is_written_as_missing(tmp_path):
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        write_table(pa.table({"a": [float("nan"), 1.0]}), tmp_path / name)
        assert read_table(tmp_path / name)["a"].to_pylist() == [None, 1]


def test_tables_without_rows_can_be_written(tmp_path):
    write_table(TABLE.slice(0, 0), tmp_path / "a.csv")
    write_table(TABLE.slice(0, 0), tmp_path / "a.jsonl")
    assert (tmp_path / "a.csv").read_text().startswith('"text"')
    assert (tmp_path / "a.jsonl").read_bytes() == b""


def test_unknown_endings_are_refused_before_writing(tmp_path):
    for name in ("a.xls", "a", "a.gz", "a.parquet.gz"):
        with pytest.raises(DataError, match="unknown ending"):
            write_table(TABLE, tmp_path / name)
    assert not os.listdir(tmp_path)


def test_outputs_that_cannot_be_are_refused(tmp_path):
    (tmp_path / "file").write_text("here")
    for path, words in (
        (tmp_path / "none" / "a.csv", "does not exist"),
        (tmp_path / "file" / "a.csv", "is a file, not a folder"),
        (tmp_path, "is a folder"),
    ):
        for write in (
            check_output,
            lambda path: atomic_write(path, b"x"),
            lambda path: write_table(TABLE, path),
        ):
            with pytest.raises(DataError, match=words):
                write(path)
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_read_is_not_written_over(tmp_path):
    data, link = tmp_path / "in.csv", tmp_path / "link.csv"
    data.write_text("a\n1\n")
    link.symlink_to(data)
    for inputs in ([data], [None, tmp_path / "none", link], [str(data)]):
        with pytest.raises(DataError, match=r"in\.csv: is read here, and would be replaced"):
            check_output(data, inputs)
    check_output(data, [None, tmp_path / "other.csv"])
    assert data.read_text() == "a\n1\n"


def test_where_nothing_can_be_written_is_said_before_anything_is_done(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for path in ([tmp_path / "a"] if os.name == "posix" else []) + [Path("/proc/a.csv")] * os.path.isdir("/proc"):
        with pytest.raises(DataError, match=r"nothing can be written there .*give another path"):
            check_output(path)


def test_a_full_disk_is_one_line():
    for write in (lambda: atomic_write("/dev/full", b"x"), lambda: write_table(TABLE, "/dev/full")):
        with pytest.raises(DataError, match=r"/dev/full: cannot be written \(No space left") as caught:
            write()
        assert "\n" not in str(caught.value)


def test_devices_are_written_to_not_replaced():
    before = os.stat("/dev/null").st_rdev
    write_table(TABLE, "/dev/null")
    assert os.stat("/dev/null").st_rdev == before


@pytest.mark.skipif(os.name != "posix", reason="devices of POSIX")
@pytest.mark.parametrize("mode", ["w", "a"])
def test_standard_output_gets_the_table_also_where_it_leads_to_a_file(tmp_path, mode):
    path = tmp_path / "out"
    path.write_text("before\n")
    code = (
        "import pyarrow as pa; from unwonted.sinks import write_table; write_table(pa.table({'a': [1]}), '/dev/stdout')"
    )
    with path.open(mode) as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert path.read_text() == ("before\n" if mode == "a" else "") + '"a"\n1\n'
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_breaks_off_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, fault):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def broken(_):
        raise fault

    monkeypatch.setattr(sinks.os, "fsync", broken)
    with pytest.raises(KeyboardInterrupt if isinstance(fault, KeyboardInterrupt) else DataError):
        atomic_write(path, b"new")
    assert os.listdir(tmp_path) == ["a.csv"]
    assert path.read_text() == "old"


def test_a_replaced_file_keeps_its_rights_and_its_link(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "real.csv").chmod(0o640)
    (tmp_path / "link.csv").symlink_to("real.csv")
    atomic_write(tmp_path / "link.csv", b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"
    assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o640
