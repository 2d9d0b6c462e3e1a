"""`unwonted bench`: runs a benchmark as it was run for the published figures."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from unwonted.cli.options import Json, Output, Quiet, above_zero
from unwonted.cli.terminal import Terminal
from unwonted.errors import DataError

__all__ = ["bench"]

bench = App(name="bench", help="Run a benchmark as it was run for the published figures.")

Folder = Annotated[Path, Output, Parameter(help="Folder for the results, JSON and Markdown.")]
Seeds = Annotated[int, Parameter(help="How many seeds, from 0 on.")]
OwnSeeds = Annotated[
    int | None, Parameter(help="How many seeds, from 0 on; else five on large sets, ten on small ones.")
]
Quick = Annotated[bool, Parameter(negative=(), help="Two minutes, to see that all runs; figures mean nothing.")]
Methods = Annotated[list[str] | None, Parameter(help="Method to run; give the flag again for more.")]
Jobs = Annotated[int, Parameter(help="How many processes at a time, of one thread each.")]
Sets = Annotated[list[str] | None, Parameter(help="Data set to run; give the flag again for more.")]


@bench.command
def unsw(
    *,
    output: Folder = Path("benchmarks"),
    seeds: Seeds = 5,
    method: Methods = None,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """UNSW-NB15, official one-class split, against 17 peers on raw and on log inputs.

    Results that are in the folder already are not made again while their code is the same; with --method, new ones
    are added to them.
    """
    _run("unsw", output, seeds, quiet, as_json, methods=method, workers=jobs)


@bench.command
def adbench(
    *,
    protocol: Annotated[
        Literal["one-class", "unsupervised"],
        Parameter(help="Train on half of the normal rows, or on all rows that are scored."),
    ] = "one-class",
    output: Folder = Path("benchmarks"),
    seeds: Seeds = 5,
    only: Sets = None,
    method: Methods = None,
    jobs: Jobs = 2,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """ADBench's 28 tables and 14 sets of embeddings, NSL-KDD and online shoppers, against 17 peers.

    It first says how long it will take. Results that are in the folder already are not made again while their code is
    the same; with --only or --method, new ones are added to them.
    """
    _run("adbench", output, seeds, quiet, as_json, protocol=protocol, only=only, methods=method, workers=jobs)


@bench.command
def ablation(
    *,
    output: Folder = Path("benchmarks"),
    seeds: Seeds = 3,
    only: Sets = None,
    jobs: Jobs = 2,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """What the parts of the default detector are worth, on the development sets."""
    _run("ablation", output, seeds, quiet, as_json, only=only, workers=jobs)


@bench.command
def dagmm(
    *,
    output: Folder = Path("benchmarks"),
    seeds: OwnSeeds = None,
    only: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """DAGMM in its paper's protocol: KDDCUP, thyroid, arrhythmia; contaminated training, ablation, speed."""
    _run("dagmm", output, seeds, quiet, as_json, only=only)


@bench.command
def dsebm(
    *,
    output: Folder = Path("benchmarks"),
    seeds: OwnSeeds = None,
    only: Sets = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """DSEBM in the DAGMM paper's protocol, on MNIST's digits and on NATOPS' gestures; speed."""
    _run("dsebm", output, seeds, quiet, as_json, only=only)


@bench.command
def table1(
    *,
    output: Folder = Path("benchmarks"),
    seeds: OwnSeeds = None,
    only: Sets = None,
    quick: Quick = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """The DMDN paper's Table 1 on UNSW-NB15, with few labels and none; NSL-KDD and KDD Cup 1999."""
    _run("table1", output, seeds, quiet, as_json, only=only, quick=quick)


@bench.command
def optimizers(
    *,
    output: Folder = Path("benchmarks"),
    seeds: Seeds = 5,
    quick: Quick = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """The DMDN paper's Figure 2: five optimisers on one network, each with a search of its rate."""
    _run("optimizers", output, seeds, quiet, as_json, quick=quick)


@bench.command
def curves(
    *,
    output: Folder = Path("benchmarks"),
    seeds: Seeds = 3,
    quick: Quick = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """The DMDN paper's Figure 3: training and validation loss by epoch."""
    _run("curves", output, seeds, quiet, as_json, quick=quick)


def _run(name: str, output: Path, seeds: int | None, quiet: bool, as_json: bool, **chosen: Any) -> None:
    """Runs a benchmark, the module of this name, and prints its page or its results."""
    if seeds is not None:
        above_zero("--seeds", seeds)
    if "workers" in chosen:
        above_zero("--jobs", chosen["workers"])
    if find_spec("pyod") is None or find_spec("xgboost") is None:
        raise DataError("the peers to compare with are not installed; run pip install 'unwonted[bench]'")
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: is a file; give a folder with --output")
    terminal = Terminal(quiet, as_json)
    benchmark = import_module(f"unwonted.bench.{name}")
    results = benchmark.run(output, seeds, terminal.finished(), **chosen)
    if terminal.as_json:
        terminal.json(results)
    else:
        terminal.lines(*benchmark.page(results).splitlines())
