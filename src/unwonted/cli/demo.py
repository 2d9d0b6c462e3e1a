"""`unwonted demo`: finds the misuse in the embedded office log, having learnt from it as it is."""

import time
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from cyclopts import Parameter
from sklearn.metrics import roc_auc_score

from unwonted.bench.peers import iforest
from unwonted.cli import scoring
from unwonted.cli.options import Json, Output, Quiet, Seed
from unwonted.cli.terminal import Terminal
from unwonted.datasets import ORDINARY, office_log
from unwonted.errors import DataError
from unwonted.metrics import detection_by_category
from unwonted.models import default_detector
from unwonted.report import write_report
from unwonted.sources import check_output, write_table

__all__ = ["demo"]

FINDINGS = 8
REASONS = 2


def demo(
    *,
    output: Annotated[Path, Output, Parameter(help="Folder to write to.")] = Path("demo"),
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the misuse in an embedded log of office work, and write model, log and report."""
    terminal = Terminal(quiet, as_json)
    folder = output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made a folder ({error.strerror}); give another --output") from error
    model, page, data = (folder / name for name in ("model.safetensors", "report.html", "log.csv"))
    for path in (model, page, data):
        check_output(path)
    started = time.monotonic()
    log, kinds = office_log(0)
    misuse = kinds != ORDINARY
    terminal.say(
        f"learning what is habitual in {log.num_rows:,} records of office work, "
        f"with the {misuse.sum()} records of misuse among them and without labels"
    )
    with terminal.training() as report:
        detector = default_detector(random_state=seed, verbose=report).fit(log)
    scored = scoring.score(detector, log, terminal)
    top = scored.order[:FINDINGS]
    found = scoring.explained(detector, log, top, REASONS, terminal)
    both = {"unwonted": scored.scores, "IForest": iforest().make(seed).fit(log).anomaly_score(log)}
    overall = {name: float(roc_auc_score(misuse, scores)) for name, scores in both.items()}
    by_kind = {
        name: {
            row["category"]: row["auroc"]
            for row in detection_by_category(scored.alerts, scores, kinds.tolist(), ~misuse)
        }
        for name, scores in both.items()
    }
    detector.save(model)
    write_table(log.append_column("kind", pa.array(kinds.tolist())), data)
    write_report(detector, log, page, labels=kinds.tolist(), normal=[ORDINARY], title="Six weeks of office work (demo)")
    seconds = time.monotonic() - started
    if terminal.as_json:
        terminal.json(
            {
                "auroc": overall,
                "auroc_by_kind": by_kind,
                "findings": scoring.as_objects(found, top.tolist()),
                "seconds": seconds,
                "files": [str(path) for path in (page, model, data)],
            }
        )
        return
    users = log["user"].to_pylist()
    times = log["timestamp"].to_pylist()
    terminal.lines(f"The {FINDINGS} strangest of {log.num_rows:,} records; in brackets what each really was:", "")
    labels = [f"{kind}: {user}, {when:%a %d %b %H:%M}" for kind, user, when in zip(kinds, users, times, strict=True)]
    terminal.lines(*scoring.in_words(found, top.tolist(), labels), "")
    terminal.table(
        ("AUROC", "unwonted", "IForest"),
        [("all misuse", overall["unwonted"], overall["IForest"])]
        + [(kind, by_kind["unwonted"][kind], by_kind["IForest"][kind]) for kind in by_kind["unwonted"]],
    )
    terminal.lines("", f"{seconds:.0f} s. Open the report: {page}", f"Try next: unwonted inspect {data}")
