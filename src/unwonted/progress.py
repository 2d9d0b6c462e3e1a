"""How training reports where it stands: a line every ten seconds, or nothing; the command line has a bar."""

import math
import sys
import time
from collections.abc import Callable

from unwonted.train import Progress

__all__ = ["lines", "remaining", "silent", "which"]


def silent(progress: Progress) -> None:
    """Says nothing."""


def remaining(progress: Progress) -> float:
    """Seconds that the planned steps of this training still need at its pace; it may stop earlier."""
    return progress.seconds / progress.step * (progress.steps - progress.step)


def which(progress: Progress) -> str:
    """Which training this is: "training 1 of 2", or "training" where there is but one."""
    return f"training {progress.training} of {progress.trainings}" if progress.trainings > 1 else "training"


def lines(every: float = 10.0) -> Callable[[Progress], None]:
    """A reporter that writes a line to standard error at most every so many seconds."""
    last = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < every:
            return
        last = time.monotonic()
        known = "" if math.isnan(progress.validation) else f", validation {progress.validation:.3f} nats"
        at = f"{which(progress)}: step {progress.step} of {progress.steps}"
        sys.stderr.write(f"{at}{known}, about {remaining(progress):.0f} s left\n")

    return report
