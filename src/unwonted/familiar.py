"""Whether records to be scored are those that a model learnt from."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from unwonted.arrays import Arrays
from unwonted.split import fingerprints

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["familiar"]

FOUND_AGAIN = 0.5
"""Share of the model's stored training records above which a file is taken for the training file."""


def familiar(detector: "Estimator", records: pa.Table | Arrays) -> list[str]:
    """A notice for who reads the alerts, where most of the records that the model keeps are among these, else none.

    Args:
        detector: A fitted detector.
        records: As its schema selects them.
    """
    kept = np.unique(fingerprints(detector.exemplars_))
    if not len(kept) or np.isin(kept, fingerprints(records)).mean() <= FOUND_AGAIN:
        return []
    return [
        "these look like the records that the model learnt from: their share of alerts is no test of the alert rate"
    ]
