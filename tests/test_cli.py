"""The command line on good input: what each command writes, prints and promises."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

import unwonted
from conftest import behaviour
from unwonted.checks import labelled_records
from unwonted.cli import main
from unwonted.cli.labels import read_labels
from unwonted.cli.terminal import Terminal, plain
from unwonted.sources import read_table, write_table
from unwonted.train import Progress

ADDED = ["unwonted_score", "unwonted_p", "unwonted_alert"]


def new_records(n: int = 200, odd: int = 10) -> pa.Table:
    """Records with labels, the last ones odd: mail of gigabytes from a host that nobody knows."""
    table = behaviour(n, seed=9)
    columns = {name: table[name].to_pylist() for name in table.column_names}
    for i in range(n - odd, n):
        columns["bytes_out"][i], columns["action"][i], columns["host"][i] = 5e9 + i, "mail", "\x1b[31mhost666"
    columns["label"] = ["no"] * (n - odd) + ["yes"] * odd
    return pa.table({name: pa.array(values) for name, values in columns.items()})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with training records, new records and a model that `fit` wrote."""
    folder = tmp_path_factory.mktemp("cli")
    write_table(behaviour(400), folder / "train.parquet")
    write_table(new_records(), folder / "new.csv")
    arguments = [str(folder / "train.parquet"), "-o", str(folder / "model.safetensors")]
    assert main(["fit", *arguments, "--quiet"]) == 0
    return folder


@pytest.fixture
def run(folder, capsys, monkeypatch):
    """Runs a command in the folder; gives standard output and standard error, after success."""
    monkeypatch.chdir(folder)
    capsys.readouterr()

    def run(*argv: str) -> tuple[str, str]:
        code = main([str(part) for part in argv])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out, err

    return run


def test_fit_tells_what_it_did_and_is_silent_when_asked(run):
    out, err = run("fit", "train.parquet", "-o", "other.safetensors", "--max-time", "0.01s")
    assert out == ""
    assert "400 records in 7 columns" in err
    assert "stopped by --max-time" in err
    assert "notice: column 'site': every value is 'head office'" in err
    out, err = run("fit", "train.parquet", "-o", "other.safetensors", "--max-time", "0.01s", "--quiet", "--json")
    told = json.loads(out)
    assert err == ""
    assert (told["rows"], told["train"] + told["validation"] + told["calibration"]) == (400, 400)
    assert told["columns"] == list(unwonted.load("other.safetensors").columns_)
    assert 0 < told["promised_share"]["mean"] <= told["alert_rate"] == 0.05
    assert any("'site'" in notice for notice in told["notices"])


def test_fit_learns_from_the_rows_labelled_normal_alone_and_never_from_the_label(run, folder):
    table = new_records(400, odd=60)
    write_table(table, "labelled.csv")
    write_table(table.slice(0, 340).drop_columns(["label"]), "normal.csv")
    _, err = run("fit", "labelled.csv", "-o", "a.safetensors", "--label", "label", "--normal", "no", "--seed", "3")
    assert "340 of 400 records labelled normal" in err
    run("fit", "normal.csv", "-o", "b.safetensors", "--seed", "3")
    records = read_table("new.csv")
    a, b = unwonted.load("a.safetensors"), unwonted.load("b.safetensors")
    assert "label" not in a.columns_
    np.testing.assert_array_equal(a.anomaly_score(records), b.anomaly_score(records))


def test_flags_of_fit_reach_the_model(run, folder):
    Path("schema.toml").write_text('[columns.failures]\nkind = "categorical"\n')
    flags = ["--target", "bytes_out", "--target", "action", "--ignore", "host", "--ignore", "time"]
    flags += ["--schema", "schema.toml", "--alert-rate", "0.1", "--seed", "7", "--device", "cpu"]
    run("fit", "train.parquet", "train.parquet", "-o", "flags.safetensors", "--max-time", "0.01s", *flags)
    detector = unwonted.load("flags.safetensors")
    assert list(detector.target) == ["bytes_out", "action"]
    assert detector.summary_["rows"] == 800
    assert {"host", "time"}.isdisjoint(detector.columns_)
    assert {c.name: c.kind.value for c in detector.schema_.columns}["failures"] == "categorical"
    assert (detector.alert_rate, detector.random_state, detector.device) == (0.1, 7, "cpu")
    assert detector.stopped_by_ == "max_time"


