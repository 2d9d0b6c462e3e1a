"""Records as the matrix of floats that peers ask for; all that it knows comes from the training records."""

from typing import Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unwonted.datasets import Records

__all__ = ["Flat", "Matrix"]


class Matrix:
    """A table as the matrix of floats that peers ask for; all that it knows comes from the training records.

    Numbers: gaps become the training median, infinities the ends of the training range, then, with `log`,
    sign(x)·log(1 + |x|). Times: hour and weekday. The rest: one column of 0 and 1 for each value seen in
    training; a value not seen there is all zeros. In the end every column becomes
    z = (x − mean) / standard deviation, the columns of 0 and 1 too, which helps kNN on UNSW-NB15.

    Example:
        >>> train = pa.table({"bytes": [1.0, 3.0], "action": ["read", "write"]})
        >>> test = pa.table({"bytes": [5.0, None], "action": ["read", "copy"]})
        >>> Matrix().fit(train).transform(test).tolist()
        [[3.0, 1.0, -1.0], [0.0, -1.0, -1.0]]
    """

    def __init__(self, log: bool = False) -> None:
        self.log = log

    def fit(self, table: pa.Table) -> Self:
        """Learns medians, ranges, scales and values."""
        numbers, texts = _split(table)
        finite = np.where(np.isfinite(numbers), numbers, np.nan)
        finite[:, np.isnan(finite).all(0)] = 0.0
        self.medians = np.nanmedian(finite, 0)
        self.lowest, self.highest = np.nanmin(finite, 0), np.nanmax(finite, 0)
        self.values = [np.unique(column) for column in texts]
        matrix = self._raw(numbers, texts)
        self.means, deviations = matrix.mean(0), matrix.std(0)
        self.scales = np.where(deviations > 0, deviations, 1.0)
        return self

    def transform(self, table: pa.Table) -> np.ndarray:
        """The matrix of these records, shape (n, columns), float64."""
        scaled: np.ndarray = (self._raw(*_split(table)) - self.means) / self.scales
        return scaled

    def _raw(self, numbers: np.ndarray, texts: list[np.ndarray]) -> np.ndarray:
        inside = np.where(np.isinf(numbers), np.clip(numbers, self.lowest, self.highest), numbers)
        filled = np.where(np.isnan(inside), self.medians, inside)
        filled = np.sign(filled) * np.log1p(np.abs(filled)) if self.log else filled
        hot = [column[:, None] == values for column, values in zip(texts, self.values, strict=True)]
        return np.hstack([filled, *hot]).astype(np.float64)


def _split(table: pa.Table) -> tuple[np.ndarray, list[np.ndarray]]:
    """The numeric part, shape (n, ·), with NaN for gaps, and the other columns as arrays of strings."""
    numbers: list[np.ndarray] = []
    texts: list[np.ndarray] = []
    for column in table.columns:
        kind = column.type
        if pa.types.is_timestamp(kind):
            hour = pc.add(pc.hour(column), pc.divide(pc.cast(pc.minute(column), "double"), 60.0))
            numbers += [_floats(hour), _floats(pc.day_of_week(column))]
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
            numbers.append(_floats(column))
        else:
            text = pc.fill_null(pc.cast(column, pa.string()), "<missing>")
            texts.append(text.to_numpy(zero_copy_only=False).astype(str))
    shape = (table.num_rows, len(numbers))
    return (np.column_stack(numbers) if numbers else np.empty(shape)), texts


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return cast(np.ndarray, pc.fill_null(pc.cast(column, "double"), np.nan).to_numpy())


class Flat:
    """Images or series of one size as rows: each channel standardised over all training records, then flattened.

    An image without channels (n, height, width) has one. The encoding that this package's models read is the same.

    Example:
        >>> series = [np.array([[1.0, 10.0], [3.0, 30.0]])]
        >>> Flat().fit(series).transform(series).tolist()
        [[-1.0, -1.0, 1.0, 1.0]]
    """

    def fit(self, records: Records) -> Self:
        """Learns mean and deviation of each channel."""
        values = self._stacked(records)
        over = tuple(range(values.ndim - 1))
        self.means, deviations = values.mean(over), values.std(over)
        self.scales = np.where(deviations > 0, deviations, 1.0)
        return self

    def transform(self, records: Records) -> np.ndarray:
        """The matrix of these records, shape (n, numbers), float64."""
        values = self._stacked(records)
        return cast(np.ndarray, ((values - self.means) / self.scales).reshape(len(values), -1))

    def _stacked(self, records: Records) -> np.ndarray:
        values = np.stack(list(records)).astype(np.float64)
        return values if isinstance(records, list) or values.ndim == 4 else values[..., None]
