"""Learns what is habitual in records of behaviour; says of each new record how improbable it is, and why."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unwonted.arrays import sequences
    from unwonted.artifact import load
    from unwonted.errors import ArtifactError, DataError, DataWarning, TrainingError, UnwontedError
    from unwonted.models import default_detector
    from unwonted.models.baselines import (
        GRUAttentionClassifier,
        ResNet1DClassifier,
        TemporalCNNClassifier,
        TransformerClassifier,
    )
    from unwonted.models.dagmm import DAGMM
    from unwonted.models.dmdn import DMDN
    from unwonted.models.dmdn_classifier import DMDNClassifier
    from unwonted.models.dsebm import DSEBM
    from unwonted.models.ensemble import DensityEnsemble
    from unwonted.report import write_report

__all__ = [
    "DAGMM",
    "DMDN",
    "DSEBM",
    "ArtifactError",
    "DMDNClassifier",
    "DataError",
    "DataWarning",
    "DensityEnsemble",
    "GRUAttentionClassifier",
    "ResNet1DClassifier",
    "TemporalCNNClassifier",
    "TrainingError",
    "TransformerClassifier",
    "UnwontedError",
    "default_detector",
    "load",
    "sequences",
    "write_report",
]

__version__ = "0.1.0"

_HOME = {
    "DAGMM": "unwonted.models.dagmm",
    "DMDN": "unwonted.models.dmdn",
    "DMDNClassifier": "unwonted.models.dmdn_classifier",
    "DSEBM": "unwonted.models.dsebm",
    "DensityEnsemble": "unwonted.models.ensemble",
    "GRUAttentionClassifier": "unwonted.models.baselines",
    "ResNet1DClassifier": "unwonted.models.baselines",
    "TemporalCNNClassifier": "unwonted.models.baselines",
    "TransformerClassifier": "unwonted.models.baselines",
    "ArtifactError": "unwonted.errors",
    "DataError": "unwonted.errors",
    "DataWarning": "unwonted.errors",
    "TrainingError": "unwonted.errors",
    "UnwontedError": "unwonted.errors",
    "default_detector": "unwonted.models",
    "load": "unwonted.artifact",
    "sequences": "unwonted.arrays",
    "write_report": "unwonted.report",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `import unwonted` alone loads neither torch nor scikit-learn.
    if name not in _HOME:
        raise AttributeError(f"module 'unwonted' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
