"""Records that are no rows of a table: sequences and images, what they look like, and how they become tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from unwonted.batch import Batch
from unwonted.errors import DataError
from unwonted.infer import Column

__all__ = ["ArrayEncoder", "Arrays", "Grids", "Layout", "array_column", "as_arrays", "as_column", "sequences"]

ACCEPTED = (
    "give a list of arrays (time, channels), sequences(X, lengths) with a padded array (n, time, channels), or images "
    "as an array (n, height, width) or (n, height, width, channels)"
)
FURTHEST = 1e8  # standard deviations; beyond it a number is no longer told from infinity


@dataclass(frozen=True, eq=False)
class Arrays:
    """Sequences or images in their own units, one record each.

    Attributes:
        values: float64 (n, time, channels), zero behind a sequence's end, or (n, height, width, channels).
        lengths: Steps of each sequence, int64 (n,); the height of images.
    """

    values: NDArray[np.float64]
    lengths: NDArray[np.int64]

    @property
    def num_rows(self) -> int:
        return len(self.values)

    @property
    def images(self) -> bool:
        return self.values.ndim == 4

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Which steps lie before a sequence's end, or rows within an image, (n, time or height)."""
        valid: NDArray[np.bool_] = np.arange(self.values.shape[1]) < self.lengths[:, None]
        return valid

    def take(self, rows: ArrayLike) -> "Arrays":
        """The records of these row numbers, in their order."""
        chosen = np.asarray(rows, dtype=np.int64)
        return Arrays(self.values[chosen], self.lengths[chosen])

    def slice(self, start: int, length: int | None = None) -> "Arrays":
        """So many records from `start` on."""
        rows = slice(start, None if length is None else start + length)
        return Arrays(self.values[rows], self.lengths[rows])


def sequences(X: Any, lengths: ArrayLike | None = None) -> Arrays:
    """Records that are sequences, of one length or of several.

    Args:
        X: A list of arrays (time, channels), or one array (n, time, channels).
        lengths: With an array, how many steps of each sequence count; None for all.

    Raises:
        DataError: if a sequence has no step, another number of channels, or a cell that is no number.

    >>> sequences([[[1.0], [2.0]], [[3.0]]]).lengths.tolist()
    [2, 1]
    """
    if isinstance(X, Arrays):
        return X
    if lengths is None and not isinstance(X, np.ndarray):
        return _stacked(X)
    values = _numbers(X, "sequence")
    if values.ndim != 3:
        raise DataError(f"sequences with lengths came as an array of {values.ndim} axes; {ACCEPTED}")
    n, time, _ = values.shape
    steps = np.full(n, time) if lengths is None else np.asarray(lengths)
    if steps.shape != (n,) or steps.dtype.kind not in "iu":
        raise DataError(f"{n} sequences need {n} whole lengths, not {steps.dtype} of shape {steps.shape}")
    wrong = np.flatnonzero((steps < 1) | (steps > time))
    if len(wrong):
        raise DataError(f"sequence {wrong[0] + 1} has the length {steps[wrong[0]]}; give 1 to {time}")
    arrays = Arrays(values, steps.astype(np.int64))
    values[~arrays.valid] = 0.0
    _refuse_gaps(values, "sequence")
    return arrays


def as_arrays(X: Any) -> Arrays | None:
    """X as sequences or images; None for what is a table.

    Raises:
        DataError: if it is an array of another rank, or its records do not fit together.
    """
    if isinstance(X, Arrays):
        return X
    if isinstance(X, pa.Table):
        name = array_column(X)
        return None if name is None else _from_column(X[name].combine_chunks())
    if isinstance(X, list | tuple) and len(X):
        axes = _axes(X[0])
        if axes == 2:
            return _stacked(X)
        if axes == 3:
            return _images(_one_size(X))
    if not isinstance(X, np.ndarray) or X.ndim < 3:
        return None
    if X.ndim > 4:
        raise DataError(f"an array of {X.ndim} axes is neither a table, sequences nor images; {ACCEPTED}")
    return _images(X)


def array_column(table: pa.Table) -> str | None:
    """The name of the column that holds sequences or images; None where none does."""
    return next((field.name for field in table.schema if _holds_arrays(field.type)), None)


def as_column(arrays: Arrays) -> pa.Array:
    """Sequences or images as a column of an Arrow table: lists of steps, or tensors of one shape."""
    if arrays.images:
        return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(arrays.values))
    cells = _valid_cells(arrays)
    steps = pa.FixedSizeListArray.from_arrays(pa.array(cells.ravel()), cells.shape[1])
    return pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(arrays.lengths)), pa.int32()), steps)


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="arrays"):
    """What arrays look like: the counterpart of a table's schema.

    Attributes:
        shape: (channels,) of sequences, (height, width, channels) of images.
    """

    shape: tuple[int, ...]

    columns: ClassVar[tuple[Column, ...]] = ()
    notices: ClassVar[tuple[str, ...]] = ()
    text: ClassVar[tuple[str, ...]] = ()

    @property
    def images(self) -> bool:
        """Whether the records are images."""
        return len(self.shape) == 3

    @classmethod
    def of(cls, arrays: Arrays) -> "Layout":
        return cls(arrays.values.shape[1:] if arrays.images else arrays.values.shape[2:])

    def select(self, data: Arrays | pa.Table) -> tuple[Arrays, tuple[str, ...]]:
        """The same records, or those of a table's column, once they are known to look like those of training.

        Raises:
            DataError: if they do not.
        """
        arrays = as_arrays(data)
        if arrays is None:
            raise DataError(f"the model learnt from {self.described()}; give records of the same form")
        found = Layout.of(arrays)
        if found.shape != self.shape:
            raise DataError(f"the model learnt from {self.described()}, and these are {found.described()}")
        return arrays, ()

    def described(self) -> str:
        """What a record is, in words."""
        if not self.images:
            return f"sequences of {self.shape[0]} channel(s)"
        height, width, channels = self.shape
        return f"images of {height} × {width} pixels and {channels} channel(s)"


