"""The ablation of the default detector: every variant from one fit, differences counted right."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from unwonted import fitting
from unwonted.bench import ablation
from unwonted.bench.ablation import SCALES, VARIANTS, Ablation
from unwonted.bench.adbench import Protocol


def row(table: str, seed: int, usual: float, others: float) -> dict[str, object]:
    figures = {variant.name: {"auroc": others, "auprc": others / 2} for variant in VARIANTS}
    return {"table": table, "method": "one-class", "seed": seed, "key": f"{table}{seed}", **figures} | {
        VARIANTS[0].name: {"auroc": usual, "auprc": usual / 2}
    }


def test_the_page_has_means_over_tables_and_spreads_over_seeds() -> None:
    rows = [row("a", 0, 0.9, 0.8), row("a", 1, 0.9, 0.6), row("b", 0, 0.7, 0.8)]
    page = ablation.page({"rows": rows, "made_by": {"run 1": {"command": "c", "machine": "m", "versions": {"x": "1"}}}})
    assert "| **network and nearest** | 0.8000 | +0.0000 ± 0.0000 | 0.4000 | +0.0000 |" in page
    # Seed 0: mean of −0.1 and +0.1 over two tables; seed 1: −0.3 on one.
    assert f"| network alone | 0.7500 | -0.0500 ± {np.std([0.0, -0.3], ddof=1):.4f} | 0.3750 | -0.0250 |" in page
    assert sum(variant.kept for variant in VARIANTS) == 1


@pytest.mark.parametrize("name", SCALES)
def test_scales_keep_the_order_and_all_but_ranks_tie_nothing(name: str) -> None:
    held_out = np.random.default_rng(0).normal(size=500)
    found = SCALES[name](held_out, np.linspace(-3, 1e6, 50))
    assert (np.diff(found) >= 0).all()
    assert (len(np.unique(found)) == 50) == ("ranks" not in name)


@pytest.mark.parametrize("protocol", get_args(Protocol))
def test_every_variant_has_its_figures(protocol: Protocol, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "FOLDS", 3)
    found = Ablation("42_WBC", 0, protocol).perform()
    assert {variant.name for variant in VARIANTS} < set(found)
    figures = {variant.name: found[variant.name]["auroc"] for variant in VARIANTS}
    # Where anomalies are among the training records, a component of a mixture may lie on them.
    assert all(0.5 < figure <= 1 for name, figure in figures.items() if name != "Gaussian mixture alone")
    assert figures["network and nearest"] > 0.95
    assert len(set(figures.values())) > 5
