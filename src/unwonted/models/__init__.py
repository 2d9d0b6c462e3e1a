"""The registry of models: one line each, read by the command line, the tests and the benchmarks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unwonted.classifier import Classifier
    from unwonted.detector import Detector

__all__ = ["CLASSIFIERS", "DEFAULT", "MODELS", "classifier_class", "default_detector", "model_class"]

MODELS = {
    "ensemble": ("unwonted.models.ensemble", "DensityEnsemble"),
    "dmdn": ("unwonted.models.dmdn", "DMDN"),
    "dagmm": ("unwonted.models.dagmm", "DAGMM"),
    "dsebm": ("unwonted.models.dsebm", "DSEBM"),
}
"""Detectors, which learn without labels: name to module and class; modules are imported when a model is asked for."""

DEFAULT = "ensemble"
"""The detector of those who choose none."""

CLASSIFIERS = {
    "dmdn": ("unwonted.models.dmdn_classifier", "DMDNClassifier"),
    "transformer": ("unwonted.models.baselines", "TransformerClassifier"),
    "tcn": ("unwonted.models.baselines", "TemporalCNNClassifier"),
    "gru": ("unwonted.models.baselines", "GRUAttentionClassifier"),
    "resnet1d": ("unwonted.models.baselines", "ResNet1DClassifier"),
}
"""Classifiers, which learn from labels."""


def model_class(name: str) -> "type[Detector]":
    """The detector class of a registered name.

    Raises:
        DataError: if there is none; the message lists those there are.
    """
    found: type[Detector] = _found(name, MODELS)
    return found


def classifier_class(name: str) -> "type[Classifier]":
    """The classifier class of a registered name.

    Raises:
        DataError: if there is none; the message lists those there are.
    """
    found: type[Classifier] = _found(name, CLASSIFIERS)
    return found


def default_detector(**params: Any) -> "Detector":
    """The detector that finds most without labels or tuning, unfitted, with these constructor arguments.

    >>> default_detector(alert_rate=0.01, random_state=0)
    DensityEnsemble(alert_rate=0.01, random_state=0)
    """
    return model_class(DEFAULT)(**params)


def _found(name: str, registry: dict[str, tuple[str, str]]) -> type:
    from importlib import import_module

    from unwonted.errors import check_choice

    check_choice("model", name, registry)
    module, attribute = registry[name]
    found: type = getattr(import_module(module), attribute)
    return found
