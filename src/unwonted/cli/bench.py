"""`unwonted bench`: runs a benchmark as it was run for the published figures."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from unwonted.cli.options import Json, Names, Output, Quiet, above_zero
from unwonted.cli.terminal import Terminal
from unwonted.errors import DataError

__all__ = ["bench"]

bench = App(name="bench", help="Run a benchmark as it was run for the published figures.")

Folder = Annotated[Path, Output, Parameter(help="Folder for the results, JSON and Markdown.")]
Seeds = Annotated[int, Parameter(help="How many seeds, from 0 on.")]


@bench.command
def unsw(*, output: Folder = Path("benchmarks"), seeds: Seeds = 5, quiet: Quiet = False, as_json: Json = False) -> None:
    """UNSW-NB15, official one-class split."""
    terminal = _ready(output, seeds, quiet, as_json)
    from unwonted.bench import tables, unsw

    results = unsw.run(output, seeds, terminal.finished())
    _show(terminal, results, tables.unsw(results))


@bench.command
def adbench(
    *,
    output: Folder = Path("benchmarks"),
    seeds: Seeds = 5,
    only: Names = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """28 tables of ADBench, NSL-KDD and online shoppers, one-class."""
    terminal = _ready(output, seeds, quiet, as_json)
    from unwonted.bench import adbench, tables

    results = adbench.run(output, seeds, terminal.finished(), None if only is None else tuple(only))
    _show(terminal, results, tables.adbench(results))


def _ready(output: Path, seeds: int, quiet: bool, as_json: bool) -> Terminal:
    above_zero("--seeds", seeds)
    if find_spec("pyod") is None:
        raise DataError("the peers to compare with are not installed; run pip install 'unwonted[bench]'")
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: is a file; give a folder with --output")
    return Terminal(quiet, as_json)


def _show(terminal: Terminal, results: dict[str, Any], page: str) -> None:
    if terminal.as_json:
        terminal.json(results)
    else:
        terminal.lines(*page.splitlines())
