"""The DAGMM paper's protocol, which its readers and those of DSEBM know: data sets, peers, and their tables."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from unwonted import datasets
from unwonted.bench import loads, peers, tables
from unwonted.bench.measuring import Load
from unwonted.bench.peers import Method
from unwonted.bench.published import DAGMM_TABLE_2
from unwonted.bench.rivals import ocsvm, pyod
from unwonted.bench.sections import every_row

__all__ = ["PRESETS", "SETS", "closing", "opening", "quality", "rivals"]

SETS: dict[str, tuple[Load, int, str]] = {
    "kddcup": (datasets.kddcup, 5, "KDDCUP, normal connections as the anomalies (as in the papers)"),
    "kddcup-attacks": (loads.kddcup_attacks, 5, "KDDCUP, attacks as the anomalies"),
    "thyroid": (datasets.thyroid, 10, "Thyroid"),
    "arrhythmia": (datasets.arrhythmia, 10, "Arrhythmia"),
}
"""Each set by its section: how to load it, seeds, and its heading."""

PRESETS: dict[str, Literal["kddcup", "thyroid", "arrhythmia"]] = {
    "kddcup": "kddcup",
    "kddcup-attacks": "kddcup",
    "thyroid": "thyroid",
    "arrhythmia": "arrhythmia",
}
"""The paper's sizes of DAGMM for each set."""

_OCSVM, _KNN = 10_000, 20_000


def rivals() -> list[Method]:
    """The peers of this protocol; two of them on no more training rows than they can take."""
    return [ocsvm(_OCSVM), pyod("kNN", most=_KNN), peers.iforest()]


def opening(results: Mapping[str, Any], others: str) -> list[str]:
    """What was done, and where the rest of it is."""
    return [
        "The DAGMM paper's protocol (B. Zong et al., ICLR 2018): a random half of all rows is for training, and of it "
        "only the rows of the majority class are used; the other half is the test; a split for each seed. KDDCUP is "
        "the 10 % file, all 41 columns but the label; seven of ten rows repeat an earlier one, so that most of its "
        "test was seen in training. *Oracle rate* marks figures whose threshold knows the share of anomalies in the "
        "test, as the paper has it; the others come from each method's own threshold for alerts at 5 %, set without a "
        "label. Mean ± standard deviation over runs. Rows in italics are the paper's Table 2.",
        f"Peers read one-hot categories and standardised numbers. OC-SVM (ν = {peers.ALERT_RATE}) trains on at most "
        f"{_OCSVM:,} rows and kNN on {_KNN:,}, drawn by the seed.",
        f"The same models with defaults on the 28 tables of ADBench and on UNSW-NB15, in one run with the others: "
        f"[adbench.md](adbench.md), [unsw.md](unsw.md). {others}",
    ]


def quality(results: Mapping[str, Any], published: Sequence[str]) -> list[str]:
    """The tables of each set that ran, beside what the paper has of the named methods."""
    parts = []
    for name, (_, _, heading) in SETS.items():
        rows = results["sections"].get(name)
        if rows:
            paper = {method: DAGMM_TABLE_2[name][method] for method in published} if name in DAGMM_TABLE_2 else {}
            parts += [f"## {heading}", tables.oracle(rows, paper), tables.at_alert_rate(rows)]
    return parts


def closing(results: Mapping[str, Any]) -> list[str]:
    """Trained against untrained, speed, failures."""
    parts = ["## Trained against untrained", tables.UNTRAINED, tables.trained_untrained(every_row(results))]
    if results["sections"].get("speed"):
        parts += [
            "## Speed",
            f"Each job alone in a new process, {results['threads']} thread(s). {tables.MEMORY}",
            tables.speed(results["sections"]["speed"]),
        ]
    return [*parts, tables.failures(every_row(results))]
