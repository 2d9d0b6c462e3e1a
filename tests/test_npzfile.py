"""NumPy files: tables, sequences and images by one name, and what is wrong with others."""

import io
from pathlib import Path

import numpy as np
import pytest

from unwonted import DataError
from unwonted.arrays import as_arrays
from unwonted.cli import main
from unwonted.sources import notices_of, read_table, write_table


def saved(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def test_a_matrix_is_a_table_with_its_labels(tmp_path: Path) -> None:
    table = read_table(saved(tmp_path, X=np.arange(6.0).reshape(3, 2), y=np.array(["a", "b", "a"])))
    assert table.to_pydict() == {"x0": [0, 2, 4], "x1": [1, 3, 5], "y": ["a", "b", "a"]}


def test_images_and_sequences_come_back_as_they_were(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(4, 5, 6))
    table = read_table([saved(tmp_path, X=X, y=np.arange(4), extra=np.zeros(9))] * 2)
    arrays = as_arrays(table)
    assert arrays is not None
    np.testing.assert_array_equal(arrays.values[..., 0], np.concatenate([X, X]))
    assert any("'extra' has not one value" in notice for notice in notices_of(table))
    assert any("'y' beside X can be labels" in notice for notice in notices_of(table))
    arrays = as_arrays(read_table(saved(tmp_path, X=X, lengths=np.array([5, 1, 3, 2]))))
    assert arrays is not None
    assert arrays.lengths.tolist() == [5, 1, 3, 2]
    np.testing.assert_array_equal(arrays.values[2, :3], X[2, :3])


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"Z": np.zeros((3, 2))}, "has no array X; it has Z"),
        ({"X": np.zeros(3)}, "1 axis"),
        ({"X": np.zeros((2, 2, 2, 2, 2))}, "5 axes"),
        ({"X": np.array([None, {}])}, "Python objects"),
        ({"X": np.ones((3, 2)) * 1j}, "array 'X' holds complex numbers; save each part"),
        ({"X": np.zeros((2, 2)), "y": np.zeros(2, [("a", "f8"), ("b", "i4")])}, "array 'y' holds records of several"),
        ({"X": np.zeros((2, 2)), "x1": np.zeros(2)}, "array 'x1' is named like a column of X"),
        ({"X": np.zeros((2, 3, 1)), "lengths": np.array([3, 0])}, "sequence 2 has the length 0"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(arrays: dict[str, np.ndarray], says: str, tmp_path: Path) -> None:
    path = saved(tmp_path, **arrays)
    with pytest.raises(DataError, match=says) as raised:
        read_table(path)
    assert str(raised.value).startswith(str(path))


def test_numbers_and_texts_are_read_however_they_are_stored(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(4, 2))
    y = np.array(["a", "ü", "b", "a"])
    wanted = read_table(saved(tmp_path, X=X, y=y))
    for stored in (X.astype(">f8"), X.astype(np.longdouble)):
        found = read_table(saved(tmp_path, X=stored, y=np.char.encode(y, "utf-8")))
        assert found.equals(wanted)
    images = np.zeros((3, 4, 5), ">f4")
    assert as_arrays(read_table(saved(tmp_path, X=images))) is not None


def test_one_array_by_itself_has_no_name(tmp_path: Path) -> None:
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"one array without a name; write it again with numpy\.savez"):
        read_table(tmp_path / "one.npz")


def test_a_damaged_file(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.savez(out, X=np.zeros((9, 9)))
    path = tmp_path / "cut.npz"
    path.write_bytes(out.getvalue()[:100])
    with pytest.raises(DataError, match="damaged"):
        read_table(path)


def test_the_command_line_takes_them_from_fit_to_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    normal = rng.normal(0, 0.2, (60, 6, 6)) + np.eye(6)
    strange = rng.normal(0, 0.2, (20, 6, 6)) + np.eye(6)[::-1]
    path = saved(tmp_path, X=np.concatenate([normal, strange]), y=np.repeat(["n", "s"], [60, 20]))
    model, out, page = (str(tmp_path / name) for name in ("m.safetensors", "s.csv", "r.html"))
    labels = ["--label", "y", "--normal", "n"]
    assert main(["fit", str(path), "-o", model, "--model", "dsebm", *labels]) == 0
    assert main(["score", model, str(path), "-o", out, "--explain", "2"]) == 0
    scored = read_table(out)
    assert scored.column_names[:3] == ["y", "unwonted_score", "unwonted_p"]
    assert [str(alert).lower() for alert in scored["unwonted_alert"].to_pylist()[60:]].count("true") > 18
    assert any("in the nearest normal record" in why for why in scored["unwonted_why_1"].to_pylist() if why)
    assert main(["evaluate", model, str(path), *labels]) == 0
    assert main(["report", model, str(path), "-o", page, *labels]) == 0
    html = Path(page).read_text()
    assert html.count("data:image/png;base64,") >= 3 * 20
    assert "row " in html
    assert main(["inspect", str(path)]) == 0
    assert "images of 6 × 6 pixels" in capsys.readouterr().out
    assert main(["inspect", model]) == 0
    assert "images of 6 × 6 pixels" in capsys.readouterr().out
    assert main(["score", model, out]) == 2
    assert "the model learnt from images" in capsys.readouterr().err


def test_a_table_from_a_matrix_can_be_scored_too(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = str(tmp_path / "m.safetensors")
    assert main(["fit", str(saved(tmp_path, X=X)), "-o", model, "--max-time", "1s", "--quiet"]) == 0
    write_table(read_table(tmp_path / "data.npz"), tmp_path / "same.csv")
    assert main(["score", model, str(tmp_path / "same.csv"), "-o", str(tmp_path / "s.csv"), "--quiet"]) == 0
