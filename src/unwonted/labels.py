"""Labels of training records: which classes there are, which mean normal, and which records have none."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from torch import Tensor
from torch.nn import functional

from unwonted.encode import Encoded
from unwonted.errors import DataError
from unwonted.metrics import normal_mask

__all__ = ["PLENTY", "UNLABELLED", "Labelled", "Labels", "Taught", "codes_of", "is_gap"]

UNLABELLED = -1
"""The code of a record without a label: None, NaN or an empty text."""

MOST_CLASSES = 0.5  # a labelled record

PLENTY = 0.5
"""Share of records with a label above which the others are of no account."""

SHARE = 0.5
"""Classes and unlabelled records, evenly, have at least so much of what is drawn in training."""


@dataclass(frozen=True)
class Labelled(Encoded):
    """Encoded records with labels.

    Attributes:
        labels: Class of each record, int64 (n,); UNLABELLED where it has none.
        label_weight: What the loss of a record's label counts, float32 (n,); its mean over labelled records is 1 over
            their share, so that the mean over all is the mean over them.
        density_weight: The same of its density: 0 for records labelled anything but normal.
    """

    labels: Tensor
    label_weight: Tensor
    density_weight: Tensor

    def balanced(self) -> Self:
        """The same with the records of rare classes repeated and their weights divided: no loss changes in the mean.

        A batch then holds records of each class, and labelled ones, however few there are.
        """
        classes, stratum, counts = torch.unique(self.labels, return_inverse=True, return_counts=True)
        wanted = SHARE * len(self) / len(classes)
        times = (wanted / counts).floor().long().clamp(min=1)[stratum]
        rows = torch.arange(len(self), device=times.device).repeat_interleave(times)
        grown = len(rows) / len(self)
        drawn = self[rows]
        label_weight, density_weight = (
            weight * grown / times[rows] for weight in (drawn.label_weight, drawn.density_weight)
        )
        return replace(drawn, label_weight=label_weight, density_weight=density_weight)

    def taught(self, beliefs: Tensor) -> "Taught":
        """The same with what is believed of the unlabelled records, which together count as much as the labelled.

        Args:
            beliefs: Probability of each class, float32 (n, classes); those of labelled records give way to the labels.
        """
        unlabelled = self.labels == UNLABELLED
        certain = functional.one_hot(self.labels.clamp(min=0), beliefs.shape[1]).to(beliefs)
        beliefs = torch.where(unlabelled[:, None], beliefs, certain)
        weight = self.label_weight + unlabelled.float() * (len(self) / max(1, int(unlabelled.sum())))
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        return Taught(**(known | {"label_weight": weight}), beliefs=beliefs)


@dataclass(frozen=True)
class Taught(Labelled):
    """The same where a teacher says of records without a label what they might be.

    Attributes:
        beliefs: Probability of each class, float32 (n, classes); 1 for a label.
    """

    beliefs: Tensor

    def alike(self) -> Self:
        """The same with every record counting as much as any other, labelled or not."""
        return replace(self, label_weight=torch.ones_like(self.label_weight))


@dataclass(frozen=True)
class Labels:
    """The labels of all training records.

    Attributes:
        classes: What the labels are, sorted, shape (classes,).
        codes: The class of each record, shape (n,); UNLABELLED where it has none.
        normal: Which classes mean normal, shape (classes,).
    """

    classes: NDArray[Any]
    codes: NDArray[np.int64]
    normal: NDArray[np.bool_]

    @classmethod
    def read(cls, y: Any, rows: int, normal: Any = None) -> "Labels":
        """The labels of a fit.

        Args:
            y: One value a record, text, integers or booleans; None, NaN or an empty text where there is none.
            rows: How many records there are.
            normal: The value or values that mean normal; None for the most frequent.

        Raises:
            DataError: if labels are missing, fractions, of one class only or too few or many, or `normal` is none.
        """
        if y is None:
            raise DataError("this estimator requires y to be passed, but the target y is None; give a label a record")
        values = _as_array(y)
        if len(values) != rows:
            raise DataError(f"there are {len(values)} labels for {rows} records; give one for each")
        known = ~_missing(values)
        _refuse_other_kinds(values[known])
        try:
            classes, found = np.unique(values[known], return_inverse=True)
        except TypeError:
            raise DataError("the labels mix text and numbers; make them all of one kind") from None
        if len(classes) < 2:
            what = f"one class only ({classes.tolist()[0]!r})" if len(classes) else "no label at all"
            raise DataError(f"y holds {what}; learning to tell classes needs records of at least two")
        if len(classes) > max(2, MOST_CLASSES * len(found)):
            raise DataError(
                f"y holds {len(classes)} different labels in {len(found)} records; labels name a few classes, of "
                "which there are examples: is it the right column?"
            )
        codes = np.full(rows, UNLABELLED, dtype=np.int64)
        codes[known] = found
        return cls(classes, codes, _normal_classes(classes, found, normal))

    @property
    def is_normal(self) -> NDArray[np.bool_]:
        """Which records are labelled normal, shape (n,)."""
        found: NDArray[np.bool_] = (self.codes != UNLABELLED) & self.normal[self.codes]
        return found

    @property
    def may_be_normal(self) -> NDArray[np.bool_]:
        """Which records are not labelled as anything but normal, shape (n,)."""
        found: NDArray[np.bool_] = (self.codes == UNLABELLED) | self.is_normal
        return found

    @property
    def are_plenty(self) -> bool:
        """Whether more than half of the records have one."""
        return bool((self.codes != UNLABELLED).mean() > PLENTY)

    def beside(self, encoded: Encoded, rows: NDArray[np.int64]) -> Labelled:
        """Encoded records with the labels of these rows."""
        codes = torch.from_numpy(self.codes[rows])
        known = codes != UNLABELLED
        ordinary = torch.from_numpy(self.is_normal[rows]) | ~known
        weights = (which.float() * (len(rows) / max(1, int(which.sum()))) for which in (known, ordinary))
        return Labelled(encoded.codes, encoded.values, encoded.widths, encoded.inputs, codes, *weights)


def codes_of(y: Any, rows: int, classes: NDArray[Any]) -> NDArray[np.int64]:
    """The class of each label, shape (n,); UNLABELLED where there is none.

    Raises:
        DataError: if a label was never seen in training, or there is not one for each record.
    """
    values = _as_array(y)
    if len(values) != rows:
        raise DataError(f"there are {len(values)} labels for {rows} records; give one for each")
    place = {value: code for code, value in enumerate(classes.tolist())}
    missing = _missing(values)
    for value in values[~missing].tolist():
        if value not in place:
            listed = ", ".join(map(repr, place))
            raise DataError(f"label {value!r} was never seen in training, which had {listed}; leave its records out")
    return np.array(
        [UNLABELLED if gone else place[value] for value, gone in zip(values.tolist(), missing, strict=True)],
        dtype=np.int64,
    )


def _as_array(y: Any) -> NDArray[Any]:
    """The labels in an array of Python's own values or of one of NumPy's plain types."""
    if isinstance(y, pa.Array | pa.ChunkedArray):
        y = np.array(y.to_pylist(), dtype=object) if y.null_count else y.to_numpy(zero_copy_only=False)
    elif hasattr(y, "to_numpy"):
        y = y.to_numpy()
    elif isinstance(y, list | tuple) and any(isinstance(value, str) for value in y) and any(map(is_gap, y)):
        y = np.array(y, dtype=object)  # else NumPy would make a NaN beside text the text 'nan'
    values: NDArray[Any] = column_or_1d(y, warn=True)
    if values.dtype.kind in "OT":
        plain = [value.item() if isinstance(value, np.generic) else value for value in values.tolist()]
        values = np.fromiter(plain, dtype=object, count=len(plain))
    return values


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "O":
        return np.array([is_gap(value) for value in values], dtype=bool)
    if values.dtype.kind == "f":
        return np.array(np.isnan(values), dtype=bool)
    return np.array(values == "", dtype=bool) if values.dtype.kind == "U" else np.zeros(len(values), dtype=bool)


def is_gap(value: Any) -> bool:
    """Whether a label is none: None, NaN or an empty text.

    >>> [is_gap(value) for value in (None, float("nan"), "", " ", 0)]
    [True, True, True, False, False]
    """
    try:
        return value is None or value == "" or bool(value != value)
    except TypeError:  # pandas' NA is neither true nor false
        return True


def _refuse_other_kinds(values: NDArray[Any]) -> None:
    odd = next((value for value in values.tolist() if not isinstance(value, str | int | float)), None)
    if odd is not None:
        raise DataError(
            f"Unknown label type: {type(odd).__name__} (y holds {odd!r}); labels are text, integers or booleans"
        )
    numbers = [value for value in values.tolist() if isinstance(value, float)]
    if any(np.isinf(number) for number in numbers):
        raise DataError("Input y contains infinity; labels are text, integers or booleans")
    fraction = next((number for number in numbers if not number.is_integer()), None)
    if fraction is not None:
        raise DataError(
            f"Unknown label type: continuous (y holds {fraction}); labels are text, integers or booleans, and a "
            "number to be predicted is none"
        )


def _normal_classes(classes: NDArray[Any], found: NDArray[np.int64], normal: Any) -> NDArray[np.bool_]:
    if normal is None:
        return np.array(np.arange(len(classes)) == np.bincount(found).argmax(), dtype=bool)
    wanted: Sequence[Any] = [normal] if isinstance(normal, str) or np.ndim(normal) == 0 else list(normal)
    mask = normal_mask(classes.tolist(), wanted)
    listed = ", ".join(map(repr, classes.tolist()[:8]))
    for value in wanted:
        if not normal_mask(classes.tolist(), [value]).any():
            raise DataError(f"normal={value!r} is none of the labels; there are {listed}")
    if mask.all():
        raise DataError(f"normal={normal!r} are all labels there are ({listed}); name those that mean normal")
    return mask
