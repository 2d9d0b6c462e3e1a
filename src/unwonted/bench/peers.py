"""What a benchmark compares: methods behind one small interface, and the wrapper of other libraries' methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa

from unwonted.bench.matrix import Flat, Matrix
from unwonted.datasets import Records
from unwonted.datasets.problem import some_of, take

__all__ = ["ALERT_RATE", "Method", "Peer", "Scorer", "Trained", "iforest"]

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
        libraries: Of a peer, the distributions that do its work: its rows change with them, not with our models.
            Empty for a method of this package.
    """

    name: str
    make: Callable[[int], Scorer]
    seeded: bool = True
    untrained: bool = False
    libraries: tuple[str, ...] = ()


class Peer:
    """A method of another library behind `Scorer`, on a prepared matrix and with its own threshold.

    Args:
        model: An unfitted estimator of scikit-learn or PyOD.
        log: Whether numbers of a table enter as their logarithm; see `Matrix`.
        most: Training records to use, drawn by the seed where there are more; None for all.
        seed: Of that draw, and of what the model draws without being told a seed.
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
        matrix = self.matrix.transform(X)
        if hasattr(self.model, "batch_size"):  # PyOD drops a batch that is not full, and may have none left
            self.model.batch_size = min(self.model.batch_size, len(X))
        if hasattr(self.model, "n_features"):  # PyOD's DeepSVDD asks for it before there are data
            self.model.n_features = matrix.shape[1]
        np.random.seed(self.seed)  # noqa: NPY002 - PyOD's DeepSVDD shuffles with NumPy's own generator
        self.model.fit(matrix)
        return self

    def anomaly_score(self, X: Records) -> np.ndarray:
        """The method's own score, turned where needed so that higher is stranger, shape (n,); infinity is highest."""
        matrix = self.matrix.transform(X)
        if hasattr(self.model, "score_samples"):
            score = -np.asarray(self.model.score_samples(matrix), dtype=np.float64)
        else:
            score = np.asarray(self.model.decision_function(matrix), dtype=np.float64)
        # PyOD's PCA divides by the variance of components that have none.
        return np.minimum(score, np.finfo(np.float64).max)

    @property
    def offset_(self) -> float:
        """Minus the threshold that the method took from its training scores for `ALERT_RATE`."""
        # PyOD's forest has both; its `offset_` is on the scale of the forest that it wraps.
        found = -self.model.threshold_ if hasattr(self.model, "threshold_") else self.model.offset_
        return float(np.asarray(found).item())


def _iforest(seed: int) -> Peer:
    from sklearn.ensemble import IsolationForest

    return Peer(IsolationForest(contamination=ALERT_RATE, random_state=seed))


def iforest() -> Method:
    """Isolation forest of scikit-learn with defaults: the one peer that needs no other library."""
    return Method("IForest", _iforest, libraries=("numpy", "scikit-learn", "scipy"))
