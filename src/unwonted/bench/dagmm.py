"""DAGMM in its paper's protocol, with contaminated training, ablation and speed: `unwonted bench dagmm`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from unwonted import datasets
from unwonted.bench import floors, ours, papers, rivals, sections, tables
from unwonted.bench.loads import contaminated_kddcup
from unwonted.bench.measuring import Row
from unwonted.bench.published import CONTAMINATED, DAGMM_TABLE_2, UNTRAINED_KDDCUP
from unwonted.bench.running import Progress
from unwonted.bench.sections import Section

__all__ = ["page", "run"]


def run(
    out: Path, seeds: int | None = None, progress: Progress | None = None, only: Sequence[str] | None = None
) -> dict[str, Any]:
    """Runs the benchmark and writes `dagmm.json` and `dagmm.md`.

    An interrupted run goes on where it stopped; see `unwonted.bench.keeping.Kept`.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds; None for five on large sets, ten on small ones, three with contaminated training.
        progress: Called after each job as (done, total, text).
        only: Sections to run (kddcup, kddcup-attacks, thyroid, arrhythmia, contaminated, floor, speed); None runs
            all.

    Returns:
        What `dagmm.json` holds: environment, and the rows of each section.

    Raises:
        DataError: `only` names what does not exist.
    """
    return sections.run("dagmm", _sections(), page, out, seeds, only, progress)


def _sections() -> list[Section]:
    found = []
    for name, (load, seeds, _) in papers.SETS.items():
        preset = papers.PRESETS[name]
        ablation = [ours.dagmm(preset, variant) for variant in ("joint", "staged", "density", "projection")]
        found.append(Section(name, {name: load}, [*ablation, ours.dagmm(), *papers.rivals()], seeds))
    shares = {_share(share): partial(contaminated_kddcup, share) for share in CONTAMINATED}
    found.append(Section("contaminated", shares, [ours.dagmm("kddcup"), papers.rivals()[0]], seeds=3))
    floored = {name: papers.SETS[name][0] for name in ("kddcup", "thyroid", "arrhythmia")}
    found.append(Section("floor", floored, floors.methods(), seeds=1))
    timed = [replace(method, untrained=False) for method in (ours.dagmm("kddcup"), ours.dagmm())]
    times = [*timed, rivals.pyod("AutoEncoder")]
    return [*found, Section("speed", {"kddcup": datasets.kddcup}, times, seeds=1, alone=True)]


def page(results: Mapping[str, Any]) -> str:
    """Quality by data set, contaminated training, trained against untrained, speed."""
    parts = papers.opening(results, "DSEBM in this protocol: [dsebm.md](dsebm.md).")
    parts.append(
        "DAGMM has the sizes that follow the table and averages four networks, or has the paper's sizes and one. Of "
        "the variants, *staged* trains the autoencoder first and the mixture after it, *density* is a Gaussian mixture "
        "on the code alone, *projection* the reconstruction error alone; without a name, all is trained jointly."
    )
    parts.append(_warning(results["sections"].get("kddcup", [])))
    parts += papers.quality(results, ("DAGMM", "DSEBM-e", "DSEBM-r", "OC-SVM"))
    if results["sections"].get("contaminated"):
        parts += [
            "## Contaminated training",
            "KDDCUP, normal connections as the anomalies, with some of them among the training rows. F1 at the oracle "
            "rate; the columns in italics are the paper's.",
            _contamination(results["sections"]),
        ]
    if results["sections"].get("floor"):
        parts += [
            "## The covariance floor",
            "The same trained networks, with their mixtures taken at a tenth of the floor, at the floor and at ten "
            "times the floor. AUROC.",
            tables.by_table(results["sections"]["floor"]),
        ]
    return tables.page("DAGMM", results, [*parts, *papers.closing(results)])


def _warning(rows: list[Row]) -> str:
    """What an F1 on KDDCUP does not prove."""
    low, high = UNTRAINED_KDDCUP
    told = (
        f"**A high F1 on KDDCUP proves nothing by itself**: users report {low:.2f} to {high:.2f} of a DAGMM with "
        "random weights (github.com/danieltan07/dagmm, issues 19 and 29)"
    )
    twins = [row for row in tables.by_method(rows).get(ours.dagmm("kddcup").name, []) if "untrained" in row]
    here = f"; ours, untrained, has {tables.figure(twins, 'untrained', 'oracle', 'f1')} (oracle rate)" if twins else ""
    return f"{told}{here}. Each detector therefore stands beside itself before training, further down."


def _contamination(rows_of: Mapping[str, list[Row]]) -> str:
    dagmm, ocsvm = ours.dagmm("kddcup").name, papers.rivals()[0].name
    clean = {method: figures[2] for method, figures in DAGMM_TABLE_2["kddcup"].items()}
    lines = []
    for share, paper in ({0.0: clean} | CONTAMINATED).items():
        rows = rows_of["contaminated"] if share else rows_of.get("kddcup", [])
        runs = tables.by_method([row for row in rows if row["table"] == _share(share) or not share])
        cells = [
            tables.figure(runs[method], *path) if method in runs else "–"
            for method, path in ((dagmm, ("oracle", "f1")), (dagmm, ("auroc",)), (ocsvm, ("oracle", "f1")))
        ]
        said = [f"*{paper[method]:.4f}*" if method in paper else "–" for method in ("DAGMM", "DCN", "OC-SVM")]
        lines.append([f"{share:.0%}", *cells, *said])
    head = ["share of training", "DAGMM (oracle rate)", "DAGMM, AUROC", "OC-SVM (oracle rate)"]
    return tables.markdown([*head, "*DAGMM*", "*DCN*", "*OC-SVM*"], lines)


def _share(share: float) -> str:
    return f"kddcup, {share:.0%} contaminated"
