"""What the server of the benchmarks' processes loads, once: neither time nor memory of a job then holds it."""

from importlib import import_module

import numpy as np
from pyod.models.hbos import HBOS
from pyod.utils.stat_models import column_ecdf, pairwise_distances_no_broadcast

from unwonted.bench.rivals import PYOD

for _module in (
    "torch._dynamo",  # by the first optimiser otherwise
    "unwonted.bench.measuring",
    *(f"unwonted.models.{name}" for name in ("dagmm", "dmdn", "dsebm", "ensemble")),
    *(f"pyod.models.{path.split('.')[0]}" for path in PYOD.values()),
):
    import_module(_module)

# PyOD has these compiled at their first use, for each kind of float; they run in one thread, so forking is safe.
_few = np.arange(40.0).reshape(20, 2)
HBOS().fit(_few)
column_ecdf(_few)
for _kind in (np.float32, np.float64):
    pairwise_distances_no_broadcast(_few.astype(_kind), _few.astype(_kind))
