"""The DMDN paper's Figure 3, training and validation loss by epoch: `unwonted bench curves`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unwonted.bench import drawing, learners, lessons, searching, tables
from unwonted.bench.keeping import Kept
from unwonted.bench.results import command, environment, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs
from unwonted.bench.table1_page import HEADINGS
from unwonted.bench.teaching import Lesson

__all__ = ["page", "run"]


def run(
    out: Path, seeds: int = 3, progress: Progress | None = None, quick: bool = False, figures: Path = Path("docs")
) -> dict[str, Any]:
    """Runs the benchmark and writes `curves.json`, `curves.md` and `docs/curves.svg`.

    A quick run writes `curves-quick.json` and so on.

    The runs are those of `table1` on the random split; where it ran with this code they are not run again.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds.
        progress: Called after each job as (done, total, text).
        quick: One seed on 1,000 records: a look at whether all runs, whose figures mean nothing.
        figures: Folder for the figure.

    Returns:
        What `curves.json` holds: environment and rows.
    """
    load, heading = (lessons.small, HEADINGS["quick"]) if quick else (lessons.unsw, HEADINGS["random"])
    networks, kept = [learners.dmdn, *learners.BASELINES], Kept(out)
    found, _ = searching.search(networks, load, kept, progress, quick)
    work = [
        Lesson(heading, load, found[network.name], seed)
        for network in networks
        for seed in range(1 if quick else seeds)
    ]
    rows = run_jobs(work, workers=2, threads=1, kept=kept, progress=progress)
    results = environment(command("curves", seeds) + " --quick" * quick) | {"rows": rows}
    name = "curves-quick" if quick else "curves"
    write(out / f"{name}.json", results, page(results))
    histories = {method: [row["history"] for row in of] for method, of in tables.by_method(rows).items()}
    drawing.loss_curves(histories, figures / f"{name}.svg")
    return results


def page(results: Mapping[str, Any]) -> str:
    """Losses at the start, the best and the end of training, and how far apart they lie."""
    quick = "-quick" * results["command"].endswith("--quick")
    lines = []
    for method, rows in tables.by_method(results["rows"]).items():
        facts = [_facts(row["history"]) for row in rows]
        keys = ("first", "train", "validation", "gap", "best", "epochs")
        lines.append([method, *(tables.figure(facts, key, form=".3f" if key in keys[:4] else ".1f") for key in keys)])
    head = ["network", "first validation loss", "last training loss", "last validation loss", "gap", "best epoch"]
    return tables.page(
        "Loss by epoch",
        results,
        [
            "The runs of [Table 1](table1.md), UNSW-NB15, random split. Training loss is the mean over the epoch, with "
            "dropout and noise, validation loss without; DMDN's holds the density's nats beside those of the label. "
            "The weights of the best epoch are kept; DMDN's validation loss is that of the mean of its last weights.",
            f"![Training and validation loss by epoch](../docs/curves{quick}.svg)",
            tables.markdown([*head, "epochs"], lines),
            "The paper finds that both losses fall steadily and the validation loss is flat after the tenth epoch.",
            tables.failures(results["rows"]),
        ],
    )


def _facts(history: Mapping[str, list[float]]) -> dict[str, float]:
    train, validation = history["train"], history["validation"]
    return {
        "first": validation[0],
        "train": train[-1],
        "validation": validation[-1],
        "gap": validation[-1] - train[-1],
        "best": float(validation.index(min(validation)) + 1),
        "epochs": float(len(validation)),
    }
