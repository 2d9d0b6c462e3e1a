"""Training records, kept: how far a record is from the nearest of them, column by column."""

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.encode import Encoded, Encoder
from unwonted.nets import register_derived
from unwonted.parts import NOVEL, CategoricalPart, CyclicPart

__all__ = ["Memory"]

NEIGHBOURS = 3
BLOCK = 128  # of distances, searched by their smallest
LEAST_DISTANCE = 1e-12
SAME = 1e-6  # distance below which a kept record is taken for the one asked about
NEVER_SEEN = 0.5  # times, what a category that no kept record has counts as


class Memory(nn.Module):
    """Up to `size` training records, and how far other records are from the nearest of them.

    The distance r of two records is Euclidean over columns, r² = Σ_j d_j²: d_j is the difference of scaled numbers,
    held within the range of training; the chord between two times on the unit circle; 1 between a gap and a value; and
    between two categories of frequencies f and g √(1/f(1−f) + 1/g(1−g)), as if each were a standardised column of
    zeros and ones. Column j's share in the mean distance of the K = 3 nearest is mean_k d_jk²/r_k, and
    the shares sum to mean_k r_k. One kept record at no distance is left out: it may be the very record asked about,
    so that the records of training are measured by the others too.

    It is the local part of the density: a mixture with a narrow component on each training record has −log p that
    rises with the distance of the nearest (Loftsgaarden and Quesenberry 1965), where a network smooths over.

    Args:
        encoder: The parts.
        size: How many records are kept, of the same or more that `remember` is given.
    """

    codes: Tensor
    read: Tensor
    points: Tensor
    keys: Tensor
    owner: Tensor
    valued: Tensor
    gaps: Tensor
    read_from: Tensor
    plain: Tensor
    starts: Tensor
    outcomes: Tensor
    weights: Tensor

    def __init__(self, encoder: Encoder, size: int) -> None:
        super().__init__()
        parts = encoder.parts
        valued, plain, at = [], [], 0
        read_from: list[int] = []
        owner_read: list[int] = []
        for i, part in enumerate(parts):
            if isinstance(part, CategoricalPart):
                plain.append(i)
                continue
            valued.append(i)
            dimensions = 2 if isinstance(part, CyclicPart) else 1
            read_from += range(at, at + dimensions)
            owner_read += [encoder.column_of_part[i]] * dimensions
            at += part.inputs
        outcomes = torch.tensor([parts[i].outcomes + 1 for i in plain], dtype=torch.long)
        of_part = torch.tensor(encoder.column_of_part)
        owner = torch.cat(
            [torch.tensor(owner_read, dtype=torch.long), of_part[valued], of_part[plain].repeat_interleave(outcomes)]
        )
        derived = {
            "valued": torch.tensor(valued, dtype=torch.long),
            "plain": torch.tensor(plain, dtype=torch.long),
            "read_from": torch.tensor(read_from, dtype=torch.long),
            "gaps": torch.tensor([parts[i].outcomes - 1 if parts[i].missing else NOVEL for i in valued]),
            "outcomes": outcomes,
            "starts": outcomes.cumsum(0) - outcomes,
            "owner": functional.one_hot(owner, len(encoder.columns)).float(),
            "weights": torch.zeros(int(outcomes.sum())),
            "points": torch.zeros(size, len(owner)),
            "keys": torch.zeros(len(owner) + 1, size + -size % BLOCK),
        }
        register_derived(self, derived)
        self.register_buffer("codes", torch.zeros(size, len(parts), dtype=torch.int16))
        self.register_buffer("read", torch.zeros(size, len(read_from)))
        self.register_load_state_dict_post_hook(_placed)  # type: ignore[no-untyped-call]

    def remember(self, records: Encoded, generator: Generator) -> None:
        """Keeps as many of the records as there is room for, drawn at random."""
        drawn = torch.randperm(len(records), generator=generator)[: len(self.codes)].sort().values
        kept = records[drawn.to(records.codes.device)]
        self.codes.copy_(kept.codes)
        self.read.copy_(kept.inputs[:, self.read_from])
        self.place()

    def place(self) -> None:
        """Works out where the kept records lie; once they are all there."""
        counts = torch.bincount(self._named(self.codes.long()).flatten(), minlength=len(self.weights))
        shares = counts.clamp(min=NEVER_SEEN, max=len(self.codes) - NEVER_SEEN) / len(self.codes)
        self.weights = (shares * (1 - shares)).rsqrt()
        self.points = self._points(self.codes.long(), self.read)
        # One product with [x, 1] gives ‖m‖² − 2 x·m, which ranks the kept records by their distance from x.
        # It is searched in blocks: what fills up the last of them is infinitely far.
        keys = torch.cat([-2 * self.points.T, self.points.square().sum(1)[None]])
        filling = keys.new_zeros(len(keys), -len(self.points) % BLOCK)
        filling[-1] = math.inf
        self.keys = torch.cat([keys, filling], 1)

    def forward(self, batch: Encoded) -> Tensor:
        """Each column's share in the mean distance to the nearest kept records, (n, columns)."""
        points = self._points(batch.codes, batch.inputs[:, self.read_from])
        asked = torch.cat([points, points.new_ones(len(points), 1)], 1)
        nearest = _smallest(asked @ self.keys, min(NEIGHBOURS + 1, len(self.points)))
        squares = (points[:, None] - self.points[nearest]).square() @ self.owner
        distances = squares.sum(-1).sqrt()
        itself = functional.one_hot(distances.argmin(1), distances.shape[1]).bool() & (distances < SAME)
        others = (~itself) & ((~itself).cumsum(1) <= NEIGHBOURS)
        shares = squares / distances.clamp(min=LEAST_DISTANCE)[..., None] * others[..., None]
        return shares.sum(1) / others.sum(1, keepdim=True).clamp(min=1)

    def _points(self, codes: Tensor, read: Tensor) -> Tensor:
        found = codes[:, self.valued]
        absent = (found == NOVEL) | (found == self.gaps)
        named = self._named(codes)
        hot = read.new_zeros(len(codes), len(self.weights)).scatter_(1, named, self.weights[named])
        return torch.cat([read, absent.to(read.dtype), hot], 1)

    def _named(self, codes: Tensor) -> Tensor:
        """Position of each category among the outcomes of all parts; what is new is the last of its part."""
        return self.starts + codes[:, self.plain].remainder(self.outcomes)


def _placed(memory: nn.Module, keys: Any) -> None:
    assert isinstance(memory, Memory)
    memory.place()


def _smallest(distances: Tensor, k: int) -> Tensor:
    """Positions of the k smallest in each row of whole blocks, (n, k): they lie in the k with the least minima."""
    blocks = distances.view(len(distances), -1, BLOCK)
    first = blocks.amin(2).topk(min(k, blocks.shape[1]), largest=False).indices
    within = blocks.gather(1, first.unsqueeze(-1).expand(-1, -1, BLOCK)).flatten(1)
    chosen = within.topk(k, largest=False).indices
    positions: Tensor = first.gather(1, chosen // BLOCK) * BLOCK + chosen % BLOCK
    return positions
