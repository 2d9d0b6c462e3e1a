"""The nearest normal record among those that a detector keeps."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
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

    In tables the distance is the sum of the differences of scaled values, capped, and of outcomes; between sequences
    and images it is Euclidean, and a sequence's missing end counts as its channels' means.
    """
    if not detector.exemplars_.num_rows:
        return None
    kept = detector.encoder_.transform(detector.exemplars_)
    if isinstance(encoded, Grids):
        assert isinstance(kept, Grids)
        return _nearest_grid(encoded, kept)
    assert isinstance(kept, Encoded)
    valued = list(detector.encoder_.valued)
    plain = [i for i in range(encoded.codes.shape[1]) if i not in valued]
    found = np.empty(len(encoded), dtype=np.int64)
    for row in range(len(encoded)):
        apart = (kept.values - encoded.values[row]).abs().clamp(max=FARTHEST_PER_PART).sum(1)
        apart += FARTHEST_PER_PART * (kept.codes[:, plain] != encoded.codes[row, plain]).sum(1)
        found[row] = int(apart.argmin())
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
