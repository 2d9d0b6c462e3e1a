"""The alert share promised beside the one that came out, and what chance allows between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom

from unwonted.calibrate import Calibration
from unwonted.words import count, percent

__all__ = ["Promise", "promise"]


@dataclass(frozen=True)
class Promise:
    """The alert share promised for normal records beside the one that came out."""

    rate: str
    expected: str
    spread: str
    realised: str
    of: str  # the records that the realised share counts
    verdict: str
    low: float  # the three marks in percent of the drawn scale
    high: float
    at: float
    scale: str
    usual: bool


def promise(calibration: Calibration, alert_rate: float, counted: NDArray[np.bool_], labelled: bool) -> Promise | None:
    """Compares the realised alert share with the exact spread of it for as many new habitual records.

    With k = floor(rate·(n+1)) of n calibration records, the number of alerts among m further exchangeable
    records is beta-binomial(m, k, n + 1 − k): the Beta spread of the promise and the chance of the draw.
    """
    held, m = len(calibration.scores), len(counted)
    mean = calibration.promised_share(alert_rate).mean
    k = round(mean * (held + 1))
    if k < 1 or k > held:
        return None
    law = betabinom(m, k, held + 1 - k)
    low, high = (float(bound) / m for bound in law.interval(0.9))
    realised = float(counted.mean())
    if low <= realised <= high:
        verdict = "as promised"
    elif realised < low:
        verdict = "fewer than promised"
    else:
        verdict = "more than promised: habits have changed" if labelled else "more than promised: worth a look"
    top = max(1.25 * max(high, realised), 1e-9)
    return Promise(
        rate=percent(alert_rate),
        expected=percent(mean),
        spread=f"{percent(low)} to {percent(high)}",
        realised=percent(realised),
        of=count(m, "record labelled normal", "records labelled normal") if labelled else count(m, "record"),
        verdict=verdict,
        low=100 * low / top,
        high=100 * high / top,
        at=100 * realised / top,
        scale=percent(top),
        usual=low <= realised <= high,
    )
