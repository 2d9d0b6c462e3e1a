"""Training records, kept: how far a record is from the nearest of them, or of random samples, column by column."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from unwonted.models.points import Points
from unwonted.nets import register_derived

__all__ = ["ALL", "SAMPLED", "Memory", "Search"]


class Search(NamedTuple):
    """What the nearest are looked for among: so many samples of at most so many kept records, and how many in each."""

    samples: int
    size: float
    nearest: int


ALL = Search(1, math.inf, 3)
SAMPLED = Search(16, 128, 1)

BLOCK = 128  # of distances, where there are more, searched by their smallest
LEAST_DISTANCE = 1e-12
SAME = 1e-6  # distance below which a kept record is taken for the one asked about


class Memory(nn.Module):
    """How far records are from the nearest of the kept ones.

    The distance r of two records is Euclidean (see `Points`), r² = Σ_j d_j² over columns. Column j's share in it is
    d_j²/r, and the shares sum to r. The mean over the nearest, and over samples, counts. One kept record at no distance
    is passed over in each sample: it may be the very record asked about, so that the records of training are measured
    by the others too.

    It is the local part of the density: a mixture with a narrow component on each training record has −log p that
    rises with the distance of the nearest (Loftsgaarden and Quesenberry 1965), where a network smooths over.

    A search among all kept records tells fine detail. Strange records that lie close together among those of training
    hide each other from it, but not from small samples: few have one of them (Sugiyama and Borgwardt 2013, of a single
    sample).

    Args:
        points: Which keep the records, in random order.
        search: A sample is of half of the kept records where they are too few.
    """

    samples: Tensor
    keys: Tensor

    def __init__(self, points: Points, search: Search) -> None:
        super().__init__()
        kept, dimensions = points.kept.shape
        self.nearest = search.nearest
        size = kept if search.samples == 1 else max(1, min(int(search.size), kept // 2))
        # The kept records are in random order: any run of them, on and round the end, is a sample.
        starts = torch.arange(search.samples) * kept // search.samples
        samples = (starts[:, None] + torch.arange(size)) % kept
        filled = size + (-size % BLOCK if size > BLOCK else 0)
        register_derived(self, {"samples": samples, "keys": torch.zeros(dimensions + 1, search.samples, filled)})

    def place(self, points: Points) -> None:
        """Prepares the search, once the points know where the kept records lie."""
        # One product with [x, 1] gives ‖m‖² − 2 x·m, which ranks the kept records by how near to x they are.
        # It is searched in blocks: what fills up the last of them is infinitely far.
        kept = points.kept[self.samples]
        keys = torch.cat([-2 * kept, kept.square().sum(2, keepdim=True)], 2).movedim(2, 0)
        filling = keys.new_zeros(len(keys), len(self.samples), self.keys.shape[2] - keys.shape[2])
        filling[-1] = math.inf
        self.keys = torch.cat([keys, filling], 2)

    def forward(self, asked: Tensor, points: Points) -> Tensor:
        """Each column's share in the mean distance to the nearest kept records, (n, columns)."""
        with_one = torch.cat([asked, asked.new_ones(len(asked), 1)], 1)
        near = _smallest(torch.tensordot(with_one, self.keys, 1), min(self.nearest + 1, self.samples.shape[1]))
        found = self.samples.expand(len(asked), -1, -1).gather(2, near)
        squares = (asked[:, None, None] - points.kept[found]).square() @ points.owner
        # Differences tell near records better than the product did: their order is seen now.
        distances, order = squares.sum(3).sqrt().sort(2)
        farthest = distances.shape[2] - 1
        itself = (distances[..., :1] < SAME).long()
        wanted = (itself + torch.arange(self.nearest, device=itself.device)).clamp(max=farthest)
        shares = squares.take_along_dim(order.gather(2, wanted)[..., None], 2)
        return (shares / distances.gather(2, wanted).clamp(min=LEAST_DISTANCE)[..., None]).mean((1, 2))


def _smallest(distances: Tensor, k: int) -> Tensor:
    """Positions of the k smallest along the last axis, (n, samples, k): they lie in the k blocks of least minima."""
    if distances.shape[2] <= BLOCK:
        return distances.topk(k, largest=False).indices
    blocks = distances.view(*distances.shape[:2], -1, BLOCK)
    first = blocks.amin(3).topk(min(k, blocks.shape[2]), largest=False).indices
    within = blocks.gather(2, first.unsqueeze(3).expand(-1, -1, -1, BLOCK)).flatten(2)
    chosen = within.topk(k, largest=False).indices
    positions: Tensor = first.gather(2, chosen // BLOCK) * BLOCK + chosen % BLOCK
    return positions
