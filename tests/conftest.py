"""What several tests share: the real data sets' folder, a small table of every kind."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings

# The same cases in every run: a failure is then the change's, not the draw's.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of the real data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("UNWONTED_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not here ({folder}); set UNWONTED_DATA to their folder")
    return folder


def behaviour(n: int, seed: int = 0) -> pa.Table:
    """Office traffic with every kind of column: two habits, gaps, atoms, heavy tails, a date, a constant."""
    rng = np.random.default_rng(seed)
    backup = rng.random(n) < 0.3
    hour = np.where(backup, rng.normal(2, 0.5, n), rng.normal(13, 2, n)) % 24
    start = np.datetime64("2026-03-02T00:00:00", "us")
    time = start + (rng.integers(0, 60, n) * 86_400_000_000 + hour * 3.6e9).astype("timedelta64[us]")
    sent = np.round(np.exp(np.where(backup, rng.normal(16, 0.5, n), rng.normal(8, 1, n))))
    duration = np.exp(rng.normal(0, 1, n) + backup)
    duration[rng.random(n) < 0.1] = np.nan
    return pa.table(
        {
            "time": time,
            "action": np.where(backup, "backup", rng.choice(["read", "write", "mail"], n)),
            "host": [f"host{i}" for i in rng.zipf(1.5, n).clip(max=200)],
            "bytes_out": sent,
            "failures": rng.poisson(0.1, n),
            "duration": duration,
            "remote": (rng.random(n) < 0.2) & ~backup,
            "site": ["head office"] * n,
        }
    )


@pytest.fixture(scope="session")
def records() -> pa.Table:
    """500 ordinary records with every kind of column."""
    return behaviour(500)
