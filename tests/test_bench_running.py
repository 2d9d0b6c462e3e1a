"""Benchmarks run in processes of their own, lose no finished row, and go on where they stopped."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bench_standins import BROKEN, NORM, Counted, Hog, Threads, tiny
from unwonted.bench import peers, running
from unwonted.bench.loads import contaminated_kddcup
from unwonted.bench.measuring import Job, jobs, measure
from unwonted.bench.peers import Method
from unwonted.bench.running import Kept, run, write
from unwonted.errors import DataError


def test_processes_of_their_own_give_the_same_rows_in_order() -> None:
    work = jobs({"tiny": tiny}, [NORM, Method("threads", Threads)], seeds=2)
    seen: list[tuple[int, int, str]] = []
    before = os.environ.get("OMP_NUM_THREADS")
    rows = run(work, workers=2, threads=1, fresh=False, progress=lambda *at: seen.append(at))
    assert os.environ.get("OMP_NUM_THREADS") == before
    assert [row["method"] for row in rows] == ["norm", "norm", "threads", "threads"]
    assert [row["seed"] for row in rows] == [0, 1, 0, 1]
    assert rows[0]["scores_sha256"] == measure(work[0])["scores_sha256"]
    assert rows[2]["threshold"] == 1.0
    assert "peak_mb" not in rows[0]
    assert [at[:2] for at in seen] == [(done, 4) for done in (1, 2, 3, 4)]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks, file = tmp_path / "marks", tmp_path / "new" / ".rows" / "rows.jsonl"
    work = jobs({"tiny": tiny}, [Method("counted", partial(Counted, marks)), BROKEN], seeds=2)
    seen: list[tuple[int, int, str]] = []

    class Here(ThreadPoolExecutor):
        """This process in the place of others."""

        def __init__(self, workers: int, **how: Any) -> None:
            super().__init__(workers)

    monkeypatch.setattr(running, "ProcessPoolExecutor", Here)

    def go(count: int) -> list[dict[str, Any]]:
        seen.clear()
        return run(
            work[:count],
            workers=1,
            threads=1,
            fresh=False,
            kept=Kept(tmp_path / "new"),
            progress=lambda *at: seen.append(at),
        )

    go(1)
    with file.open("ab") as out:
        out.write(b'["an unfinished')
    rows = go(4)
    assert marks.read_text() == "0 1 "
    assert [at[:2] for at in seen] == [(1, 3), (2, 3), (3, 3)]
    assert go(4) == rows, "rows differ from those of the run before"
    assert marks.read_text() == "0 1 "
    assert [at[2] for at in seen] == ["tiny, broken, seed 0", "tiny, broken, seed 1"], "a failure was not tried again"
    assert (file.parent / ".gitignore").read_text() == "*\n"
    monkeypatch.setattr(running, "fingerprint", lambda: "other code")
    go(1)
    assert marks.read_text() == "0 1 0 "


def test_the_fingerprint_follows_the_code_and_not_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    before = running._code('"""Doc."""\ndef f(x):\n    """Says."""\n    return x + 1  # why\n')
    assert running._code("def f(x):\n\n    return x + 1\n") == before
    assert running._code("def f(x):\n    return x + 2\n") != before
    now = running.fingerprint()
    assert running.fingerprint() == now
    monkeypatch.setattr(running, "_versions", lambda: {"torch": "other"})
    assert running.fingerprint() != now


def test_a_name_that_is_not_there_is_refused_with_a_list() -> None:
    assert running.chosen(["b", "a"], ["a", "b", "c"]) == ["a", "b"]
    assert running.chosen(None, ["a", "b"]) == ["a", "b"]
    with pytest.raises(DataError, match=r"--only d: .* a, b, c"):
        running.chosen(["a", "d"], ["a", "b", "c"])


def test_a_fresh_process_has_a_peak_of_its_own() -> None:
    hog = Method("hog", Hog)
    rows = run(jobs({"tiny": tiny}, [hog, NORM], 1), workers=1, threads=1, fresh=True)
    assert rows[0]["peak_mb"] > rows[1]["peak_mb"] + 250


def test_on_a_fixed_split_a_seedless_method_runs_once() -> None:
    work = jobs({"a": tiny}, [NORM, peers.knn()], seeds=3, fixed=True)
    assert [job.method.name for job in work] == ["norm", "norm", "norm", "kNN"]
    assert [job.seed for job in work] == [0, 1, 2, 0]
    assert len(jobs({"a": tiny}, [NORM, peers.knn()], seeds=3)) == 6


def test_results_are_json_with_what_is_needed_to_repeat_them(tmp_path: Path) -> None:
    results = running.environment("unwonted bench unsw --seeds 2") | {"rows": [{"threshold": np.inf}]}
    write(tmp_path / "new" / "unsw.json", results, "# A page\n")
    found = msgspec.json.decode((tmp_path / "new" / "unsw.json").read_bytes())
    assert found["command"] == "unwonted bench unsw --seeds 2"
    assert found["versions"].keys() >= {"python", "torch", "scikit-learn", "pyod"}
    assert found["rows"] == [{"threshold": None}]


def test_other_data_settings_or_ways_to_run_are_other_rows(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    job = Job("kddcup", partial(contaminated_kddcup, 0.01), peers.knn(most=10), 0)
    others = [
        replace(job, load=partial(contaminated_kddcup, 0.02)),
        replace(job, method=peers.knn(most=20)),
        replace(job, method=replace(job.method, untrained=True)),
        replace(job, seed=1),
        replace(job, table="other"),
    ]
    keys = [kept.key(each, 1, False) for each in (job, *others)]
    keys += [kept.key(job, 2, False), kept.key(job, 1, True)]
    assert len(set(keys)) == 8
    again = Job("kddcup", partial(contaminated_kddcup, 0.01), peers.knn(most=10), 0)
    assert Kept(tmp_path).key(again, 1, False) == keys[0]
    assert " at 0x" not in keys[0], "an address would make the key another in every process"
