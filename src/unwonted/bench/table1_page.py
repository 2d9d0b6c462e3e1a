"""The page of `unwonted bench table1`: what its rows say, beside what the DMDN paper says."""

from collections.abc import Mapping, Sequence
from typing import Any

from unwonted.bench import searching, tables
from unwonted.bench.measuring import Row, mean_sd
from unwonted.bench.published import DMDN_TABLE_1
from unwonted.bench.sections import every_row

__all__ = ["HEADINGS", "page"]

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


def page(results: Mapping[str, Any]) -> str:
    """The table beside the paper's, by threshold, by category, with few labels and none, and the search."""
    sections = results["sections"]
    parts = [
        "UNSW-NB15's part of 82,332 flows: 70 % train, 30 % test, a split for each seed; neither `id` nor "
        "`attack_cat` is an input, an attack is the positive class. Of the training records 15 % are held out from "
        "learning, to choose a threshold by. Mean ± standard deviation over runs. The five networks read the same "
        "encoding, DMDN its numbers as waves too. They have as many records a batch, the same early stopping, and as "
        "many trials of the same settings; the four baselines have as many steps as one another, DMDN more of them, "
        "which are cheaper, keeps a running mean of its weights, and learns twice; not all times are of one run. "
        "XGBoost has 300 trees of depth 8 at a rate of 0.2. Nats: the mean of −log P(label | x); ECE: "
        "how far probabilities lie from shares, by bins.",
        "**What the paper does not state**: which file and split, which columns, what y is in p(y | x), K, the "
        "layers, the threshold, whether F1 is of one class or a mean, how many runs. Its columns stand beside ours for "
        "what they are worth; its AUC lies below its ACC in every row, which is unusual.",
    ]
    for name, rows in sections.items():
        parts.append(f"## {HEADINGS[name]}")
        if name in ("scarce", "unlabelled"):
            parts += [_UNLABELLED if name == "unlabelled" else _SCARCE, _ranking(rows)]
        else:
            parts += [_quality(rows, name == "random"), *_paired(rows), "By threshold:", _thresholds(rows)]
        if any("found" in row for row in rows) and name in ("random", "without-ttl"):
            parts += ["Share found of each kind of attack, at 0.5:", _kinds(rows)]
    trials = results["trials"]
    parts += ["## The search", _SEARCH.format(trials[0]["n_train"]), *_of_earlier_searches(results), _trials(trials)]
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
_PAIRED = "What a method has more than DMDN on the same splits: mean ± standard error of the difference, threshold 0.5."
_SEARCH = (
    "Each network tried the same four settings on {:,} training records of seed 0, judged by the log-likelihood of "
    "the labels of all others of them; no test record was touched. The best, in bold, is taken in all sections."
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


def _paired(rows: Sequence[Row]) -> list[str]:
    """What each method has more than DMDN on the same splits; nothing where none has two in common."""
    methods = tables.by_method(rows)
    ours = {row["seed"]: row for row in methods.pop("DMDN", [])}
    lines = []
    for method, runs in methods.items():
        pairs = [(row, ours[row["seed"]]) for row in runs if row["seed"] in ours]
        if len(pairs) > 1:
            figures = [_gain(pairs, *path) for path in _COMPARED.values()]
            lines.append([method, str(len(pairs)), *figures])
    if not lines:
        return []
    return [_PAIRED, tables.markdown(["method", "splits", *_COMPARED], lines)]


_COMPARED = {
    "ACC": ("at", "0.5", "accuracy"),
    "AUC": ("auroc",),
    "F1": ("at", "0.5", "f1"),
    "precision": ("at", "0.5", "precision"),
    "recall": ("at", "0.5", "recall"),
    "AUPRC": ("auprc",),
    "nats": ("log_loss",),
}


def _gain(pairs: Sequence[tuple[Row, Row]], *path: str) -> str:
    mean, deviation = mean_sd([tables.at(row, path) - tables.at(other, path) for row, other in pairs])
    return f"{mean:+.4f} ± {deviation / len(pairs) ** 0.5:.4f}"


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


def _of_earlier_searches(results: Mapping[str, Any]) -> list[str]:
    """Which rows were made with other settings than those found best now."""
    now = {method: searching.best(runs)["settings"] for method, runs in tables.by_method(results["trials"]).items()}
    found: dict[str, list[str]] = {}
    for section, rows in results["sections"].items():
        for row in rows:
            what = f"{row['method']} with {_told(row['settings'])}"
            there = found.setdefault(HEADINGS[section], [])
            if row["settings"] != now.get(row["method"], row["settings"]) and what not in there:
                there.append(what)
    told = "; ".join(f"{heading}: {', '.join(there)}" for heading, there in found.items() if there)
    return [f"Rows of an earlier search, to be run anew: {told}."] if told else []


def _told(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _trials(rows: Sequence[Row]) -> str:
    lines = []
    for method, runs in tables.by_method(rows).items():
        best = searching.best(runs)
        for row in runs:
            told = _told(row["settings"])
            mark = "**" if row is best else ""
            lines.append([f"{mark}{method}, {told}{mark}", f"{row['nats']:.4f}", f"{row['fit_seconds']:.0f}"])
    return tables.markdown(["network, settings", "nats a label", "fit, s"], lines)
