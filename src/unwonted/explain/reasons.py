"""What an explanation consists of: reasons, each with what was seen and what would have been ordinary."""

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Expected", "Explanation", "Picture", "Reason"]


class Expected(msgspec.Struct, frozen=True):
    """What a column was expected to hold, in the user's own units, given the record's other columns, half or none of
    them, as the record is scored (see `DMDN`).

    Attributes:
        text: In words: "12 to 80, most likely 40", or "http (92 %), dns (5 %)"; the nearest normal record's value
            where the model knows no distribution of single columns.
        interval: Where 95 % of the probability lies; of hours from the first to the second, 23 to 1 around midnight;
            None for categories.
        modes: Peaks of the density, highest first.
        likely: Most probable categories, or single values, with their probabilities.
        grid, density: The density as a curve; empty for categories.
        held: The category, or single value with a probability of its own, that the record holds, named as in `likely`,
            and its probability; None for all other values.
        apart: How far from one another numbers are that the words tell apart: the width of the interval, or less where
            single values are nearer; 0 where there is no such distance.
    """

    text: str
    interval: tuple[float, float] | None
    modes: tuple[float, ...]
    likely: tuple[tuple[str, float], ...]
    grid: tuple[float, ...]
    density: tuple[float, ...]
    held: tuple[str, float] | None = None
    apart: float = 0.0


class Reason(msgspec.Struct, frozen=True):
    """One column's share in a record's score.

    Attributes:
        column: Its name; of sequences and images the step or pixel, and the channel.
        seen: What the record holds, as text.
        seen_value: The same as a number (hour of day for dates); None for categories and gaps.
        contribution: What the column adds to the anomaly score.
        surprise: How surprising the column is, in nats, as the detector counts it (see `DMDN`); None where the score is
            no sum over columns.
        expected: What would have been ordinary.
        phrase: Seen and expected as one clause, with `likes` where there are any.
        likes: What the nearest of all training records hold, where the column counts mostly for its distance from them;
            nothing where no exemplars are kept.
    """

    column: str
    seen: str
    seen_value: float | None
    contribution: float
    surprise: float | None
    expected: Expected
    phrase: str
    likes: tuple[str, ...] = ()


class Picture(msgspec.Struct, frozen=True, eq=False):
    """A sequence or an image, and where it is strange.

    Attributes:
        seen: The record in its own units, (time, channels) or (height, width, channels).
        nearest: The nearest normal record that is kept, of the same shape: NaN behind its end; None where
            none is.
        heat: What each cell contributes to the score, of the same shape.
    """

    seen: NDArray[np.float64]
    nearest: NDArray[np.float64] | None
    heat: NDArray[np.float64]


class Explanation(msgspec.Struct, frozen=True):
    """Why one record has its score; reasons by contribution, largest first.

    Attributes:
        row: The record's position.
        score, p_value, alert: As the detector says.
        reasons: What contributes most.
        nearest: The nearest normal record of training that is kept, as text by column; None where none is.
        baseline: What all contributions together leave of the score: 0 where it is their sum, else the score of the
            nearest normal record, a sequence cut or filled up to the length of the one explained, or of the mean of the
            training records where none is kept.
        kind: What kind of anomaly it is, in a word, where a model tells kinds; else empty.
        picture: For sequences and images.
    """

    row: int
    score: float
    p_value: float
    alert: bool
    reasons: tuple[Reason, ...]
    nearest: dict[str, str] | None
    baseline: float = 0.0
    kind: str = ""
    picture: Picture | None = None
