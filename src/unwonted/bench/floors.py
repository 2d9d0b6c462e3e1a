"""DAGMM under other covariance floors than its own: how much of its score the floor decides."""

from functools import partial
from typing import Self

import numpy as np
from torch import Generator

from unwonted.bench.peers import ALERT_RATE, Method
from unwonted.datasets import Records
from unwonted.encode import Encoded
from unwonted.models.dagmm import DAGMM
from unwonted.models.gaussian_autoencoder import GaussianAutoencoder

__all__ = ["Floored", "methods"]

SCALES = (0.1, 1.0, 10.0)


class Floored:
    """A DAGMM whose mixtures, once it is trained, are taken again with so many times its floor."""

    def __init__(self, scale: float, seed: int) -> None:
        self.scale = scale
        self.detector = DAGMM(alert_rate=ALERT_RATE, random_state=seed)

    def fit(self, X: Records) -> Self:
        """Trains with the usual floor, whatever the scale: networks of one seed are the same."""
        self.detector.fit(X)
        model, records = self.detector.model_, self.detector._encoded(X)
        assert isinstance(model, GaussianAutoencoder)
        assert isinstance(records, Encoded)
        model.floor *= self.scale
        model.remember(records, Generator().manual_seed(0))
        return self

    def anomaly_score(self, X: Records) -> np.ndarray:
        """As the detector's."""
        return self.detector.anomaly_score(X)

    @property
    def offset_(self) -> float:
        """As the detector's, with its own floor."""
        return self.detector.offset_


def methods() -> list[Method]:
    """DAGMM at each of the scales."""
    return [Method(f"floor × {scale:g}", partial(Floored, scale)) for scale in SCALES]
