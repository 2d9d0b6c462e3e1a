"""Why a record is strange: what each column adds, what was expected of it, and the nearest normal record."""

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from unwonted.models.base import CHUNK
from unwonted.parts import INFINITE, CategoricalPart, CyclicPart, NumericPart, Part

if TYPE_CHECKING:
    from unwonted.detector import Detector
    from unwonted.encode import Encoded

__all__ = ["Expected", "Explanation", "Reason", "explain"]

Floats = NDArray[np.float64]

GRID = 193
LIKELY = 4
BEYOND = 0.15  # of the range of training values, drawn on either side
MODE_SHARE = 0.1  # of the highest peak, below which a peak is not named
FARTHEST_PER_PART = 3.0  # what one column adds to the distance to an exemplar, at most


class Expected(msgspec.Struct, frozen=True):
    """What a column was expected to hold, given the record's other columns, in the user's own units.

    Attributes:
        text: In words: "12 to 80, most likely 40", or "http (92 %), dns (5 %)".
        interval: Where 95 % of the probability lies; None for categories.
        modes: Peaks of the density, highest first.
        likely: Most probable categories, or single values, with their probabilities.
        grid, density: The density as a curve; empty for categories.
    """

    text: str
    interval: tuple[float, float] | None
    modes: tuple[float, ...]
    likely: tuple[tuple[str, float], ...]
    grid: tuple[float, ...]
    density: tuple[float, ...]


class Reason(msgspec.Struct, frozen=True):
    """One column's share in a record's score.

    Attributes:
        column: Its name.
        seen: What the record holds, as text.
        seen_value: The same as a number (hour of day for dates); None for categories and gaps.
        contribution: What the column adds to the anomaly score.
        surprise: −log p of what was seen, in nats.
        expected: What would have been ordinary.
        phrase: Seen and expected as one clause.
    """

    column: str
    seen: str
    seen_value: float | None
    contribution: float
    surprise: float
    expected: Expected
    phrase: str


class Explanation(msgspec.Struct, frozen=True):
    """Why one record has its score; reasons by contribution, largest first."""

    row: int
    score: float
    p_value: float
    alert: bool
    reasons: tuple[Reason, ...]
    nearest: dict[str, str] | None


def explain(detector: "Detector", records: pa.Table, top: int) -> list[Explanation]:
    """Explains selected records; see `Detector.explain`."""
    encoder = detector.encoder_
    evidence = detector._evidence(records)
    surprise, contributions = evidence[..., 0], detector.model_.pool(evidence)
    scores = contributions.sum(1)
    p_values = detector.calibration_.p_values(scores)
    encoded = encoder.transform(records)
    nearest = _nearest(detector, encoded)
    telling = _telling_parts(detector, encoded)
    explanations = []
    for row in range(records.num_rows):
        order = np.argsort(-contributions[row], kind="stable")[:top]
        reasons = []
        for i in order:
            name = encoder.columns[i]
            part = telling[row][i]
            expected = _expected(detector, encoded[row : row + 1], part)
            seen, value = _seen(records.column(name)[row], encoder.parts[part])
            phrase = f"{encoder.parts[part].label} is {seen}; expected {expected.text}"
            reasons.append(
                Reason(name, seen, value, float(contributions[row, i]), float(surprise[row, i]), expected, phrase)
            )
        explanations.append(
            Explanation(
                row,
                float(scores[row]),
                float(p_values[row]),
                bool(p_values[row] <= detector.alert_rate),
                tuple(reasons),
                nearest[row],
            )
        )
    return explanations


@torch.no_grad()
def _telling_parts(detector: "Detector", encoded: "Encoded") -> list[list[int]]:
    """For each record the part of each column (a date's hour or weekday) that is the most surprising of it."""
    encoder = detector.encoder_
    owned = [[i for i, owner in enumerate(encoder.column_of_part) if owner == c] for c in range(len(encoder.columns))]
    if all(len(parts) == 1 for parts in owned):
        return [[parts[0] for parts in owned]] * len(encoded)
    nats = torch.cat([detector.model_.part_surprise(chunk) for chunk in encoded.chunks(CHUNK)]).numpy()
    return [[parts[int(np.argmax(row[parts]))] for parts in owned] for row in nats]


@torch.no_grad()
def _expected(detector: "Detector", record: "Encoded", position: int) -> Expected:
    """The distribution of one part given all other columns."""
    part = detector.encoder_.parts[position]
    outcomes, mixture = detector.model_.conditional(record, position)
    p = outcomes[0].double().numpy()
    if isinstance(part, CategoricalPart):
        named = ((part.name(i), float(x)) for i, x in enumerate(p))
        likely = sorted(named, key=lambda pair: -pair[1])[:LIKELY]
        return Expected(_in_shares(likely), None, (), tuple(likely), (), ())
    weights, means, scales = (x[0].double().numpy() for x in mixture)
    if isinstance(part, CyclicPart):
        means = np.mod(means, part.period)
    return _of_values(part, p, (weights, means, scales))


