"""What the times of finished rows say of jobs to come: how long they take, and which are too slow for more seeds."""

import math
from collections.abc import Iterable

from unwonted.bench.measuring import Row, mean_sd

__all__ = ["Expected", "Patience"]


class Patience:
    """Fewer seeds for what is slow.

    Args:
        seconds: Where the fits of a method on a table took longer than this on average ...
        seeds: ... it is run with the first so many seeds alone.

    Example:
        >>> patience = Patience(60.0, seeds=1)
        >>> patience.add({"table": "a", "method": "m", "seed": 0, "fit_seconds": 61.0})
        >>> [patience.ended({"table": "a", "method": "m", "seed": seed}) for seed in (0, 1)]
        [False, True]
    """

    def __init__(self, seconds: float, seeds: int) -> None:
        self.seconds, self.seeds = seconds, seeds
        self.fits: dict[tuple[str, str], list[float]] = {}

    def add(self, row: Row) -> None:
        """Learns from a row of one of the first seeds."""
        if row["seed"] < self.seeds and "fit_seconds" in row:
            self.fits.setdefault((row["table"], row["method"]), []).append(row["fit_seconds"])

    def ended(self, names: Row) -> bool:
        """Whether a job with such a table, method and seed is one too many."""
        fits = self.fits.get((names["table"], names["method"]))
        return names["seed"] >= self.seeds and fits is not None and mean_sd(fits)[0] > self.seconds


class Expected:
    """How long jobs will take, by the rows of earlier ones."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.seen: dict[tuple[str, ...], list[float]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Learns from a row that says how long its job took."""
        if "seconds" in row:
            for key in ((row["table"], row["method"]), (row["method"],), ()):
                self.seen.setdefault(key, []).append(row["seconds"])

    def seconds(self, names: Row) -> float:
        """Of a job with such a table and method: by the same on that table, else by that method, else by all; NaN.

        Example:
            >>> expected = Expected([{"table": "a", "method": m, "seconds": s} for m, s in (("x", 2), ("y", 6))])
            >>> [expected.seconds({"table": "b", "method": m}) for m in ("x", "y", "z")]
            [2.0, 6.0, 4.0]
        """
        found = (self.seen.get(key) for key in ((names["table"], names["method"]), (names["method"],), ()))
        return next((mean_sd(seconds)[0] for seconds in found if seconds), math.nan)
