"""What is under check: an estimator, how to make it, and what several checks share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from unwonted.checks.records import labelled_records, ordinary_records
from unwonted.checks.state import outputs
from unwonted.classifier import Classifier
from unwonted.estimator import Estimator
from unwonted.labels import Labels

__all__ = ["ROWS", "Pupil", "Subject"]

ROWS = 320


class Subject:
    """A detector under check: how to make it, and what several checks share.

    Args:
        factory: A detector class, or what, called with `random_state=seed`, gives an unfitted one.
    """

    def __init__(self, factory: Callable[..., Estimator]) -> None:
        self.factory = factory
        self.records = ordinary_records(ROWS, seed=1)
        self.new = ordinary_records(64, seed=2)
        self._fitted: dict[int, Any] = {}

    def make(self, seed: int = 0) -> Any:
        """An unfitted estimator."""
        return self.factory(random_state=seed)

    def fit(self, estimator: Any, records: pa.Table) -> Any:
        """The estimator, fitted."""
        return estimator.fit(records)

    def batch(self, detector: Any) -> Any:
        """The training records as the model's loss takes them."""
        return detector._encoded(self.records)

    def outputs(self, detector: Any, records: pa.Table) -> dict[str, bytes]:
        """Everything that an estimator says of records, to compare to the bit."""
        return outputs(detector, records)

    @property
    def fitted(self) -> Any:
        """Fitted on enough records for three parts."""
        return self.fitted_by(0)

    def fitted_by(self, seed: int) -> Any:
        """The same by another seed."""
        if seed not in self._fitted:
            self._fitted[seed] = self.fit(self.make(seed), self.records)
        return self._fitted[seed]


class Pupil(Subject):
    """A classifier under check: its training records have labels, in a column that is no input.

    Args:
        factory: A classifier class, or what, called with `random_state=seed`, gives an unfitted one.
    """

    def __init__(self, factory: Callable[..., Classifier]) -> None:
        super().__init__(factory)
        self.records = labelled_records(ROWS + ROWS // 2, seed=1)

    def make(self, seed: int = 0) -> Any:
        return self.factory(random_state=seed, normal="usual")

    def fit(self, estimator: Any, records: pa.Table) -> Any:
        return estimator.fit(records.drop_columns(["outcome"]), records["outcome"])

    def batch(self, detector: Any) -> Any:
        labels = Labels.read(self.records["outcome"], self.records.num_rows, "usual")
        return labels.beside(detector._encoded(self.records), np.arange(self.records.num_rows))

    def outputs(self, detector: Any, records: pa.Table) -> dict[str, bytes]:
        return super().outputs(detector, records) | {
            "predict_proba": detector.predict_proba(records).tobytes(),
            "score_samples": detector.score_samples(records).tobytes(),
        }
