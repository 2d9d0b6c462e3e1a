"""Mistakes of a user: one line that says what and where, the right exit code, nothing half-written."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import behaviour
from unwonted.cli import main
from unwonted.sources import read_table, write_table

MODEL = "model.safetensors"
NEW = "new.safetensors"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and devices of POSIX")


def edited(data: bytes, old: bytes, new: bytes) -> bytes:
    """A model file with something else in its manifest, of the same length."""
    assert len(old) == len(new)
    assert data.count(old) == 1
    return data.replace(old, new)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder full of files that are wrong, each in one way, beside a few right ones."""
    folder = tmp_path_factory.mktemp("bad")
    table = behaviour(60)
    table = table.append_column("label", pa.array(["ok", "ok", "odd"] * 20))
    write_table(table, folder / "good.csv")
    write_table(table, folder / "good.parquet")
    write_table(table.drop_columns(["host"]), folder / "no_host.csv")
    write_table(table.append_column("unwonted_p", pa.array(range(60))), folder / "clash.csv")
    write_table(table.slice(0, 1), folder / "one.csv")
    write_table(table.slice(0, 9), folder / "nine.csv")
    assert (
        main(
            [
                "fit",
                str(folder / "good.csv"),
                "-o",
                str(folder / MODEL),
                "--ignore",
                "label",
                "--quiet",
                "--max-time",
                "1s",
            ]
        )
        == 0
    )
    text = (folder / "good.csv").read_text()
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_text(text.splitlines()[0] + "\n")
    (folder / "ragged.csv").write_text("a,b\n1,2\n3,4,5\n")
    (folder / "missing.csv").write_text("a,b\n" + ",\n" * 30)
    (folder / "constant.csv").write_text("a,b\n" + "1,x\n" * 30)
    (folder / "text.parquet").write_text(text)
    (folder / "cut.parquet").write_bytes((folder / "good.parquet").read_bytes()[:-200])
    (folder / "junk.csv").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "bad.toml").write_text("[columns.host]\nkind = 3\n")
    (folder / "unknown.toml").write_text('[columns.hots]\nkind = "numeric"\n')
    (folder / "kind.toml").write_text('[columns.host]\nkind = "nominal"\n')
    model = (folder / MODEL).read_bytes()
    size = struct.unpack("<Q", model[:8])[0]
    flipped = bytearray(model)
    flipped[8 + size + (len(model) - size) // 2] ^= 1
    variants = {
        "empty": b"",
        "cut": model[: len(model) // 2],
        "cut_head": model[: size // 2],
        "random": np.random.default_rng(1).bytes(5000),
        "flipped": bytes(flipped),
        "edited": edited(model, rb"\"alert_rate\":0.05", rb"\"alert_rate\":0.99"),
        "newer": edited(model, rb"\"format\":1,", rb"\"format\":7,"),
        "unknown": edited(model, rb"\"model\":\"ensemble\"", rb"\"model\":\"ensembel\""),
    }
    for name, data in variants.items():
        (folder / f"{name}.safetensors").write_bytes(data)
    (folder / "sub").mkdir()
    return folder


@pytest.fixture
def fails(folder, capsys, monkeypatch):
    """Runs a command that has to fail; gives its one line; no file may come, go or change."""
    monkeypatch.chdir(folder)
    capsys.readouterr()

    def fails(*argv: str, code: int = 2) -> str:
        before = contents(folder)
        found = main(list(argv))
        out, err = capsys.readouterr()
        assert found == code
        assert out == ""
        assert err.startswith("unwonted: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert contents(folder) == before
        return err

    return fails


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("command", ["fit", "score", "inspect"])
@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("nowhere.csv", "no such file"),
        ("sub", "is a folder"),
        ("empty.csv", "is empty"),
        ("header.csv", "no rows"),
        ("ragged.csv", "line 3: 3 fields where the header has 2"),
        ("text.parquet", "is named .parquet but is none"),
        ("cut.parquet", "damaged or cut short"),
        ("junk.csv", "junk.csv"),
    ],
)
def test_a_data_file_that_cannot_be_read(fails, command, file, says):
    argv = {"fit": [file, "-o", NEW], "score": [MODEL, file, "-o", "new.csv"], "inspect": [file]}[command]
    line = fails(command, *argv)
    assert line.startswith(f"unwonted: {file}")
    assert says in line


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("missing.csv", "no column is usable"),
        ("constant.csv", "no column is usable"),
        ("one.csv", "1 sample"),
        ("nine.csv", "9 sample"),
    ],
)
def test_too_little_to_learn_from(fails, file, says):
    line = fails("fit", file, "-o", NEW)
    assert line.startswith(f"unwonted: {file}: ")
    assert says in line or "no column is usable" in line


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--label", "labl", "--normal", "ok"], ["good.csv", "no column 'labl'", "did you mean 'label'?"]),
        (["--label", "xyz", "--normal", "ok"], ["good.csv", "no column 'xyz'", "'action'", "'bytes_out'"]),
        (["--label", "label", "--normal", "fine"], ["good.csv", "'label' never holds 'fine'", "'ok', 'odd'"]),
        (["--label", "label", "--normal", "ok", "fine"], ["good.csv", "never holds 'fine'", "'ok', 'odd'"]),
        (["--label", "label"], ["--normal is missing"]),
        (["--normal", "ok"], ["--label is missing"]),
        (["--ignore", "hots"], ["good.csv", "'hots' does not exist", "did you mean 'host'?"]),
        (["--target", "bytes"], ["good.csv", "'bytes' does not exist", "did you mean 'bytes_out'?"]),
        (["--target", "bytes_out", "--model", "dagmm"], ["--target is for --model dmdn", "--model dagmm"]),
        (["--target", "site"], ["good.csv", "target 'site' is constant"]),
        (["--target", "host", "--ignore", "host"], ["'host'", "target and as ignored"]),
        (["--schema", "nowhere.toml"], ["nowhere.toml", "cannot be read"]),
        (["--schema", "good.csv"], ["good.csv", "no valid TOML"]),
        (["--schema", "bad.toml"], ["bad.toml", "kind = "]),
        (["--schema", "unknown.toml"], ["'hots' does not exist", "'host'"]),
        (["--schema", "kind.toml"], ["'host'", "'nominal' does not exist", "categorical"]),
        (["--alert-rate", "5"], ["alert_rate is 5", "between 0 and 1"]),
        (["--max-time", "soon"], ["--max-time 'soon'", "5m"]),
        (["--max-time", "0s"], ["--max-time '0s'"]),
        (["--model", "dnn"], ["'dnn' does not exist", "dmdn"]),
        (["--device", "tpu"], ["--device", "tpu", "cuda"]),
        (["--seed", "one"], ["--seed", "one"]),
        (["--seed", "-1"], ["--seed", "-1"]),
        (["--delimiter", ";;"], ["delimiter"]),
        (["--sed", "1"], ["--sed"]),
        (["no_host.csv"], ["no_host.csv", "'host'"]),
        (["-o", "nowhere/m.safetensors"], ["nowhere/m.safetensors", "the folder nowhere does not exist"]),
        (["-o", "good.csv/m.safetensors"], ["good.csv is a file, not a folder"]),
        (["-o", "sub"], ["sub: is a folder"]),
    ],
)
def test_flags_of_fit(fails, argv, says):
    line = fails("fit", "good.csv", *([] if "-o" in argv else ["-o", NEW]), *argv)
    assert all(part in line for part in says), line


