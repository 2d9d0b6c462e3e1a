"""The estimator of every model that learns without labels: scikit-learn's outlier detector."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from unwonted.estimator import Estimator
from unwonted.train import mean_loss

__all__ = ["Detector"]

Floats = NDArray[np.float64]


class Detector(OutlierMixin, Estimator):  # type: ignore[misc]
    """Learns the density of training records; scores a record by how improbable it is.

    All but `fit` and the names that scikit-learn gives to scores is in `Estimator`, the arguments too.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learns from records; y is ignored.

        Args:
            X: A pandas, Polars or Arrow table, or an array, of at least ten records; sequences or images where the
                model takes them (see `unwonted.sequences`).
            y: Ignored.

        Raises:
            DataError: if there are too few records or no usable column, or something declared does not exist.
            TrainingError: if training breaks down numerically.
        """
        return self._learn(self._data(X, reset=True))

    def objective(self, X: Any) -> float:
        """Mean training loss of records, with the model as it is scored with."""
        encoded = self._encoded(X)
        return mean_loss(self.model_, encoded, seed=0)

    @property
    def offset_(self) -> float:
        """The threshold on `score_samples`, from the calibration scores and `alert_rate`."""
        check_is_fitted(self, "calibration_")
        return -self.calibration_.threshold(self.alert_rate)

    def decision_function(self, X: Any) -> Floats:
        """`score_samples` less `offset_`: below zero for alerts, shape (n,)."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """−1 for alerts, +1 for the rest, shape (n,): exactly the records with p-value ≤ alert rate are −1."""
        return np.where(self.decision_function(X) < 0, -1, 1)
