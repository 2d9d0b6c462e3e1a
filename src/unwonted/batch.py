"""What models take: tensors of many records, which can be indexed, cut into chunks and moved together."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """Records as tensors, the fields of a subclass; the first axis of each counts the records."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, rows: Tensor | slice) -> Self:
        every = [getattr(self, field.name) for field in fields(self)]
        if isinstance(rows, Tensor) and rows.dtype == torch.long:
            return type(self)(*(tensor.index_select(0, rows) for tensor in every))
        return type(self)(*(tensor[rows] for tensor in every))

    def to(self, device: torch.device) -> Self:
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))

    def padded(self, rows: int) -> Self:
        """The same records followed by copies of the last, `rows` in all."""
        return self[torch.arange(rows).clamp(max=len(self) - 1)]

    def chunks(self, rows: int) -> Iterator[Self]:
        """The records in order, at most `rows` at a time."""
        for start in range(0, len(self), rows):
            yield self[start : start + rows]
