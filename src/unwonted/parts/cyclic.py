"""Values that come round again: hours of a day, days of a week."""

import math

import msgspec
import numpy as np

from unwonted.parts.outcomes import NOVEL, VALUE, Codes, Floats, gap_novelty

__all__ = ["CyclicPart"]


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
    def gap(self) -> int:
        """The outcome of a gap; NOVEL where training had none."""
        return self.outcomes - 1 if self.missing else NOVEL

    @property
    def label(self) -> str:
        return f"{self.column} ({self.unit})"

    @classmethod
    def fit(cls, column: str, x: Floats, unit: str, cycle: float) -> "CyclicPart":
        return cls(column, unit, cycle, bool(np.isnan(x).any()), gap_novelty(x))

    def scaled(self, x: Floats) -> Floats:
        return np.nan_to_num(np.mod(x, self.cycle) * (self.period / self.cycle), nan=0.0)

    def located(self, x: Floats) -> Floats:
        return self.scaled(x)

    def original(self, t: Floats) -> Floats:
        """The inverse of `scaled`; a full turn is the cycle, so that a whole circle is drawn from end to end."""
        return np.asarray(t, dtype=np.float64) * (self.cycle / self.period)

    def log_slope(self, t: Floats) -> Floats:
        """log |dt/dx| at scaled values, shape (n,), which turns a density of t into one of x."""
        return np.full(len(t), math.log(self.period / self.cycle))

    def codes(self, x: Floats) -> Codes:
        return np.where(np.isnan(x), self.gap, VALUE)

    def widths(self, x: Floats) -> Floats:
        return np.zeros(len(x))

    def features(self, x: Floats) -> Floats:
        t = self.scaled(x)
        circle = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t), np.cos(2 * t)])
        return circle * ~np.isnan(x)[:, None]
