"""The DMDN paper's Figure 2, five optimisers on one network: `unwonted bench optimizers`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unwonted.bench import drawing, learners, lessons, searching, tables
from unwonted.bench.keeping import Kept
from unwonted.bench.measuring import Row, mean_sd
from unwonted.bench.results import command, environment, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs
from unwonted.bench.teaching import Lesson, Trial
from unwonted.models.dmdn_classifier import RATE
from unwonted.optim import OPTIMISERS

__all__ = ["page", "run"]

FACTORS = (0.3, 1.0, 3.0)
NEAR = 0.01


def run(
    out: Path, seeds: int = 5, progress: Progress | None = None, quick: bool = False, figures: Path = Path("docs")
) -> dict[str, Any]:
    """Runs the benchmark and writes `optimizers.json`, `optimizers.md` and `docs/optimizers.svg`.

    A quick run writes `optimizers-quick.json` and so on.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds.
        progress: Called after each job as (done, total, text).
        quick: One seed on 1,000 records: a look at whether all runs, whose figures mean nothing.
        figures: Folder for the figure.

    Returns:
        What `optimizers.json` holds: environment, trials and rows.
    """
    kept, load = Kept(out), lessons.small if quick else lessons.unsw
    work = [
        Trial(shown, load, _with(name, RATE * OPTIMISERS[name].scale * factor), 0)
        for shown, name in learners.OPTIMISERS.items()
        for factor in (FACTORS[1:2] if quick else FACTORS)
    ]
    trials = run_jobs(work, workers=2, threads=1, kept=kept, progress=progress)
    chosen = {
        shown: searching.best(rows)["settings"]
        for shown, rows in tables.grouped(tables.finished(trials), lambda row: row["table"]).items()
    }
    final = [
        Lesson(shown, load, learners.dmdn.at(**settings), seed)
        for shown, settings in chosen.items()
        for seed in range(1 if quick else seeds)
    ]
    rows = run_jobs(final, workers=2, threads=1, kept=kept, progress=progress)
    results = environment(command("optimizers", seeds) + " --quick" * quick) | {"trials": trials, "rows": rows}
    name = "optimizers-quick" if quick else "optimizers"
    write(out / f"{name}.json", results, page(results))
    drawing.optimizers(_measures(rows), figures / f"{name}.svg")
    return results


def _with(name: str, rate: float) -> learners.Learner:
    return learners.dmdn.at(optimiser=name, learning_rate=rate)


def epochs_to_best(validation: list[float]) -> int:
    """Epochs until the validation loss is within 1 % of its best.

    >>> epochs_to_best([3.0, 2.0, 1.005, 1.0])
    3
    """
    best = min(validation)
    return int(np.argmax(np.array(validation) <= best + NEAR * abs(best))) + 1


def page(results: Mapping[str, Any]) -> str:
    """The figures by optimiser, the search, and what the paper says."""
    quick = "-quick" * results["command"].endswith("--quick")
    lines = []
    for shown, rows in tables.grouped(tables.finished(results["rows"]), lambda row: row["table"]).items():
        finals = [{"final": row["history"]["validation"][-1]} for row in rows]
        epochs = [{"epochs": float(epochs_to_best(row["history"]["validation"]))} for row in rows]
        lines.append(
            [
                shown,
                str(len(rows)),
                f"{rows[0]['settings']['learning_rate']:.2g}",
                tables.figure(rows, "at", "0.5", "accuracy"),
                tables.figure(rows, "at", "0.5", "f1"),
                tables.figure(rows, "auroc"),
                tables.figure(rows, "loss_variance", form=".2g"),
                tables.figure(finals, "final", form=".4f"),
                tables.figure(epochs, "epochs", form=".1f"),
            ]
        )
    head = ["optimiser", "runs", "rate", "ACC", "F1", "AUC", "variance of the step's loss", "last validation loss"]
    trials = [
        [f"{row['table']}, {row['settings']['learning_rate']:.2g}", f"{row['nats']:.4f}"]
        for row in tables.finished(results["trials"])
    ]
    return tables.page(
        "Five optimisers",
        results,
        [
            "DMDN with labels on UNSW-NB15, 70 % of the flows to train and 30 % to test; the same network, steps, "
            "batches, schedule and early stopping. Three learning rates of each optimiser were tried on 6,800 training "
            "records, judged by 1,200 others of them. Mean ± standard deviation over seeds. Loss: nats a label and a "
            "hidden column. Its variance is that of the training loss from step to step, over the last half of "
            "training; the last column says after how many epochs the validation loss is within 1 % of its best.",
            f"![Accuracy, F1 and variance of the loss by optimiser](../docs/optimizers{quick}.svg)",
            tables.markdown([*head, "epochs"], lines),
            "The paper finds AdaBelief and AdamW best, above 95 % in both accuracy and F1 and with the least variance, "
            f"then Adam, RMSProp, and SGD last in everything. Here, by accuracy: {_order(results['rows'])}.",
            "## The search",
            tables.markdown(["optimiser, learning rate", "nats a label"], trials),
            tables.failures([*results["trials"], *results["rows"]]),
        ],
    )


def _order(rows: list[Row]) -> str:
    """The optimisers from the best accuracy down, with their deviations."""
    found = sorted(_measures(rows)["accuracy"].items(), key=lambda item: -item[1][0])
    return ", ".join(f"{name} {mean:.4f} ± {deviation:.4f}" for name, (mean, deviation) in found)


def _measures(rows: list[Row]) -> dict[str, dict[str, tuple[float, float]]]:
    groups = tables.grouped(tables.finished(rows), lambda row: row["table"])
    return {
        "accuracy": {name: mean_sd([row["at"]["0.5"]["accuracy"] for row in of]) for name, of in groups.items()},
        "F1": {name: mean_sd([row["at"]["0.5"]["f1"] for row in of]) for name, of in groups.items()},
        "variance of the loss": {name: mean_sd([row["loss_variance"] for row in of]) for name, of in groups.items()},
    }