@pytest.mark.parametrize("command", ["score", "evaluate", "report", "inspect"])
@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("nowhere", "cannot be read"),
        ("empty", "no model file"),
        ("cut", "damaged"),
        ("cut_head", "damaged"),
        ("random", "no model file"),
        ("flipped", "damaged (it is not what was saved)"),
        ("edited", "damaged (it is not what was saved)"),
        ("newer", "format 7"),
        ("unknown", "unknown model 'ensembel'"),
    ],
)
def test_a_model_file_that_cannot_be_trusted(fails, command, file, says):
    more = {
        "score": ["good.csv", "-o", "new.csv"],
        "evaluate": ["good.csv", "--label", "label", "--normal", "ok"],
        "report": ["good.csv", "-o", "new.html"],
        "inspect": [],
    }
    line = fails(command, f"{file}.safetensors", *more[command])
    assert line.startswith(f"unwonted: {file}.safetensors: ")
    assert says in line


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["score", "good.csv", "good.csv", "-o", "new.csv"], ["good.csv", "no model file"]),
        (["score", MODEL, MODEL, "-o", "new.csv"], [MODEL]),
        (["score", MODEL, "no_host.csv", "-o", "new.csv"], ["no_host.csv", "'host' is missing"]),
        (["score", MODEL, "ragged.csv", "-o", "new.csv"], ["ragged.csv"]),
        (["score", MODEL, "constant.csv", "-o", "new.csv"], ["constant.csv", "none of the columns"]),
        (["score", MODEL, "clash.csv", "-o", "new.csv"], ["clash.csv", "'unwonted_p'"]),
        (["score", MODEL, "good.csv", "-o", "new.xlsx"], ["new.xlsx", "unknown ending"]),
        (["score", MODEL, "good.csv", "-o", "new.csv", "--top", "0"], ["--top 0"]),
        (["score", MODEL, "good.csv", "-o", "new.csv", "--explain", "-2"], ["--explain", "-2"]),
        (["score", MODEL, "good.csv", "-o", "new.csv", "--alert-rate", "0"], ["alert_rate is 0"]),
        (["score", MODEL, "good.csv", "-o", "nowhere/new.csv"], ["nowhere/new.csv", "does not exist"]),
        (["score", MODEL], ["no input file is named"]),
        (
            ["evaluate", MODEL, "good.csv", "--label", "label", "--normal", "ok", "odd"],
            ["good.csv", "normal"],
        ),
        (["evaluate", MODEL, "good.csv", "--label", "lbl", "--normal", "ok"], ["good.csv", "'lbl'"]),
        (["evaluate", MODEL, "good.csv"], ["--label is missing"]),
        (["report", MODEL, "good.csv", "-o", "sub"], ["sub: is a folder"]),
        (["report", MODEL, "good.csv", "-o", "new.html", "--categories", "site"], ["--label is missing"]),
        (
            [
                "report",
                MODEL,
                "good.csv",
                "-o",
                "new.html",
                "--label",
                "label",
                "--normal",
                "ok",
                "--categories",
                "x",
            ],
            ["no column 'x'", "'site'"],
        ),
        (["report", MODEL, "good.csv", "-o", "new.html", "--top", "0"], ["--top 0"]),
        (["demo", "--output", "good.csv"], ["good.csv", "--output"]),
        (["bench", "unsw", "--output", "good.csv"], ["good.csv", "is a file"]),
        (["bench", "unsw", "--seeds", "0"], ["--seeds 0"]),
        (["bench", "unsw", "--jobs", "0"], ["--jobs 0"]),
        (["bench", "adbench", "--jobs", "0"], ["--jobs 0"]),
        (["bench", "ablation", "--jobs", "0"], ["--jobs 0"]),
        (["bench", "mnist"], ["mnist"]),
        (["train"], ["train"]),
        (["models", "dmdn"], ["dmdn"]),
    ],
)
def test_flags_of_the_other_commands(fails, argv, says):
    line = fails(*argv)
    assert all(part in line for part in says), line


