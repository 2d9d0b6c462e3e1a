"""Encoded records as points of a Euclidean space, in which distances make sense."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.encode import Encoded, Encoder
from unwonted.nets import register_derived
from unwonted.parts import INFINITE, NOVEL, VALUE, CategoricalPart, CyclicPart, NumericPart

__all__ = ["Points"]

RAREST = 0.01  # share of the records, that a category of fewer or none counts as


class Points(nn.Module):
    """Where a record lies: scaled numbers, times on the unit circle, a mark for each gap, weighed categories.

    It keeps training records too, as many as asked for. Numbers are on their bent axis (see `NumericPart`), one unit a
    standard deviation; infinity, where training held it, is where the furthest of the others are. A category of
    frequency f is 1/√(f(1 − f)) along an axis of its own, as if it were a column of zeros and ones, standardised: two
    records with categories f and g are √(1/f(1−f) + 1/g(1−g)) apart. What is rarer than one record in a hundred counts
    as one in a hundred: new categories must not drown all else.

    Attributes:
        weights: Of each category.
        codes, read: Of the kept records: outcomes, and numbers and circles.
        read_of: Where in `read` a part with values is, by its position: one place, of circles two.
        drawn: Their positions among the records that they were drawn from.
        kept: Where the kept records lie, shape (size, dimensions); it follows from the rest.
        owner: Column of each dimension, one-hot, shape (dimensions, columns).

    Args:
        encoder: The parts.
        most: How many records are kept at most; 0 for none.
    """

    codes: Tensor
    read: Tensor
    kept: Tensor
    owner: Tensor
    valued: Tensor
    gaps: Tensor
    lows: Tensor
    highs: Tensor
    numbers: Tensor
    circles: Tensor
    plain: Tensor
    starts: Tensor
    outcomes: Tensor
    weights: Tensor

    def __init__(self, encoder: Encoder, most: int) -> None:
        super().__init__()
        self.most = most
        self.drawn: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        parts = encoder.parts
        valued, plain, numbers, circles, at = list[int](), list[int](), list[int](), list[int](), 0
        for i, part in enumerate(parts):
            if isinstance(part, CategoricalPart):
                plain.append(i)
                continue
            if isinstance(part, CyclicPart):
                circles += [at, at + 1]
            else:
                numbers.append(len(valued))
            valued.append(i)
            at += part.inputs
        outcomes = torch.tensor([parts[i].outcomes + 1 for i in plain], dtype=torch.long)
        ends = [_ends(part) for part in parts if isinstance(part, NumericPart)]
        of_part = torch.tensor(encoder.column_of_part)
        round_ = [i for i in valued if isinstance(parts[i], CyclicPart)]
        straight = of_part[[valued[i] for i in numbers]]
        self.read_of = {valued[slot]: [at] for at, slot in enumerate(numbers)}
        places = range(len(numbers), len(numbers) + len(circles), 2)
        self.read_of |= {i: [place, place + 1] for i, place in zip(round_, places, strict=True)}
        owners = [straight, of_part[round_].repeat_interleave(2), of_part[valued]]
        owner = torch.cat([*owners, of_part[plain].repeat_interleave(outcomes)])
        derived = {
            "valued": torch.tensor(valued, dtype=torch.long),
            "numbers": torch.tensor(numbers, dtype=torch.long),
            "circles": torch.tensor(circles, dtype=torch.long),
            "plain": torch.tensor(plain, dtype=torch.long),
            "gaps": torch.tensor([parts[i].gap for i in valued]),
            "lows": torch.tensor([low for low, _ in ends]),
            "highs": torch.tensor([high for _, high in ends]),
            "outcomes": outcomes,
            "starts": outcomes.cumsum(0) - outcomes,
            "owner": functional.one_hot(owner, len(encoder.columns)).float(),
            "kept": torch.zeros(0, len(owner)),
        }
        register_derived(self, derived)
        self.register_buffer("weights", torch.zeros(int(outcomes.sum())))
        self.register_buffer("codes", torch.zeros(0, len(parts), dtype=torch.int16))
        self.register_buffer("read", torch.zeros(0, len(numbers) + len(circles)))
        self.register_load_state_dict_pre_hook(_with_room)  # type: ignore[no-untyped-call]

    def remember(self, records: Encoded, generator: Generator) -> None:
        """Weighs categories by how often they are, and keeps as many of the records as it may, drawn at random.

        Where they lie `place` then works out.
        """
        counts = torch.bincount(self._named(records.codes).flatten(), minlength=len(self.weights))
        shares = (counts / len(records)).clamp(RAREST, 1 - RAREST)
        self.weights.copy_((shares * (1 - shares)).rsqrt())
        drawn = torch.randperm(len(records), generator=generator)[: self.most].sort().values
        kept = records[drawn.to(records.codes.device)]
        self.codes, self.read = kept.codes.to(self.codes.dtype), self._read(kept)
        self.drawn = drawn.numpy()

    def place(self) -> None:
        """Works out where the kept records lie, once they and the weights are there."""
        self.kept = self._points(self.codes.long(), self.read)

    def forward(self, batch: Encoded) -> Tensor:
        """Where these records lie, shape (n, dimensions)."""
        return self._points(batch.codes, self._read(batch))

    def held(self, kept: Tensor, position: int) -> list[tuple[int, float]]:
        """What kept records, by their positions, hold in a part: its outcome, and the place on its scaled axis."""
        codes = self.codes[kept, position].tolist()
        read = self.read[kept][:, self.read_of.get(position, [])]
        if read.shape[1] == 2:
            read = torch.atan2(read[:, :1], read[:, 1:]).remainder(2 * math.pi)
        places = read[:, 0].tolist() if read.shape[1] else [0.0] * len(codes)
        return list(zip(codes, places, strict=True))

    def _read(self, batch: Encoded) -> Tensor:
        numbers = batch.values[:, self.numbers]
        named = batch.codes[:, self.valued[self.numbers]] > VALUE
        numbers = torch.where(named, numbers.clamp(self.lows, self.highs), numbers)
        return torch.cat([numbers, batch.inputs[:, self.circles]], 1)

    def _points(self, codes: Tensor, read: Tensor) -> Tensor:
        found = codes[:, self.valued]
        absent = (found == NOVEL) | (found == self.gaps)
        named = self._named(codes)
        hot = read.new_zeros(len(codes), len(self.weights)).scatter_(1, named, self.weights[named])
        return torch.cat([read, absent.to(read.dtype), hot], 1)

    def _named(self, codes: Tensor) -> Tensor:
        """Position of each category among the outcomes of all parts; what is new is the last of its part."""
        return self.starts + codes[:, self.plain].remainder(self.outcomes)


def _ends(part: NumericPart) -> tuple[float, float]:
    """Where the least and the greatest finite number of training lie."""
    atoms = np.array([atom for atom in part.atoms if abs(atom) < INFINITE])
    there = [part.low, part.high, *part.located(atoms).tolist()]
    return min(there), max(there)


def _with_room(points: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Makes room for as many records as are kept in what is to be loaded."""
    for name in ("codes", "read"):
        empty = getattr(points, name)
        setattr(points, name, empty.new_zeros(len(state.get(prefix + name, empty)), empty.shape[1]))