class ArrayEncoder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="arrays"):
    """Standardises each channel, t = (x − mean)/deviation, over all valid steps or pixels of training.

    >>> encoder = ArrayEncoder.fit(sequences([[[1.0], [3.0]], [[2.0]]]))
    >>> encoder.transform(sequences([[[2.0]]])).values.tolist()
    [[[0.0]]]
    """

    shape: tuple[int, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @classmethod
    def fit(cls, arrays: Arrays) -> "ArrayEncoder":
        cells = _valid_cells(arrays)
        scale = np.abs(cells).max(0)
        scale[scale == 0] = 1.0
        deviations = (cells / scale).std(0) * scale
        return cls(
            Layout.of(arrays).shape,
            tuple(((cells / scale).mean(0) * scale).tolist()),
            tuple(np.where(deviations > 1e-12 * scale, deviations, 1.0).tolist()),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(f"channel {i + 1}" for i in range(self.shape[-1]))

    def transform(self, arrays: Arrays) -> "Grids":
        """Encodes records of this shape; what lies behind a sequence's end is zero."""
        scaled = (arrays.values - np.array(self.means)) / np.array(self.deviations)
        scaled = np.clip(scaled, -FURTHEST, FURTHEST)
        scaled[~arrays.valid] = 0.0
        return Grids(torch.from_numpy(scaled.astype(np.float32)), torch.from_numpy(arrays.lengths))


@dataclass(frozen=True)
class Grids(Batch):
    """Encoded sequences or images.

    Attributes:
        values: float32 (n, time, channels) or (n, height, width, channels), standardised by channel.
        lengths: Valid steps, int64 (n,); the height of images.
    """

    values: Tensor
    lengths: Tensor


def _holds_arrays(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.FixedShapeTensorType):
        return len(kind.shape) in (2, 3)
    return bool(pa.types.is_list(kind) and pa.types.is_fixed_size_list(kind.value_type))


def _from_column(column: pa.Array) -> Arrays:
    if isinstance(column, pa.FixedShapeTensorArray):
        return _images(column.to_numpy_ndarray())
    return _stacked([np.array(steps) for steps in column.to_pylist()])


def _axes(record: Any) -> int:
    """Axes of an array or of nested lists; 0 for what is neither."""
    if isinstance(record, np.ndarray):
        return record.ndim
    return 1 + _axes(record[0]) if isinstance(record, list | tuple) and len(record) else 0


def _stacked(records: Sequence[Any]) -> Arrays:
    """Sequences of several lengths as one padded array."""
    found = [_numbers(record, "sequence") for record in records]
    for i, one in enumerate(found, 1):
        if one.ndim != 2:
            raise DataError(f"sequence {i} is an array of {one.ndim} axes; each must be (time, channels)")
        if not len(one):
            raise DataError(f"sequence {i} has no step; leave it out")
        if one.shape[1] != found[0].shape[1]:
            raise DataError(f"sequence {i} has {one.shape[1]} channels, the first one {found[0].shape[1]}")
    if not found:
        raise DataError(f"there is no sequence; {ACCEPTED}")
    lengths = np.array([len(one) for one in found])
    values = np.zeros((len(found), lengths.max(), found[0].shape[1]))
    for row, one in zip(values, found, strict=True):
        row[: len(one)] = one
    _refuse_gaps(values, "sequence")
    return Arrays(values, lengths)


def _images(X: ArrayLike) -> Arrays:
    values = _numbers(X, "image")
    values = values[..., None] if values.ndim == 3 else values
    if 0 in values.shape[1:]:
        raise DataError(f"images of shape {values.shape[1:]} have no pixel; {ACCEPTED}")
    _refuse_gaps(values, "image")
    return Arrays(values, np.full(len(values), values.shape[1]))


def _one_size(records: Sequence[Any]) -> NDArray[np.float64]:
    for i, one in enumerate(records, 1):
        if np.shape(one) != np.shape(records[0]):
            raise DataError(
                f"image {i} is of size {np.shape(one)}, the first one of {np.shape(records[0])}; bring them to one size"
            )
    return np.stack([_numbers(one, "image") for one in records])


def _numbers(values: Any, what: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"a {what} is no array of numbers ({error}); {ACCEPTED}") from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"a {what} holds {array.dtype} in place of numbers; {ACCEPTED}")
    return array.astype(np.float64)


def _refuse_gaps(values: NDArray[np.float64], what: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(values).all(tuple(range(1, values.ndim))))
    if len(wrong):
        raise DataError(
            f"{what} {wrong[0] + 1} has a cell that is missing or infinite; fill it or leave the {what} out"
        )


def _valid_cells(arrays: Arrays) -> NDArray[np.float64]:
    """All valid steps or pixels, shape (cells, channels)."""
    return arrays.values[arrays.valid].reshape(-1, arrays.values.shape[-1])
