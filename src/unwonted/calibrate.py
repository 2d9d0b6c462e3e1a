"""Conformal p-values from held-out scores, and the score threshold that an alert rate asks for."""

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from unwonted.errors import DataError
from unwonted.words import count

__all__ = ["Calibration", "Promise"]


class Promise(msgspec.Struct, frozen=True):
    """Which share of normal records becomes an alert: its mean and spread over draws of the calibration set.

    Attributes:
        mean: Mean share, k/(n+1), never above the alert rate.
        sd: Standard deviation of the share.
        low: 5 % quantile of the share.
        high: 95 % quantile of the share.
    """

    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of n records by a model that has not seen them, turned into p-values.

    p(s) = (1 + #{calibration scores ≥ s}) / (n + 1), and an alert is p(s) ≤ alert rate.

    What is promised: where a new normal record is exchangeable with the calibration records, the probability
    of an alert, over draws of both, is at most the alert rate. For one calibration set in hand the share of
    alerts among many new normal records differs from that mean; `promised_share` says by how much.

    What is not: anything for one record or one group of records rather than on average, for normal records
    that have drifted since training, for scores of another model than the calibration records had (folds, learning
    anew), or about how many anomalies are found. Anomalies among the calibration records tend to make alerts rarer.

    Attributes:
        scores: The n ≥ 1 calibration scores, higher = stranger; stored as float64, ascending, read-only.

    Raises:
        ValueError: There is no score, or one is not a number.

    Example:
        >>> calibration = Calibration([0.3, 0.1, 0.4, 0.2])
        >>> calibration.p_values([0.0, 0.35, 9.0]).tolist()
        [1.0, 0.4, 0.2]
        >>> calibration.threshold(0.4)  # scores above it have p ≤ 0.4
        0.3
    """

    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        ordered = np.sort(_numbers(self.scores))
        if ordered.size == 0:
            raise ValueError("calibration needs at least one score")
        ordered.setflags(write=False)
        object.__setattr__(self, "scores", ordered)

    @property
    def smallest_rate(self) -> float:
        """The smallest alert rate at which there can be an alert at all, 1/(n+1)."""
        return 1 / (self.scores.size + 1)

    def p_values(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Conformal p-value of each score; a tie makes it larger.

        Args:
            scores: Anomaly scores, shape (n,), higher = stranger.

        Returns:
            Shape (n,), multiples of 1/(n+1), at least `smallest_rate`.

        Raises:
            ValueError: A score is not a number.
        """
        below = np.searchsorted(self.scores, _numbers(scores), side="left")
        p: NDArray[np.float64] = (1 + self.scores.size - below) / (self.scores.size + 1)
        return p

    def threshold(self, alert_rate: float) -> float:
        """The score t for which `score > t` and `p_values(score) <= alert_rate` are the same, ties included.

        Args:
            alert_rate: Share of normal records that may become alerts, between 0 and 1.

        Returns:
            The k-th largest calibration score, k = ⌊alert_rate·(n+1)⌋; +inf where k is 0 (see `notice`).

        Raises:
            DataError: The rate is not between 0 and 1.
        """
        rank = self._rank(alert_rate)
        return float(self.scores[-rank]) if rank else math.inf

    def promised_share(self, alert_rate: float) -> Promise:
        """Share of alerts among normal records, Beta(k, n+1−k) with k = ⌊alert_rate·(n+1)⌋.

        The distribution is over draws of the calibration set and is exact for scores without ties; with ties
        the share is stochastically smaller.

        Args:
            alert_rate: Share of normal records that may become alerts, between 0 and 1.

        Returns:
            Mean, standard deviation and central 90 % interval; all 0 where k is 0.

        Raises:
            DataError: The rate is not between 0 and 1.

        Example:
            >>> share = Calibration(range(99)).promised_share(0.05)
            >>> round(share.mean, 3), round(share.sd, 3), round(share.low, 3), round(share.high, 3)
            (0.05, 0.022, 0.02, 0.09)
        """
        rank, total = self._rank(alert_rate), self.scores.size + 1
        if rank == 0:
            return Promise(0.0, 0.0, 0.0, 0.0)
        low, high = betaincinv(rank, total - rank, [0.05, 0.95])
        mean = rank / total
        return Promise(mean, math.sqrt(mean * (1 - mean) / (total + 1)), float(low), float(high))

    def notice(self, alert_rate: float) -> str | None:
        """A sentence for the user where there are too few calibration scores for the rate, else None.

        Args:
            alert_rate: Share of normal records that may become alerts, between 0 and 1.

        Raises:
            DataError: The rate is not between 0 and 1.

        Example:
            >>> print(Calibration(range(9)).notice(0.05))
            at the rate 0.05 nothing can be an alert: with 9 calibration records ask for 0.1 or more
        """
        if self._rank(alert_rate):
            return None
        n = self.scores.size
        # Rounded up, for the rate that the sentence names has to work.
        smallest = math.ceil(self.smallest_rate * 1e6) / 1e6
        return (
            f"at the rate {alert_rate:g} nothing can be an alert: "
            f"with {count(n, 'calibration record')} ask for {smallest:g} or more"
        )

    def _rank(self, alert_rate: float) -> int:
        """The largest k with k/(n+1) ≤ alert_rate, as floating point compares a p-value with the rate."""
        if not 0 < alert_rate < 1:
            raise DataError(f"alert_rate is {alert_rate}; give a number between 0 and 1, for example 0.05.")
        total = self.scores.size + 1
        rank = math.floor(alert_rate * total)
        # The product may be rounded across a whole number (0.29·100 gives 28.999…): ask the quotient itself.
        if (rank + 1) / total <= alert_rate:
            return rank + 1
        return rank if rank / total <= alert_rate else rank - 1


def _numbers(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("scores must be numbers; found NaN")
    return values
