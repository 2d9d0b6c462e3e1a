"""The search of settings: as many trials of the same settings for every network, judged on training records alone."""

from collections.abc import Sequence

from unwonted.bench import tables
from unwonted.bench.keeping import Kept
from unwonted.bench.learners import Learner
from unwonted.bench.measuring import Row
from unwonted.bench.running import Progress
from unwonted.bench.running import run as run_jobs
from unwonted.bench.teaching import LoadLabelled, Trial

__all__ = ["SETTINGS", "best", "search"]

SETTINGS = [{"learning_rate": rate, "dropout": dropout} for rate in (1e-3, 4e-3) for dropout in (0.1, 0.3)]


def search(
    networks: Sequence[Learner], load: LoadLabelled, kept: Kept, progress: Progress | None, quick: bool = False
) -> tuple[dict[str, Learner], list[Row]]:
    """Each network with the best of the settings, by name, and the rows of all trials.

    Args:
        networks: What is searched.
        load: The problem; seed 0 of its training records is used.
        kept: Rows of earlier runs.
        progress: Called after each trial.
        quick: One setting of the first network.
    """
    searched, settings = (networks[:1], SETTINGS[:1]) if quick else (networks, SETTINGS)
    work = [Trial("trial", load, network.at(**each), 0) for network in searched for each in settings]
    rows = run_jobs(work, workers=2, threads=1, kept=kept, progress=progress)
    tried = tables.by_method(rows)
    found = {
        network.name: network.at(**best(tried[network.name])["settings"]) if network.name in tried else network.at()
        for network in networks
    }
    return found, rows


def best(trials: Sequence[Row]) -> Row:
    """The trial under which held-out labels are most likely."""
    return min(trials, key=lambda row: row["nats"])
