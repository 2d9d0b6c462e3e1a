"""Benchmarks run in processes of their own; what dies or hangs is a row, and the rest run."""

import os
from typing import Any

import numpy as np
import pytest

from bench_standins import BROKEN, NORM, Crash, Hang, Hog, Loud, Norm, Threads, tiny
from unwonted.bench import rivals
from unwonted.bench.expecting import Expected, Patience
from unwonted.bench.keeping import Kept
from unwonted.bench.measuring import jobs, measure
from unwonted.bench.peers import Method
from unwonted.bench.running import run
from unwonted.errors import DataError


def absent(seed: int) -> Any:
    """A data set whose file is missing."""
    raise DataError("No data file tiny.npz")


def test_processes_of_their_own_give_the_same_rows_in_order() -> None:
    work = jobs({"tiny": tiny}, [NORM, Method("threads", Threads)], seeds=2)
    seen: list[tuple[int, int, str, float]] = []
    before = os.environ.get("OMP_NUM_THREADS")
    rows = run(work, workers=2, threads=1, progress=lambda *at: seen.append(at))
    assert os.environ.get("OMP_NUM_THREADS") == before
    assert [row["method"] for row in rows] == ["norm", "norm", "threads", "threads"]
    assert [row["seed"] for row in rows] == [0, 1, 0, 1]
    assert rows[0]["scores_sha256"] == measure(work[0])["scores_sha256"]
    assert rows[2]["threshold"] == 1.0
    assert all(row["seconds"] > row["fit_seconds"] for row in rows)
    assert [at[:2] for at in seen] == [(done, 4) for done in (0, 1, 2, 3, 4)]
    assert np.isnan(seen[0][3])
    assert seen[1][3] > seen[4][3] == 0


def test_other_threads_are_given_to_a_server_that_runs_already() -> None:
    rows = run(jobs({"tiny": tiny}, [Method("threads", Threads)], seeds=1), workers=1, threads=2)
    assert rows[0]["threshold"] == 2.0


def test_a_job_that_dies_or_hangs_is_a_row_and_the_rest_run(capfd: pytest.CaptureFixture[str]) -> None:
    methods = [Method("crash", Crash), Method("hang", Hang), BROKEN, Method("loud", Loud), NORM]
    rows = run(jobs({"tiny": tiny}, methods, 1), workers=2, threads=1, limit=4.0)
    assert [row["method"] for row in rows] == ["crash", "hang", "broken", "loud", "norm"]
    assert rows[0]["error"] == "its process was killed by SIGKILL (out of memory?)"
    assert (rows[1]["error"], rows[1]["fit_seconds"]) == ("stopped after 4 s", 4.0)
    assert rows[2]["error"] == "RuntimeError: did not converge"
    assert all("auroc" in row for row in rows[3:])
    assert "loud" not in "".join(capfd.readouterr())


def test_missing_data_end_the_run() -> None:
    with pytest.raises(DataError, match="No data file"):
        run(jobs({"tiny": tiny, "absent": absent}, [NORM], 1), workers=1, threads=1)


def test_a_process_has_a_peak_of_its_own() -> None:
    rows = run(jobs({"tiny": tiny}, [Method("hog", Hog), NORM], 1), workers=1, threads=1)
    assert 280 < rows[0]["peak_mb"] < 420
    assert rows[1]["peak_mb"] < 60


def test_what_is_slow_runs_with_fewer_seeds() -> None:
    work = jobs({"tiny": tiny}, [NORM, Method("other", Norm)], seeds=4)
    work.sort(key=lambda job: job.seed >= 2)
    first = run(work[:4], workers=1, threads=1)
    slow = [row | {"fit_seconds": 56.0 + 9 * row["seed"]} if row["method"] == "norm" else row for row in first]
    totals: list[int] = []
    rows = run(
        work,
        workers=1,
        threads=1,
        kept=Kept(None, slow),
        patience=Patience(60.0, 2),
        progress=lambda done, total, what, left: totals.append(total),
    )
    found = [(row["method"], row["seed"]) for row in rows]
    assert found == [("norm", 0), ("norm", 1), ("other", 0), ("other", 1), ("other", 2), ("other", 3)]
    assert totals == [2, 2, 2]
    alone = [job for job in work if job.method.name == "norm"]
    assert len(run(alone, workers=1, threads=1, kept=Kept(None, slow), patience=Patience(60.0, 2))) == 2


def test_time_left_is_that_of_earlier_rows() -> None:
    rows = [{"table": "a", "method": "m", "seed": 0, "seconds": 6.0}]
    expected = Expected([*rows, {"table": "b", "method": "m", "seed": 0, "error": "old"}])
    assert expected.seconds({"table": "b", "method": "m"}) == 6.0
    expected.add({"table": "b", "method": "m", "seed": 0, "seconds": 4.0})
    assert expected.seconds({"table": "b", "method": "m"}) == 4.0
    assert expected.seconds({"table": "c", "method": "m"}) == expected.seconds({"table": "c", "method": "n"}) == 5.0


def test_on_a_fixed_split_a_seedless_method_runs_once() -> None:
    work = jobs({"a": tiny}, [NORM, rivals.pyod("kNN")], seeds=3, fixed=True)
    assert [job.method.name for job in work] == ["norm", "norm", "norm", "kNN"]
    assert [job.seed for job in work] == [0, 1, 2, 0]
    assert len(jobs({"a": tiny}, [NORM, rivals.pyod("kNN")], seeds=3)) == 6
