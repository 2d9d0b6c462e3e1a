"""The estimator of every model that learns from labels: scikit-learn's classifier."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from unwonted.encode import Encoded, Encoder
from unwonted.errors import DataError
from unwonted.estimator import Estimator
from unwonted.labels import UNLABELLED, Labels, codes_of
from unwonted.models.label_model import LabelModel
from unwonted.parts import Axis
from unwonted.schema import Overrides
from unwonted.train import Learn, Progress, mean_loss

__all__ = ["Classifier"]

Floats = NDArray[np.float64]


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """Learns from labelled records which class a record is of, and how sure that is.

    Its anomaly score are the log odds that a record is not normal,

        log (1 − P(normal | x)) − log P(normal | x),

    with probabilities calibrated on held-out records; p-values and alerts come from held-out records labelled normal,
    as with every detector. `classes_` are the labels, sorted; `normal_` says which of them mean normal.

    Args:
        normal: The label or labels that mean normal; None for the most frequent.
        alert_rate, schema, ignore, exemplars, device, max_time, optimiser, learning_rate, random_state, verbose: See
            `Estimator`.
    """

    model_: LabelModel

    def __init__(
        self,
        *,
        normal: Any = None,
        alert_rate: float = 0.05,
        schema: Overrides | None = None,
        ignore: Sequence[str] = (),
        exemplars: int = 1000,
        device: str = "auto",
        max_time: float | None = None,
        optimiser: str = "adamw",
        learning_rate: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | Callable[[Progress], None] = False,
    ) -> None:
        super().__init__(
            alert_rate=alert_rate,
            schema=schema,
            ignore=ignore,
            exemplars=exemplars,
            device=device,
            max_time=max_time,
            optimiser=optimiser,
            learning_rate=learning_rate,
            random_state=random_state,
            verbose=verbose,
        )
        self.normal = normal

    def _axis(self) -> Axis:
        # What tells classes apart is between near values as often as between orders of magnitude.
        return "bent"

    def _lesson(self, encoder: Any, records: Any, held_out: Any, seed: int, learn: Learn) -> tuple[Any, Any]:
        return records.balanced(), held_out

    @abstractmethod
    def _model(self, encoder: Encoder, rows: int, seed: int) -> LabelModel:
        """An untrained model of `classes_` and `normal_`."""

    def fit(self, X: Any, y: Any) -> Self:
        """Learns from records and their labels.

        Args:
            X: A pandas, Polars or Arrow table, or an array, of at least ten records.
            y: A label a record, text, integers or booleans; None, NaN or an empty text where there is none.

        Raises:
            DataError: if there are too few records or no usable column, or labels are missing, fractions, or of one
                class only.
            TrainingError: if training breaks down numerically.
        """
        data = self._data(X, reset=True)
        labels = Labels.read(y, data.num_rows, self.normal)
        self.classes_, self.normal_ = labels.classes, labels.normal
        return self._learn(data, labels)

    def predict_proba(self, X: Any) -> Floats:
        """Calibrated probability of each class, in the order of `classes_`, shape (n, classes)."""
        encoded = self._encoded(X)
        return self.model_.probabilities(self._evidence(encoded))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each record, shape (n,)."""
        probabilities = self.predict_proba(X)
        found: NDArray[Any] = self.classes_[probabilities.argmax(1)]
        return found

    def objective(self, X: Any, y: Any) -> float:
        """Mean training loss of records, with the model as it is scored with.

        Raises:
            DataError: if a label was never seen in training, or there is not one for each record.
        """
        encoded = self._encoded(X)
        assert isinstance(encoded, Encoded)
        codes = codes_of(y, len(encoded), self.classes_)
        batch = Labels(self.classes_, codes, self.normal_).beside(encoded, np.arange(len(encoded)))
        return mean_loss(self.model_, batch, seed=0)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of `predict`.

        Raises:
            DataError: if a label was never seen in training, is missing, or there is not one for each record.
        """
        found = self.predict_proba(X).argmax(1)
        codes = codes_of(y, len(found), self.classes_)
        without = int((codes == UNLABELLED).sum())
        if without:
            raise DataError(f"{without} of {len(found)} records have no label; leave them out")
        return float(np.average(found == codes, weights=sample_weight))

    def _evidence(self, encoded: Any) -> Floats:
        return super()._evidence(encoded) if len(encoded) else np.empty((0, len(self.classes_)))
