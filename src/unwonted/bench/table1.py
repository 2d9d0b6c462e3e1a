"""The DMDN paper's Table 1, and what it leaves open: `unwonted bench table1`."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from unwonted.bench import learners, lessons, searching, tables
from unwonted.bench.keeping import Kept
from unwonted.bench.learners import Learner
from unwonted.bench.measuring import Row, mean_sd
from unwonted.bench.published import DMDN_TABLE_1
from unwonted.bench.results import chosen, command, environment, write
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs
from unwonted.bench.sections import every_row, joined
from unwonted.bench.teaching import Lesson, LoadLabelled

__all__ = ["page", "run"]

SHARES = (0.1, 0.01, 0.001)
THINNED = (0.01, 0.05, 0.1)
DRAWS = 10  # at the smallest share

HEADINGS = {
    "random": "UNSW-NB15, random split",
    "apart": "UNSW-NB15, equal records on one side of the split",
    "without-ttl": "UNSW-NB15 without the TTL columns",
    "scarce": "Few labels",
    "unlabelled": "No labels",
    "nsl-kdd": "NSL-KDD",
    "kddcup": "KDD Cup 1999",
    "quick": "1,000 records of UNSW-NB15",
}


def run(
    out: Path,
    seeds: int | None = None,
    progress: Progress | None = None,
    only: Sequence[str] | None = None,
    quick: bool = False,
) -> dict[str, Any]:
    """Runs the benchmark and writes `table1.json` and `table1.md`, or `table1-quick.json` and its page.

    An interrupted run goes on where it stopped; sections of earlier runs that are not asked for stay in the results.

    Args:
        out: Folder for the results; `benchmarks` in the repository.
        seeds: How many seeds; None for five, and ten draws of the fewest labels.
        progress: Called after each job as (done, total, text).
        only: Sections to run (random, apart, without-ttl, scarce, unlabelled, nsl-kdd, kddcup); None runs all.
        quick: One seed on 1,000 records, in two minutes: a look at whether all runs, whose figures mean nothing.

    Returns:
        What the file holds: the rows of each section, how they were made, and the trials of the search.

    Raises:
        DataError: `only` names what does not exist.
    """
    kept = Kept(out)
    names = ["quick"] if quick else chosen(only, [name for name in HEADINGS if name != "quick"])
    found, trials = searching.search(
        [learners.dmdn, *learners.BASELINES], lessons.small if quick else lessons.unsw, kept, progress, quick
    )
    work = {name: _lessons(name, found, 1 if quick else seeds) for name in names}
    rows = iter(
        run_jobs(
            [job for part in work.values() for job in part],
            workers=2,
            threads=1,
            kept=kept,
            progress=progress,
        )
    )
    made = environment(command("table1", seeds, only) + " --quick" * quick)
    found_rows = {name: [next(rows) for _ in part] for name, part in work.items()}
    file = out / ("table1-quick.json" if quick else "table1.json")
    results = joined(file, list(HEADINGS), found_rows, made) | {"trials": trials}
    write(file, results, page(results))
    return results


def _lessons(section: str, found: Mapping[str, Learner], seeds: int | None) -> list[Lesson]:
    ours = [found["DMDN"], *(found[learner.name] for learner in learners.BASELINES)]
    every = [*ours, *learners.references]
    usual = 5 if seeds is None else seeds
    if section == "scarce":
        return [
            lesson
            for share in SHARES
            for lesson in _each(
                {f"{share:.1%} of the labels": partial(lessons.few_labels, share)},
                [found["DMDN"], *learners.references],
                DRAWS if seeds is None and share == SHARES[-1] else usual,
            )
        ]
    if section == "unlabelled":
        loads: dict[str, LoadLabelled] = {
            f"{share:.0%} attacks, no labels": partial(lessons.no_labels, share) for share in THINNED
        }
        return _each(loads, [learners.one_class], usual)
    whole: dict[str, tuple[LoadLabelled, list[Learner]]] = {
        "random": (lessons.unsw, [*every, learners.dmdn_literal.at(**found["DMDN"].settings)]),
        "apart": (lessons.apart, every),
        "without-ttl": (lessons.without_ttl, [found["DMDN"], learners.references[0]]),
        "nsl-kdd": (lessons.nsl_kdd, every),
        "kddcup": (lessons.kddcup, every),
        "quick": (lessons.small, every),
    }
    load, taught = whole[section]
    return _each({HEADINGS[section]: load}, taught, usual)


def _each(loads: Mapping[str, LoadLabelled], taught: Sequence[Learner], seeds: int) -> list[Lesson]:
    return [
        Lesson(table, load, learner, seed)
        for table, load in loads.items()
        for learner in taught
        for seed in range(seeds)
    ]


def page(results: Mapping[str, Any]) -> str:
    """The table beside the paper's, by threshold, by category, with few labels and none, and the search."""
    sections = results["sections"]
    parts = [
        "UNSW-NB15's part of 82,332 flows: 70 % train, 30 % test, a split for each seed; neither `id` nor "
        "`attack_cat` is an input, an attack is the positive class. Of the training records 15 % are held out from "
        "learning, to choose a threshold by. Mean ± standard deviation over runs. The five networks read the same "
        "encoding, DMDN its numbers as waves too. They have as many records a batch, the same early stopping, and as "
        "many trials of the same settings; the four baselines have as many steps as one another, DMDN more of them, "
        "which are cheaper, and keeps a running mean of its weights; not all times are of one run. XGBoost has 300 "
        "trees of depth 8 at a rate of 0.2. Nats: the mean of −log P(label | x); ECE: how far probabilities lie from "
        "shares, by bins.",
        "**What the paper does not state**: which file and split, which columns, what y is in p(y | x), K, the "
        "layers, the threshold, whether F1 is of one class or a mean, how many runs. Its columns stand beside ours for "
        "what they are worth; its AUC lies below its ACC in every row, which is unusual.",
    ]
    for name, rows in sections.items():
        parts.append(f"## {HEADINGS[name]}")
        if name in ("scarce", "unlabelled"):
            parts += [_UNLABELLED if name == "unlabelled" else _SCARCE, _ranking(rows)]
        else:
            parts += [_quality(rows, name == "random"), "By threshold:", _thresholds(rows)]
        if any("found" in row for row in rows) and name in ("random", "without-ttl"):
            parts += ["Share found of each kind of attack, at 0.5:", _kinds(rows)]
    parts += ["## The search", _SEARCH, _trials(results["trials"])]
    failures = tables.failures(every_row(results))
    return tables.page("With labels: the DMDN paper's Table 1", results, [*parts, failures])


