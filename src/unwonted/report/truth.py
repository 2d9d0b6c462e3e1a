"""What the labels say of the records: which are normal, which are not, and what each is called."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unwonted.errors import DataError
from unwonted.labels import is_gap
from unwonted.metrics import normal_mask
from unwonted.words import count, text_of

__all__ = ["Truth", "in_words", "truth"]


@dataclass(frozen=True)
class Truth:
    """Which records have a label, which of these are normal, and the name of each record's kind."""

    known: NDArray[np.bool_]
    normal: NDArray[np.bool_]
    names: tuple[str, ...]


def truth(labels: Sequence[Any] | None, normal: Any, categories: Sequence[Any] | None, rows: int) -> Truth | None:
    """Reads labels and, where they are given, finer categories; None without labels.

    Args:
        labels: one a record, None, NaN or an empty text where there is none.
        normal: the label or labels that mean normal.
        categories: one a record, to be named by in place of the labels.
        rows: how many records there are.

    Raises:
        DataError: there is not one for each record, or no label is normal.
    """
    for what, values in (("labels", labels), ("categories", categories)):
        if values is not None and len(values) != rows:
            raise DataError(f"{what} has {count(len(values), 'value')}, the table {count(rows, 'row')}; give one a row")
    if labels is None:
        return None
    if normal is None:
        raise DataError("labels were given without the values that mean normal; name them with normal=[...]")
    given, wanted = [_plain(label) for label in labels], _several(normal)
    known = np.array([not is_gap(label) for label in given], dtype=bool)
    ordinary = normal_mask(given, wanted) & known
    if not ordinary.any():
        found, listed = count(int(known.sum()), "label"), ", ".join(map(repr, wanted))
        raise DataError(f"none of {found} is {listed}, the values said to mean normal; name one that occurs")
    names = in_words(given if categories is None else categories)
    return Truth(known, ordinary, tuple(name if told else "no label" for name, told in zip(names, known, strict=True)))


def in_words(values: Iterable[Any]) -> list[str]:
    """Labels, or cells of a column, as text."""
    return ["missing" if is_gap(value) else text_of(value) for value in map(_plain, values)]


def _several(normal: Any) -> list[Any]:
    return [normal] if isinstance(normal, str) or not isinstance(normal, Iterable) else list(normal)


def _plain(value: Any) -> Any:
    return value.as_py() if isinstance(value, pa.Scalar) else value
