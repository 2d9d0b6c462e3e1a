"""Numbers: a scaled value, and outcomes for those that stand out by their frequency."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from unwonted.parts.axis import FINEST, Axis, bend, least_and_range, moments, normal_scores
from unwonted.parts.outcomes import INFINITE, NOVEL, VALUE, Codes, Floats, gap_novelty

__all__ = ["NumericPart"]

MAX_ATOMS = 16
ATOM_SHARE = 0.01
VICINITY = 0.15
DISTINCT_SHARE = 0.5
FURTHEST = 1e8


class NumericPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="numeric"):
    """A number on a bent axis: asinh((x − centre)/scale), linear near the centre and logarithmic far out, standardised.

    Amounts and counts are told apart by their ratios: the centre is zero, unless zero lies far from all values. The
    scale is a tenth of what all but one value in a thousand stay below, but from one to three times the robust spread.
    On a "counting" axis counts (whole numbers from zero on, one in a thousand over three times the median of those
    above zero) have a unit of their own: their scale is at most the least of these, mostly one, so that 2 and 20 are as
    far apart as 20 and 200.
    A "linear" axis is (x − min)/(max − min) instead.

    Values that stand out by their frequency (zeros, codes) are atoms, outcomes of their own. A column that has
    any, or in which most values repeat, is wholly mass: each value stands for a bin as wide as the column's
    resolution. Any other is density.

    Attributes:
        column: The column it was read from.
        centre, scale: In the column's unit.
        mean, deviation: Of the values on the bent axis; 0 and 1 on a linear one.
        low, high: Range of the scaled training values; what a model reads is held within it.
        resolution: Width of a bin in the column's unit; 0 for density.
        atoms: Values that have an outcome of their own, ascending.
        missing: Whether training had gaps; they are the last outcome.
        novelty: Probability left for a gap where training had none.
        knots, ranks: The training distribution, as values and normal scores.
        linear: Whether the axis is not bent.
    """

    column: str
    centre: float
    scale: float
    mean: float
    deviation: float
    low: float
    high: float
    resolution: float
    atoms: tuple[float, ...]
    missing: bool
    novelty: float
    knots: tuple[float, ...]
    ranks: tuple[float, ...]
    linear: bool = False

    inputs = 2
    period = 0.0

    @property
    def outcomes(self) -> int:
        return 1 + len(self.atoms) + self.missing

    @property
    def gap(self) -> int:
        """The outcome of a gap; NOVEL where training had none."""
        return self.outcomes - 1 if self.missing else NOVEL

    @property
    def label(self) -> str:
        return self.column

    @classmethod
    def fit(cls, column: str, x: Floats, axis: Axis = "counting") -> "NumericPart":
        linear = axis == "linear"
        known = x[~np.isnan(x)]
        values, counts = np.unique(known, return_counts=True)
        finite = np.abs(values) < INFINITE
        numbers, sizes = values[finite], counts[finite]
        centre, scale = least_and_range(numbers) if linear else bend(np.repeat(numbers, sizes), axis == "counting")
        raw = cls(
            column, centre, scale, 0.0, 1.0, -1.0, 1.0, 0.0, (),
            bool(np.isnan(x).any()), gap_novelty(x), (), (), linear,
        )  # fmt: skip
        t = raw.scaled(numbers) if len(numbers) else np.zeros(1)
        weights = sizes if len(numbers) else np.ones(1)
        mean, deviation = (0.0, 1.0) if linear else moments(t, weights)
        t = (t - mean) / deviation
        knots, ranks = normal_scores(t, weights)
        atoms = numbers[_stand_out(t, sizes)] if len(numbers) else numbers
        resolution = 0.0
        if len(numbers) > 1 and (len(atoms) or len(numbers) < DISTINCT_SHARE * sizes.sum()):
            # Halved, for the difference of two numbers may be no number, as may a number and too wide a bin together.
            half = float(np.percentile(np.diff(numbers / 2), 1))
            resolution = max(min(2 * half, FINEST * INFINITE), FINEST * scale)
        return msgspec.structs.replace(
            raw,
            mean=mean,
            deviation=deviation,
            low=float(t.min()),
            high=float(t.max()),
            resolution=resolution,
            atoms=tuple(np.sort(np.append(atoms, values[~finite])).tolist()),
            knots=tuple(knots.tolist()),
            ranks=tuple(ranks.tolist()),
        )

    def scaled(self, x: Floats) -> Floats:
        """Standardised values, shape (n,); ±inf and overflows stop at ±FURTHEST, gaps are 0."""
        with np.errstate(over="ignore", invalid="ignore"):
            z = (x - self.centre) / self.scale
            t = ((z if self.linear else np.arcsinh(z)) - self.mean) / self.deviation
        return np.nan_to_num(np.clip(t, -FURTHEST, FURTHEST), nan=0.0)

    def original(self, t: Floats) -> Floats:
        """The inverse of `scaled`."""
        z = np.asarray(t, dtype=np.float64) * self.deviation + self.mean
        with np.errstate(over="ignore"):
            return self.centre + self.scale * (z if self.linear else np.sinh(z))

    def log_slope(self, t: Floats) -> Floats:
        """log |dt/dx| at scaled values, shape (n,), which turns a density of t into one of x; 0 for mass."""
        if self.resolution:
            return np.zeros(len(t))
        z = t * self.deviation + self.mean
        bent = 0.0 if self.linear else np.logaddexp(z, -z) - math.log(2)
        return np.full(len(t), -math.log(self.deviation * self.scale)) - bent

    def codes(self, x: Floats) -> Codes:
        """The outcome of each value, shape (n,)."""
        codes = np.full(len(x), VALUE, dtype=np.int64)
        if self.atoms:
            atoms = np.asarray(self.atoms)
            nearest = np.clip(np.searchsorted(atoms, x), 0, len(atoms) - 1)
            codes = np.where(atoms[nearest] == x, nearest + 1, VALUE)
        codes[np.isnan(x)] = self.gap
        return codes

    def located(self, x: Floats) -> Floats:
        """The middle of each value's bin on the scaled axis, shape (n,), so that bins tile it; else `scaled`."""
        if not self.resolution:
            return self.scaled(x)
        half = self.resolution / 2
        return (self.scaled(x - half) + self.scaled(x + half)) / 2

    def value_at(self, t: Floats) -> Floats:
        """The inverse of `located`: the value whose bin has its middle there."""
        if self.linear or not self.resolution:
            return self.original(t)
        # asinh(u − b) + asinh(u + b) = 2z holds for u = sinh(z) √(1 + b²/cosh²(z)).
        z = np.asarray(t, dtype=np.float64) * self.deviation + self.mean
        with np.errstate(over="ignore"):
            spread = self.resolution / 2 / self.scale / np.cosh(z)
            return self.centre + self.scale * np.sinh(z) * np.sqrt(1 + spread**2)

    def widths(self, x: Floats) -> Floats:
        """Width of each value's bin on the scaled axis, shape (n,); 0 for density."""
        if not self.resolution:
            return np.zeros(len(x))
        half = self.resolution / 2
        with np.errstate(invalid="ignore"):
            widths = self.scaled(x + half) - self.scaled(x - half)
        # Far out the bin is narrower than a float64 can tell: take the slope of the scaling instead.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            z = (x - self.centre) / self.scale
            slope = (1.0 if self.linear else 1 / np.hypot(1, z)) / self.deviation
        narrow = self.resolution / self.scale * slope
        return np.maximum(np.where(widths > 1e-9, widths, np.nan_to_num(narrow)), 1e-12)

    def features(self, x: Floats) -> Floats:
        """What a network reads of it, shape (n, 2): the scaled value and its normal score, both bounded."""
        t = np.clip(self.scaled(x), self.low, self.high)
        known = ~np.isnan(x)
        return np.column_stack([t, np.interp(t, self.knots, self.ranks)]) * known[:, None]


def _stand_out(t: Floats, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the ascending scaled values are atoms: frequent, and the better half of all around them.

    A frequent value among equals (a length rounded to millimetres) is none; it belongs to the density.
    """
    above = np.append(0, np.cumsum(counts))
    around = above[np.searchsorted(t, t + VICINITY, "right")] - above[np.searchsorted(t, t - VICINITY, "left")]
    atoms = (counts >= max(3.0, ATOM_SHARE * counts.sum())) & (2 * counts >= around)
    if atoms.sum() > MAX_ATOMS:
        atoms &= counts >= np.sort(counts[atoms])[-MAX_ATOMS]
    stand_out: NDArray[np.bool_] = atoms
    return stand_out
