"""How benchmarks run: jobs in processes of their own, each finished row kept at once, results into JSON."""

import ast
import hashlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

import unwonted
from unwonted.bench.measuring import Row, Work
from unwonted.errors import DataError
from unwonted.sources import atomic_write

__all__ = ["Kept", "Progress", "chosen", "command", "environment", "fingerprint", "run", "write"]

Progress = Callable[[int, int, str], None]
"""Called as (done, total, what was just done)."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_PACKAGES = ("unwonted", "torch", "scikit-learn", "pyod", "xgboost-cpu", "numpy", "pyarrow")
_MEASURING = ("learners.py", "loads.py", "matrix.py", "measuring.py", "ours.py", "peers.py", "teaching.py")


def run(
    work: Sequence[Work],
    *,
    workers: int,
    threads: int,
    fresh: bool,
    kept: "Kept | None" = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Runs jobs in spawned processes; the rows come in the order of the jobs.

    Args:
        work: What to run.
        workers: How many processes at a time; with one, times are not disturbed by other jobs.
        threads: Threads for each of them.
        fresh: A new process for each job, so that its peak memory is its own.
        kept: Rows of earlier runs, which are not run again, and where new ones are added as they come.
        progress: Called after each job that ran.
    """
    kept = kept or Kept()
    keys = [kept.key(job, threads, fresh) for job in work]
    rows = {index: kept.rows[key] for index, key in enumerate(keys) if key in kept.rows}
    tasks = 1 if fresh else None
    with (
        _threads(threads),
        ProcessPoolExecutor(workers, mp_context=get_context("spawn"), max_tasks_per_child=tasks) as pool,
    ):
        futures = {pool.submit(_perform, job): index for index, job in enumerate(work) if index not in rows}
        for future in as_completed(futures):
            row = rows[futures[future]] = future.result()
            if not fresh:
                row.pop("peak_mb", None)
            kept.add(keys[futures[future]], row)
            if progress is not None:
                done = len(rows) - len(work) + len(futures)
                progress(done, len(futures), f"{row['table']}, {row['method']}, seed {row['seed']}")
    return [rows[index] for index in range(len(work))]


def _perform(job: Work) -> Row:
    return job.perform()


class Kept:
    """Rows that survive an interruption: one JSON line each, in a file that only ever grows.

    A row is taken again for the same data, method, seed and way to run, as long as the code and the libraries that
    make rows are the same (see `fingerprint`); a row that failed is run again.

    Args:
        out: Folder of the results; the rows of all benchmarks are in `.rows` inside, hidden from git, to be deleted
            for a run from scratch. None keeps nothing.
    """

    def __init__(self, out: Path | None = None) -> None:
        self.rows: dict[str, Row] = {}
        self.file: Path | None = None
        if out is None:
            return
        folder = out / ".rows"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
        self.file, self.code = folder / "rows.jsonl", fingerprint()
        for line in self.file.read_bytes().splitlines() if self.file.exists() else ():
            try:
                key, row = msgspec.json.decode(line, type=tuple[str, Row])
            except msgspec.DecodeError:  # cut short when the run was
                continue
            self.rows[key] = row

    def key(self, job: Work, threads: int, fresh: bool) -> str:
        """What makes two runs the same."""
        if self.file is None:
            return ""
        how = f"{threads}{' alone' * fresh}"
        return f"{job.what} | {how} | {self.code}"

    def add(self, key: str, row: Row) -> None:
        """Keeps a row, unless it failed."""
        if self.file is not None and "error" not in row:
            with self.file.open("ab") as file:
                file.write(b"\n" + msgspec.json.encode((key, row)) + b"\n")


def fingerprint() -> str:
    """A digest of what makes rows: the package's code, less comments, docstrings, commands and pages; libraries."""
    folder = Path(unwonted.__file__).parent
    digest = hashlib.sha256(repr(_versions()).encode())
    for file in sorted(folder.rglob("*.py")):
        place = file.relative_to(folder).parts
        shows = place[0] in ("cli", "report") or (place[0] == "bench" and place[-1] not in _MEASURING)
        if not shows:
            digest.update("/".join(place).encode() + _code(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def _code(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [part for part in node.body if not _says_only(part)]
    return ast.dump(tree)


def _says_only(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Lets processes started inside use so many threads: libraries read these variables when loaded."""
    # Without the passive policy, OpenMP's threads spin while they wait: beside any other work on the machine,
    # PyTorch on small batches then takes up to twenty times as long.
    wanted = dict.fromkeys(_THREADS, str(count)) | {"OMP_WAIT_POLICY": "PASSIVE"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def chosen(only: Sequence[str] | None, there: Sequence[str]) -> list[str]:
    """The names asked for, in the order in which they run; None asks for all.

    Raises:
        DataError: One of them does not exist.
    """
    wanted = list(there if only is None else only)
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise DataError(f"--only {unknown[0]}: there is no such data set; choose of {', '.join(there)}")
    return [name for name in there if name in wanted]


def command(name: str, seeds: int | None, only: Sequence[str] | None = None) -> str:
    """The command that makes a result.

    Example:
        >>> command("dsebm", 2, ["mnist", "natops"])
        'unwonted bench dsebm --seeds 2 --only mnist --only natops'
    """
    flags = [] if seeds is None else [f"--seeds {seeds}"]
    return " ".join([f"unwonted bench {name}", *flags, *(f"--only {section}" for section in only or ())])


def environment(command: str) -> dict[str, Any]:
    """What a reader needs to judge and repeat a result: command, versions, machine."""
    return {
        "command": command,
        "versions": _versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def write(path: Path, results: Mapping[str, Any], page: str) -> None:
    """Writes results as indented JSON, infinite thresholds as null, and their page; each whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    atomic_write(path.with_suffix(".md"), page.encode())
