"""What the user sees: messages and progress on standard error, results on standard output."""

import contextlib
import io
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from unwonted.errors import DataError

if TYPE_CHECKING:
    from unwonted.train import Progress as Step

__all__ = ["Terminal", "error_line", "flush", "plain", "screen", "tolerant"]

WIDE = 200
"""Columns of a table that goes to a file or a pipe."""
EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""

_Item = TypeVar("_Item")


def plain(text: object) -> str:
    r"""Text as one line without anything that a terminal would obey.

    >>> plain("a\x1b[31mb\nc")
    'a\\x1b[31mb c'
    """
    line = " ".join(str(text).split("\n"))
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\xa0" else c.encode("unicode_escape").decode() for c in line)


class Terminal:
    """Where one command writes.

    Args:
        quiet: No messages and no progress.
        as_json: One object on standard output instead of tables and sentences.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json

    def say(self, *lines: str) -> None:
        """Messages, on standard error."""
        if not self.quiet and sys.stderr is not None:
            sys.stderr.write("".join(plain(line) + "\n" for line in lines))

    def notices(self, texts: Iterable[str]) -> None:
        """What the user should know, each once."""
        self.say(*(f"notice: {text}" for text in dict.fromkeys(texts)))

    def lines(self, *lines: str) -> None:
        """Part of the result, on standard output."""
        _write("".join(plain(line) + "\n" for line in lines))

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
        """Part of the result, as a table on standard output; numbers go right."""
        console = screen(wide=True)
        cells = [list(row) for row in rows]
        table = Table(title=Text(plain(title)) if title else None, title_justify="left", box=None, pad_edge=False)
        for i, heading in enumerate(headings):
            right = bool(cells) and all(isinstance(row[i], int | float) for row in cells)
            table.add_column(Text(heading), justify="right" if right else "left", overflow="fold")
        for row in cells:
            table.add_row(*(Text(_cell(value)) for value in row))
        with console.capture() as rendered:
            console.print(table)
        _write(rendered.get())

    def json(self, result: dict[str, Any]) -> None:
        """The whole result, as one JSON object on standard output; what is no finite number becomes null."""
        _write(json.dumps(_finite(result), ensure_ascii=True, allow_nan=False) + "\n")

    @contextlib.contextmanager
    def training(self) -> Iterator[Callable[["Step"], None]]:
        """A reporter for `Detector(verbose=...)`: a bar on a terminal, lines elsewhere, or nothing."""
        if self.quiet or sys.stderr is None:
            yield lambda step: None
        elif not sys.stderr.isatty():
            from unwonted.progress import lines

            yield lines(EVERY)
        else:
            from unwonted.progress import which

            with _bar("validation {task.fields[nats]}") as bar:
                task = bar.add_task("training", total=None, nats="–")
                latest = 1

                def report(step: "Step") -> None:
                    nonlocal latest
                    if step.training != latest:
                        bar.reset(task, total=step.steps)
                    latest = step.training
                    known = "–" if math.isnan(step.validation) else f"{step.validation:.3f} nats"
                    bar.update(task, description=which(step), total=step.steps, completed=step.step, nats=known)

                yield report

    def counted(self, items: Sequence[_Item], doing: str) -> Iterator[_Item]:
        """The items, with progress on standard error."""
        if self.quiet or sys.stderr is None:
            yield from items
        elif sys.stderr.isatty():
            with _bar("") as bar:
                yield from bar.track(items, description=doing)
        else:
            last = time.monotonic()
            for i, item in enumerate(items):
                if time.monotonic() - last >= EVERY:
                    last = time.monotonic()
                    self.say(f"{doing}: {i / len(items):.0%}")
                yield item

    def finished(self) -> Callable[[int, int, str, float], None]:
        """A reporter for work of many parts, called as (done, total, what was done, seconds left): a line for each."""

        def report(done: int, total: int, what: str, left: float) -> None:
            hours = left >= 2 * 3600
            time = f"; about {left / 3600:.1f} h left" if hours else f"; about {left / 60:.0f} min left"
            self.say(f"{done} of {total}: {what}{'' if math.isnan(left) else time}")

        return report


def _write(text: str, flush: bool = False) -> None:
    try:
        _out().write(text)
        if flush:
            _out().flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"standard output: cannot be written ({error.strerror or error})") from error


class _Console(Console):
    """A console that leaves it to `main` what a closed pipe means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def screen(wide: bool = False) -> Console:
    """Standard output for help and tables, the latter wide where it is no terminal."""
    console = _Console(file=_out())
    return _Console(file=_out(), width=WIDE) if wide and not console.is_terminal else console


def error_line(message: str) -> None:
    """What went wrong, as one line on standard error."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"unwonted: {' '.join(plain(message).split())}\n")


def flush() -> None:
    """Sends standard output on its way; a full disk shows here rather than in the interpreter's last breath.

    Raises:
        DataError: if it cannot be written.
    """
    _write("", flush=True)


@contextlib.contextmanager
def tolerant() -> Iterator[None]:
    """Standard streams that write "?" for what their encoding lacks, as under LANG=C, instead of failing."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            changed.append((reconfigure, stream.errors))
            reconfigure(errors="replace")
    try:
        yield
    finally:
        for reconfigure, errors in changed:
            with contextlib.suppress(OSError, ValueError):
                reconfigure(errors=errors)


def _out() -> TextIO:
    """Standard output; where it is closed, a place that nobody reads."""
    return sys.stdout if sys.stdout is not None else io.StringIO()


def _bar(last: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn(last),
        console=Console(stderr=True),
        transient=True,
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else plain(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
