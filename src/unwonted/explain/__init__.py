"""Why a record is strange: what each column adds, what was expected of it, and the nearest normal record."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from unwonted.arrays import Arrays, Grids
from unwonted.encode import Encoded
from unwonted.explain import against, columns
from unwonted.explain.gradients import integrated_gradients
from unwonted.explain.nearest import as_text, nearest
from unwonted.explain.reasons import Expected, Explanation, Picture, Reason
from unwonted.models.base import ColumnModel, EnergyModel, Floats

if TYPE_CHECKING:
    from unwonted.estimator import Estimator

__all__ = ["Expected", "Explanation", "Picture", "Reason", "contributions", "explain"]


def contributions(detector: "Estimator", encoded: Encoded | Grids, evidence: Floats) -> tuple[Floats, Floats]:
    """What each column adds to the score, shape (n, columns), and what is left of it, shape (n,)."""
    model = detector.model_
    if isinstance(model, ColumnModel):
        found = model.pool(evidence)
        return found, np.zeros(len(found))
    assert isinstance(model, EnergyModel)
    if not len(encoded):
        return np.empty((0, len(detector.columns_))), np.empty(0)
    cells, baseline = _by_input(model, detector, encoded, model.score(evidence), nearest(detector, encoded))
    return _by_column(model, cells), baseline


def explain(detector: "Estimator", records: pa.Table | Arrays, top: int) -> list[Explanation]:
    """Explains selected records; see `Estimator.explain`."""
    if not records.num_rows:
        return []
    encoded = detector.encoder_.transform(records)
    evidence = detector._evidence(encoded)
    model = detector.model_
    scores = model.score(evidence)
    p_values = detector.calibration_.p_values(scores)
    near = nearest(detector, encoded)
    kept = [None] * len(scores) if near is None else near.tolist()
    baseline, kinds = np.zeros(len(scores)), [""] * len(scores)
    pictures: list[Picture | None] = [None] * len(scores)
    if isinstance(model, ColumnModel):
        assert isinstance(encoded, Encoded)
        # Who keeps no record to show wants none told by its values either.
        told = columns.reasons(model, detector.encoder_, records, encoded, evidence, top, with_likes=near is not None)
    else:
        assert isinstance(model, EnergyModel)
        cells, baseline = _by_input(model, detector, encoded, scores, near)
        kinds = model.kinds(evidence)
        if isinstance(records, Arrays):
            pictures = against.pictures(records, detector.exemplars_, near, cells)
            told = against.cells(pictures, top)
        else:
            told = against.columns(detector, records, near, _by_column(model, cells), top)
    return [
        Explanation(
            row,
            float(scores[row]),
            float(p_values[row]),
            bool(p_values[row] <= detector.alert_rate),
            told[row],
            None if at is None or isinstance(records, Arrays) else as_text(detector.exemplars_, at),
            float(baseline[row]),
            kinds[row],
            pictures[row],
        )
        for row, at in enumerate(kept)
    ]


@torch.no_grad()
def _by_input(
    model: EnergyModel[Any],
    detector: "Estimator",
    encoded: Encoded | Grids,
    scores: Floats,
    near: NDArray[np.int64] | None,
) -> tuple[Floats, Floats]:
    """Contributions of all inputs of a model with an energy, and the score of what they are measured from."""
    if near is None:
        start = model.typical.unsqueeze(0)
    else:
        start = model.read(detector.encoder_.transform(detector.exemplars_.take(near)))
        if isinstance(encoded, Grids):
            start = _as_long_as(start, encoded.values.shape[1])
    return integrated_gradients(model, encoded, start, scores)


def _as_long_as(start: torch.Tensor, steps: int) -> torch.Tensor:
    """Sequences cut or filled up with zeros to so many steps."""
    longer = steps - start.shape[1]
    if longer <= 0:
        return start[:, :steps]
    return torch.cat([start, start.new_zeros(len(start), longer, *start.shape[2:])], 1)


def _by_column(model: EnergyModel[Any], cells: Floats) -> Floats:
    """Contributions of inputs summed over those of one column or channel."""
    owners = model.owners()
    if owners is None:
        summed: Floats = cells.reshape(len(cells), -1, cells.shape[-1]).sum(1)
        return summed
    summed = np.zeros((len(cells), int(owners.max()) + 1))
    np.add.at(summed.T, owners.numpy(), cells.T)
    return summed