def test_memory_is_how_many_records_the_file_keeps(run, folder):
    run("fit", "train.parquet", "-o", "few.safetensors", "--max-time", "0.01s", "--memory", "64")
    inspected = json.loads(run("inspect", "few.safetensors", "--json")[0])
    assert unwonted.load("few.safetensors").memory == 64
    assert inspected["training_records_in_memory"] == 64


def test_criterion_is_what_dsebm_scores_by(run, folder):
    run("fit", "train.parquet", "-o", "restoring.safetensors", "--max-time", "0.01s", "--criterion", "reconstruction")
    assert isinstance(unwonted.load("restoring.safetensors"), unwonted.DSEBM)
    assert unwonted.load("restoring.safetensors").criterion == "reconstruction"


@pytest.mark.parametrize("values", [[0, 1, 0], ["0", "1", "0"], [False, True, False], [0.0, 1.0, 0.0]])
def test_normal_0_is_0_in_any_type(values):
    assert read_labels(pa.table({"y": values}), "y", ["0"], [Path("f")]).normal.tolist() == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("values", [["a", "", None], [1.0, math.nan, None]])
def test_no_label_is_one_in_evaluation_as_in_training(values):
    labels = read_labels(pa.table({"y": values}), "y", [str(values[0])], [Path("f")])
    assert labels.known.tolist() == [True, False, False]
    assert labels.normal.tolist() == [True, False, False]


def test_several_normal_values_and_gaps_in_the_labels():
    labels = read_labels(pa.table({"y": ["a", "b", None, "c"]}), "y", ["a", "c"], [Path("f")])
    assert labels.normal.tolist() == [True, False, False, True]
    assert labels.known.tolist() == [True, True, False, True]


@pytest.mark.parametrize("name", ["scored.csv", "scored.parquet", "scored.jsonl.gz"])
def test_score_keeps_the_records_and_adds_its_columns(run, name):
    _, err = run("score", "model.safetensors", "new.csv", "-o", name)
    given, scored = read_table("new.csv"), read_table(name)
    assert scored.column_names == [*given.column_names, *ADDED]
    assert scored.select(given.column_names[1:-1]).to_pylist() == given.select(given.column_names[1:-1]).to_pylist()
    detector = unwonted.load("model.safetensors")
    np.testing.assert_array_equal(scored["unwonted_score"].to_numpy(), detector.anomaly_score(given))
    alerts = [str(alert).lower() == "true" for alert in scored["unwonted_alert"].to_pylist()]
    assert alerts == (scored["unwonted_p"].to_numpy() <= 0.05).tolist()
    assert f"notice: {sum(alerts)} alerts among 200 records" in err
    assert all(alerts[-10:])


def test_a_higher_alert_rate_gives_more_alerts_and_the_same_scores(run):
    few, many = (
        json.loads(
            run("score", "model.safetensors", "new.csv", "-o", f"r{rate}.csv", "--alert-rate", rate, "--json")[0]
        )
        for rate in ("0.05", "0.4")
    )
    assert few["alerts"] < many["alerts"]
    assert read_table("r0.05.csv")["unwonted_score"].equals(read_table("r0.4.csv")["unwonted_score"])
    _, err = run("score", "model.safetensors", "new.csv", "-o", "none.csv", "--alert-rate", "0.0001")
    assert "0 alerts" in err
    assert "ask for" in err


def test_score_needs_neither_the_label_nor_ignored_columns_nor_their_order(run):
    given = read_table("new.csv")
    turned = given.select([name for name in reversed(given.column_names) if name not in ("label", "site")])
    write_table(turned, "turned.parquet")
    run("score", "model.safetensors", "turned.parquet", "-o", "turned_scored.parquet")
    run("score", "model.safetensors", "new.csv", "-o", "straight.parquet")
    assert pq.read_table("turned_scored.parquet")["unwonted_score"].equals(
        pq.read_table("straight.parquet")["unwonted_score"]
    )


def test_explain_gives_reasons_for_alerts_alone_and_top_the_strangest_in_order(run):
    _, err = run("score", "model.safetensors", "new.csv", "-o", "why.parquet", "--explain", "2")
    table = pq.read_table("why.parquet")
    assert table.column_names[-2:] == ["unwonted_why_1", "unwonted_why_2"]
    alerts = table["unwonted_alert"].to_pylist()
    assert [why is not None for why in table["unwonted_why_1"].to_pylist()] == alerts
    assert f"reasons are given for {sum(alerts)} of the 200" in err
    assert "expected" in table["unwonted_why_2"].to_pylist()[-1]
    run("score", "model.safetensors", "new.csv", "-o", "top.parquet", "--explain", "1", "--top", "60")
    top = pq.read_table("top.parquet")
    assert top.num_rows == 60
    assert top["unwonted_score"].to_pylist() == sorted(table["unwonted_score"].to_pylist(), reverse=True)[:60]
    assert top["unwonted_why_1"].null_count == 0
    assert not all(top["unwonted_alert"].to_pylist())


