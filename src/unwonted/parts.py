"""What a column can hold, as a model sees it: named outcomes, and a scaled value beside them."""

import math

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

__all__ = ["INFINITE", "NOVEL", "CategoricalPart", "CyclicPart", "NumericPart", "Part"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

NOVEL = -1
"""The code of what training never saw: an unseen category, or a gap in a column that had none."""

VALUE = 0
"""The code, in a part that has values, of any value that has no outcome of its own."""

INFINITE = float(np.finfo(np.float64).max)
"""Stands for infinity, so that it can be written to a file and compared; ±inf is an outcome if training had it."""

MAX_ATOMS = 16
MAX_CATEGORIES = 256
ATOM_SHARE = 0.01
VICINITY = 0.15
DISTINCT_SHARE = 0.5
LINEAR_SHARE = 10.0
MOST_SPREADS = 3.0
FAR_FROM_ZERO = 100.0
FINEST = 1e-6
FURTHEST = 1e8
NEAREST_RANK = 0.002


class CategoricalPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="categorical"):
    """Categories, each with an outcome of its own; those too rare for one share an outcome evenly.

    Attributes:
        column: The column it was read from.
        categories: The outcomes 0 … C−1.
        rare: Categories that share outcome C, if any.
        missing: Whether training had gaps; they are the last outcome.
        novelty: Probability that training leaves for what it never saw (Good–Turing).
        unseen: How many categories share it (Chao's estimate): one of them is less likely than any that was seen.
        unit: "day of week" where the categories were read off a date.
    """

    column: str
    categories: tuple[str, ...]
    rare: tuple[str, ...]
    missing: bool
    novelty: float
    unseen: float = 1.0
    unit: str = ""

    @property
    def outcomes(self) -> int:
        return len(self.categories) + bool(self.rare) + self.missing

    @property
    def label(self) -> str:
        return f"{self.column} ({self.unit})" if self.unit else self.column

    @classmethod
    def fit(cls, column: str, texts: pa.ChunkedArray, unit: str = "") -> "CategoricalPart":
        counts = pc.value_counts(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts)
        names = counts.field("values").to_pylist()
        sizes = counts.field("counts").to_pylist()
        known = sorted(
            ((n, s) for n, s in zip(names, sizes, strict=True) if n is not None),
            key=lambda pair: (-pair[1], pair[0]),
        )
        room = MAX_CATEGORIES if len(known) > MAX_CATEGORIES else len(known)
        seen_once, seen_twice = (sum(size == times for _, size in known) for times in (1, 2))
        return cls(
            column=column,
            categories=tuple(sorted(name for name, _ in known[:room])),
            rare=tuple(sorted(name for name, _ in known[room:])),
            missing=None in names,
            novelty=_good_turing(seen_once, len(texts)),
            unseen=max(1.0, seen_once * (seen_once - 1) / (2 * (seen_twice + 1))),
            unit=unit,
        )

    def codes(self, texts: pa.ChunkedArray) -> Codes:
        """The outcome of each text, shape (n,); NOVEL where there is none."""
        names = pa.array((*self.categories, *self.rare), type=pa.string())
        found = pc.index_in(texts.cast(pa.string()), value_set=names)
        codes = np.asarray(found.fill_null(NOVEL).to_numpy(), dtype=np.int64)
        codes = np.minimum(codes, len(self.categories))
        if self.missing:
            codes[np.asarray(texts.is_null().to_numpy())] = self.outcomes - 1
        return codes

    def name(self, outcome: int) -> str:
        """What outcome stands for, in words."""
        if outcome < len(self.categories):
            return self.categories[outcome]
        return "another rare one" if self.rare and outcome == len(self.categories) else "missing"

    def shared(self) -> Floats:
        """Log of the share that one record's category has in its outcome's probability, shape (outcomes,)."""
        shares = np.zeros(self.outcomes)
        if self.rare:
            shares[len(self.categories)] = -math.log(len(self.rare))
        return shares


class NumericPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="numeric"):
    """A number on a bent axis: asinh((x − centre)/scale), linear near the centre and logarithmic far out, standardised.

    Amounts and counts are told apart by their ratios: the centre is zero, unless zero lies far from all values. The
    scale is a tenth of what all but one value in a thousand stay below, but from one to three times the robust spread.
    A `linear` axis is (x − min)/(max − min) instead.

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
    def label(self) -> str:
        return self.column

    @classmethod
    def fit(cls, column: str, x: Floats, linear: bool = False) -> "NumericPart":
        known = x[~np.isnan(x)]
        values, counts = np.unique(known, return_counts=True)
        finite = np.abs(values) < INFINITE
        numbers, sizes = values[finite], counts[finite]
        centre, scale = _range(numbers) if linear else _bend(np.repeat(numbers, sizes))
        raw = cls(
            column, centre, scale, 0.0, 1.0, -1.0, 1.0, 0.0, (),
            bool(np.isnan(x).any()), _gap_novelty(x), (), (), linear,
        )  # fmt: skip
        t = raw.scaled(numbers) if len(numbers) else np.zeros(1)
        weights = sizes if len(numbers) else np.ones(1)
        mean, deviation = (0.0, 1.0) if linear else _moments(t, weights)
        t = (t - mean) / deviation
        knots, ranks = _normal_scores(t, weights)
        atoms = numbers[_stand_out(t, sizes)] if len(numbers) else numbers
        resolution = 0.0
        if len(numbers) > 1 and (len(atoms) or len(numbers) < DISTINCT_SHARE * sizes.sum()):
            resolution = max(float(np.percentile(np.diff(numbers), 1)), FINEST * scale)
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

    def codes(self, x: Floats) -> Codes:
        """The outcome of each value, shape (n,)."""
        codes = np.full(len(x), VALUE, dtype=np.int64)
        if self.atoms:
            atoms = np.asarray(self.atoms)
            nearest = np.clip(np.searchsorted(atoms, x), 0, len(atoms) - 1)
            codes = np.where(atoms[nearest] == x, nearest + 1, VALUE)
        codes[np.isnan(x)] = self.outcomes - 1 if self.missing else NOVEL
        return codes

    def located(self, x: Floats) -> Floats:
        """The middle of each value's bin on the scaled axis, shape (n,), so that bins tile it; else `scaled`."""
        if not self.resolution:
            return self.scaled(x)
        half = self.resolution / 2
        return (self.scaled(x - half) + self.scaled(x + half)) / 2

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


class CyclicPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cyclic"):
    """A value on a circle, such as the hour of day; `scaled` runs over [0, 2π)."""

    column: str
    unit: str
    cycle: float
    missing: bool
    novelty: float

    inputs = 4
    period = 2 * math.pi

    @property
    def outcomes(self) -> int:
        return 1 + self.missing

    @property
    def label(self) -> str:
        return f"{self.column} ({self.unit})"

    @classmethod
    def fit(cls, column: str, x: Floats, unit: str, cycle: float) -> "CyclicPart":
        return cls(column, unit, cycle, bool(np.isnan(x).any()), _gap_novelty(x))

    def scaled(self, x: Floats) -> Floats:
        return np.nan_to_num(np.mod(x, self.cycle) * (self.period / self.cycle), nan=0.0)

    def located(self, x: Floats) -> Floats:
        return self.scaled(x)

    def original(self, t: Floats) -> Floats:
        return np.mod(np.asarray(t, dtype=np.float64), self.period) * (self.cycle / self.period)

    def codes(self, x: Floats) -> Codes:
        return np.where(np.isnan(x), 1 if self.missing else NOVEL, VALUE)

    def widths(self, x: Floats) -> Floats:
        return np.zeros(len(x))

    def features(self, x: Floats) -> Floats:
        t = self.scaled(x)
        circle = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t), np.cos(2 * t)])
        return circle * ~np.isnan(x)[:, None]


Part = CategoricalPart | NumericPart | CyclicPart


def _good_turing(seen_once: int, n: int) -> float:
    """Probability of what was never seen, from how many outcomes were seen once in n records."""
    return min(0.5, (seen_once + 1) / (n + 2))


def _gap_novelty(x: Floats) -> float:
    """Probability of a gap where there was none; none is left where gaps have an outcome of their own."""
    return 0.0 if np.isnan(x).any() else _good_turing(0, len(x))


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


def _bend(x: Floats) -> tuple[float, float]:
    """Where the axis of a number has its centre, and from how far off on it is logarithmic."""
    if not len(x):
        return 0.0, 1.0
    p10, p25, median, p75, p90 = np.percentile(x, [10, 25, 50, 75, 90]).tolist()
    near_zero = float(x.max() / 2 - x.min() / 2) * FAR_FROM_ZERO > abs(median)
    centre = 0.0 if near_zero else median
    far = np.abs(x / 2 - centre / 2) * 2
    reach = float(np.percentile(far, 99.9)) or float(far.max())
    # The denser side's, so that of two habits far apart neither is squeezed to a point.
    sides = [side for side in (median - p25, p75 - median) if side > 0]
    largest = float(np.abs(x).max()) or 1.0
    candidates = (1.4826 * min(sides, default=0.0), (p90 - p10) / 2.563, float(np.std(x / largest)) * largest)
    # Less than this of the largest value is rounding, and cannot be divided by.
    least = FINEST**2 * largest
    spread = next((spread for spread in candidates if np.isfinite(spread) and spread > least), None)
    if spread is None:
        return centre, reach or 1.0
    return centre, max(spread, min(reach / LINEAR_SHARE, spread * MOST_SPREADS))


def _range(x: Floats) -> tuple[float, float]:
    """Least value and range of ascending numbers."""
    if not len(x):
        return 0.0, 1.0
    # Halved, for the range of all numbers is no number.
    half = float(x[-1] / 2 - x[0] / 2)
    return float(x[0]), min(2 * half, INFINITE) or 1.0


def _moments(t: Floats, weights: Floats | NDArray[np.int64]) -> tuple[float, float]:
    """Weighted mean, and standard deviation or 1 where there is none."""
    mean = float(np.average(t, weights=weights))
    return mean, math.sqrt(float(np.average((t - mean) ** 2, weights=weights))) or 1.0


def _normal_scores(values: Floats, counts: ArrayLike, most: int = 256) -> tuple[Floats, Floats]:
    """The distribution of ascending values as at most `most` knots and their normal scores Φ⁻¹(rank)."""
    from scipy.special import ndtri

    counts = np.asarray(counts, dtype=np.float64)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    if len(values) > most:
        chosen = np.unique(np.searchsorted(middle, np.linspace(0, 1, most)).clip(0, len(values) - 1))
        values, middle = values[chosen], middle[chosen]
    return values, ndtri(np.clip(middle, NEAREST_RANK, 1 - NEAREST_RANK))
