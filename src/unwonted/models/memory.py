"""Training records, kept: how far a record is from the nearest of them, column by column."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from unwonted.models.points import Points
from unwonted.nets import register_derived

__all__ = ["NEIGHBOURS", "SAME", "Memory"]

NEIGHBOURS = 3
BLOCK = 128  # of distances, searched by their smallest
ROWS = 32  # of distances at a time, so that they stay in the processor's cache
LEAST_DISTANCE = 1e-12
SAME = 1e-6  # distance below which a kept record is taken for the one asked about


class Memory(nn.Module):
    """How far records are from the nearest of the kept ones.

    The distance r of two records is Euclidean (see `Points`), r² = Σ_j d_j² over columns. Column j's share in the mean
    distance of the K = 3 nearest is mean_k d_jk²/r_k, and the shares sum to mean_k r_k. One kept record at no distance
    is left out: it may be the very record asked about, so that the records of training are measured by the others too.

    It is the local part of the density: a mixture with a narrow component on each training record has −log p that
    rises with the distance of the nearest (Loftsgaarden and Quesenberry 1965), where a network smooths over.

    Args:
        points: Which keep the records.
    """

    keys: Tensor
    telling: Tensor

    def __init__(self, points: Points) -> None:
        super().__init__()
        self.size = 0
        derived = {"keys": torch.zeros(points.kept.shape[1] + 1, 0), "telling": torch.zeros(0, dtype=torch.long)}
        register_derived(self, derived)

    def place(self, points: Points) -> None:
        """Prepares the search, once the points know where the kept records lie."""
        self.size = len(points.kept)
        # Where all kept records are the same, none is nearer: gaps that never were, categories that none has.
        self.telling = (points.kept != points.kept[:1]).any(0).nonzero().flatten()
        kept = points.kept[:, self.telling]
        # One product with [x, 1] gives ‖m‖² − 2 x·m, which ranks the kept records by their distance from x.
        # It is searched in blocks: what fills up the last of them is infinitely far.
        keys = torch.cat([-2 * kept.T, kept.square().sum(1)[None]])
        filling = keys.new_zeros(len(keys), -self.size % BLOCK)
        filling[-1] = math.inf
        self.keys = torch.cat([keys, filling], 1)

    def forward(self, asked: Tensor, points: Points, kept: bool = False) -> Tensor:
        """Each column's share in the mean distance to the nearest kept records, (n, columns).

        Of records that are kept themselves it says, if asked with `kept`, what it would of new ones like them: the
        record is left out, and then, as of all that are asked about, one at no distance.
        """
        nearest = self._candidates(asked, 1 + kept)
        squares = (asked[:, None] - points.kept[nearest]).square() @ points.owner
        distances = squares.sum(-1).sqrt()
        others = _others(distances, 1 + kept)
        shares = squares / distances.clamp(min=LEAST_DISTANCE)[..., None] * others[..., None]
        return shares.sum(1) / others.sum(1, keepdim=True).clamp(min=1)

    def nearest(self, asked: Tensor, points: Points) -> list[Tensor]:
        """Positions of the K nearest kept records of each, but for the record itself, nearest first."""
        found = self._candidates(asked, 1)
        others = _others((asked[:, None] - points.kept[found]).square().sum(-1).sqrt(), 1)
        return [positions[mine] for positions, mine in zip(found, others, strict=True)]

    def _candidates(self, asked: Tensor, same: int) -> Tensor:
        """Positions of the nearest kept records, K and as many as may be left out, (n, K + same) or fewer."""
        with_one = torch.cat([asked[:, self.telling], asked.new_ones(len(asked), 1)], 1)
        most = min(NEIGHBOURS + same, self.size)
        return torch.cat([_smallest(rows @ self.keys, most) for rows in torch.split(with_one, ROWS)])


def _others(distances: Tensor, same: int) -> Tensor:
    """Which K of the nearest count, bool (n, K + same): not so many as are at no distance, at most `same`."""
    left_out = torch.zeros_like(distances, dtype=torch.bool)
    for _ in range(same):
        closest = distances.masked_fill(left_out, math.inf).argmin(1)
        left_out |= functional.one_hot(closest, distances.shape[1]).bool() & (distances < SAME)
    return (~left_out) & ((~left_out).cumsum(1) <= NEIGHBOURS)


def _smallest(distances: Tensor, k: int) -> Tensor:
    """Positions of the k smallest in each row of whole blocks, (n, k): they lie in the k with the least minima."""
    blocks = distances.view(len(distances), distances.shape[1] // BLOCK, BLOCK)
    first = blocks.amin(2).topk(min(k, blocks.shape[1]), largest=False).indices
    within = blocks.gather(1, first.unsqueeze(-1).expand(-1, -1, BLOCK)).flatten(1)
    chosen = within.topk(k, largest=False).indices
    positions: Tensor = first.gather(1, chosen // BLOCK) * BLOCK + chosen % BLOCK
    return positions