def test_without_output_the_strangest_are_told_in_words_and_no_value_steers_the_terminal(run):
    out, err = run("score", "model.safetensors", "new.csv", "--top", "4", "--explain", "7")
    assert out.count("ALERT") == 4
    assert {int(line.split("record ")[1].split()[0]) for line in out.splitlines() if "record " in line} <= set(
        range(191, 201)
    )
    assert "\\x1b[31mhost666" in out
    assert "\x1b" not in out + err
    told = json.loads(run("score", "model.safetensors", "new.csv", "--top", "4", "--json")[0])
    assert [len(finding["why"]) for finding in told["findings"]] == [3] * 4
    assert told["findings"][0]["nearest"]["action"] in ("backup", "read", "write", "mail")


def test_scoring_of_many_records_is_told_and_changes_nothing(run, monkeypatch):
    whole = json.loads(run("score", "model.safetensors", "new.csv", "--json")[0])
    assert "scoring" not in run("report", "model.safetensors", "new.csv", "-o", "whole.html")[1]
    monkeypatch.setattr("unwonted.cli.scoring.AT_A_TIME", 70)
    monkeypatch.setattr("unwonted.cli.terminal.EVERY", 0)
    assert json.loads(run("score", "model.safetensors", "new.csv", "--json")[0]) == whole
    assert "scoring: 33%" in run("score", "model.safetensors", "new.csv")[1]
    assert "scoring: 33%" in run("report", "model.safetensors", "new.csv", "-o", "parts.html")[1]
    assert Path("parts.html").read_text() == Path("whole.html").read_text()


@pytest.mark.parametrize("command", [["score"], ["report", "-o", "strange.html"]])
def test_what_is_no_number_is_told_once_and_not_when_quiet(run, command):
    given = read_table("new.csv")
    strange = [*map(str, given["bytes_out"].to_pylist()[:-1]), "plenty"]
    write_table(given.set_column(3, "bytes_out", pa.array(strange)), "strange.parquet")
    command = [command[0], "model.safetensors", "strange.parquet", *command[1:]]
    said = "column 'bytes_out': 1 of 200 values are no numbers (such as 'plenty')"
    assert run(*command)[1].count(said) == 1
    assert run(*command, "--quiet")[1] == ""


def test_score_notices_the_training_records(run):
    said = "look like the records that the model learnt from"
    assert said in run("score", "model.safetensors", "train.parquet", "-o", "x.csv")[1]
    assert said not in run("score", "model.safetensors", "new.csv", "-o", "x.csv")[1]


def test_evaluate_agrees_with_the_scored_file(run):
    run("score", "model.safetensors", "new.csv", "-o", "judge.parquet")
    scored = pq.read_table("judge.parquet")
    odd = np.array(scored["label"].to_pylist()) == "yes"
    alerts = scored["unwonted_alert"].to_numpy()
    out, _ = run("evaluate", "model.safetensors", "new.csv", "--label", "label", "--normal", "no", "--json")
    told = json.loads(out)
    keys = "auroc auprc precision recall f1 accuracy confusion alert_rate alert_share_normal threshold n"
    assert list(told) == keys.split()
    assert told["auroc"] == pytest.approx(roc_auc_score(odd, scored["unwonted_score"].to_numpy()))
    assert told["confusion"] == {
        "tn": int((~alerts & ~odd).sum()),
        "fp": int((alerts & ~odd).sum()),
        "fn": int((~alerts & odd).sum()),
        "tp": int((alerts & odd).sum()),
    }
    out, _ = run("evaluate", "model.safetensors", "new.csv", "--label", "label", "--normal", "no")
    assert f"{told['auroc']:.3f}" in out


def test_evaluate_leaves_out_records_without_a_label_and_says_so(run):
    given = read_table("new.csv")
    labels = [None] * 20 + given["label"].to_pylist()[20:]
    write_table(given.set_column(given.column_names.index("label"), "label", pa.array(labels)), "gaps.parquet")
    out, err = run("evaluate", "model.safetensors", "gaps.parquet", "--label", "label", "--normal", "no", "--json")
    assert json.loads(out)["n"] == 180
    assert "20 records have no label" in err
    _, err = run("report", "model.safetensors", "gaps.parquet", "-o", "gaps.html", "--label", "label", "--normal", "no")
    assert "20 records have no label: shown" in err
    assert "report on 200 records" in err


