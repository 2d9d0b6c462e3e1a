"""The methods compared, ours and the peers, behind one small interface; peers get their matrix here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["ALERT_RATE", "DMDN", "Matrix", "Method", "Peer", "Scorer", "autoencoder", "iforest", "knn", "lof"]

ALERT_RATE = 0.05


class Scorer(Protocol):
    """What a benchmark asks of a method; every detector of this package has it."""

    def fit(self, X: pa.Table) -> Self:
        """Learns from records that all count as ordinary."""

    def anomaly_score(self, X: pa.Table) -> np.ndarray:
        """How strange each record is, shape (n,): higher is stranger."""

    @property
    def offset_(self) -> float:
        """An alert is a record with −score < offset."""


@dataclass(frozen=True)
class Method:
    """A named way to make a scorer.

    Attributes:
        name: As in the tables of results.
        make: Gives an unfitted scorer for a seed; a function at the top of a module, so that it can travel to
            another process.
        seeded: False where the seed changes nothing, and one run on a fixed split is enough.
    """

    name: str
    make: Callable[[int], Scorer]
    seeded: bool = True


class Matrix:
    """A table as the matrix of floats that peers ask for; all that it knows comes from the training records.

    Numbers: gaps become the training median, infinities the ends of the training range, then, with `log`,
    sign(x)·log(1 + |x|). Times: hour and weekday. The rest: one column of 0 and 1 for each value seen in
    training; a value not seen there is all zeros. In the end every column becomes
    z = (x − mean) / standard deviation, the columns of 0 and 1 too, which helps kNN on UNSW-NB15.

    Example:
        >>> train = pa.table({"bytes": [1.0, 3.0], "action": ["read", "write"]})
        >>> test = pa.table({"bytes": [5.0, None], "action": ["read", "copy"]})
        >>> Matrix().fit(train).transform(test).tolist()
        [[3.0, 1.0, -1.0], [0.0, -1.0, -1.0]]
    """

    def __init__(self, log: bool = False) -> None:
        self.log = log

    def fit(self, table: pa.Table) -> Self:
        """Learns medians, ranges, scales and values."""
        numbers, texts = _split(table)
        finite = np.where(np.isfinite(numbers), numbers, np.nan)
        finite[:, np.isnan(finite).all(0)] = 0.0
        self.medians = np.nanmedian(finite, 0)
        self.lowest, self.highest = np.nanmin(finite, 0), np.nanmax(finite, 0)
        self.values = [np.unique(column) for column in texts]
        matrix = self._raw(numbers, texts)
        self.means, deviations = matrix.mean(0), matrix.std(0)
        self.scales = np.where(deviations > 0, deviations, 1.0)
        return self

    def transform(self, table: pa.Table) -> np.ndarray:
        """The matrix of these records, shape (n, columns), float64."""
        scaled: np.ndarray = (self._raw(*_split(table)) - self.means) / self.scales
        return scaled

    def _raw(self, numbers: np.ndarray, texts: list[np.ndarray]) -> np.ndarray:
        inside = np.where(np.isinf(numbers), np.clip(numbers, self.lowest, self.highest), numbers)
        filled = np.where(np.isnan(inside), self.medians, inside)
        filled = np.sign(filled) * np.log1p(np.abs(filled)) if self.log else filled
        hot = [column[:, None] == values for column, values in zip(texts, self.values, strict=True)]
        return np.hstack([filled, *hot]).astype(np.float64)


def _split(table: pa.Table) -> tuple[np.ndarray, list[np.ndarray]]:
    """The numeric part, shape (n, ·), with NaN for gaps, and the other columns as arrays of strings."""
    numbers: list[np.ndarray] = []
    texts: list[np.ndarray] = []
    for column in table.columns:
        kind = column.type
        if pa.types.is_timestamp(kind):
            hour = pc.add(pc.hour(column), pc.divide(pc.cast(pc.minute(column), "double"), 60.0))
            numbers += [_floats(hour), _floats(pc.day_of_week(column))]
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
            numbers.append(_floats(column))
        else:
            text = pc.fill_null(pc.cast(column, pa.string()), "<missing>")
            texts.append(text.to_numpy(zero_copy_only=False).astype(str))
    shape = (table.num_rows, len(numbers))
    return (np.column_stack(numbers) if numbers else np.empty(shape)), texts


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return cast(np.ndarray, pc.fill_null(pc.cast(column, "double"), np.nan).to_numpy())


class Peer:
    """A method of another library behind `Scorer`, on a prepared matrix and with its own threshold."""

    def __init__(self, model: Any, log: bool = False) -> None:
        self.model = model
        self.matrix = Matrix(log)

    def fit(self, X: pa.Table) -> Self:
        """Prepares the matrix and fits the method to it."""
        self.model.fit(self.matrix.fit(X).transform(X))
        return self

    def anomaly_score(self, X: pa.Table) -> np.ndarray:
        """The method's own score, turned where needed so that higher is stranger, shape (n,)."""
        matrix = self.matrix.transform(X)
        if hasattr(self.model, "score_samples"):
            return -np.asarray(self.model.score_samples(matrix))
        return np.asarray(self.model.decision_function(matrix), dtype=np.float64)

    @property
    def offset_(self) -> float:
        """Minus the threshold that the method took from its training scores for `ALERT_RATE`."""
        found = self.model.offset_ if hasattr(self.model, "offset_") else -self.model.threshold_
        return float(found)


def _iforest(log: bool, seed: int) -> Peer:
    from sklearn.ensemble import IsolationForest

    return Peer(IsolationForest(contamination=ALERT_RATE, random_state=seed), log)


def _knn(log: bool, seed: int) -> Peer:
    from pyod.models.knn import KNN

    return Peer(KNN(n_neighbors=5, method="largest", contamination=ALERT_RATE), log)


def _lof(log: bool, seed: int) -> Peer:
    from sklearn.neighbors import LocalOutlierFactor

    return Peer(LocalOutlierFactor(n_neighbors=20, contamination=ALERT_RATE, novelty=True), log)


def _autoencoder(log: bool, seed: int) -> Peer:
    from pyod.models.auto_encoder import AutoEncoder

    return Peer(AutoEncoder(contamination=ALERT_RATE, random_state=seed, verbose=0), log)


def _dmdn(seed: int) -> Scorer:
    from unwonted.models.dmdn import DMDN

    return DMDN(alert_rate=ALERT_RATE, random_state=seed)


def _named(name: str, log: bool) -> str:
    return f"{name}, log inputs" if log else name


def iforest(log: bool = False) -> Method:
    """Isolation forest of scikit-learn, with defaults."""
    return Method(_named("IForest", log), partial(_iforest, log))


def knn(log: bool = False) -> Method:
    """Distance to the fifth nearest training record: PyOD's KNN with defaults."""
    return Method(_named("kNN", log), partial(_knn, log), seeded=False)


def lof(log: bool = False) -> Method:
    """Local outlier factor of scikit-learn (20 neighbours)."""
    return Method(_named("LOF", log), partial(_lof, log), seeded=False)


def autoencoder(log: bool = False) -> Method:
    """PyOD's AutoEncoder with defaults."""
    return Method(_named("AutoEncoder", log), partial(_autoencoder, log))


DMDN = Method("DMDN", _dmdn)
"""This package's detector with defaults."""
