"""DAGMM under other covariance floors than its own: how much of its score the floor decides."""

from functools import partial
from typing import Any, Self

from torch import Generator

from unwonted.bench.peers import ALERT_RATE, Method
from unwonted.encode import Encoded
from unwonted.models.dagmm import DAGMM
from unwonted.models.gaussian_autoencoder import GaussianAutoencoder

__all__ = ["Floored", "methods"]

SCALES = (0.1, 1.0, 10.0)


class Floored(DAGMM):
    """A DAGMM whose mixtures, once it is trained, are taken again with so many times its floor."""

    def __init__(self, scale: float, seed: int) -> None:
        super().__init__(alert_rate=ALERT_RATE, random_state=seed)
        self.scale = scale

    def fit(self, X: Any, y: Any = None) -> Self:
        """Trains with the usual floor, whatever the scale: networks of one seed are the same."""
        super().fit(X, y)
        model, records = self.model_, self._encoded(X)
        assert isinstance(model, GaussianAutoencoder)
        assert isinstance(records, Encoded)
        model.floor *= self.scale
        model.remember(records, Generator().manual_seed(0))
        return self


def methods() -> list[Method]:
    """DAGMM at each of the scales."""
    return [Method(f"floor × {scale:g}", partial(Floored, scale)) for scale in SCALES]
