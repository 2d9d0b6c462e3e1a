"""How rare a surprise is, column by column, among those of usual records."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from unwonted.models.base import Floats
from unwonted.models.scale import CommonScale

__all__ = ["Rarity"]

USUAL_SHARE = 0.25  # of the held-out records, the least strange
KNOTS = 64
TAIL = 0.1  # share of the usual surprises whose mean excess tells how fast rarity grows beyond them
LEAST_EXCESS = 1.0  # nats


class Rarity(nn.Module):
    """Turns surprises into −log p, p the share of usual records that surprise as much in that column.

        r(s) = −log((1 + #{s_i ≥ s})/(m + 1))    for s among the m surprises s_i of usual records in the column,

    linear between 64 of them, evenly spaced by r, and (s − max s_i)/e further beyond them all, e being the mean excess
    over their 90 % quantile, at least 1 nat. It never falls with s. Nats of columns add up to what the loudest says; by
    rarity, which is the same for any column of a usual record, many columns that are each a little odd are heard. Their
    sum is Fisher's way to combine p-values.

    Usual is the least strange quarter of the held-out records, for what is rare must not be measured by itself where
    training holds anomalies.

    Args:
        columns: Of the table.

    Source: Fisher, Statistical Methods for Research Workers (1932), section 21.1.
    """

    surprises: Tensor
    heights: Tensor
    excess: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("surprises", torch.zeros(columns, KNOTS, dtype=torch.float64))
        self.register_buffer("heights", torch.zeros(columns, KNOTS, dtype=torch.float64))
        self.register_buffer("excess", torch.ones(columns, dtype=torch.float64))
        self.scale = CommonScale(1, columns)

    def settle(self, nats: Floats, strangeness: Floats) -> None:
        """Takes usual surprises, and the scale, from held-out records.

        Args:
            nats: Their surprises, (n, columns).
            strangeness: Of each as a whole, (n,).
        """
        count = math.ceil(USUAL_SHARE * len(nats))
        usual = np.sort(nats[np.argsort(strangeness, kind="stable")[:count]], axis=0)
        evenly = np.linspace(0, np.log(count + 1), KNOTS)
        at = np.minimum(((count + 1) * (1 - np.exp(-evenly))).astype(int), count - 1)
        for column, ordered in enumerate(usual.T):
            knots = ordered[at]
            as_large = count - np.searchsorted(ordered, knots, "left")
            over = ordered - np.quantile(ordered, 1 - TAIL)
            self.surprises[column] = torch.from_numpy(knots)
            self.heights[column] = torch.from_numpy(-np.log((1 + as_large) / (count + 1)))
            self.excess[column] = max(LEAST_EXCESS, over[over > 0].mean()) if (over > 0).any() else LEAST_EXCESS
        self.scale.settle(self.of(nats)[..., None])

    def standing(self, nats: Floats) -> Floats:
        """What each column has of where a record stands by the sum of rarities, (n, columns)."""
        return self.scale.parts(self.of(nats)[..., None])[..., 0]

    def of(self, nats: Floats) -> Floats:
        """The rarity of each surprise, (n, columns)."""
        knots, heights, excess = (x.cpu().numpy() for x in (self.surprises, self.heights, self.excess))
        within = [np.interp(s, *curve) for s, *curve in zip(nats.T, knots, heights, strict=True)]
        beyond: Floats = np.maximum(nats - knots[:, -1], 0.0) / excess
        return np.stack(within, 1) + beyond
