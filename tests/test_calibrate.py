"""Conformal p-values and thresholds: exact on ties and every rounding of the rate, true to their promise."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from unwonted.calibrate import Calibration
from unwonted.errors import DataError

_FEW_VALUES = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=40)


def _by_counting(calibration: list[float], score: float) -> float:
    return (1 + sum(c >= score for c in calibration)) / (len(calibration) + 1)


@settings(deadline=None)
@given(_FEW_VALUES, st.lists(st.integers(-1, 7).map(float), min_size=1, max_size=20))
def test_p_values_count_the_calibration_scores_at_or_above(calibration: list[float], scores: list[float]) -> None:
    expected = [_by_counting(calibration, s) for s in scores]
    assert Calibration(np.array(calibration)).p_values(scores).tolist() == expected


@settings(max_examples=300, deadline=None)
@given(
    _FEW_VALUES | st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60),
    st.floats(0.001, 0.999),
    st.integers(1, 60),
    st.sampled_from([-math.inf, 0.0, math.inf]),
)
@example([float(i) for i in range(19)], 0.05, 1, 0.0)
@example([float(i) for i in range(99)], 0.29, 29, 0.0)
def test_above_the_threshold_is_p_at_most_the_rate(
    calibration: list[float], rate: float, rank: int, towards: float
) -> None:
    cal = Calibration(np.array(calibration))
    total = len(calibration) + 1
    # Any rate, and one that sits on a p-value or one float beside it, where a rounded product goes wrong.
    on_a_step = float(np.nextafter(min(rank, total - 1) / total, towards)) if towards else min(rank, total - 1) / total
    values = np.array(calibration)
    around = np.concatenate([values, np.nextafter(values, math.inf), np.nextafter(values, -math.inf), [-9e9, 9e9]])
    for r in (rate, on_a_step):
        np.testing.assert_array_equal(around > cal.threshold(r), cal.p_values(around) <= r)


@pytest.mark.parametrize(
    ("rate", "n", "alerts"), [(0.05, 19, 1), (0.3, 9, 3), (0.29, 99, 29), (0.1, 29, 3), (0.07, 99, 7)]
)
def test_a_decimal_rate_on_a_step_gives_all_alerts_it_can(rate: float, n: int, alerts: int) -> None:
    cal = Calibration(np.arange(n))
    assert cal.threshold(rate) == n - alerts  # the scores 0 … n−1: alerts−1 of them lie above
    assert cal.threshold(np.nextafter(rate, 0)) == (n - alerts + 1 if alerts > 1 else math.inf)


def test_too_few_records_promise_nothing_and_say_from_which_rate_on() -> None:
    cal = Calibration(np.arange(12))
    assert cal.threshold(0.05) == math.inf
    assert cal.promised_share(0.05).mean == cal.promised_share(0.05).high == 0
    assert cal.smallest_rate == 1 / 13
    notice = cal.notice(0.05)
    assert notice is not None
    assert "12 calibration records" in notice
    named = float(notice.split("ask for ")[1].split()[0])
    assert math.isfinite(cal.threshold(named))
    assert named == pytest.approx(1 / 13, abs=2e-6)
    assert cal.notice(named) is None


@pytest.mark.parametrize("n", [40, 200])
@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_the_share_of_alerts_keeps_the_promise_over_draws(n: int, rate: float) -> None:
    draws, new = 2000, 100
    rng = np.random.default_rng(n)
    shares = np.empty(draws)
    for i in range(draws):
        scores = rng.standard_t(2, n + new)  # one sample, cut in two: exchangeable, heavy-tailed
        shares[i] = (scores[n:] > Calibration(scores[:n]).threshold(rate)).mean()
    standard_error = shares.std() / math.sqrt(draws)
    promise = Calibration(np.arange(n)).promised_share(rate)
    assert shares.mean() <= rate + 3 * standard_error
    assert abs(shares.mean() - promise.mean) <= 3 * standard_error  # nor does it give fewer than it can
    assert promise.mean <= rate


def test_with_ties_the_share_stays_below_the_rate() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(1000):
        scores = rng.integers(0, 5, 140)
        shares.append((Calibration(scores[:40]).p_values(scores[40:]) <= 0.25).mean())
    assert 0 < np.mean(shares) <= 0.25


def test_the_promised_spread_is_the_spread_over_draws() -> None:
    rng = np.random.default_rng(1)
    # For uniform scores the share of new records above t is 1 − t exactly.
    shares = np.array([1 - Calibration(rng.random(60)).threshold(0.1) for _ in range(4000)])
    promise = Calibration(np.arange(60)).promised_share(0.1)
    assert promise.sd == pytest.approx(shares.std(), rel=0.05)
    assert (shares < promise.low).mean() == pytest.approx(0.05, abs=0.012)
    assert (shares > promise.high).mean() == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize(("n", "rate", "rank"), [(9, 0.35, 3), (60, 0.1, 6), (1, 0.5, 1)])
def test_the_promised_spread_is_scipys_beta(n: int, rate: float, rank: int) -> None:
    promise = Calibration(np.arange(n)).promised_share(rate)
    law = beta(rank, n + 1 - rank)
    found = (promise.mean, promise.sd, promise.low, promise.high)
    assert found == pytest.approx((law.mean(), law.std(), law.ppf(0.05), law.ppf(0.95)), rel=1e-9)


def test_infinite_scores_have_their_place() -> None:
    cal = Calibration(np.array([1.0, math.inf, 2.0]))
    assert cal.p_values([math.inf, 3.0, -math.inf]).tolist() == [0.5, 0.5, 1.0]
    assert cal.threshold(0.25) == math.inf


def test_the_scores_are_sorted_and_cannot_be_changed() -> None:
    given_scores = np.array([3.0, 1.0, 2.0])
    cal = Calibration(given_scores)
    given_scores[:] = 0
    assert cal.scores.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        cal.scores[0] = 9


@pytest.mark.parametrize("rate", [0, 1, -0.1, 5, math.nan])
def test_a_rate_outside_0_and_1_is_refused(rate: float) -> None:
    cal = Calibration(np.arange(9))
    for method in (cal.threshold, cal.promised_share, cal.notice):
        with pytest.raises(DataError, match="alert_rate"):
            method(rate)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        Calibration(np.array([1.0, math.nan]))
    with pytest.raises(ValueError, match="NaN"):
        Calibration(np.arange(3)).p_values([math.nan])
    with pytest.raises(ValueError, match="at least one"):
        Calibration(np.array([]))