def test_no_name_in_a_message_steers_the_terminal_or_breaks_the_line(fails, folder):
    line = fails("inspect", "a\x1b[2J\nb.csv")
    assert "\x1b" not in line
    assert "\\x1b[2J" in line


def test_an_old_output_survives_a_failure(fails, folder):
    (folder / "old.csv").write_text("keep me")
    fails("score", MODEL, "no_host.csv", "-o", "old.csv")
    assert (folder / "old.csv").read_text() == "keep me"


@posix
@pytest.mark.parametrize(
    "argv",
    [
        ["fit", "good.csv", "-o", "/dev/full", "--max-time", "0.01s", "--ignore", "label"],
        ["score", MODEL, "good.csv", "-o", "/dev/full"],
        ["report", MODEL, "good.csv", "-o", "/dev/full", "--top", "1"],
    ],
)
def test_a_full_disk(fails, argv):
    assert "unwonted: /dev/full: cannot be written (No space left on device)" in fails(*argv)


def test_constant_and_empty_columns_are_notices(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    table = read_table("good.csv").append_column("void", pa.nulls(60))
    pq.write_table(table, "void.parquet")
    assert main(["fit", "void.parquet", "-o", NEW, "--max-time", "0.01s", "--json"]) == 0
    out, err = capsys.readouterr()
    for column, why in (("void", "every value is missing"), ("site", "every value is 'head office'")):
        assert f"notice: column '{column}': {why}" in err
        assert not {column} & set(json.loads(out)["columns"])
    Path(NEW).unlink()


def module(*argv: str, folder: Path, **options: object) -> "subprocess.CompletedProcess[str]":
    """`python -m unwonted` as a user starts it."""
    command = [sys.executable, "-m", "unwonted", *argv]
    return subprocess.run(command, cwd=folder, text=True, check=False, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(
    "argv",
    [["fit", "ragged.csv", "-o", NEW], ["score", "newer.safetensors", "good.csv"], ["fit"]],
)
def test_the_same_holds_for_the_process(folder, argv):
    done = module(*argv, folder=folder, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("unwonted: ")
    assert done.stderr.count("\n") == 1


@posix
def test_a_full_disk_behind_standard_output(folder):
    with open("/dev/full", "w") as full:
        done = module("inspect", "good.csv", "--json", folder=folder, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "unwonted: standard output: cannot be written (No space left on device)\n"


@posix
def test_ctrl_c_in_the_middle_of_training(folder):
    write_table(behaviour(2000), folder / "long.parquet")
    before = contents(folder)
    # With a line of progress for each report, the test knows when training is under way.
    program = "import sys, unwonted.cli.terminal as t; t.EVERY = 0; from unwonted.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "fit", "long.parquet", "-o", NEW],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("training: step ")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    said = [line for line in err.splitlines() if not line.startswith("training: step ")]
    assert len(said) == 1
    assert said[0].startswith("unwonted: interrupted")
    assert contents(folder) == before
