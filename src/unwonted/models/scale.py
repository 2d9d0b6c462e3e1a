"""One scale for evidence of several kinds, so that they can be compared and averaged."""

import numpy as np
import torch
from torch import Tensor, nn

from unwonted.models.base import Floats

__all__ = ["CommonScale", "unit"]

UPPER = 0.9  # quantile of the held-out records that is one unit above their median
LEAST_SHARE = 0.25  # of their standard deviation that a unit is, where nine records in ten are nearly equal
LEAST_UNIT = 1e-3


class CommonScale(nn.Module):
    """Measures totals over columns against those of held-out records.

    With e(x) the total of one kind, c its median over held-out records and u how far their 90 % quantile is above that
    (or a quarter of their standard deviation, if that is more), the record stands at

        f((e(x) − c)/u),    f(t) = log(1 + t) for t > 0, t else:

    strictly increasing, so that no two records tie, and slow enough that no kind outshouts another far out. 0 is usual,
    log 2 is what one ordinary record in ten exceeds. A column's part of e has the same part of f.

    Args:
        kinds: How many kinds of evidence.
        columns: Of the table.
    """

    centre: Tensor
    unit: Tensor

    def __init__(self, kinds: int, columns: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(kinds, columns, dtype=torch.float64))
        self.register_buffer("unit", torch.ones(kinds, dtype=torch.float64))

    def settle(self, evidence: Floats) -> None:
        """Takes medians and units from held-out records, (n, columns, kinds); of fewer than two, nothing."""
        if len(evidence) < 2:
            return
        totals = evidence.sum(1)
        means = evidence.mean(0).T
        # A column's centre is its mean; what is between the sum of means and the median is shared out evenly.
        shift = (np.median(totals, axis=0) - means.sum(1)) / means.shape[1]
        self.centre.copy_(torch.from_numpy(means + shift[:, None]))
        self.unit.copy_(torch.tensor([unit(total) for total in totals.T]))

    def parts(self, evidence: Floats) -> Floats:
        """What each column has of where a record stands by each kind, shape (n, columns, kinds)."""
        parts = (evidence - self.centre.cpu().numpy().T) / self.unit.cpu().numpy()
        t = parts.sum(1, keepdims=True)
        above = np.maximum(t, 0.0)
        slope = np.divide(np.log1p(above), above, out=np.ones_like(above), where=above > 0)
        scaled: Floats = parts * slope
        return scaled


def unit(held_out: Floats) -> float:
    """How far above the median of held-out totals, shape (n,), a record stands out by one unit."""
    above = np.quantile(held_out, UPPER) - np.median(held_out)
    return float(max(above, LEAST_SHARE * held_out.std())) + LEAST_UNIT
