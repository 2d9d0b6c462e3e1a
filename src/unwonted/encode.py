"""A table to tensors: each column's outcomes, scaled values and inputs, as fitted on the training records."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from unwonted.batch import Batch
from unwonted.parts import INFINITE, Axis, CategoricalPart, CyclicPart, NumericPart, Part
from unwonted.schema import Kind, Schema

__all__ = ["Encoded", "Encoder"]

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOURS_A_DAY = 24.0
_MICROSECONDS_AN_HOUR = 3.6e9


@dataclass(frozen=True)
class Encoded(Batch):
    """Encoded records of a table.

    Attributes:
        codes: Outcome of each part, int64 (n, parts); NOVEL for what training never saw.
        values: Place of each part's value on its scaled axis, for parts that have values, float32 (n, valued parts).
        widths: Width of each value's bin on the same axis, float32; 0 for density.
        inputs: What a network reads of the values, float32 (n, inputs).
    """

    codes: Tensor
    values: Tensor
    widths: Tensor
    inputs: Tensor


class Encoder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="table"):
    """How each column of the schema becomes parts, in the schema's order.

    >>> table = pa.table({"bytes": [3.0, 5.0, 9.0], "proto": ["udp", "tcp", None]})
    >>> encoder = Encoder.fit(table, Schema.infer(table))
    >>> encoder.transform(table).codes.tolist()
    [[0, 1], [0, 0], [0, 2]]
    """

    columns: tuple[str, ...]
    parts: tuple[Part, ...]

    @classmethod
    def fit(cls, table: pa.Table, schema: Schema, axis: Axis = "counting") -> "Encoder":
        """Fits the parts of the schema's features on selected records (see `Schema.select`).

        Numbers get such an axis: bent, with a unit of its own for counts ("counting") or without ("bent"), or from 0,
        the least of the records, to 1, the largest ("linear").
        """
        parts: list[Part] = []
        for column in schema.features:
            data = table.column(column.name)
            if column.kind is Kind.NUMERIC:
                parts.append(NumericPart.fit(column.name, _numbers(data), axis))
            elif column.kind is Kind.DATETIME:
                parts.append(CyclicPart.fit(column.name, _hours(data), "hour of day", _HOURS_A_DAY))
                parts.append(CategoricalPart.fit(column.name, _weekdays(data), "day of week"))
            else:
                parts.append(CategoricalPart.fit(column.name, data))
        return cls(tuple(column.name for column in schema.features), tuple(parts))

    @property
    def valued(self) -> tuple[int, ...]:
        """Positions of the parts that have values."""
        return tuple(i for i, part in enumerate(self.parts) if not isinstance(part, CategoricalPart))

    @property
    def column_of_part(self) -> tuple[int, ...]:
        """Position of each part's column."""
        return tuple(self.columns.index(part.column) for part in self.parts)

    def transform(self, table: pa.Table) -> Encoded:
        """Encodes selected records (see `Schema.select`)."""
        codes, values, widths, inputs = [], [], [], []
        for part in self.parts:
            data = table.column(part.column)
            if isinstance(part, CategoricalPart):
                codes.append(part.codes(_weekdays(data) if part.unit else data))
                continue
            x = _hours(data) if isinstance(part, CyclicPart) else _numbers(data)
            codes.append(part.codes(x))
            values.append(part.located(x))
            widths.append(part.widths(x))
            inputs.append(part.features(x))
        rows = table.num_rows

        def stacked(columns: list[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.column_stack([np.empty((rows, 0)), *columns]).astype(np.float32))

        return Encoded(torch.from_numpy(np.column_stack(codes)), stacked(values), stacked(widths), stacked(inputs))


def _numbers(data: pa.ChunkedArray) -> np.ndarray:
    return np.clip(np.asarray(data.cast(pa.float64()).to_numpy(), dtype=np.float64), -INFINITE, INFINITE)


def _hours(data: pa.ChunkedArray) -> np.ndarray:
    """Hour of day as a number, NaN for gaps."""
    ticks = data.cast(pa.timestamp("us")).cast(pa.int64())
    hours = np.asarray(ticks.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64) / _MICROSECONDS_AN_HOUR
    return np.mod(hours, _HOURS_A_DAY)


def _weekdays(data: pa.ChunkedArray) -> pa.ChunkedArray:
    names = pa.array(_WEEKDAYS)
    return pa.chunked_array([names.take(pc.day_of_week(chunk)) for chunk in data.chunks], type=pa.string())