def test_report_has_the_quality_section_only_with_labels(run):
    run("report", "model.safetensors", "new.csv", "-o", "plain.html")
    run(
        "report",
        "model.safetensors",
        "new.csv",
        "-o",
        "labels.html",
        "--label",
        "label",
        "--normal",
        "no",
        "--top",
        "3",
    )
    plain_page, labelled = Path("plain.html").read_text(), Path("labels.html").read_text()
    assert "AUROC" in labelled
    assert "AUROC" not in plain_page
    assert "\x1b" not in labelled


def test_inspect_shows_a_data_file_and_a_model(run):
    told = json.loads(run("inspect", "new.csv", "--json")[0])
    kinds = {column["name"]: column["kind"] for column in told["columns"]}
    assert told["records"] == 200
    assert (kinds["time"], kinds["remote"], kinds["site"]) == ("datetime", "boolean", "constant")
    out, _ = run("inspect", "new.csv")
    assert all(name in out for name in kinds)
    assert "so it tells nothing" in out
    told = json.loads(run("inspect", "model.safetensors", "--json")[0])
    detector = unwonted.load("model.safetensors")
    assert told["training_records_kept"] == detector.exemplars_.num_rows > 0
    assert told["calibration_records"] == len(detector.calibration_.scores)
    out, _ = run("inspect", "model.safetensors")
    assert f"{detector.exemplars_.num_rows} training records in readable form" in out


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_inspect_reads_a_pipe_once_and_from_its_first_byte(run, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("user,bytes\nann,12\nbob,7\n",))
    writer.start()
    told = json.loads(run("inspect", str(pipe), "--json")[0])
    writer.join()
    assert [column["name"] for column in told["columns"]] == ["user", "bytes"]


def test_models_lists_the_registry(run):
    told = json.loads(run("models", "--json")[0])
    assert list(told["without_labels"]) == list(unwonted.models.MODELS)
    assert list(told["supervised"]) == list(unwonted.models.CLASSIFIERS)
    assert "mixture density" in told["without_labels"]["dmdn"]
    assert "dmdn" in run("models")[0]


def test_demo_finds_the_misuse_that_an_isolation_forest_does_not(run, tmp_path):
    out, _ = run("demo", "--output", tmp_path / "demo", "--json")
    told = json.loads(out)
    assert told["auroc"]["unwonted"] > 0.95
    assert told["auroc"]["IForest"] < 0.9
    assert set(told["auroc_by_kind"]["unwonted"]) == set(unwonted.datasets.MISUSE)
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "log.csv",
        "model.safetensors",
        "report.html",
    ]
    assert "AUROC" in (tmp_path / "demo/report.html").read_text()
    detector = unwonted.load(tmp_path / "demo/model.safetensors")
    assert "kind" not in detector.columns_
    log = read_table(tmp_path / "demo/log.csv", text=detector.schema_.text)
    kinds = np.array(log["kind"].to_pylist())
    assert roc_auc_score(kinds != "ordinary", detector.anomaly_score(log)) == pytest.approx(told["auroc"]["unwonted"])


