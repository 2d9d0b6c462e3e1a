"""Small tables to try a detector on: ordinary records, strange ones, and both with labels."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["labelled_records", "ordinary_records", "strange_records"]


def ordinary_records(n: int, seed: int) -> pa.Table:
    """Records of two habits that show in every column, of every kind: a small table to try a detector on.

    >>> ordinary_records(3, seed=0).column_names
    ['when', 'action', 'sent', 'errors', 'spent', 'inside']
    """
    rng = np.random.default_rng(seed)
    habit = rng.random(n) < 0.4
    return _records(n, rng, habit, habit, habit)


def strange_records(n: int, seed: int) -> pa.Table:
    """Records whose every value is ordinary, in combinations that no habit has."""
    rng = np.random.default_rng(seed)
    habit = rng.random(n) < 0.4
    which = rng.integers(0, 3, n)
    return _records(n, rng, *(np.where(which == i, ~habit, habit) for i in range(3)))


def _records(
    n: int,
    rng: np.random.Generator,
    by_time: NDArray[np.bool_],
    by_action: NDArray[np.bool_],
    by_size: NDArray[np.bool_],
) -> pa.Table:
    """Records of work by day or, where true, of the nightly backup."""
    hour = np.where(by_time, rng.normal(2, 0.5, n), rng.normal(13, 2, n)) % 24
    day = rng.integers(0, 28, n) * 86_400_000_000
    size = np.where(by_size, rng.normal(16, 0.6, n), rng.normal(8, 0.8, n))
    spent = size / 4 + rng.normal(0, 0.1, n)
    return pa.table(
        {
            "when": np.datetime64("2026-03-02T00:00:00", "us") + (day + hour * 3.6e9).astype("timedelta64[us]"),
            "action": np.where(by_action, "backup", rng.choice(["read", "write", "mail"], n)),
            "sent": np.round(np.exp(size)),
            "errors": rng.poisson(0.2, n).astype(np.float64),
            "spent": pa.array(spent, mask=rng.random(n) < 0.1),
            "inside": by_action & (rng.random(n) < 0.9),
        }
    )


def labelled_records(n: int, seed: int) -> pa.Table:
    """Ordinary records and, every third, strange ones, told apart by the column `outcome`: usual or strange."""
    usual, strange = ordinary_records(n, seed), strange_records(n, seed + 1000)
    is_strange = np.arange(n) % 3 == 2
    rows = np.arange(n) + n * is_strange
    outcome = pa.array(np.where(is_strange, "strange", "usual"))
    return pa.concat_tables([usual, strange]).take(rows).append_column("outcome", outcome)
