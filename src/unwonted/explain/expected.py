"""What a column was expected to hold: the distribution that a model gives it, in the user's own units."""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from unwonted.explain.reasons import Expected
from unwonted.explain.wording import clock, plain_number
from unwonted.parts import INFINITE, NOVEL, CategoricalPart, CyclicPart, NumericPart

if TYPE_CHECKING:
    from unwonted.encode import Encoded
    from unwonted.models.base import ColumnModel
    from unwonted.parts import Part

__all__ = ["expected"]

Floats = NDArray[np.float64]

GRID = 193
LIKELY = 4
BEYOND = 0.15  # of the range of training values, drawn on either side
GRAIN = 1e-6  # of a column's resolution, below which there is nothing but rounding
MODE_SHARE = 0.1  # of the highest peak, below which a peak is not named


@torch.no_grad()
@np.errstate(over="ignore", invalid="ignore")  # of columns from one end of what a float holds to the other
def expected(model: "ColumnModel", part: "Part", record: "Encoded", position: int, view: int) -> Expected:
    """The distribution of one part, given what the view that the record is scored by gives it."""
    outcomes, mixture = model.conditional(record, position, view)
    p, code = outcomes[0].double().numpy(), int(record.codes[0, position])
    if isinstance(part, CategoricalPart):
        named = [(part.name(i), float(x)) for i, x in enumerate(p)]
        likely = sorted(named, key=lambda pair: -pair[1])[:LIKELY]
        held = ("any other value", part.novelty) if code == NOVEL else named[code]
        return Expected(_in_shares(likely), None, (), tuple(likely), (), (), held)
    weights, means, scales = (x[0].double().numpy() for x in mixture)
    if isinstance(part, CyclicPart):
        means = np.mod(means, part.period)
    return _of_values(part, p, (weights, means, scales), code)


def _of_values(
    part: NumericPart | CyclicPart, p: Floats, mixture: tuple[Floats, Floats, Floats], code: int
) -> Expected:
    """The distribution of a part with values: atoms and mixture, over the range of training and a bit beyond."""
    weights, means, scales = mixture
    if isinstance(part, CyclicPart):
        low, high, atoms = 0.0, part.period, np.empty(0)
        images = [-part.period, 0.0, part.period]
    else:
        margin = BEYOND * (part.high - part.low)
        low, high, atoms = part.low - margin, part.high + margin, np.asarray(part.atoms)
        images = [0.0]
    # Equal steps, and finer ones around each component and atom.
    near = (means[:, None] + scales[:, None] * np.linspace(-3, 3, 13)).ravel()
    t = np.unique(np.clip(np.concatenate([np.linspace(low, high, GRID), near]), low, high))
    z = (t[:, None, None] + np.asarray(images)[:, None] - means) / scales
    density = p[0] * (weights * np.exp(-0.5 * z * z) / (scales * math.sqrt(2 * math.pi))).sum((1, 2))
    inside = p[0] * (weights * (ndtr(z) - ndtr((low + np.asarray(images)[:, None] - means) / scales))).sum((1, 2))
    grid = part.original(t)
    interval = _interval(part, t, inside, atoms, p)
    apart = _apart(interval, atoms)
    named = [("missing", float(p[-1]))] if part.missing else []
    if len(atoms):
        middle, half = part.located(atoms), part.widths(atoms) / 2
        edges = (np.stack([middle - half, middle + half])[..., None] - means) / scales
        beside = p[0] * (weights * (ndtr(edges[1]) - ndtr(edges[0]))).sum(1)
        named += [
            (plain_number(a, apart), float(x)) for a, x in zip(atoms, p[1 : 1 + len(atoms)] + beside, strict=True)
        ]
    told = dict(enumerate([*named[part.missing :], *named[: part.missing]], 1))  # by outcome; 0 are all other values
    likely = sorted((pair for pair in named if pair[1] >= 0.01), key=lambda pair: -pair[1])[:LIKELY]
    per_unit = density / np.maximum(np.gradient(grid, t), 1e-300) if len(t) > 1 else density
    modes = tuple(_possible(part, part.original(t[_peaks(density)])).tolist())
    return Expected(
        _in_words(part, interval, modes, likely, float(p[0]), apart), interval, modes, tuple(likely),
        tuple(grid.tolist()), tuple(per_unit.tolist()), told.get(code), apart,
    )  # fmt: skip


def _interval(
    part: NumericPart | CyclicPart, t: Floats, inside: Floats, atoms: Floats, p: Floats
) -> tuple[float, float]:
    """The central 95 % of values, atoms included."""
    cumulative = inside.copy()
    if isinstance(part, CyclicPart):
        mass, rate = np.diff(inside), np.diff(inside) / np.diff(t)
        least = int(rate.argmin())
        # A turn begins at midnight, unless that is usual and another hour is not.
        begin = least if rate[least] < MODE_SHARE * rate[0] else 0
        t, cumulative = np.roll(t[:-1], -begin), np.cumsum(np.roll(mass, -begin))
    for atom, mass in zip(atoms, p[1:], strict=False):
        cumulative += mass * (t >= part.scaled(np.array([atom]))[0] - 1e-9)
    cumulative /= max(cumulative[-1], 1e-300)
    ends = [int(np.searchsorted(cumulative, level)) for level in (0.025, 0.975)]
    low, high = _possible(part, part.original(t[np.minimum(ends, len(t) - 1)]))
    return float(low), float(high)


def _apart(interval: tuple[float, float], atoms: Floats) -> float:
    """The least distance that is to be told apart; 0 where there is none."""
    numbers = atoms[np.abs(atoms) < INFINITE]
    distances = np.append(np.diff(numbers), np.subtract(*interval[::-1]))
    return float(min(distances[distances > 0], default=0.0))


def _possible(part: NumericPart | CyclicPart, x: Floats) -> Floats:
    """The nearest numbers that a column can hold: within the training range, and at its resolution where it has one."""
    if isinstance(part, CyclicPart):
        return x
    first, last = part.original(np.array([part.low, part.high]))
    if not part.resolution:
        return np.clip(x, first, last)
    nearest = np.clip(first + np.round((x - first) / part.resolution) * part.resolution, first, last)
    grain = part.resolution * GRAIN
    exact: Floats = np.round(nearest / grain) * grain + 0.0  # no −0
    return exact


def _peaks(density: Floats) -> list[int]:
    padded = np.concatenate([[-1.0], density, [-1.0]])
    peaks = np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]))
    peaks = peaks[density[peaks] >= MODE_SHARE * density.max()]
    return [int(i) for i in peaks[np.argsort(-density[peaks], kind="stable")][:3]]


def _in_words(
    part: NumericPart | CyclicPart,
    interval: tuple[float, float],
    modes: tuple[float, ...],
    likely: list[tuple[str, float]],
    continuous: float,
    apart: float,
) -> str:
    def said(x: float) -> str:
        return clock(x) if isinstance(part, CyclicPart) else plain_number(x, apart)

    shares = _in_shares(likely) if likely else ""
    if likely and continuous < 0.05:
        return shares
    span = said(interval[0]) if interval[0] == interval[1] else f"{said(interval[0])} to {said(interval[1])}"
    around = interval[0] > interval[1]  # midnight
    if modes and (around or interval[0] < modes[0] < interval[1]) and not likely:
        span += f", most likely {said(modes[0])}"
    return f"{span}, often {shares}" if likely else span


def _in_shares(likely: list[tuple[str, float]]) -> str:
    named = [f"{name} ({100 * p:.0f}\xa0%)" for name, p in likely if p >= 0.01]
    return ", ".join(named) or f"{likely[0][0]} (below 1\xa0%)"
