"""No finished row is lost or made twice; a change of code reruns what it touches; results grow by what is new."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bench_standins import BROKEN, NORM, Counted, Hang, tiny
from unwonted.bench import keeping, ours, results, rivals
from unwonted.bench.keeping import Kept
from unwonted.bench.loads import contaminated_kddcup
from unwonted.bench.measuring import Job, jobs
from unwonted.bench.peers import Method
from unwonted.bench.running import run
from unwonted.errors import DataError

Row = dict[str, Any]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks, file = tmp_path / "marks", tmp_path / "new" / ".rows" / "rows.jsonl"
    methods = [Method("counted", partial(Counted, marks)), BROKEN, Method("hang", Hang)]
    work = jobs({"tiny": tiny}, methods, seeds=2)[:5]
    seen: list[str] = []

    def go(count: int, limit: float = 2.0) -> list[Row]:
        seen.clear()
        return run(
            work[:count],
            workers=2,
            threads=1,
            limit=limit,
            kept=Kept(tmp_path / "new"),
            progress=lambda done, total, what, left: seen.append(what),
        )

    go(1)
    with file.open("ab") as out:
        out.write(b'{"an unfinished')
    rows = go(5)
    assert marks.read_text() == "0 1 "
    again = go(5)
    known = [i for i, row in enumerate(rows) if "did not converge" not in row.get("error", "")]
    assert len(known) == 3
    assert [again[i] for i in known] == [rows[i] for i in known], "rows differ from those of the run before"
    assert marks.read_text() == "0 1 "
    assert seen[0] == "3 results are there from earlier runs"
    assert sorted(seen[1:]) == ["tiny, broken, seed 0, failed", "tiny, broken, seed 1, failed"]
    go(5, limit=2.5)
    assert "tiny, hang, seed 0, failed" in seen, "it was not given the longer time"
    assert (file.parent / ".gitignore").read_text() == "*\n"
    monkeypatch.setattr(keeping, "fingerprint", lambda libraries: "other")
    go(1)
    assert marks.read_text() == "0 1 0 "


def test_published_rows_are_taken_again_but_not_failed_ones(tmp_path: Path) -> None:
    work = jobs({"tiny": tiny}, [NORM, BROKEN], seeds=1)
    marked = [row | {"mark": True} for row in run(work, workers=1, threads=1)]
    again = run(work, workers=1, threads=1, kept=Kept(tmp_path, marked))
    assert ["mark" in row for row in again] == [True, False]
    stale = [row | {"key": row["key"].split("-")[0] + "-00000000"} for row in marked]
    assert "mark" not in run(work[:1], workers=1, threads=1, kept=Kept(None, stale))[0]


def test_a_change_reruns_only_the_methods_it_touches(monkeypatch: pytest.MonkeyPatch) -> None:
    work = [Job("tiny", tiny, method, 0) for method in (ours.DMDN, rivals.pyod("kNN"), rivals.pyod("VAE"))]
    real = keeping._code

    def keys() -> list[str]:
        keeping._code_of.cache_clear()
        kept = Kept()
        return [kept.key(job, 1) for job in work]

    def touched(place: str) -> list[bool]:
        """Which keys change with the code of a file."""
        before, source = keys(), (Path(keeping.__file__).parents[1] / place).read_text(encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr(keeping, "_code", lambda text: real(text) + "changed" * (text == source))
            after = keys()
        return [one != other for one, other in zip(before, after, strict=True)]

    assert touched("models/dmdn.py") == touched("bench/ours.py") == [True, False, False]
    assert touched("bench/rivals.py") == [False, True, True]
    assert touched("datasets/tables.py") == touched("bench/matrix.py") == touched("metrics.py") == [True] * 3
    assert touched("bench/scoreboard.py") == touched("cli/bench.py") == [False] * 3
    before = keys()
    version = keeping.version
    monkeypatch.setattr(keeping, "version", lambda name: "other" if name == "torch" else version(name))
    after = keys()
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert [key.split("-")[0] for key in before] == [key.split("-")[0] for key in after]
    keeping._code_of.cache_clear()


def test_the_fingerprint_follows_the_code_and_not_the_words() -> None:
    before = keeping._code('"""Doc."""\ndef f(x):\n    """Says."""\n    return x + 1  # why\n')
    assert keeping._code("def f(x):\n\n    return x + 1\n") == before
    assert keeping._code("def f(x):\n    return x + 2\n") != before
    assert keeping.fingerprint() == keeping.fingerprint()


def test_other_data_settings_or_ways_to_run_are_other_rows(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    job = Job("kddcup", partial(contaminated_kddcup, 0.01), rivals.pyod("kNN", most=10), 0)
    others = [
        replace(job, load=partial(contaminated_kddcup, 0.02)),
        replace(job, method=rivals.pyod("kNN", most=20)),
        replace(job, method=replace(job.method, untrained=True)),
        replace(job, seed=1),
        replace(job, table="other"),
    ]
    keys = [*(kept.key(each, 1) for each in (job, *others)), kept.key(job, 2)]
    assert len(set(keys)) == 7
    again = Job("kddcup", partial(contaminated_kddcup, 0.01), rivals.pyod("kNN", most=10), 0)
    assert Kept(tmp_path).key(again, 1) == keys[0]
    assert " at 0x" not in job.what, "an address would make the key another in every process"


def test_a_name_that_is_not_there_is_refused_with_a_list() -> None:
    assert results.chosen(["b", "a"], ["a", "b", "c"]) == ["a", "b"]
    assert results.chosen(None, ["a", "b"]) == ["a", "b"]
    with pytest.raises(DataError, match=r"--only d: .* a, b, c"):
        results.chosen(["a", "d"], ["a", "b", "c"])


def test_a_method_is_named_with_its_variants() -> None:
    there = [rivals.pyod("kNN"), rivals.pyod("kNN", log=True), rivals.pyod("KDE")]
    assert [method.name for method in results.named(there, ["kNN"])] == ["kNN", "kNN, log inputs"]
    assert [method.name for method in results.named(there, ["kNN, log inputs"])] == ["kNN, log inputs"]
    assert results.named(there, None) == there
    with pytest.raises(DataError, match="--method K: there is no such method; choose of kNN, kNN, log inputs, KDE"):
        results.named(there, ["K"])


def test_results_are_json_with_what_is_needed_to_repeat_them(tmp_path: Path) -> None:
    made = results.environment("unwonted bench unsw --seeds 2") | {"rows": [{"threshold": np.inf}, {"n": 1}]}
    results.write(tmp_path / "new" / "unsw.json", made, "# A page\n")
    text = (tmp_path / "new" / "unsw.json").read_bytes()
    found = msgspec.json.decode(text)
    assert found["command"] == "unwonted bench unsw --seeds 2"
    assert found["versions"].keys() >= {"python", "torch", "scikit-learn", "pyod"}
    assert found["rows"] == [{"threshold": None}, {"n": 1}]
    assert b'\n  {"n":1}\n' in text
    other = {"sections": {"a": [], "b": [{"n": 1}, {"n": 2}]}}
    results.write(tmp_path / "other.json", other, "")
    assert results.earlier(tmp_path / "other.json") == other
    assert b'\n   {"n":1},\n   {"n":2}\n' in (tmp_path / "other.json").read_bytes()
    assert results.earlier(tmp_path / "none.json") == {"rows": []}


def test_new_rows_replace_those_of_the_same_table_method_and_seed() -> None:
    row = {"table": "a", "method": "m", "seed": 0, "key": "1-1", "auroc": 0.5}
    rows = [row | {"seed": seed} for seed in range(3)]
    before = {"rows": rows, "made_by": {"run 1": {"command": "x"}}}
    found = results.added(before, [row | {"seed": 1, "auroc": 0.7}], {"command": "y"})
    assert [(each["seed"], each["auroc"]) for each in found["rows"]] == [(0, 0.5), (1, 0.7), (2, 0.5)]
    assert found["made_by"] == {"run 1": {"command": "x"}, "run 2": {"command": "y"}}
    assert results.added(before, rows, {"command": "y"})["made_by"] == {"run 1": {"command": "y"}}
    old = [{"table": "b", "method": "m", "seed": 0, "auroc": 0.9}]
    assert results.added({"rows": old}, [row], {"command": "y"})["rows"] == [row]