@pytest.mark.parametrize("argv", [["--help"], ["--version"], []])
def test_help_loads_neither_torch_nor_scikit_learn(argv):
    code = (
        f"import sys; from unwonted.cli import main; code = main({argv}); "
        "sys.exit(code or bool({'torch', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Commands" in done.stdout or unwonted.__version__ in done.stdout


class Screen(io.StringIO):
    """A terminal, as far as `isatty` tells."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_with_the_validation_loss(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with Terminal().training() as report:
        report(Progress(step=25, steps=100, seconds=1.0, validation=float("nan")))
        report(Progress(step=50, steps=100, seconds=2.0, validation=1.2345))
    assert "50%" in screen.getvalue()
    assert "1.234 nats" in screen.getvalue() or "1.235 nats" in screen.getvalue()
    quiet = Screen()
    monkeypatch.setattr(sys, "stderr", quiet)
    with Terminal(quiet=True).training() as report:
        report(Progress(step=50, steps=100, seconds=2.0, validation=1.2345))
    assert quiet.getvalue() == ""


def test_elsewhere_progress_is_a_line_every_ten_seconds(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Terminal().training() as report:
        for second in range(1, 36):
            now[0] = float(second)
            report(Progress(step=second, steps=100, seconds=second, validation=0.5))
    err = capsys.readouterr().err
    assert err.count("\n") == 3
    assert "step 10 of 100, validation 0.500 nats, about 90 s left" in err


def test_plain_leaves_nothing_that_a_terminal_obeys():
    assert plain("\x1b]0;title\x07 a\r\nb \u202e ü 5\xa0%") == "\\x1b]0;title\\x07 a\\r b \\u202e ü 5\xa0%"


@pytest.mark.skipif(os.name != "posix", reason="signals and devices of POSIX")
@pytest.mark.parametrize("out", ["closed pipe", "closed"])
def test_nobody_reading_is_no_mistake(out):
    command = [sys.executable, "-m", "unwonted", "models"]
    if out == "closed":
        done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True, check=False)
    else:
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            command,
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
            preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),
        )
        os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Files of labelled records, and a classifier fitted to one of them on the command line."""
    folder = tmp_path_factory.mktemp("taught")
    for name, seed in (("train", 1), ("test", 5)):
        pq.write_table(labelled_records(240, seed), folder / f"{name}.parquet")
    model = folder / "model.safetensors"
    command = ["fit", str(folder / "train.parquet"), "-o", str(model), "--label", "outcome", "--supervised", "--quiet"]
    assert main([*command, "--normal", "usual"]) == 0
    return folder, model


def test_a_classifier_is_fitted_scored_evaluated_and_reported_on(run, taught):
    folder, model = taught
    test = str(folder / "test.parquet")
    found = json.loads(run("evaluate", str(model), test, "--label", "outcome", "--normal", "usual", "--json")[0])
    assert found["auroc"] > 0.9
    assert found["predicted"]["accuracy"] > 0.8
    out = folder / "scored.parquet"
    run("score", str(model), test, "-o", str(out), "--explain", "1")
    scored = pq.read_table(out)
    added = [name for name in scored.column_names if name.startswith("unwonted_")]
    assert added == [
        "unwonted_score",
        "unwonted_p",
        "unwonted_alert",
        "unwonted_label",
        "unwonted_probability",
        "unwonted_why_1",
    ]
    right = np.array(scored["unwonted_label"].to_pylist()) == np.array(scored["outcome"].to_pylist())
    assert right.mean() == pytest.approx(found["predicted"]["accuracy"])
    assert "usual" in run("inspect", str(model))[0]
    page = folder / "report.html"
    run("report", str(model), test, "-o", str(page), "--label", "outcome", "--normal", "usual")
    assert page.exists()


def test_a_classifier_knows_its_labels_in_any_type(run, tmp_path):
    for seed, cast in ((1, pa.int64()), (5, pa.string())):
        table = labelled_records(240, seed)
        usual = pc.equal(table["outcome"], "usual").cast(pa.int64())
        pq.write_table(table.append_column("bit", usual.cast(cast)), tmp_path / f"{cast}.parquet")
    model = tmp_path / "model.safetensors"
    flags = ["--label", "bit", "--normal", "1"]
    ints, texts = tmp_path / "int64.parquet", tmp_path / "string.parquet"
    run("fit", str(ints), "-o", str(model), "--supervised", "--max-time", "0.1s", *flags)
    out, err = run("evaluate", str(model), str(texts), "--json", *flags)
    assert "never seen in training" not in err
    assert json.loads(out)["n"] == 240


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--supervised"], "--label is missing"),
        (["--supervised", "--label", "outcome", "--model", "dagmm"], "--model dagmm learns without labels"),
        (["--model", "transformer"], "--model transformer learns from labels; add --supervised"),
        (["--supervised", "--label", "outcome", "--target", "sent"], "--target is for a density without labels"),
        (["--memory", "64", "--model", "dagmm"], "--memory is for --model ensemble"),
        (["--target", "sent", "--memory", "64"], "--memory is for --model ensemble"),
        (["--criterion", "energy", "--model", "dmdn"], "--criterion is for --model dsebm"),
        (["--memory", "64", "--supervised", "--label", "outcome"], "--memory is for a density without labels"),
        (["--supervised", "--label", "spent"], "Unknown label type: continuous"),
        (["--supervised", "--label", "sent"], "different labels in"),
        (["--supervised", "--label", "outcome", "--normal", "fine"], "never holds 'fine'"),
    ],
)
def test_what_cannot_be_taught_is_refused_in_one_line(capsys, taught, tmp_path, flags, message):
    folder, _ = taught
    out = tmp_path / "model.safetensors"
    assert main(["fit", str(folder / "train.parquet"), "-o", str(out), *flags]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert not out.exists()
