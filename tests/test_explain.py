"""Explanations: what was expected is what the data hold, and the column tampered with comes first."""

import datetime
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from conftest import behaviour
from unwonted import DAGMM, DMDN, DSEBM, DensityEnsemble
from unwonted.explain import Expected
from unwonted.explain.gradients import integrated_gradients
from unwonted.explain.likes import likes
from unwonted.explain.wording import plain_number
from unwonted.parts import NOVEL, NumericPart
from unwonted.report.curves import curve


def linked(n: int, seed: int, unit: float = 1.0) -> pa.Table:
    """y follows x; z has two branches around x; c mostly tells on which side x is."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, n)
    side = np.where(rng.random(n) < 0.9, x > 0.5, x <= 0.5)
    return pa.table(
        {
            "x": x,
            "y": (100 + 30 * x + rng.normal(0, 2, n)) * unit,
            "z": np.where(rng.random(n) < 0.5, 1, -1) * (2 + x) + rng.normal(0, 0.15, n),
            "c": np.where(side, "right", "left"),
        }
    )


@pytest.fixture(scope="module")
def detector() -> DMDN:
    return DMDN(random_state=0).fit(linked(1200, seed=0))


@pytest.fixture(scope="module")
def expected() -> list[dict[str, Expected]]:
    """Given all other columns, not by the view that is strangest."""
    explanations = DMDN(pooling="sum", random_state=0).fit(linked(1200, seed=0)).explain(linked(200, seed=1), top=4)
    return [{reason.column: reason.expected for reason in one.reasons} for one in explanations]


@pytest.mark.parametrize("column", ["x", "y", "z"])
def test_the_interval_covers_what_it_says(column: str, expected: list[dict[str, Expected]]) -> None:
    values = linked(200, seed=1)[column].to_numpy()
    ends = np.array([one[column].interval for one in expected])
    covered = (ends[:, 0] <= values) & (values <= ends[:, 1])
    # Around z's branches the narrowest component there may be is wider than their noise.
    assert 0.88 <= covered.mean() <= (1 if column == "z" else 0.995)
    # The others do tell: the interval is narrower than that of all values together.
    assert np.median(ends[:, 1] - ends[:, 0]) < (1.2 if column == "z" else 0.8) * np.ptp(values)


def test_modes_are_near_the_truth(expected: list[dict[str, Expected]]) -> None:
    x = linked(200, seed=1)["x"].to_numpy()
    single = np.array([one["y"].modes[0] for one in expected])
    assert np.median(np.abs(single - (100 + 30 * x))) < 2
    both = [(a, sorted(one["z"].modes[:2])) for a, one in zip(x, expected, strict=True) if len(one["z"].modes) > 1]
    assert len(both) > 150
    apart = np.array([[low + 2 + a, high - 2 - a] for a, (low, high) in both])
    assert np.median(np.abs(apart)) < 0.2


def test_likely_categories_come_with_their_probability(expected: list[dict[str, Expected]]) -> None:
    x = linked(200, seed=1)["x"].to_numpy()
    right = np.array([dict(one["c"].likely)["right"] for one in expected])
    assert right[x > 0.7].mean() == pytest.approx(0.9, abs=0.08)
    assert right[x < 0.3].mean() == pytest.approx(0.1, abs=0.08)
    for one in expected:
        shares = [p for _, p in one["c"].likely]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert one["c"].interval is None
        assert one["c"].grid == one["c"].density == one["c"].modes == ()


@pytest.mark.parametrize("column", ["x", "y", "z"])
def test_the_curve_is_a_density_in_the_users_units(column: str, expected: list[dict[str, Expected]]) -> None:
    areas = []
    for one in expected[:50]:
        grid, density = np.array(one[column].grid), np.array(one[column].density)
        assert (np.diff(grid) > 0).all()
        assert (density >= 0).all()
        areas.append(np.trapezoid(density, grid))
    assert np.median(areas) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("column", "cell"),
    [("y", 190.0), ("y", math.inf), ("z", 0.0), ("c", "upside down"), ("c", None), ("x", -3.0)],
)
def test_the_column_tampered_with_is_reason_number_one(detector: DMDN, column: str, cell: object) -> None:
    new = linked(60, seed=2)
    at = new.column_names.index(column)
    changed = new.set_column(at, column, pa.array([cell] * 60, new.schema.field(column).type))
    firsts = [one.reasons[0] for one in detector.explain(changed)]
    assert np.mean([reason.column == column for reason in firsts]) >= 0.9
    for reason in firsts:
        assert reason.seen in reason.phrase
        assert reason.expected.text in reason.phrase
        assert reason.column in reason.phrase


def test_what_was_expected_is_told_by_the_view_that_counts(detector: DMDN) -> None:
    new = linked(200, seed=3)
    model, records, evidence = detector.model_, detector._encoded(new), detector._evidence(detector._encoded(new))
    position, column = detector.encoder_.columns.index("c"), detector.columns_.index("c")
    (part,) = (part for part in detector.encoder_.parts if part.column == "c")
    views = model.views(evidence)
    assert set(views) == {0, 1, 2}
    for view in range(3):
        with torch.no_grad():
            outcomes, _ = model.conditional(records, position, view)
        held = outcomes.gather(1, records.codes[:, position : position + 1].long()).squeeze(1).double().numpy()
        np.testing.assert_allclose(-np.log(held) - math.log1p(-part.novelty), evidence[:, column, view], atol=1e-4)
    for one in detector.explain(new, top=4):
        (reason,) = (reason for reason in one.reasons if reason.column == "c")
        assert reason.expected.held is not None
        nats = -math.log(reason.expected.held[1]) - math.log1p(-part.novelty)
        assert reason.surprise == pytest.approx(nats, abs=1e-4)
        assert reason.surprise == evidence[one.row, column, views[one.row]]


def test_figures_are_those_of_the_detector(detector: DMDN) -> None:
    new = linked(20, seed=3)
    explanations = detector.explain(new, top=2)
    assert [one.row for one in explanations] == list(range(20))
    assert [one.score for one in explanations] == detector.anomaly_score(new).tolist()
    assert [one.p_value for one in explanations] == detector.p_value(new).tolist()
    assert [-1 if one.alert else 1 for one in explanations] == detector.predict(new).tolist()
    contributions, surprise = detector.contributions(new), detector.surprise(new)
    for one in explanations:
        assert len(one.reasons) == 2
        assert one.reasons[0].contribution == contributions[one.row].max()
        for reason in one.reasons:
            at = detector.columns_.index(reason.column)
            assert reason.surprise == surprise[one.row, at]
            given = new[reason.column][one.row].as_py()
            assert reason.seen_value == (None if isinstance(given, str) else given)


def test_with_targets_the_reasons_are_the_targets_alone() -> None:
    detector = DMDN(["y", "c"], random_state=0, width=16).fit(linked(300, seed=0))
    for one in detector.explain(linked(20, seed=3), top=4):
        assert {reason.column for reason in one.reasons} == {"y", "c"}


def test_what_a_record_holds_comes_with_its_probability(detector: DMDN, office: DMDN) -> None:
    new = linked(40, seed=3)
    for one in detector.explain(new, top=4):
        held = {reason.column: reason.expected.held for reason in one.reasons}
        (c,) = (reason.expected for reason in one.reasons if reason.column == "c")
        assert held == {"x": None, "y": None, "z": None, "c": (new["c"][one.row].as_py(), c.held and c.held[1])}
        assert c.held in c.likely
    (novel,) = detector.explain(new.slice(0, 1).set_column(3, "c", pa.array(["upside down"])), top=1)
    (part,) = (part for part in detector.encoder_.parts if part.column == "c")
    assert novel.reasons[0].expected.held == ("any other value", part.novelty)
    new, days = behaviour(60, seed=2), set[str]()
    for one in office.explain(new, top=9):
        held = {reason.column: reason.expected.held for reason in one.reasons}
        if new["failures"][one.row].as_py() == 0:
            assert held["failures"] is not None
            assert held["failures"][0] == "0"
            assert held["failures"][1] > 0.3
        gap = any(reason.column == "duration" and reason.seen == "missing" for reason in one.reasons)
        assert (held["duration"] is not None) == gap
        if held["time"] is not None:
            days.add(held["time"][0])
            assert held["time"][0] == f"{new['time'][one.row].as_py():%A}"
            assert 0.02 < held["time"][1] < 0.6
    assert len(days) > 2


def test_the_curve_of_a_date_goes_around_the_clock(office: DMDN) -> None:
    new = behaviour(40, seed=2)
    late = pc.add(new["time"], datetime.timedelta(hours=7))
    hours = [
        reason
        for one in office.explain(new.set_column(0, "time", late), top=9)
        for reason in one.reasons
        if reason.column == "time" and reason.expected.grid
    ]
    assert len(hours) > 5
    for reason in hours:
        grid, density = np.array(reason.expected.grid), np.array(reason.expected.density)
        assert (grid[0], grid[-1]) == (0, 24)
        assert (np.diff(grid) > 0).all()
        assert density[-1] == pytest.approx(density[0], rel=1e-2)  # no seam at midnight
        assert np.trapezoid(density, grid) == pytest.approx(1, abs=0.03)
        assert curve(reason.expected, reason.seen_value, "") is not None


@pytest.mark.parametrize(("usual", "around"), [(0.0, True), (12.0, False)])
def test_hours_around_midnight_are_one_stretch(usual: float, around: bool) -> None:
    rng = np.random.default_rng(0)
    hour = rng.normal(usual, 1, 600) % 24
    day = np.datetime64("2026-03-02", "us") + rng.integers(0, 7, 600).astype("timedelta64[D]")
    table = pa.table({"time": day + (hour * 3.6e9).astype("timedelta64[us]"), "size": rng.normal(size=600)})
    detector = DMDN(random_state=0, width=32).fit(table)
    asked = pa.table({"time": [datetime.datetime(2026, 3, 3, int(usual + 6))], "size": [0.0]})
    (time,) = (reason for reason in detector.explain(asked)[0].reasons if reason.column == "time")
    assert time.expected.interval is not None
    first, last = time.expected.interval
    assert (first > last) == around
    assert (usual - 4) % 24 < first < (usual - 1) % 24
    assert usual + 1 < last < usual + 4
    assert "most likely" in time.expected.text
    drawn = curve(time.expected, time.seen_value, "")
    assert drawn is not None
    assert len(drawn.intervals) == 1 + around


def test_text_is_in_the_users_units() -> None:
    # A power of two as the unit, so that both learn the same to the bit.
    one, other = (DMDN(random_state=0, width=16, depth=1).fit(linked(300, seed=0, unit=u)) for u in (1.0, 2.0**20))
    plain = one.explain(linked(9, seed=4), top=4)
    large = other.explain(linked(9, seed=4, unit=2.0**20), top=4)
    for a, b in zip(plain, large, strict=True):
        (small,), (big,) = ([r for r in each.reasons if r.column == "y"] for each in (a, b))
        assert big.seen_value == small.seen_value * 2**20
        assert big.expected.interval == pytest.approx(np.multiply(small.expected.interval, 2**20), rel=1e-9)
        assert big.expected.modes == pytest.approx(np.multiply(small.expected.modes, 2**20), rel=1e-9)
        assert big.seen != small.seen
        assert big.expected.text != small.expected.text
        others = [{r.column: r.phrase for r in each.reasons if r.column != "y"} for each in (a, b)]
        assert others[0] == others[1]


@pytest.mark.parametrize(
    ("x", "apart", "written"),
    [
        (0.0, 0.0, "0"),
        (-0.5, 0.0, "-0.5"),
        (1234567.891, 0.0, "1,234,568"),
        (333333.3, 0.0, "333,333"),
        (12.345678, 0.0, "12.346"),
        (0.000123456, 0.0, "0.00012346"),
        (7_450_882_556.0, 0.0, "7,450,882,556"),
        (1_704_067_200.25, 0.01, "1,704,067,200.25"),
        (52.5160123, 2e-4, "52.51601"),
        (52.5160123, 10.0, "52.516"),
        (0.1 + 1e-7, 1e-7, "0.1000001"),
        (123456789.123456789, 1e-30, "123,456,789.123457"),
        (1e300, 1.0, "1e+300"),
        (1.5e-7, 1e-9, "1.5e-07"),
        (float("inf"), 0.0, "infinite"),
        (12.345678, float("inf"), "12.346"),
    ],
)
def test_numbers_have_the_digits_that_tell_them_apart(x: float, apart: float, written: str) -> None:
    assert plain_number(x, apart) == written


@pytest.mark.parametrize("kind", [DMDN, DAGMM])
def test_what_was_seen_never_reads_like_what_was_expected(kind: type[DMDN | DAGMM]) -> None:
    rng = np.random.default_rng(0)

    def table(n: int, off: float = 0.0) -> pa.Table:
        """Numbers whose habits lie close together, far from zero."""
        spread = {"epoch": (1_704_067_200, 3e4), "price": (1.25e6, 30), "lat": (52.516, 2e-4)}
        return pa.table({name: rng.normal(at + off * sd, sd, n) for name, (at, sd) in spread.items()})

    detector = kind(max_time=2.0, random_state=0).fit(table(600))
    for reason in (reason for one in detector.explain(table(5, off=9.0)) for reason in one.reasons):
        assert reason.seen not in reason.expected.text
        assert "e+" not in reason.phrase
        if reason.expected.interval is not None:
            low, high = (float(end.replace(",", "")) for end in reason.expected.text.split(", most")[0].split(" to "))
            width = reason.expected.interval[1] - reason.expected.interval[0]
            assert high - low == pytest.approx(width, rel=0.05)
            assert float(reason.seen.replace(",", "")) == pytest.approx(reason.seen_value, abs=0.05 * width)


def test_a_time_without_a_date_is_told_without_one() -> None:
    times = pa.array([datetime.time(9, minute % 60) for minute in range(400)])
    records = pa.table({"clock": times, "x": np.random.default_rng(0).normal(size=400)})
    detector = DMDN(max_time=1e-6, random_state=0).fit(records)
    for one in detector.explain(records.slice(0, 3), top=2):
        (clock,) = (reason for reason in one.reasons if reason.column == "clock")
        assert clock.seen == f"09:{one.row:02d}"


def test_the_nearest_record_is_a_real_one_and_the_record_itself_where_it_is_known(detector: DMDN) -> None:
    known = {round(x, 4) for x in linked(1200, seed=0)["x"].to_pylist()}
    for one in detector.explain(linked(30, seed=5)):
        assert one.nearest is not None
        assert list(one.nearest) == ["x", "y", "z", "c"]
        assert min(abs(float(one.nearest["x"]) - x) for x in known) < 1e-4
    kept = detector.exemplars_.slice(0, 10)
    for one, row in zip(detector.explain(kept), kept.to_pylist(), strict=True):
        assert one.nearest is not None
        assert float(one.nearest["x"]) == pytest.approx(row["x"], rel=1e-4)
        assert one.nearest["c"] == row["c"]


def test_the_nearest_record_is_near(detector: DMDN) -> None:
    new = linked(60, seed=6)
    known = linked(1200, seed=0)["y"].to_numpy()
    y = new["y"].to_numpy()
    nearest = [float((one.nearest or {})["y"].replace(",", "")) for one in detector.explain(new)]
    assert np.abs(nearest - y).mean() < 0.3 * np.abs(y - np.random.default_rng(0).choice(known, 60)).mean()


def test_the_nearest_record_is_near_across_midnight_and_has_a_gap_where_the_record_has_one() -> None:
    rng = np.random.default_rng(0)
    hour = np.where(rng.random(400) < 0.5, rng.uniform(22.5, 24, 400), rng.normal(8, 0.5, 400))
    day = np.datetime64("2026-03-02", "us") + rng.integers(0, 7, 400).astype("timedelta64[D]")
    size = np.where(rng.random(400) < 0.3, np.nan, rng.normal(0, 1, 400))
    table = pa.table({"time": day + (hour * 3.6e9).astype("timedelta64[us]"), "size": size})
    detector = DMDN(random_state=0, width=16, max_time=1e-6).fit(table)
    asked = pa.table({"time": [datetime.datetime(2026, 3, 3, 0, 10)] * 2, "size": [None, 0.0]})
    gap, value = (one.nearest or {} for one in detector.explain(asked))
    for nearest in (gap, value):
        assert datetime.datetime.fromisoformat(nearest["time"]).hour >= 22
    assert gap["size"] == "missing"
    assert abs(float(value["size"])) < 1


def test_contributions_to_an_energy_are_the_integral_of_its_gradient() -> None:
    detector = DSEBM(random_state=0, max_time=5).fit(linked(400, seed=0))
    new, model = linked(3, seed=1), detector.model_
    records = detector._encoded(new)
    x, start = model.read(records), model.typical.expand(3, -1)
    total, points = torch.zeros_like(x, dtype=torch.float64), 2000
    for i in range(points):
        here = (start + (i + 0.5) / points * (x - start)).requires_grad_()
        total += torch.autograd.grad(model.energy(here, records).sum(), here)[0].double() / points
    wanted = ((x - start).double() * total).detach().numpy()
    found, _ = integrated_gradients(model, records, start, detector.anomaly_score(new))
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())


@pytest.fixture(scope="module")
def office() -> DMDN:
    return DMDN(random_state=0, width=16, depth=1).fit(behaviour(300))


def test_every_kind_of_column_is_said_in_words(office: DMDN) -> None:
    new = behaviour(40, seed=2)
    for one in office.explain(new, top=9):
        seen = {reason.column: reason for reason in one.reasons}
        assert set(seen) == set(office.columns_)
        moment = new["time"][one.row].as_py()
        assert f"{moment:%A}" in seen["time"].seen
        assert f"{moment:%Y-%m-%d}" in seen["time"].seen
        assert seen["remote"].seen == str(new["remote"][one.row].as_py()).lower()
        assert seen["failures"].seen == str(new["failures"][one.row].as_py())
        if new["duration"][one.row].as_py() is None:
            assert seen["duration"].seen == "missing"
        for reason in one.reasons:
            assert "nan" not in reason.phrase.lower()
            assert reason.phrase.startswith(reason.column)
            assert "\n" not in reason.phrase


def test_a_counter_is_expected_to_hold_what_it_can_hold(office: DMDN) -> None:
    for one in office.explain(behaviour(30, seed=2), top=9):
        (failures,) = (reason.expected for reason in one.reasons if reason.column == "failures")
        assert failures.interval is not None
        assert all(end > -1e-9 and abs(end - round(end)) < 1e-9 for end in failures.interval)
        assert all(mode > -1e-9 and abs(mode - round(mode)) < 1e-9 for mode in failures.modes)


def test_where_a_column_counts_for_its_distance_the_nearest_records_are_told() -> None:
    rng = np.random.default_rng(0)
    n = 600
    kept = pa.table(
        {
            "calls": rng.choice([0.0, 3.0, 7.0], n),
            "size": rng.integers(1000, 9000, n),
            "share": rng.normal(0, 1, n),
            "host": rng.choice(["ann", "bob"], n),
            "at": [datetime.datetime(2026, 3, 2) + datetime.timedelta(minutes=15 * int(i)) for i in range(n)],
        }
    )
    detector = DensityEnsemble(max_time=1e-6, random_state=0).fit(kept)
    new = kept.slice(0, 200)
    for name, cell in (("calls", 4000.0), ("share", 30.0)):
        new = new.set_column(new.column_names.index(name), name, pa.array([cell] * 100 + [None] * 100, pa.float64()))
    values = {name: {str(cell) for cell in kept[name].to_pylist()} for name in ("host",)}
    values |= {"calls": {"0", "3", "7"}, "size": {f"{cell:,}" for cell in kept["size"].to_pylist()}}
    told = 0
    for reason in (reason for one in detector.explain(new, top=5) for reason in one.reasons):
        assert (f"; {', '.join(reason.likes)} in the nearest records" in reason.phrase) == bool(reason.likes)
        if reason.likes and reason.column in values:
            told += 1
            assert set(reason.likes) <= values[reason.column]
        if reason.likes and reason.column == "at" and ":" in reason.likes[0]:
            assert all(
                minutes in ("00", "15", "30", "45") for _, minutes in (clock.split(":") for clock in reason.likes)
            )
    assert told > 20
    for discreet in ({"memory": 0}, {"exemplars": 0}):
        without = DensityEnsemble(max_time=1e-6, random_state=0, **discreet).fit(kept)
        assert not any(reason.likes for one in without.explain(new, top=5) for reason in one.reasons)


def test_what_is_expected_lies_within_what_training_held() -> None:
    rng = np.random.default_rng(0)
    kept = pa.table({"seconds": rng.exponential(3, 500), "calls": rng.poisson(0.4, 500) * rng.integers(0, 90, 500)})
    for one in DMDN(max_time=1e-6, random_state=0).fit(kept).explain(kept.slice(0, 20)):
        for reason in one.reasons:
            held = kept[reason.column].to_numpy()
            assert held.min() <= reason.expected.interval[0] <= reason.expected.interval[1] <= held.max()
            assert "-" not in reason.expected.text


def test_what_nearest_records_hold_is_told_as_it_was() -> None:
    x = np.array([0.0] * 50 + [1.0, 2.0, 35.0, 1_234_567.0, 99.0] * 10 + [math.nan])
    part = NumericPart.fit("calls", x)
    cells = np.array([0.0, 35.0, 1_234_567.0, math.nan, math.inf, -math.inf, 35.0])
    held = zip(part.codes(cells).tolist(), part.located(cells).astype(np.float32).tolist(), strict=True)
    assert likes(part, list(held)) == ("0", "35", "1,234,567", "missing", "infinite", "−infinite")
    assert likes(part, [(NOVEL, 0.0), (1, 0.0)]) == ("0",)  # what has no name here is not called unseen


@pytest.mark.parametrize("kind", [DMDN, DensityEnsemble])
def test_what_makes_a_record_no_stranger_is_not_told_by_its_distance(kind: type[DMDN | DensityEnsemble]) -> None:
    records = np.random.default_rng(0).normal(size=(400, 4))
    explained = kind(max_time=1e-6, random_state=0).fit(records).explain(records[:60], top=4)
    below = [reason for one in explained for reason in one.reasons if reason.contribution <= 0]
    assert len(below) > 20
    assert not any(reason.likes or "nearest" in reason.phrase for reason in below)
