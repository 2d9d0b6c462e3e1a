"""How the scores are spread, what alert share was promised, and how training went."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unwonted.words import as_score, count, number

__all__ = ["Histogram", "Training", "histogram", "training"]

_BINS = 56


@dataclass(frozen=True)
class Histogram:
    """Shares of records per bin of the score; the last bin holds everything further out."""

    edges: NDArray[np.float64]
    calibration: NDArray[np.float64]
    scored: NDArray[np.float64]
    threshold: float
    smallest: float  # the smallest share above zero, for a logarithmic axis
    beyond: int
    describe: str


@dataclass(frozen=True)
class Training:
    """Losses by epoch with limits that a wild first epoch does not stretch."""

    train: tuple[float, ...]
    validation: tuple[float, ...]
    best: int | None  # the epoch, from 1, with the lowest validation loss
    limits: tuple[float, float]
    describe: str


def histogram(calibration: NDArray[np.float64], scored: NDArray[np.float64], threshold: float) -> Histogram:
    """Bins both samples alike, one edge exactly on the threshold, extreme outliers gathered at the end.

    >>> h = histogram(np.arange(100.0), np.array([1.0, 2.0, 98.0, 1e12]), 95.0)
    >>> bool(np.isclose(h.edges, 95.0).any()), h.beyond, bool(h.edges[-1] < 400), float(h.scored.sum())
    (True, 1, True, 1.0)
    """
    both = np.concatenate([part[np.isfinite(part)] for part in (calibration, scored)])
    if not len(both):
        both = np.zeros(1)
    q01, q99 = np.quantile(calibration[np.isfinite(calibration)] if len(calibration) else both, [0.01, 0.99])
    if math.isfinite(threshold):
        q99 = max(q99, threshold)
    reach = q99 - q01 or max(abs(q99), 1.0) * 0.1
    low, high = max(both.min(), q01 - reach), min(both.max(), q99 + 3 * reach)
    high = max(high, q99 + 0.1 * reach)
    width = (high - low) / _BINS
    anchor = low
    if math.isfinite(threshold) and low < threshold < high:
        anchor = float(np.nextafter(threshold, math.inf))  # an alert lies above the threshold, not on it
    first, last = math.ceil((anchor - low) / width - 1e-9), math.ceil((high - anchor) / width - 1e-9)
    edges = anchor + width * np.arange(-first, last + 1)
    beyond = int((scored >= edges[-1] + width * 1e-9).sum())
    shares = [np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] for part in (calibration, scored)]
    held, seen = (np.asarray(part, np.float64) / max(1, part.sum()) for part in shares)
    positive = np.concatenate([held[held > 0], seen[seen > 0]])
    return Histogram(
        edges=edges,
        calibration=held,
        scored=seen,
        threshold=threshold,
        smallest=float(positive.min()) if len(positive) else 1.0,
        beyond=beyond,
        describe=(
            f"Histogram of {count(len(scored), 'score')} beside "
            f"{count(len(calibration), 'held-out normal record')}; "
            + (f"alerts from {as_score(threshold)} on" if math.isfinite(threshold) else "no alert threshold")
            + (f"; {count(beyond, 'record')} further out than drawn." if beyond else ".")
        ),
    )


def training(history: Mapping[str, Sequence[float]]) -> Training | None:
    """The losses by epoch; None where nothing was recorded."""
    train, validation = tuple(history.get("train", ())), tuple(history.get("validation", ()))
    finite = np.array([loss for loss in (*train, *validation) if math.isfinite(loss)])
    if not len(finite):
        return None
    usable = [loss if math.isfinite(loss) else math.inf for loss in validation]
    best = int(np.argmin(usable)) + 1 if usable and min(usable) < math.inf else None
    low, high = float(finite.min()), float(np.quantile(finite, 0.9))
    if finite.max() - low < 2.5 * (high - low):
        high = float(finite.max())
    margin = 0.06 * (high - low) or max(0.05 * abs(high), 0.1)
    told = f"Loss over {count(max(len(train), len(validation)), 'epoch')}"
    if best is not None:
        told += f"; validation loss is lowest, {number(validation[best - 1])}, at epoch {best}"
    return Training(train, validation, best, (low - margin, high + margin), told + ".")
