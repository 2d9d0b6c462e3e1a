"""What a column becomes for a model: outcomes, scaled values, bins; none of it a matter of units."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unwonted.parts import NOVEL, Axis, CategoricalPart, CyclicPart, NumericPart

_NUMBERS = arrays(np.float64, st.integers(2, 60), elements=st.floats(-1e9, 1e9) | st.integers(-3, 3).map(float))


def texts(*values: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string())])


def normal(n: int = 500, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def test_categories_have_a_code_each_and_the_unseen_has_none() -> None:
    part = CategoricalPart.fit("proto", texts("tcp", "udp", "tcp", None))
    assert part.categories == ("tcp", "udp")
    assert part.outcomes == 3
    assert part.codes(texts("udp", "tcp", None, "icmp", "")).tolist() == [1, 0, 2, NOVEL, NOVEL]
    assert [part.name(code) for code in range(3)] == ["tcp", "udp", "missing"]


def test_a_gap_where_training_had_none_is_novel() -> None:
    assert CategoricalPart.fit("proto", texts("tcp", "udp")).codes(texts(None)).tolist() == [NOVEL]
    assert NumericPart.fit("x", normal()).codes(np.array([math.nan])).tolist() == [NOVEL]
    assert CyclicPart.fit("t", normal(), "hour of day", 24).codes(np.array([math.nan])).tolist() == [NOVEL]


def test_rare_categories_share_one_outcome_and_its_probability() -> None:
    names = [f"host{i:04d}" for i in range(1000)]
    part = CategoricalPart.fit("host", texts(*names, *names[:100] * 4))
    assert set(names[:100]) <= set(part.categories)
    assert part.outcomes == len(part.categories) + 1 < 500
    assert set(part.categories) | set(part.rare) == set(names)
    codes = part.codes(texts(part.rare[0], part.rare[-1], part.categories[3], "unheard of"))
    assert codes.tolist() == [len(part.categories)] * 2 + [3, NOVEL]
    # The share of one of them, times how many they are, is the whole outcome.
    shared = part.shared()
    assert math.exp(shared[-1]) * len(part.rare) == pytest.approx(1)
    assert (shared[:-1] == 0).all()


def test_the_unseen_is_as_probable_as_what_was_seen_once() -> None:
    often = CategoricalPart.fit("c", texts(*"aabb" * 50))
    seldom = CategoricalPart.fit("c", texts(*"aabb" * 50, *map(str, range(100))))
    assert often.novelty == pytest.approx(1 / 202)
    assert seldom.novelty == pytest.approx(101 / 302)
    assert 0 < CategoricalPart.fit("c", texts("a", "b")).novelty <= 0.5


def test_distinct_numbers_are_density_and_counters_are_mass() -> None:
    density = NumericPart.fit("x", normal())
    assert density.resolution == 0
    assert density.atoms == ()
    assert (density.widths(normal()) == 0).all()
    counter = NumericPart.fit("n", np.random.default_rng(0).poisson(0.5, 500).astype(float))
    assert counter.resolution == 1
    assert 0.0 in counter.atoms
    codes = counter.codes(np.array([0.0, 0.5, 900.0]))
    assert codes[0] == 1 + counter.atoms.index(0.0)
    assert codes[1:].tolist() == [0, 0]


def test_resolution_has_a_floor_so_that_no_likelihood_is_unbounded() -> None:
    x = np.repeat(normal(50), 2)
    x[::2] += 1e-13  # twins that rounding has set apart
    x = np.tile(x, 20)
    part = NumericPart.fit("x", x)
    assert part.resolution >= 1e-6 * part.scale > 0


@pytest.mark.parametrize("factor", [1e6, 1e-6, 1e12, 2.0**-30])
def test_units_change_nothing_that_a_model_sees(factor: float) -> None:
    rng = np.random.default_rng(1)
    heavy = rng.lognormal(5, 3, 500)
    counts = [rng.poisson(1, 500).astype(float), np.round(heavy)]  # as long as they are whole, and told apart
    tried: list[tuple[np.ndarray, Axis]] = [(x, "bent") for x in (normal(), heavy, *counts)]
    tried += [(x, "counting") for x in (normal(), heavy, np.round(heavy, 1), *(counts if factor == 1e6 else []))]
    for x, axis in tried:
        x = np.append(x, [math.nan, math.inf])
        one, other = NumericPart.fit("x", x, axis), NumericPart.fit("x", x * factor, axis)
        assert one.codes(x).tolist() == other.codes(x * factor).tolist()
        for method in ("scaled", "widths", "features"):
            np.testing.assert_allclose(
                getattr(other, method)(x * factor), getattr(one, method)(x), rtol=1e-6, atol=1e-9
            )


def test_counts_differ_by_their_ratios_from_their_least_on_and_other_whole_numbers_do_not() -> None:
    rng = np.random.default_rng(1)
    counts = np.round(rng.lognormal(1, 2, 2000))
    part = NumericPart.fit("packets", np.append(counts, math.nan))
    one, ten, hundred, thousand = np.diff(part.scaled(np.array([0.0, 1.0, 10.0, 100.0, 1000.0])))
    assert ten == pytest.approx(hundred, rel=0.1)
    assert hundred == pytest.approx(thousand, rel=0.01)
    assert 0.2 * ten < one < ten
    assert NumericPart.fit("place", rng.integers(0, 101, 2000).astype(float)).scale > 20
    pixels = np.where(rng.random(2000) < 0.6, 0.0, rng.integers(1, 17, 2000))
    assert NumericPart.fit("grey", pixels).scale > 2
    for no_counts in (counts - 1, counts + 0.5):  # below zero, or not whole
        assert NumericPart.fit("x", no_counts).scale > 2
    assert NumericPart.fit("packets", counts, "bent").scale > 2


@settings(max_examples=200, deadline=None)
@given(_NUMBERS)
def test_any_numbers_give_finite_ordered_and_invertible_values(x: np.ndarray) -> None:
    part = NumericPart.fit("x", x)
    ordered = np.sort(x)
    scaled = part.scaled(ordered)
    assert np.isfinite(scaled).all()
    assert (np.diff(scaled) >= 0).all()
    assert np.isfinite(part.features(x)).all()
    assert ((part.widths(x) > 0) == (part.resolution > 0)).all()
    tolerance = 1e-6 * max(part.scale, 1e-300) * (1 + np.abs(scaled).max()) + 1e-9 * np.abs(x).max()
    np.testing.assert_allclose(part.original(scaled), ordered, rtol=1e-6, atol=tolerance)
    np.testing.assert_allclose(part.value_at(part.located(ordered)), ordered, rtol=1e-6, atol=tolerance)


def test_far_out_values_stay_in_order_and_inputs_within_the_training_range() -> None:
    for x in (normal(), np.random.default_rng(0).lognormal(0, 4, 500)):
        part = NumericPart.fit("x", x)
        far = x.max() + np.ptp(x) * 10.0 ** np.arange(7)
        scaled = part.scaled(np.append(far, [1e300, math.inf]))
        assert np.isfinite(scaled).all()
        assert (np.diff(scaled[:7]) > 0).all()
        assert (np.diff(scaled) >= 0).all()
        np.testing.assert_array_equal(part.features(far), part.features(np.full(7, x.max())))
        assert part.scaled(np.array([-math.inf]))[0] == -part.scaled(np.array([math.inf]))[0]


def test_heavy_tails_over_nine_orders_of_magnitude_are_drawn_in() -> None:
    x = np.random.default_rng(0).lognormal(8, 5, 2000)
    part = NumericPart.fit("sload", x)
    assert np.abs(part.scaled(x)).max() < 10
    assert np.quantile(np.abs(part.scaled(x) - part.scaled(np.median(x)[None])), 0.25) > 0.02


def test_the_width_of_a_bin_is_that_of_one_step_of_the_resolution() -> None:
    x = np.round(np.random.default_rng(0).lognormal(3, 2, 1000))
    part = NumericPart.fit("n", x)
    for value in (0.0, 1.0, 40.0, x.max(), 1e6 * x.max()):
        ends = part.scaled(np.array([value - part.resolution / 2, value + part.resolution / 2]))
        assert part.widths(np.array([value]))[0] == pytest.approx(ends[1] - ends[0], rel=1e-3, abs=1e-9)
    assert part.widths(np.array([1e18, math.inf]))[0] > 0


def test_infinities_in_training_are_outcomes_of_their_own() -> None:
    part = NumericPart.fit("x", np.append(normal(), [math.inf, math.inf, -math.inf, math.nan]))
    assert part.atoms == (-math.inf, math.inf)
    assert part.codes(np.array([-math.inf, 0.0, math.inf, math.nan])).tolist() == [1, 0, 2, 3]
    assert math.isfinite(part.centre + part.scale + part.mean + part.deviation)


@pytest.mark.parametrize("x", [[5.0, 5.0, 5.0], [0.0] * 50 + [7.0], [math.inf, math.nan], [1e308, -1e308, 0.0]])
def test_odd_columns_are_scaled_all_the_same(x: list[float]) -> None:
    part = NumericPart.fit("x", np.array(x))
    assert part.scale > 0
    assert part.deviation > 0
    assert np.isfinite(part.scaled(np.array([*x, 0.0, 1e308]))).all()
    assert np.isfinite(part.features(np.array([*x, 0.0, 1e308]))).all()


def test_hours_lie_on_a_circle() -> None:
    part = CyclicPart.fit("t", np.array([0.0, 6.0, 23.9]), "hour of day", 24)
    assert part.label == "t (hour of day)"
    np.testing.assert_allclose(part.scaled(np.array([0.0, 6.0, 30.0])), [0, math.pi / 2, math.pi / 2])
    np.testing.assert_allclose(part.original(part.scaled(np.array([0.0, 6.5, 23.9]))), [0, 6.5, 23.9])
    before, after = part.features(np.array([23.999, 0.001]))
    np.testing.assert_allclose(before, after, atol=2e-3)
    assert (part.features(np.array([math.nan])) == 0).all()


def test_normal_scores_rank_the_training_values() -> None:
    x = np.random.default_rng(0).exponential(size=4000)
    scores = NumericPart.fit("x", x).features(x)[:, 1]
    assert abs(scores.mean()) < 0.05
    assert abs(scores.std() - 1) < 0.1
    assert (np.diff(scores[np.argsort(x)]) >= 0).all()


@pytest.mark.parametrize(("once", "twice"), [(0, 3), (1, 0), (3, 4), (8, 40), (40, 0)])
def test_a_category_never_seen_is_less_likely_than_one_seen_once(once: int, twice: int) -> None:
    names = [f"once {i}" for i in range(once)] + [f"twice {i // 2}" for i in range(2 * twice)] + ["often"] * 200
    part = CategoricalPart.fit("name", pa.array(names))
    assert 0 < part.novelty / part.unseen < 1 / len(names)
