"""Training records, kept: how far a record is from the nearest in random samples of them, column by column."""

import torch
from torch import Tensor, nn

from unwonted.models.points import Points
from unwonted.nets import register_derived

__all__ = ["CANDIDATES", "LARGEST", "SAMPLES", "Memory"]

SAMPLES, LARGEST = 16, 512  # how many, and of how many records each
CANDIDATES = 5
SAME = 1e-6  # distance below which a kept record is taken for the one asked about


class Memory(nn.Module):
    """How far records are from the nearest of the kept ones, in samples of them.

    The kept records make up 16 samples of 512, or of half of them where fewer than 1,024 are kept. The distance of two
    records is r = Σ_d |x_d − m_d| over dimensions (see `Points`), so each column has a share in it. The mean over
    samples of the distance to the nearest counts. It is looked for among the five that are nearest by
    the Euclidean distance, which costs a fraction of a search of all. One kept record at no distance is passed over in
    each sample: it may be the very record asked about, so that the records of training are measured by the others too.

    It is the local part of the density: a mixture with a narrow component on each training record has −log p that
    rises with the distance of the nearest (Loftsgaarden and Quesenberry 1965), where a network smooths over. Strange
    records that lie close together among those of training do not hide each other, as they would from a search among
    all: a small sample seldom has one of them (Sugiyama and Borgwardt 2013, for a single sample).

    Args:
        points: Which keep the records, in random order.
        largest: Records of a sample, at most.
    """

    samples: Tensor
    keys: Tensor

    def __init__(self, points: Points, largest: int = LARGEST) -> None:
        super().__init__()
        kept, dimensions = points.kept.shape
        # The kept records are in random order: any run of them, on and round the end, is a sample.
        starts = torch.arange(SAMPLES) * kept // SAMPLES
        samples = (starts[:, None] + torch.arange(max(1, min(largest, kept // 2)))) % kept
        register_derived(self, {"samples": samples, "keys": torch.zeros(dimensions + 1, *samples.shape)})

    def place(self, points: Points) -> None:
        """Prepares the search, once the points know where the kept records lie."""
        # One product with [x, 1] gives ‖m‖² − 2 x·m, which ranks the kept records by how near to x they are.
        kept = points.kept[self.samples]
        self.keys = torch.cat([-2 * kept, kept.square().sum(2, keepdim=True)], 2).movedim(2, 0).contiguous()

    def forward(self, asked: Tensor, points: Points) -> Tensor:
        """Each column's share in the distance to the nearest kept records, mean over samples, (n, columns)."""
        with_one = torch.cat([asked, asked.new_ones(len(asked), 1)], 1)
        near = torch.tensordot(with_one, self.keys, 1)
        near = near.topk(min(CANDIDATES, near.shape[2]), largest=False).indices
        found = self.samples.expand(len(asked), -1, -1).gather(2, near)
        apart = (asked[:, None, None] - points.kept[found]).abs_()
        distances = apart.sum(3)
        rank = (distances.amin(2) < SAME).long().clamp(max=distances.shape[2] - 1)
        chosen = distances.argsort(2).gather(2, rank[..., None])
        return apart.take_along_dim(chosen[..., None], 2).squeeze(2).mean(1) @ points.owner
