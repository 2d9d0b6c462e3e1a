"""The label column named on the command line: which rows are normal, and what to say if it does not fit."""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from unwonted.errors import DataError

__all__ = ["Labels", "about", "check_column", "check_pair", "named", "read_labels"]

SHOWN = 8


@dataclass(frozen=True)
class Labels:
    """Each row's label as text, whether it means normal, and whether there is one."""

    values: list[str]
    normal: NDArray[np.bool_]
    known: NDArray[np.bool_]


def check_pair(label: str | None, normal: Sequence[str], needed: bool = False) -> None:
    """Refuses a label column without its normal values, or these without it.

    Raises:
        DataError: naming the flag that is missing.
    """
    if label is None and (normal or needed):
        raise DataError("--label is missing: name the column that holds the labels")
    if label is not None and not normal:
        raise DataError(f"--normal is missing: name the values of column {label!r} that mean normal")


def read_labels(table: pa.Table, column: str, normal: Sequence[str], files: Sequence[Path]) -> Labels:
    """The labels of a table's rows.

    Args:
        table: The records.
        column: The one with the labels.
        normal: Values that mean normal; "0" stands for 0, "0", 0.0 and False alike.
        files: Where the table comes from, for messages.

    Raises:
        DataError: if there is no such column, or a value never occurs in it; the message lists what does.
    """
    from unwonted.labels import is_gap
    from unwonted.metrics import normal_mask

    check_column(table, column, files)
    counted = pc.value_counts(table[column].combine_chunks())
    order = pc.sort_indices(counted.field("counts"), sort_keys=[("", "descending")])
    distinct: list[Any] = counted.field("values").take(order).to_pylist()
    for value in normal:
        if not normal_mask(distinct, [value]).any():
            raise DataError(f"{named(files)}: column {column!r} never holds {value!r}; it holds {_listed(distinct)}")
    values = [None if is_gap(value) else value for value in table[column].to_pylist()]
    return Labels(
        ["missing" if value is None else str(value) for value in values],
        normal_mask(values, normal),
        np.array([value is not None for value in values], dtype=bool),
    )


def check_column(table: pa.Table, column: str, files: Sequence[Path]) -> None:
    """Refuses a column that is not there.

    Raises:
        DataError: naming the file and the columns there are.
    """
    if column not in table.column_names:
        near = difflib.get_close_matches(column, table.column_names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {_listed(table.column_names)}"
        raise DataError(f"{named(files)}: has no column {column!r}; {hint}")


@contextmanager
def about(files: Sequence[Path]) -> Iterator[None]:
    """Puts the file's name in front of what is wrong with its records."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{named(files)}: {error}") from error


def named(files: Sequence[Path]) -> str:
    """The files as one phrase."""
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join("nothing (missing)" if value is None else repr(value)[:60] for value in values[:SHOWN])
    return shown + (f" and {len(values) - SHOWN} more" if len(values) > SHOWN else "")