_SCARCE = (
    "The labels of so few training records are given; the others' records are there without. DMDN learns from "
    "them too, its density and what goes together; the others learn from the labelled records alone."
)
_UNLABELLED = (
    "Nothing about labels is used, the choice of normal records included: the detector `DMDN()` learns from training "
    "records of which so many are attacks. Threshold: p ≤ 5 %. Learning from normal records alone (one-class) is "
    "another question: [unsw.md](unsw.md)."
)
_SEARCH = (
    "Each network tried the same four settings on 6,800 training records of seed 0, judged by the log-likelihood of "
    "the labels of all others of them; no test record was touched. The best, in bold, was taken in all sections."
)


def _quality(rows: Sequence[Row], beside_paper: bool) -> str:
    lines = []
    for method, runs in tables.by_method(rows).items():
        at = [("at", "0.5", metric) for metric in ("accuracy", "f1", "precision", "recall")]
        accuracy, f1, precision, recall = (tables.figure(runs, *path) for path in at)
        claimed = DMDN_TABLE_1.get(method, ())
        paper = [f"*{figure:.1f}*" for figure in claimed] or ["–"] * 3
        lines.append(
            [
                method,
                str(len(runs)),
                accuracy,
                tables.figure(runs, "auroc"),
                f1,
                *(paper if beside_paper else []),
                precision,
                recall,
                tables.figure(runs, "auprc"),
                tables.figure(runs, "log_loss"),
                tables.figure(runs, "calibration_error"),
                *tables.confusion(runs, "at", "0.5", "confusion"),
                f"{mean_sd([row['fit_seconds'] for row in runs])[0]:.0f}",
                f"{runs[0]['steps']:,}" if "steps" in runs[0] else "–",
                f"{runs[0]['parameters']:,}" if "parameters" in runs[0] else "–",
            ]
        )
    head = ["method (threshold 0.5)", "runs", "ACC", "AUC", "F1"]
    head += ["*paper: ACC*", "*AUC*", "*F1*"] if beside_paper else []
    head += ["precision", "recall", "AUPRC", "nats", "ECE", "true negatives", "false alerts", "missed", "found"]
    return tables.markdown([*head, "fit, s", "steps", "parameters"], lines)


def _thresholds(rows: Sequence[Row]) -> str:
    lines = []
    for method, runs in tables.by_method(rows).items():
        for rule in runs[0]["at"]:
            metrics = ("accuracy", "f1", "precision", "recall", "threshold")
            lines.append([f"{method}, {rule}", *(tables.figure(runs, "at", rule, metric) for metric in metrics)])
    return tables.markdown(["method, threshold", "ACC", "F1", "precision", "recall", "P(attack) above"], lines)


def _ranking(rows: Sequence[Row]) -> str:
    lines = []
    for (table, method), runs in tables.grouped(
        tables.finished(rows), lambda row: (row["table"], row["method"])
    ).items():
        rule = next(iter(runs[0]["at"]))
        lines.append(
            [
                f"{table}, {method}",
                str(len(runs)),
                f"{runs[0]['n_labelled']:,}",
                f"{runs[0]['n_train']:,}",
                tables.figure(runs, "auroc"),
                tables.figure(runs, "auprc"),
                *(tables.figure(runs, "at", rule, metric) for metric in ("accuracy", "f1")),
            ]
        )
    return tables.markdown(["case, method", "runs", "labels", "records", "AUC", "AUPRC", "ACC", "F1"], lines)


def _kinds(rows: Sequence[Row]) -> str:
    groups = tables.by_method(rows)
    kinds = list(next(iter(groups.values()))[0]["found"])
    lines = [
        [method, *(f"{mean_sd([row['found'][kind] for row in runs])[0]:.3f}" for kind in kinds)]
        for method, runs in groups.items()
    ]
    return tables.markdown(["method", *kinds], lines)


def _trials(rows: Sequence[Row]) -> str:
    lines = []
    for method, runs in tables.by_method(rows).items():
        best = searching.best(runs)
        for row in runs:
            told = ", ".join(f"{name} {value}" for name, value in row["settings"].items())
            mark = "**" if row is best else ""
            lines.append([f"{mark}{method}, {told}{mark}", f"{row['nats']:.4f}", f"{row['fit_seconds']:.0f}"])
    return tables.markdown(["network, settings", "nats a label", "fit, s"], lines)
