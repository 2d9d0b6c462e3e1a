"""What every estimator is, with labels or without: scores, p-values, explanations, saving."""

import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import narwhals as nw
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from unwonted import artifact, explain
from unwonted.arrays import ArrayEncoder, Arrays, Grids, Layout, as_arrays
from unwonted.calibrate import Calibration
from unwonted.encode import Encoded, Encoder
from unwonted.errors import DataError, DataWarning, check_choice
from unwonted.explain import Explanation
from unwonted.fitting import SMALL, Fitting
from unwonted.labels import Labels
from unwonted.models.base import Model, in_padded_chunks
from unwonted.parts import Axis
from unwonted.schema import Overrides, Schema
from unwonted.sources import as_table
from unwonted.train import Learn, Plan, Progress

__all__ = ["Estimator"]

Floats = NDArray[np.float64]

FEWEST = 10
"""Records below which a density is not worth its name, and fit refuses."""
EXEMPLARS = 1000


class Estimator(BaseEstimator):  # type: ignore[misc]
    """Learns from records; scores a record by how improbable it is that it is a normal one.

    A subclass says which model to build (`_model`) and how long to train it (`_plan`), and whether it wants numbers on
    another axis (`_axis`) or takes sequences and images too (`takes_arrays`); all else is here.

    Args:
        alert_rate: Share of normal records that may become alerts; moving it later moves the threshold alone.
        schema: Declared kinds and roles, `{"sport": {"kind": "categorical"}, "id": {"role": "ignore"}}`.
        ignore: Columns to leave out.
        exemplars: How many training records to keep for "nearest normal record"; with 0 none is kept, and no reason
            tells what training records hold.
        device: "cpu", "cuda", or "auto": CUDA where there is one for images, the processor for all else.
        max_time: Seconds after which training stops with what it has; None for as long as it takes.
        optimiser: "sgd", "rmsprop", "adam", "adamw" or "adabelief".
        learning_rate: Of the optimiser; None for the usual one of optimiser and model.
        random_state: Seed of all random draws.
        verbose: True writes a line of progress every ten seconds to standard error; a function is called with
            each `Progress`.
    """

    learns_anew = False
    """Whether the model learns once more, from all records, where more than half of them have a label.

    For as long as held-out ones said was best; what these said of the first network, how sure it may be and which
    scores are rare, stays. That is for running means of weights: weights that are none are best where they were judged
    best, and a second training has no judge.
    """
    takes_arrays = False

    def __init__(
        self,
        *,
        alert_rate: float = 0.05,
        schema: Overrides | None = None,
        ignore: Sequence[str] = (),
        exemplars: int = EXEMPLARS,
        device: str = "auto",
        max_time: float | None = None,
        optimiser: str = "adamw",
        learning_rate: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | Callable[[Progress], None] = False,
    ) -> None:
        self.alert_rate = alert_rate
        self.schema = schema
        self.ignore = ignore
        self.exemplars = exemplars
        self.device = device
        self.max_time = max_time
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.verbose = verbose

    @abstractmethod
    def _model(self, encoder: Any, rows: int, seed: int) -> Model[Any]:
        """An untrained model for so many training records of this encoder."""

    @abstractmethod
    def _plan(self, encoder: Any, rows: int) -> Plan:
        """How long to train it."""

    def _lesson(self, encoder: Any, records: Any, held_out: Any, seed: int, learn: Learn) -> tuple[Any, Any]:
        """What the model is to learn from and to be stopped by; here the records themselves.

        Args:
            encoder: Of the records.
            records: The training part, on the device.
            held_out: The validation part, on the device.
            seed: Of all random draws.
            learn: Trains another model by the same clock.
        """
        return records, held_out

    def _plan_by(self, plan: Plan) -> Plan:
        """The plan with the optimiser and rate that were asked for."""
        return plan.by(self.optimiser, self.learning_rate)

    def _targets(self) -> tuple[str, ...]:
        """Columns whose density is wanted given the others; none means all."""
        return ()

    def _axis(self) -> Axis:
        """How numbers are scaled."""
        return "counting"

    def _learn(self, data: Any, labels: Labels | None = None) -> Self:
        """Fits to a table, or sequences or images, and to labels where there are any."""
        started = time.monotonic()
        Calibration(np.zeros(1)).threshold(self.alert_rate)  # refuses a bad rate before the work
        self._plan_by(Plan(1, 1))  # refuses a bad optimiser
        schema = self._schema(data)
        records, notices = schema.select(data)
        if records.num_rows < FEWEST:
            raise DataError(
                f"{records.num_rows} sample(s) are too few to learn from; a minimum of {FEWEST} is required"
            )
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        run = Fitting(self, schema, records, rng, started, labels)
        if records.num_rows < SMALL:
            run.by_folds()
        else:
            run.by_split()
        self.schema_ = schema
        self.encoder_ = run.encoder
        self.calibration_ = Calibration(run.calibration)
        history = run.history
        self.history_ = {"train": history.train, "validation": history.validation}
        self.stopped_by_ = history.stopped_by
        self.exemplars_ = run.exemplars(self.exemplars)
        self.model_ = run.model.cpu().eval()
        few = self.calibration_.notice(self.alert_rate)
        self.notices_ = (*schema.notices, *notices, *run.notices, *([few] if few else []))
        self.summary_ = {
            "rows": records.num_rows,
            **run.counts,
            "steps": history.steps,
            "best_step": history.best_step,
            "stopped_by": history.stopped_by,
            "loss_variance": history.loss_variance,
            "seconds": round(time.monotonic() - started, 2),
            "parameters": sum(weights.numel() for weights in self.model_.parameters()),
        }
        return self

    def untrained(self) -> Self:
        """The same detector, not fitted, whose fit takes no step of training: what it can do was never learnt.

        Its network keeps the weights it is drawn with; what it remembers of the training records, pooling and
        calibration are as after any fit.

        >>> from unwonted import DMDN
        >>> DMDN(random_state=0).untrained().fit([[float(i)] for i in range(20)]).summary_["steps"]
        0
        """
        twin: Self = clone(self)
        twin.__dict__["_plan"] = lambda encoder, rows: replace(self._plan(encoder, rows), steps=0)
        return twin

    @property
    def columns_(self) -> tuple[str, ...]:
        """The columns that the score splits over, in order; the channels of sequences and images."""
        check_is_fitted(self, "encoder_")
        return tuple(self.encoder_.columns)

    def contributions(self, X: Any) -> Floats:
        """What each column adds to the anomaly score, shape (n, columns).

        Rows sum to `anomaly_score`; where that is no sum over columns (energies), to what it is above the score of the
        nearest normal record that is kept, by integrated gradients.
        """
        encoded = self._encoded(X)
        return explain.contributions(self, encoded, self._evidence(encoded))[0]

    def anomaly_score(self, X: Any) -> Floats:
        """How improbable each record is, shape (n,): higher is stranger."""
        encoded = self._encoded(X)
        return self.model_.score(self._evidence(encoded))

    def score_samples(self, X: Any) -> Floats:
        """The opposite of `anomaly_score`: higher is more normal, shape (n,)."""
        return -self.anomaly_score(X)

    def p_value(self, X: Any) -> Floats:
        """Conformal p-values (1 + #{calibration scores ≥ s}) / (n + 1), shape (n,)."""
        scores = self.anomaly_score(X)
        return self.calibration_.p_values(scores)

    def explain(self, X: Any, top: int = 3) -> list[Explanation]:
        """For each record its `top` columns by contribution: seen, expected, and the nearest normal record.

        Of sequences and images it tells the `top` cells, and a picture of all.
        """
        return explain.explain(self, self._selected(X), top)

    def save(self, path: str | Path) -> None:
        """Writes the detector to one safetensors file, whole or not at all; see `unwonted.load`."""
        check_is_fitted(self, "model_")
        artifact.save(self, path)

    def _encoded(self, X: Any) -> Encoded | Grids:
        """Records as the model takes them, once the detector is fitted."""
        records = self._selected(X)
        encoded: Encoded | Grids = self.encoder_.transform(records)
        return encoded

    def _evidence(self, encoded: Encoded | Grids) -> Floats:
        """What the scores of encoded records rest on; see `Model.evidence`."""
        return self._told(lambda model: model.evidence, encoded)

    def _told(self, what: Callable[[Any], Callable[[Any], Tensor]], encoded: Encoded | Grids) -> Floats:
        """What a function of the model, on the device, says of encoded records."""
        device = self._device(self.schema_)
        found = in_padded_chunks(what(self.model_.to(device)), encoded, device)
        self.model_.cpu()
        return found

    def _selected(self, X: Any) -> Any:
        """The schema's features of X, once the detector is fitted."""
        check_is_fitted(self, "model_")
        data = self._data(X)
        if isinstance(data, Arrays) and not isinstance(self.schema_, Layout):
            raise DataError("the model learnt from a table; give records of the same form")
        records, notices = self.schema_.select(data)
        for notice in notices:
            warnings.warn(notice, DataWarning, stacklevel=3)
        return records

    def _device(self, schema: Schema | Layout) -> torch.device:
        """Where to compute: a processor is sooner done with small networks and with the steps of a sequence."""
        check_choice("device", self.device, ("auto", "cpu", "cuda"))
        cuda = torch.cuda.is_available()
        if self.device == "cuda" and not cuda:
            raise DataError("device 'cuda' is not available here; use 'auto' or 'cpu'")
        wanted = self.device == "cuda" or (self.device == "auto" and isinstance(schema, Layout) and schema.images)
        return torch.device("cuda" if cuda and wanted else "cpu")

    def _schema(self, data: pa.Table | Arrays) -> Any:
        """How the training records are understood."""
        if isinstance(data, Arrays):
            if self.schema or self.ignore:
                raise DataError("schema and ignore name columns of a table; sequences and images have none")
            return Layout.of(data)
        schema = Schema.infer(data, self.schema, targets=self._targets(), ignore=self.ignore)
        unasked = [column.name for column in schema.targets if column.name not in self._targets()]
        if unasked:
            raise DataError(
                f"column {unasked[0]!r} has the role target, but nothing is asked of it; "
                "name it in DMDN(target=[...]) or --target, or give it another role"
            )
        if not schema.features:
            raise DataError(
                "no column is usable: each is constant, empty or ignored; give records with columns that vary"
            )
        return schema

    def _encoder(self, records: pa.Table | Arrays, schema: Any) -> Any:
        """Fits the encoder of selected training records."""
        if isinstance(records, Arrays):
            return ArrayEncoder.fit(records)
        return Encoder.fit(records, schema, self._axis())

    def _data(self, X: Any, reset: bool = False) -> pa.Table | Arrays:
        """X as sequences or images, if it is such and the model takes them, else as a table."""
        arrays = as_arrays(X) if self.takes_arrays or isinstance(X, Arrays | pa.Table) else None
        if arrays is None:
            return self._table(X, reset)
        if not self.takes_arrays:
            raise DataError(
                f"{type(self).__name__} learns from tables, not from sequences or images; DSEBM takes those"
            )
        if reset:
            self.n_features_in_ = arrays.values.shape[-1]
            self.__dict__.pop("feature_names_in_", None)
        return arrays

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
