"""The report: one self-contained page about a table's records, which are strange, and why."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from unwonted.arrays import as_arrays, as_column
from unwonted.report import figures
from unwonted.report.content import prepare
from unwonted.report.pictures import picture
from unwonted.sources import as_table, atomic_write, check_output
from unwonted.words import clean

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["build_report", "write_report"]

_LONGEST = 400  # characters of one value that are shown; the rest is cut with an ellipsis


def write_report(
    detector: "Estimator",
    table: Any,
    path: str | Path,
    labels: Sequence[Any] | None = None,
    normal: Any = None,
    title: str = "Behaviour report",
    *,
    categories: Sequence[Any] | None = None,
    top: int = 20,
) -> None:
    """Scores a table and writes the page about it, whole or not at all.

    Args: as `build_report`, and `path`, the file to write.

    Raises:
        DataError: as `build_report`, or the file cannot be written.
    """
    check_output(path)
    page = build_report(detector, table, labels, normal, title, categories=categories, top=top)
    atomic_write(path, page.encode("utf-8"))


def build_report(
    detector: "Estimator",
    table: Any,
    labels: Sequence[Any] | None = None,
    normal: Any = None,
    title: str = "Behaviour report",
    *,
    categories: Sequence[Any] | None = None,
    top: int = 20,
    score: Callable[[pa.Table], NDArray[np.float64]] | None = None,
) -> str:
    """Scores a table and returns the page about it as HTML.

    The page makes no request and holds no script; every value is shown as text. The same detector and
    table give the same page.

    Args:
        detector: a fitted detector.
        table: the records, as anything `unwonted.sources.as_table` takes, or sequences or images.
        labels: one a row, to judge the scores by, None where there is none; never an input of the model.
        normal: the label or labels that mean normal.
        title: the page's heading.
        categories: one a row, finer than the labels (kinds of attack), to group the detection by.
        top: how many of the strangest records to show.
        score: what scores the records, with whatever it tells meanwhile; the detector's `anomaly_score`, if not given.

    Raises:
        DataError: the table has no rows, labels or categories do not fit it, or labels come without `normal`.
    """
    arrays = as_arrays(table)
    records = as_table(table) if arrays is None else table
    if arrays is not None and not isinstance(table, pa.Table):
        records = pa.table({"X": as_column(arrays)})
    page = prepare(detector, records, labels, normal, categories, title, top, score or detector.anomaly_score)
    return _environment().get_template("page.html.j2").render(page=page)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("unwonted.report", ""),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["draw"] = figures
    environment.globals["picture"] = picture
    return environment


def _harmless(value: Any) -> Any:
    """What the template prints, with control characters made visible; runs on every expression."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return clean(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")
