"""The registry of detectors: one line a model, read by the command line, the tests and the benchmarks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unwonted.detector import Detector

__all__ = ["MODELS", "model_class"]

MODELS = {
    "dmdn": ("unwonted.models.dmdn", "DMDN"),
    "dagmm": ("unwonted.models.dagmm", "DAGMM"),
    "dsebm": ("unwonted.models.dsebm", "DSEBM"),
}
"""Name to module and class; modules are imported when a model is asked for."""


def model_class(name: str) -> "type[Detector]":
    """The detector class of a registered name.

    Raises:
        DataError: if there is none; the message lists those there are.
    """
    from importlib import import_module

    from unwonted.errors import check_choice

    check_choice("model", name, MODELS)
    module, attribute = MODELS[name]
    found: type[Detector] = getattr(import_module(module), attribute)
    return found
