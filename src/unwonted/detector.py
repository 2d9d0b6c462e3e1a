"""The estimator that every model inherits: fit, scores, p-values, alerts, explanations, saving."""

import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import narwhals as nw
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from unwonted import artifact, explain
from unwonted.calibrate import Calibration
from unwonted.encode import Encoder
from unwonted.errors import DataError, DataWarning
from unwonted.explain import Explanation
from unwonted.fitting import SMALL, Fitting
from unwonted.models.base import Model, in_padded_chunks
from unwonted.schema import Overrides, Schema
from unwonted.sources import as_table
from unwonted.train import Plan, Progress

__all__ = ["Detector"]

Floats = NDArray[np.float64]

FEWEST = 10
"""Records below which a density is not worth its name, and fit refuses."""
EXEMPLARS = 1000


class Detector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns the density of training records; scores a record by how improbable it is, in nats.

    A subclass says which model to build (`_model`) and how long to train it (`_plan`); all else is here.

    Args:
        alert_rate: Share of normal records that may become alerts; moving it later moves the threshold alone.
        schema: Declared kinds and roles, `{"sport": {"kind": "categorical"}, "id": {"role": "ignore"}}`.
        ignore: Columns to leave out.
        exemplars: How many training records to keep for "nearest normal record"; 0 keeps none.
        device: "auto" (CUDA where there is one), "cpu" or "cuda".
        max_time: Seconds after which training stops with what it has; None for as long as it takes.
        random_state: Seed of all random draws.
        verbose: True writes a line of progress every ten seconds to standard error; a function is called with
            each `Progress`.
    """

    def __init__(
        self,
        *,
        alert_rate: float = 0.05,
        schema: Overrides | None = None,
        ignore: Sequence[str] = (),
        exemplars: int = EXEMPLARS,
        device: str = "auto",
        max_time: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | Callable[[Progress], None] = False,
    ) -> None:
        self.alert_rate = alert_rate
        self.schema = schema
        self.ignore = ignore
        self.exemplars = exemplars
        self.device = device
        self.max_time = max_time
        self.random_state = random_state
        self.verbose = verbose

    @abstractmethod
    def _model(self, encoder: Encoder, rows: int, seed: int) -> Model:
        """An untrained model for so many training records."""

    @abstractmethod
    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        """How long to train it."""

    def _targets(self) -> tuple[str, ...]:
        """Columns whose density is wanted given the others; none means all."""
        return ()

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learns from records; y is ignored.

        Args:
            X: A pandas, Polars or Arrow table, or an array, of at least ten records.
            y: Ignored.

        Raises:
            DataError: if there are too few records or no usable column, or something declared does not exist.
            TrainingError: if training breaks down numerically.
        """
        started = time.monotonic()
        Calibration(np.zeros(1)).threshold(self.alert_rate)  # refuses a bad rate before the work
        table = self._table(X, reset=True)
        schema = Schema.infer(table, self.schema, targets=self._targets(), ignore=self.ignore)
        if not schema.features:
            raise DataError(
                "no column is usable: each is constant, empty or ignored; give records with columns that vary"
            )
        records, notices = schema.select(table)
        if records.num_rows < FEWEST:
            raise DataError(
                f"{records.num_rows} sample(s) are too few to learn from; a minimum of {FEWEST} is required"
            )
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        run = Fitting(self, schema, records, rng, started)
        if records.num_rows < SMALL:
            run.by_folds()
        else:
            run.by_split()
        self.schema_ = schema
        self.encoder_ = run.encoder
        self.model_ = run.model.cpu().eval()
        self.calibration_ = Calibration(run.calibration)
        history = run.history
        self.history_ = {"train": history.train, "validation": history.validation}
        self.stopped_by_ = history.stopped_by
        self.exemplars_ = run.exemplars(self.exemplars)
        few = self.calibration_.notice(self.alert_rate)
        self.notices_ = (*schema.notices, *notices, *run.notices, *([few] if few else []))
        self.summary_ = {
            "rows": records.num_rows,
            **run.counts,
            "steps": history.steps,
            "best_step": history.best_step,
            "stopped_by": history.stopped_by,
            "seconds": round(time.monotonic() - started, 2),
            "parameters": sum(weights.numel() for weights in self.model_.parameters()),
        }
        return self

    @property
    def columns_(self) -> tuple[str, ...]:
        """The columns that the score splits over, in order."""
        check_is_fitted(self, "encoder_")
        return self.encoder_.columns

    @property
    def offset_(self) -> float:
        """The threshold on `score_samples`, from the calibration scores and `alert_rate`."""
        check_is_fitted(self, "calibration_")
        return -self.calibration_.threshold(self.alert_rate)

    def surprise(self, X: Any) -> Floats:
        """−log p of each column given what it is conditioned on, in nats, shape (n, columns)."""
        return self._evidence(self._selected(X))[..., 0]

    def contributions(self, X: Any) -> Floats:
        """What each column adds to the anomaly score, shape (n, columns); rows sum to `anomaly_score`."""
        evidence = self._evidence(self._selected(X))
        return self.model_.pool(evidence)

    def anomaly_score(self, X: Any) -> Floats:
        """How improbable each record is, shape (n,): higher is stranger."""
        scores: Floats = self.contributions(X).sum(1)
        return scores

    def score_samples(self, X: Any) -> Floats:
        """The opposite of `anomaly_score`: higher is more normal, shape (n,)."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> Floats:
        """`score_samples` less `offset_`: below zero for alerts, shape (n,)."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """−1 for alerts, +1 for the rest, shape (n,): exactly the records with p-value ≤ alert rate are −1."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_value(self, X: Any) -> Floats:
        """Conformal p-values (1 + #{calibration scores ≥ s}) / (n + 1), shape (n,)."""
        scores = self.anomaly_score(X)
        return self.calibration_.p_values(scores)

    def explain(self, X: Any, top: int = 3) -> list[Explanation]:
        """For each record its `top` columns by contribution: seen, expected, and the nearest normal record."""
        return explain.explain(self, self._selected(X), top)

    def save(self, path: str | Path) -> None:
        """Writes the detector to one safetensors file, whole or not at all; see `unwonted.load`."""
        check_is_fitted(self, "model_")
        artifact.save(self, path)

    def _evidence(self, records: pa.Table) -> Floats:
        """What the scores of selected records rest on; see `Model.evidence`."""
        encoded = self.encoder_.transform(records)
        if not len(encoded):
            return np.empty((0, len(self.columns_), 1))
        device = self._device()
        found = in_padded_chunks(self.model_.to(device), encoded, device)
        self.model_.cpu()
        return found

    def _selected(self, X: Any) -> pa.Table:
        """The schema's features of X, once the detector is fitted."""
        check_is_fitted(self, "model_")
        records, notices = self.schema_.select(self._table(X))
        for notice in notices:
            warnings.warn(notice, DataWarning, stacklevel=3)
        return records

    def _device(self) -> torch.device:
        if self.device not in ("auto", "cpu", "cuda"):
            raise DataError(f"device {self.device!r} does not exist; choose of auto, cpu, cuda")
        cuda = torch.cuda.is_available()
        if self.device == "cuda" and not cuda:
            raise DataError("device 'cuda' is not available here; use 'auto' or 'cpu'")
        return torch.device("cuda" if cuda and self.device != "cpu" else "cpu")

    def _table(self, X: Any, reset: bool = False) -> pa.Table:
        """X as an Arrow table; named columns are matched by name later, arrays by position here."""
        if isinstance(X, pa.RecordBatch) or nw.dependencies.is_into_dataframe(X):
            table = as_table(X)
            if reset:
                self.n_features_in_ = table.num_columns
                self.feature_names_in_ = np.array(table.column_names, dtype=object)
            return table
        array = validate_data(
            self, X, reset=reset, dtype=None, ensure_all_finite=False, ensure_min_samples=2 if reset else 1
        )
        if array.dtype.kind == "c":
            raise ValueError("Complex data not supported")
        return as_table(array)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
