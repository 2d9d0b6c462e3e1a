"""The pages and figures of benchmarks with labels, from made-up rows; a quick run on the real data set."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from unwonted.bench import curves, drawing, optimizers, searching, table1_page
from unwonted.bench.published import DMDN_TABLE_1
from unwonted.bench.sections import joined
from unwonted.bench.teaching import Lesson
from unwonted.cli import main
from unwonted.datasets.labelled import unsw_labelled
from unwonted.split import fingerprints

MADE = {"command": "unwonted bench table1 --seeds 2", "machine": "a machine", "versions": {"python": "3.11"}}


def row(method: str, seed: int, accuracy: float, table: str = "UNSW-NB15, random split", **more: Any) -> dict[str, Any]:
    found = {"precision": 0.9, "recall": 0.8, "f1": accuracy - 0.01, "accuracy": accuracy, "threshold": 0.5}
    found["confusion"] = {"tn": 10, "fp": 1, "fn": 2, "tp": 8}
    return {
        "table": table,
        "method": method,
        "seed": seed,
        "settings": {"learning_rate": 0.004},
        "n_train": 100,
        "n_labelled": 10,
        "auroc": 0.99,
        "auprc": 0.98,
        "log_loss": 0.1,
        "calibration_error": 0.01,
        "at": {"0.5": found, "validation": found},
        "found": {"scan": 0.75, "worm": 0.5},
        "fit_seconds": 3.0,
        "steps": 700,
        "parameters": 1234,
        "loss_variance": 0.002,
        "history": {"train": [2.0, 1.0, 0.9], "validation": [2.1, 1.2, 1.201]},
        **more,
    }


def test_the_table_stands_beside_the_papers_figures_and_every_threshold_is_named() -> None:
    rows = [row("DMDN", 0, 0.97), row("DMDN", 1, 0.99), row("XGBoost", 0, 0.98), row("XGBoost", 1, 0.98)]
    trials = [{**row("DMDN", 0, 0.9), "nats": 0.2}, {**row("DMDN", 0, 0.9), "nats": 0.1, "settings": {"dropout": 0.3}}]
    results = {**MADE, "sections": {"random": rows}, "made_by": {"random": MADE}, "trials": trials}
    page = table1_page.page(results)
    assert "| DMDN | 2 | 0.9800 ± 0.0141 | 0.9900 ± 0.0000 |" in page
    assert "*96.8* | *95.4* | *94.9*" in page
    assert "| XGBoost | 2 | 0.9800 ± 0.0000 | 0.9900 ± 0.0000 | 0.9700 ± 0.0000 | – | – | – |" in page
    assert "| XGBoost | 2 | +0.0000 ± 0.0100 | +0.0000 ± 0.0000 |" in page  # 0.01 more, 0.01 less: ±√2/100 over √2
    assert "DMDN, validation" in page
    assert "**DMDN, dropout 0.3**" in page
    assert "Rows of an earlier search, to be run anew: UNSW-NB15, random split: DMDN with learning_rate 0.004." in page
    assert "0.750 | 0.500" in page
    assert "unwonted bench table1 --seeds 2" in page
    assert set(DMDN_TABLE_1) >= {"DMDN", "ResNet1D"}


def test_sections_of_an_earlier_run_stay_with_how_they_were_made(tmp_path: Path) -> None:
    file = tmp_path / "table1.json"
    first = joined(file, ["a", "b"], {"b": [{"seed": 0}]}, MADE)
    file.write_text(json.dumps(first))
    later = {**MADE, "command": "another"}
    both = joined(file, ["a", "b"], {"a": [{"seed": 1}]}, later)
    assert both["sections"] == {"a": [{"seed": 1}], "b": [{"seed": 0}]}
    assert [both["made_by"][name]["command"] for name in ("a", "b")] == ["another", MADE["command"]]
    again = joined(file, ["a", "b"], {"b": [{"seed": 2}]}, later)
    assert again["sections"] == {"b": [{"seed": 2}]}


def test_epochs_are_counted_until_within_one_per_cent_of_the_best() -> None:
    assert optimizers.epochs_to_best([3.0, 2.0, 1.005, 1.0]) == 3
    assert optimizers.epochs_to_best([1.0, 2.0]) == 1


def test_optimisers_and_curves_are_told_and_drawn(tmp_path: Path) -> None:
    rows = [row("DMDN", seed, 0.95 + seed / 100, table=name) for name in ("SGD", "AdamW") for seed in (0, 1)]
    results = {**MADE, "rows": rows, "trials": [{**rows[0], "nats": 0.3}]}
    page = optimizers.page(results)
    assert "| SGD | 2 | 0.004 | 0.9550 ± 0.0071 |" in page
    assert "| 2.0 ± 0.0 |" in page  # 1.2 is within 1 % of the best, 1.2
    assert "| DMDN | 2.100 ± 0.000 | 0.900 ± 0.000 | 1.201 ± 0.000 | 0.301 ± 0.000 | 2.0 ± 0.0 |" in curves.page(
        results
    )
    drawing.optimizers({"accuracy": {"SGD": (0.95, 0.01), "AdamW": (0.97, 0.002)}}, tmp_path / "bars.svg")
    drawing.loss_curves({"DMDN": [row["history"] for row in rows]}, tmp_path / "curves.svg")
    for name, words in (("bars.svg", {"accuracy", "SGD", "AdamW"}), ("curves.svg", {"DMDN", "train", "validation"})):
        said = {part.text for part in ElementTree.parse(tmp_path / name).iter() if part.text}
        assert words <= said
    before = (tmp_path / "bars.svg").read_bytes()
    drawing.optimizers({"accuracy": {"SGD": (0.95, 0.01), "AdamW": (0.97, 0.002)}}, tmp_path / "bars.svg")
    assert (tmp_path / "bars.svg").read_bytes() == before


def test_a_quick_run_leaves_the_results_and_figures_of_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_up(work: list[Lesson], **how: Any) -> list[dict[str, Any]]:
        return [row(each.learner.name, each.seed, 0.95, table=each.table, nats=0.3) for each in work]

    for module in (optimizers, curves, searching):
        monkeypatch.setattr(module, "run_jobs", made_up)
    for run, name in ((optimizers.run, "optimizers"), (curves.run, "curves")):
        kinds = ("json", "md", "svg")
        run(tmp_path, seeds=2, figures=tmp_path)
        whole = {kind: (tmp_path / f"{name}.{kind}").read_bytes() for kind in kinds}
        run(tmp_path, quick=True, figures=tmp_path)
        assert {kind: (tmp_path / f"{name}.{kind}").read_bytes() for kind in kinds} == whole
        quick = json.loads((tmp_path / f"{name}-quick.json").read_text())
        assert quick["command"].endswith("--quick")
        assert {found["seed"] for found in quick["rows"]} == {0}
        assert f"{name}-quick.svg" in (tmp_path / f"{name}-quick.md").read_text()
        assert (tmp_path / f"{name}-quick.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.data
def test_the_splits_of_unsw_are_what_they_say(data_dir: Path) -> None:
    data = unsw_labelled(0)
    assert data.train.num_rows + data.test.num_rows == 82_332
    assert data.train.num_columns == 42
    assert data.labels.mean() == pytest.approx(data.is_attack.mean(), abs=1e-4)
    apart = unsw_labelled(0, apart=True)
    assert not np.isin(fingerprints(apart.test), fingerprints(apart.train)).any()
    assert np.isin(fingerprints(data.test), fingerprints(data.train)).mean() > 0.2  # as a random split has it
    assert apart.test.num_rows == pytest.approx(0.3 * 82_332, rel=0.05)


@pytest.mark.data
def test_the_quick_run_goes_through(data_dir: Path, tmp_path: Path) -> None:
    assert main(["bench", "table1", "--quick", "--quiet", "-o", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "table1-quick.json").read_text())
    rows = results["sections"]["quick"]
    assert len(rows) == 8
    assert not any("error" in found for found in rows)
    best = {found["method"]: found["at"]["0.5"]["accuracy"] for found in rows}
    assert min(best.values()) > 0.8  # of 1,000 records; the majority is .55