def _of_values(part: NumericPart | CyclicPart, p: Floats, mixture: tuple[Floats, Floats, Floats]) -> Expected:
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
    named = [("missing", float(p[-1]))] if part.missing else []
    if len(atoms):
        middle, half = part.located(atoms), part.widths(atoms) / 2
        edges = (np.stack([middle - half, middle + half])[..., None] - means) / scales
        beside = p[0] * (weights * (ndtr(edges[1]) - ndtr(edges[0]))).sum(1)
        named += [(_number(a), float(x)) for a, x in zip(atoms, p[1 : 1 + len(atoms)] + beside, strict=True)]
    likely = sorted((pair for pair in named if pair[1] >= 0.01), key=lambda pair: -pair[1])[:LIKELY]
    interval = _interval(part, t, inside, atoms, p)
    per_unit = density / np.maximum(np.gradient(grid, t), 1e-300) if len(t) > 1 else density
    modes = tuple(_possible(part, part.original(t[_peaks(density)])).tolist())
    return Expected(
        _in_words(part, interval, modes, likely, float(p[0])), interval, modes, tuple(likely),
        tuple(grid.tolist()), tuple(per_unit.tolist()),
    )  # fmt: skip


def _interval(
    part: NumericPart | CyclicPart, t: Floats, inside: Floats, atoms: Floats, p: Floats
) -> tuple[float, float]:
    """The central 95 % of values, atoms included; on a circle the shortest arc would need no centre: the middle."""
    cumulative = inside.copy()
    for atom, mass in zip(atoms, p[1:], strict=False):
        cumulative += mass * (t >= part.scaled(np.array([atom]))[0] - 1e-9)
    cumulative /= max(cumulative[-1], 1e-300)
    ends = [int(np.searchsorted(cumulative, level)) for level in (0.025, 0.975)]
    low, high = _possible(part, part.original(t[np.minimum(ends, len(t) - 1)]))
    return float(low), float(high)


def _possible(part: NumericPart | CyclicPart, x: Floats) -> Floats:
    """The same numbers, where a column has a resolution moved to the nearest value that it can hold."""
    if isinstance(part, CyclicPart) or not part.resolution:
        return x
    first, last = part.original(np.array([part.low, part.high]))
    possible: Floats = np.clip(first + np.round((x - first) / part.resolution) * part.resolution, first, last)
    return possible


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
) -> str:
    def said(x: float) -> str:
        return _clock(x) if isinstance(part, CyclicPart) else _number(x)

    shares = _in_shares(likely) if likely else ""
    if likely and continuous < 0.05:
        return shares
    span = said(interval[0]) if interval[0] == interval[1] else f"{said(interval[0])} to {said(interval[1])}"
    if modes and interval[0] < modes[0] < interval[1] and not likely:
        span += f", most likely {said(modes[0])}"
    return f"{span}, often {shares}" if likely else span


def _in_shares(likely: list[tuple[str, float]]) -> str:
    named = [f"{name} ({100 * p:.0f} %)" for name, p in likely if p >= 0.01]
    return ", ".join(named) or f"{likely[0][0]} (below 1 %)"


def _seen(value: pa.Scalar, part: Part) -> tuple[str, float | None]:
    plain = value.as_py()
    if plain is None:
        return "missing", None
    if isinstance(part, NumericPart):
        return _number(plain), float(plain)
    if isinstance(part, CyclicPart):
        hour = plain.hour + plain.minute / 60 + plain.second / 3600
        return f"{_clock(hour)} ({plain:%A %Y-%m-%d})", hour
    if part.unit:
        return f"{plain:%A} ({plain:%Y-%m-%d %H:%M})", None
    return str(plain), None


def _nearest(detector: "Detector", encoded: "Encoded") -> list[dict[str, str] | None]:
    """For each record the exemplar with the least distance: differences of scaled values, capped, and outcomes."""
    exemplars = detector.exemplars_
    if not exemplars.num_rows:
        return [None] * len(encoded)
    encoder = detector.encoder_
    kept = encoder.transform(exemplars)
    valued = list(encoder.valued)
    plain = [i for i in range(len(encoder.parts)) if i not in valued]
    found: list[dict[str, str] | None] = []
    for row in range(len(encoded)):
        apart = (kept.values - encoded.values[row]).abs().clamp(max=FARTHEST_PER_PART).sum(1)
        apart += FARTHEST_PER_PART * (kept.codes[:, plain] != encoded.codes[row, plain]).sum(1)
        best = int(apart.argmin())
        found.append({name: _text(exemplars.column(name)[best]) for name in exemplars.column_names})
    return found


def _text(value: pa.Scalar) -> str:
    plain = value.as_py()
    if plain is None:
        return "missing"
    return _number(plain) if isinstance(plain, float) else str(plain)


def _clock(hour: float) -> str:
    minutes = round(hour * 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _number(x: float) -> str:
    """At most five significant digits, thousands apart; whole numbers below a billion in full."""
    if not abs(x) < INFINITE:
        return "infinite" if x > 0 else "−infinite" if x < 0 else "missing"
    if x == round(x) and abs(x) < 1e9:
        return f"{x:,.0f}"
    return f"{x:,.5g}" if 1e-4 <= abs(x) < 1e6 else f"{x:.4g}"
