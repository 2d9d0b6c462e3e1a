"""How benchmarks run: each job in a process of its own, its row kept at once; what fails or hangs is a row too."""

import io
import math
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from multiprocessing import connection, get_all_start_methods, get_context, parent_process
from multiprocessing.connection import Connection
from typing import Any

from unwonted.bench.expecting import Expected, Patience
from unwonted.bench.keeping import Kept, timed_out
from unwonted.bench.measuring import Row, Work
from unwonted.errors import DataError

__all__ = ["Progress", "run"]

Progress = Callable[[int, int, str, float], None]
"""Called as (done, total, what was just done, seconds left): once before the first job, then after each."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def run(
    work: Sequence[Work],
    *,
    workers: int,
    threads: int,
    limit: float | None = None,
    kept: Kept | None = None,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Runs each job in a new process; the rows come in the order of the jobs, with a `key` and all the `seconds`.

    A new process is forked from a server that has loaded the libraries and done nothing else, so it starts at once.
    A job whose process dies or takes too long becomes a row with an `error`.

    Args:
        work: What to run.
        workers: How many at a time; with one, times are not disturbed by other jobs.
        threads: Threads for each of them.
        limit: Seconds that a job may take; None for as long as it wants.
        kept: Rows of earlier runs, which are not run again, and where new ones are added as they come.
        patience: With what is slow; None has no end.
        progress: Called before the first job and after each that ran.

    Raises:
        DataError: A data file is missing or altered.
    """
    kept = kept or Kept()
    keys = [kept.key(job, threads) for job in work]
    rows = {index: row for index, key in enumerate(keys) if (row := kept.row(key, limit)) is not None}
    left = deque(index for index in range(len(work)) if index not in rows)
    known, done = len(rows), 0
    running: list[_Running] = []
    expected, patience = Expected(kept.rows.values()), patience or Patience(math.inf, 0)
    for row in rows.values():
        patience.add(row)

    def tell(what: str) -> None:
        if progress is not None:
            ahead = [*(one.index for one in running), *left]
            wanted = [work[i] for i in ahead if not patience.ended(work[i].names)]
            seconds = sum(expected.seconds(job.names) for job in wanted) / workers
            progress(done, done + len(wanted), what, seconds)

    if left:
        tell(f"{known:,} results are there from earlier runs")
    with _environment(threads):
        context = _context()
        try:
            while left or running:
                while left and len(running) < workers:
                    index = left.popleft()
                    if not patience.ended(work[index].names):
                        running.append(_start(context, work[index], index, threads, limit))
                for one in _ended(running):
                    running.remove(one)
                    row = work[one.index].names | _row(one, limit)
                    row |= {"seconds": time.monotonic() - one.started, "key": keys[one.index]}
                    rows[one.index] = row
                    for to in (kept, expected, patience):
                        to.add(row)
                    done += 1
                    tell(f"{row['table']}, {row['method']}, seed {row['seed']}" + ", failed" * ("error" in row))
        finally:
            for one in running:
                one.process.kill()
    return [rows[index] for index in sorted(rows)]


@dataclass(eq=False)
class _Running:
    index: int
    process: Any
    answer: Connection
    started: float
    until: float


def _context() -> Any:
    """Forks from a clean server where there is one; elsewhere each process loads the libraries again."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", "unwonted.bench.loaded"])
    return context


def _start(context: Any, job: Work, index: int, threads: int, limit: float | None) -> _Running:
    answer, told = context.Pipe(duplex=False)
    process = context.Process(target=_perform, args=(job, threads, told), daemon=True)
    process.start()
    told.close()
    now = time.monotonic()
    return _Running(index, process, answer, now, now + (limit or math.inf))


def _perform(job: Work, threads: int, told: Connection) -> None:
    """What the process of a job does."""
    import threadpoolctl
    import torch

    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The server loaded its libraries with the threads of the first run.
    os.environ.update(_variables(threads))
    torch.set_num_threads(threads)
    # What a library prints or warns of is neither a result nor news to the reader of one.
    warnings.simplefilter("ignore")
    with threadpoolctl.threadpool_limits(threads), redirect_stdout(io.StringIO()):
        try:
            found: Row | DataError = job.perform()
        except DataError as error:  # there are no data: the user has to know, before the page
            found = error
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
    told.send(found)


def _end_with_parent() -> None:
    """A job does not outlive a run that is broken off."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _ended(running: Sequence[_Running]) -> list[_Running]:
    """Waits for some to answer, to die or to run out of time."""
    if not running:
        return []
    first = min(one.until for one in running)
    wait = None if first == math.inf else max(0.0, first - time.monotonic())
    ready = connection.wait([one.answer for one in running], wait)
    now = time.monotonic()
    return [one for one in running if one.answer in ready or now >= one.until]


def _row(one: _Running, limit: float | None) -> Row:
    found: Row | DataError
    if one.answer.poll():
        try:
            found = one.answer.recv()
        except EOFError:  # it died and left the pipe empty
            one.process.join()
            found = {"error": _death(one.process.exitcode)}
    else:
        found = {"error": timed_out(limit), "fit_seconds": limit}
        one.process.kill()
    one.process.join()
    one.answer.close()
    if isinstance(found, DataError):
        raise found
    return found


def _death(code: int) -> str:
    if code >= 0:
        return f"its process ended with status {code}"
    name = signal.Signals(-code).name
    return f"its process was killed by {name}" + " (out of memory?)" * (name == "SIGKILL")


def _variables(threads: int) -> dict[str, str]:
    # Without the passive policy, OpenMP's threads spin while they wait: beside any other work on the machine,
    # PyTorch on small batches then takes up to twenty times as long.
    return dict.fromkeys(_THREADS, str(threads)) | {"OMP_WAIT_POLICY": "PASSIVE"}


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Lets processes started inside use so many threads: libraries read these variables when loaded."""
    wanted = _variables(threads)
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
