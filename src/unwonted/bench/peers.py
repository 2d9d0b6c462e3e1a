"""What a benchmark compares: methods behind one small interface, and the peers from other libraries."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa

from unwonted.bench.matrix import Flat, Matrix
from unwonted.datasets import Records
from unwonted.datasets.problem import some_of, take

__all__ = [
    "ALERT_RATE",
    "Method",
    "Peer",
    "Scorer",
    "Trained",
    "autoencoder",
    "iforest",
    "knn",
    "lof",
    "ocsvm",
]

ALERT_RATE = 0.05


class Scorer(Protocol):
    """What a benchmark asks of a method; every detector of this package has it."""

    def fit(self, X: Records) -> Self:
        """Learns from records that all count as ordinary."""

    def anomaly_score(self, X: Records) -> np.ndarray:
        """How strange each record is, shape (n,): higher is stranger."""

    @property
    def offset_(self) -> float:
        """An alert is a record with −score < offset."""


@runtime_checkable
class Trained(Protocol):
    """What a benchmark asks besides of a network, to show that training changes it for the better."""

    def untrained(self) -> Any:
        """The same detector, to be fitted without a step of training: with the first weights of its network."""

    def objective(self, X: Records) -> float:
        """The mean training loss of these records, in evaluation mode: lower is better."""


@dataclass(frozen=True)
class Method:
    """A named way to make a scorer.

    Attributes:
        name: As in the tables of results.
        make: Gives an unfitted scorer for a seed; a function at the top of a module, so that it can travel to
            another process.
        seeded: False where the seed changes nothing, and one run on a fixed split is enough.
        untrained: True to measure each fitted scorer beside its `untrained` twin too.
    """

    name: str
    make: Callable[[int], Scorer]
    seeded: bool = True
    untrained: bool = False


class Peer:
    """A method of another library behind `Scorer`, on a prepared matrix and with its own threshold.

    Args:
        model: An unfitted estimator of scikit-learn or PyOD.
        log: Whether numbers of a table enter as their logarithm; see `Matrix`.
        most: Training records to use, drawn by the seed where there are more; None for all.
        seed: Of that draw.
    """

    def __init__(self, model: Any, log: bool = False, most: int | None = None, seed: int = 0) -> None:
        self.model = model
        self.log = log
        self.most = most
        self.seed = seed

    def fit(self, X: Records) -> Self:
        """Prepares the matrix and fits the method to it."""
        if self.most is not None:
            X = take(X, some_of(np.arange(len(X)), self.most, np.random.default_rng(self.seed)))
        self.matrix = (Matrix(self.log) if isinstance(X, pa.Table) else Flat()).fit(X)
        if hasattr(self.model, "batch_size"):  # PyOD drops a batch that is not full, and may have none left
            self.model.batch_size = min(self.model.batch_size, len(X))
        self.model.fit(self.matrix.transform(X))
        return self

    def anomaly_score(self, X: Records) -> np.ndarray:
        """The method's own score, turned where needed so that higher is stranger, shape (n,)."""
        matrix = self.matrix.transform(X)
        if hasattr(self.model, "score_samples"):
            return -np.asarray(self.model.score_samples(matrix))
        return np.asarray(self.model.decision_function(matrix), dtype=np.float64)

    @property
    def offset_(self) -> float:
        """Minus the threshold that the method took from its training scores for `ALERT_RATE`."""
        found = self.model.offset_ if hasattr(self.model, "offset_") else -self.model.threshold_
        return float(np.asarray(found).item())


def _iforest(log: bool, seed: int) -> Peer:
    from sklearn.ensemble import IsolationForest

    return Peer(IsolationForest(contamination=ALERT_RATE, random_state=seed), log)


def _knn(log: bool, most: int | None, seed: int) -> Peer:
    from pyod.models.knn import KNN

    return Peer(KNN(n_neighbors=5, method="largest", contamination=ALERT_RATE), log, most, seed)


def _lof(log: bool, seed: int) -> Peer:
    from sklearn.neighbors import LocalOutlierFactor

    return Peer(LocalOutlierFactor(n_neighbors=20, contamination=ALERT_RATE, novelty=True), log)


def _ocsvm(most: int | None, seed: int) -> Peer:
    from pyod.models.ocsvm import OCSVM

    return Peer(OCSVM(nu=ALERT_RATE, contamination=ALERT_RATE), most=most, seed=seed)


def _autoencoder(log: bool, seed: int) -> Peer:
    from pyod.models.auto_encoder import AutoEncoder

    return Peer(AutoEncoder(contamination=ALERT_RATE, random_state=seed, verbose=0), log)


def _named(name: str, log: bool) -> str:
    return f"{name}, log inputs" if log else name


def iforest(log: bool = False) -> Method:
    """Isolation forest of scikit-learn, with defaults."""
    return Method(_named("IForest", log), partial(_iforest, log))


def knn(log: bool = False, most: int | None = None) -> Method:
    """Distance to the fifth nearest training record, of at most so many: PyOD's KNN with defaults."""
    return Method(_named("kNN", log), partial(_knn, log, most), seeded=most is not None)


def lof(log: bool = False) -> Method:
    """Local outlier factor of scikit-learn (20 neighbours)."""
    return Method(_named("LOF", log), partial(_lof, log), seeded=False)


def ocsvm(most: int | None = None) -> Method:
    """One-class SVM of scikit-learn, Gaussian kernel, ν the alert rate, on at most so many training records.

    By way of PyOD, whose threshold is a quantile of training scores: the SVM's own lies on records at the margin, of
    which tables with many equal records have many, and rounding then decides.
    """
    return Method("OC-SVM", partial(_ocsvm, most), seeded=most is not None)


def autoencoder(log: bool = False) -> Method:
    """PyOD's AutoEncoder with defaults."""
    return Method(_named("AutoEncoder", log), partial(_autoencoder, log))
