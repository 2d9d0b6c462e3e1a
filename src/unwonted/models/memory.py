"""Training records, kept: how far a record is from the nearest of random samples of them, column by column."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from unwonted.models.points import Points
from unwonted.nets import register_derived

__all__ = ["SCALES", "Memory", "Scale"]


class Scale(NamedTuple):
    """Among what the nearest are looked for: so many samples, of so many kept records each, the K nearest in each."""

    samples: int
    size: float
    nearest: int


SCALES = {"near": Scale(1, math.inf, 3), "wide": Scale(4, 512, 1), "widest": Scale(16, 32, 1)}
"""From fine detail to the coarse: the fewer records there are to choose from, the further off is the nearest."""

BLOCK = 128  # of distances, where there are more, searched by their smallest
LEAST_DISTANCE = 1e-12
SAME = 1e-6  # distance below which a kept record is taken for the one asked about


class Memory(nn.Module):
    """How far records are from the nearest of the kept ones, at one scale.

    The distance r of two records is Euclidean (see `Points`), r² = Σ_j d_j² over columns. Column j's share in the mean
    distance of the K nearest is mean_k d_jk²/r_k, and the shares sum to mean_k r_k; of several samples their mean
    counts. One kept record at no distance is left out of each sample: it may be the very record asked about, so that
    the records of training are measured by the others too.

    It is the local part of the density: a mixture with a narrow component on each training record has −log p that
    rises with the distance of the nearest (Loftsgaarden and Quesenberry 1965), where a network smooths over. The
    nearest of a small sample are not deceived by a few strange records that lie close together in training: most
    samples have none of them (Sugiyama and Borgwardt 2013, of one sample).

    Args:
        points: Which keep the records, in random order.
        scale: A sample of more than half of the kept records is of half of them, if there are several.
    """

    runs: Tensor
    keys: Tensor

    def __init__(self, points: Points, scale: Scale) -> None:
        super().__init__()
        kept, dimensions = points.kept.shape
        self.nearest = scale.nearest
        size = int(min(scale.size, max(1, kept // 2) if scale.samples > 1 else kept))
        # The kept records are in random order: any run of them, on and round the end, is a sample.
        runs = torch.arange(scale.samples * size).view(scale.samples, size) % kept
        filled = size + (-size % BLOCK if size > BLOCK else 0)
        register_derived(self, {"runs": runs, "keys": torch.zeros(dimensions + 1, scale.samples, filled)})

    def place(self, points: Points) -> None:
        """Prepares the search, once the points know where the kept records lie."""
        # One product with [x, 1] gives ‖m‖² − 2 x·m, which ranks the kept records by their distance from x.
        # It is searched in blocks: what fills up the last of them is infinitely far.
        kept = points.kept[self.runs]
        keys = torch.cat([-2 * kept, kept.square().sum(2, keepdim=True)], 2).movedim(2, 0)
        filling = keys.new_zeros(len(keys), len(self.runs), self.keys.shape[2] - keys.shape[2])
        filling[-1] = math.inf
        self.keys = torch.cat([keys, filling], 2)

    def forward(self, asked: Tensor, points: Points) -> Tensor:
        """Each column's share in the mean distance to the nearest kept records, (n, columns)."""
        with_one = torch.cat([asked, asked.new_ones(len(asked), 1)], 1)
        apart = torch.tensordot(with_one, self.keys, 1)
        nearest = _smallest(apart, min(self.nearest + 1, self.runs.shape[1]))
        found = self.runs.expand(len(asked), -1, -1).gather(2, nearest)
        squares = (asked[:, None, None] - points.kept[found]).square() @ points.owner
        distances = squares.sum(3).sqrt()
        itself = functional.one_hot(distances.argmin(2), distances.shape[2]).bool() & (distances < SAME)
        others = (~itself) & ((~itself).cumsum(2) <= self.nearest)
        shares = squares / distances.clamp(min=LEAST_DISTANCE)[..., None] * others[..., None]
        return (shares.sum(2) / others.sum(2, keepdim=True).clamp(min=1)).mean(1)


def _smallest(distances: Tensor, k: int) -> Tensor:
    """Positions of the k smallest along the last axis, (n, samples, k): they lie in the k blocks of least minima."""
    if distances.shape[2] <= BLOCK:
        return distances.topk(k, largest=False).indices
    blocks = distances.unflatten(2, (-1, BLOCK))
    first = blocks.amin(3).topk(min(k, blocks.shape[2]), largest=False).indices
    within = blocks.gather(2, first.unsqueeze(3).expand(-1, -1, -1, BLOCK)).flatten(2)
    chosen = within.topk(k, largest=False).indices
    positions: Tensor = first.gather(2, chosen // BLOCK) * BLOCK + chosen % BLOCK
    return positions
