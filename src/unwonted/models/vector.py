"""A record of a table as one vector of real numbers, for models whose score is a smooth function of it."""

import torch
from torch import Tensor, nn

from unwonted.encode import Encoded, Encoder
from unwonted.nets import register_derived
from unwonted.parts import NOVEL, CategoricalPart, CyclicPart, NumericPart, Part

__all__ = ["Vector"]


class Vector(nn.Module):
    """Numbers as they are scaled, times as points on a circle, and zeros and ones for the rest.

    A category is a one among zeros; what training never saw has a place of its own, where training has zeros alone.
    A gap is a one beside the value zero. Where training had no gap, a gap is read as a value out of range instead: as
    far above the largest as that is above the least.

    Attributes:
        owner: The column of each input, shape (inputs,).
        numeric: Whether an input is a scaled number, bool (inputs,).
    """

    owner: Tensor
    numeric: Tensor
    slots: Tensor
    lows: Tensor
    highs: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        parts = encoder.parts
        self.kinds = tuple(map(_kind, parts))
        self.sizes = tuple(_size(part) for part in parts)
        self.gaps = tuple(part.outcomes - 1 if part.missing else None for part in parts)
        valued = torch.tensor([kind != "category" for kind in self.kinds])
        bounds = [(part.low, part.high) if isinstance(part, NumericPart) else (0.0, 0.0) for part in parts]
        kinds = [kind == "number" for kind in self.kinds]
        numeric = [
            place == 0 and number for number, size in zip(kinds, self.sizes, strict=True) for place in range(size)
        ]
        derived = {
            "owner": torch.tensor(encoder.column_of_part).repeat_interleave(torch.tensor(self.sizes)),
            "numeric": torch.tensor(numeric),
            "slots": valued.cumsum(0) - 1,
            "lows": torch.tensor([low for low, _ in bounds]),
            "highs": torch.tensor([high for _, high in bounds]),
        }
        register_derived(self, derived)

    def forward(self, batch: Encoded) -> Tensor:
        """The vectors, float32 (n, inputs)."""
        return torch.cat([self._read(batch, part) for part in range(len(self.kinds))], 1)

    def _read(self, batch: Encoded, part: int) -> Tensor:
        code = batch.codes[:, part : part + 1]
        if self.kinds[part] == "category":
            place = torch.where(code == NOVEL, self.sizes[part] - 1, code)
            return batch.values.new_zeros(len(batch), self.sizes[part]).scatter_(1, place, 1.0)
        value = batch.values[:, self.slots[part], None]
        known = self.gaps[part]
        gap = code == (NOVEL if known is None else known)
        if self.kinds[part] == "circle":
            read = torch.cat([value.sin(), value.cos()], 1) * ~gap
        else:
            low, high = self.lows[part], self.highs[part]
            # Infinity, where training had it, is an outcome; it must not stretch the axis.
            read = torch.where(code > 0, value.clamp(low, high), value)
            read = torch.where(gap, 2 * high - low if known is None else 0.0, read)
        return read if known is None else torch.cat([read, gap.to(read)], 1)


def _kind(part: Part) -> str:
    if isinstance(part, CategoricalPart):
        return "category"
    return "circle" if isinstance(part, CyclicPart) else "number"


def _size(part: Part) -> int:
    """How many inputs a part has."""
    if isinstance(part, CategoricalPart):
        return part.outcomes + 1
    return (2 if isinstance(part, CyclicPart) else 1) + part.missing
