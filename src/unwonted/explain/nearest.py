"""The nearest normal record among those that a detector keeps."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from unwonted.arrays import Grids
from unwonted.encode import Encoded
from unwonted.explain.wording import plain_text

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["as_text", "nearest"]

FARTHEST_PER_PART = 3.0  # what one column adds to the distance to an exemplar, at most


def nearest(detector: "Estimator", encoded: Encoded | Grids) -> NDArray[np.int64] | None:
    """For each record the exemplar with the least distance, shape (n,); None where none is kept.

    In tables the distance is the sum of the differences of scaled values (the shorter way round a circle), capped, and
    of outcomes; a gap is as far from a value as two outcomes are. Between sequences and images it is Euclidean, and a
    sequence's missing end counts as its channels' means.
    """
    if not detector.exemplars_.num_rows:
        return None
    kept = detector.encoder_.transform(detector.exemplars_)
    if isinstance(encoded, Grids):
        assert isinstance(kept, Grids)
        return _nearest_grid(encoded, kept)
    assert isinstance(kept, Encoded)
    parts, valued = detector.encoder_.parts, list(detector.encoder_.valued)
    plain = [i for i in range(len(parts)) if i not in valued]
    gaps = torch.tensor([parts[i].gap for i in valued])
    turns = torch.tensor([getattr(parts[i], "period", 0.0) or math.inf for i in valued])
    outcomes, others = (
        torch.cat([codes[:, plain], (codes[:, valued] == gaps).long()], 1) for codes in (encoded.codes, kept.codes)
    )
    found = np.empty(len(encoded), dtype=np.int64)
    for row in range(len(encoded)):
        apart = (kept.values - encoded.values[row]).abs()
        near = torch.minimum(apart, turns - apart).clamp(max=FARTHEST_PER_PART).sum(1)
        near += FARTHEST_PER_PART * (others != outcomes[row]).sum(1)
        found[row] = int(near.argmin())
    return found


def as_text(exemplars: pa.Table, row: int) -> dict[str, str]:
    """A record as text by column."""
    return {name: plain_text(exemplars.column(name)[row]) for name in exemplars.column_names}


def _nearest_grid(encoded: Grids, kept: Grids) -> NDArray[np.int64]:
    steps = min(encoded.values.shape[1], kept.values.shape[1])
    found = np.empty(len(encoded), dtype=np.int64)
    beyond = kept.values[:, steps:].square().flatten(1).sum(1)
    for row in range(len(encoded)):
        apart = (kept.values[:, :steps] - encoded.values[row, :steps]).square().flatten(1).sum(1)
        found[row] = int((apart + beyond).argmin())
    return found
