"""DMDN: with targets the exact −log p, which sums to one; without, scores that rise with strangeness."""

import copy
import datetime
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from torch import Generator

from conftest import behaviour
from unwonted import DMDN, DataError
from unwonted.encode import Encoded
from unwonted.parts import NumericPart

SMALL = {"width": 32, "depth": 1, "components": 3, "random_state": 0, "exemplars": 0}
ROWS = 300


def replaced(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    """The table with one column's cells replaced, by one value for all or one value each."""
    if len(values) == 1:
        values = values * table.num_rows
    at = table.column_names.index(name)
    return table.set_column(at, name, pa.array(values))


def over(record: pa.Table, **columns: list[object]) -> pa.Table:
    """One record many times, with other values in some cells."""
    count = max(map(len, columns.values()))
    table = record.take([0] * count)
    for name, values in columns.items():
        table = replaced(table, name, values)
    return table


def encoded(detector: DMDN, table: pa.Table) -> Encoded:
    return detector.encoder_.transform(detector.schema_.select(table)[0])


def part(detector: DMDN, column: str) -> NumericPart:
    found = next(part for part in detector.encoder_.parts if part.column == column)
    assert isinstance(found, NumericPart)
    return found


@pytest.fixture(scope="module")
def targeted() -> dict[str, DMDN]:
    columns = ("duration", "failures", "action", "host", "time")
    return {name: DMDN(name, **SMALL).fit(behaviour(ROWS)) for name in columns}


@pytest.fixture(scope="module")
def chains() -> dict[tuple[str, ...], DMDN]:
    orders = (("action", "bytes_out"), ("bytes_out", "action"))
    return {order: DMDN(order, **SMALL).fit(behaviour(ROWS)) for order in orders}


@pytest.fixture(scope="module")
def whole(records: pa.Table) -> DMDN:
    return DMDN(random_state=0).fit(records)


def test_the_score_is_minus_log_p_of_the_mixture(targeted: dict[str, DMDN]) -> None:
    told: set[int] = set()
    for name in ("duration", "failures"):
        detector, new = targeted[name], behaviour(40, seed=7)
        position = [p.column for p in detector.encoder_.parts].index(name)
        with torch.no_grad():
            outcomes, mixture = detector.model_.conditional(encoded(detector, new), position)
        weights, means, scales = (x.double().numpy() for x in mixture)
        numeric = part(detector, name)
        x = new[name].to_numpy().astype(float)
        y, codes = numeric.located(x), numeric.codes(x)
        half = numeric.widths(x)[:, None] / 2
        z = y[:, None]
        if name == "failures":
            mass = norm.cdf(z + half, means, scales) - norm.cdf(z - half, means, scales)
        else:
            mass = norm.pdf(z, means, scales)
        outcomes = outcomes.double().numpy()
        p = outcomes[:, 0] * (weights * mass).sum(1) * ~np.isnan(x)
        p += np.where(codes > 0, outcomes[np.arange(40), np.maximum(codes, 0)], 0)
        wanted = -np.log(p) - math.log1p(-numeric.novelty)
        np.testing.assert_allclose(detector.anomaly_score(new), wanted, rtol=1e-3, atol=1e-3)
        told |= set(codes.tolist())
    assert {0, 1} <= told  # values and other outcomes, both


def test_a_density_integrates_to_one(targeted: dict[str, DMDN]) -> None:
    detector = targeted["duration"]
    numeric = part(detector, "duration")
    assert numeric.resolution == 0
    assert numeric.missing
    z = np.linspace(-40, 60, 100_001)
    for row in range(2):
        record = behaviour(2, seed=3).slice(row, 1)
        p = np.exp(-detector.anomaly_score(over(record, duration=numeric.original(z).tolist())))
        gap = math.exp(-detector.anomaly_score(over(record, duration=[None]).cast(record.schema))[0])
        assert np.trapezoid(p, z) + gap == pytest.approx(1, abs=1e-3)
        assert 0.001 < gap < 0.5


@pytest.mark.parametrize("kind", ["few values", "counts", "no value stands out"])
def test_a_mass_sums_to_one(kind: str) -> None:
    rng = np.random.default_rng(0)
    drawn = {
        "few values": lambda: rng.binomial(20, 0.4, ROWS).astype(float),
        "counts": lambda: np.round(rng.lognormal(2, 1.5, ROWS)),
        "no value stands out": lambda: np.round(rng.normal(500, 30, ROWS)),
    }
    table = pa.table({"x": drawn[kind](), "y": rng.normal(size=ROWS)})
    detector = DMDN("x", **SMALL).fit(table)
    numeric = part(detector, "x")
    assert numeric.resolution == 1
    assert bool(numeric.atoms) == (kind != "no value stands out")
    values = [float(value) for value in range(-20_000, 20_000)]
    total = np.exp(-detector.anomaly_score(over(table.slice(0, 1), x=values))).sum()
    # On a bent axis neighbouring bins meet only nearly.
    assert total + numeric.novelty == pytest.approx(1, abs=0.02 if kind == "counts" else 1e-3)


def test_probabilities_of_categories_sum_to_one(targeted: dict[str, DMDN]) -> None:
    for name in ("action", "host"):
        detector, record = targeted[name], behaviour(1, seed=3)
        categories = next(part for part in detector.encoder_.parts if part.column == name)
        p = np.exp(-detector.anomaly_score(over(record, **{name: [*categories.categories, "unheard of"]})))
        assert p[:-1].sum() + p[-1] * categories.unseen == pytest.approx(1, abs=1e-5)
        assert p[-1] * categories.unseen == pytest.approx(categories.novelty, rel=1e-5)


def test_the_density_of_a_date_integrates_to_one_around_the_clock_and_the_week(
    targeted: dict[str, DMDN],
) -> None:
    detector, record = targeted["time"], behaviour(1, seed=3)
    steps = 24 * 60
    start = datetime.datetime(2026, 3, 2)
    minutes = [start + datetime.timedelta(minutes=i) for i in range(7 * steps)]
    p = np.exp(-detector.anomaly_score(over(record, time=minutes)))
    # A gap takes what is left: 1/(n+2) each of the hour and of the weekday.
    assert p.sum() * 2 * math.pi / steps == pytest.approx(1, abs=0.02)
    by_day = p.reshape(7, steps)
    np.testing.assert_allclose(by_day[:, 0], by_day[:, -1], rtol=0.1)  # no seam at midnight


def test_several_targets_follow_the_chain_rule_in_their_order(
    chains: dict[tuple[str, ...], DMDN],
) -> None:
    new = behaviour(30, seed=5)
    for (first, second), detector in chains.items():
        surprise = detector.surprise(new)
        at = {name: detector.columns_.index(name) for name in detector.columns_}
        others = [i for name, i in at.items() if name not in (first, second)]
        assert (surprise[:, others] == 0).all()
        np.testing.assert_allclose(detector.anomaly_score(new), surprise.sum(1))
        for changed, other in ((first, second), (second, first)):
            rolled = np.roll(new[changed].to_pylist(), 7).tolist()
            moved = detector.surprise(replaced(new, changed, rolled))[:, at[other]]
            same = (moved == surprise[:, at[other]]).all()
            assert same == (changed == second)


def test_a_joint_density_integrates_to_one(chains: dict[tuple[str, ...], DMDN]) -> None:
    z = np.linspace(-30, 50, 20_001)
    for detector in chains.values():
        sizes = part(detector, "bytes_out").original(z).tolist()
        total = 0.0
        for action in ("backup", "read", "write", "mail", "unheard of"):
            table = over(behaviour(1, seed=3), bytes_out=sizes, action=[action])
            total += float(np.trapezoid(np.exp(-detector.anomaly_score(table)), z))
        assert part(detector, "bytes_out").resolution == 0
        assert total + part(detector, "bytes_out").novelty == pytest.approx(1, abs=2e-3)


def test_with_targets_loss_and_score_are_one_quantity(
    targeted: dict[str, DMDN], chains: dict[tuple[str, ...], DMDN]
) -> None:
    new = behaviour(50, seed=5)
    for detector in (*targeted.values(), *chains.values()):
        with torch.no_grad():
            loss = detector.model_.loss(encoded(detector, new), Generator().manual_seed(0)).numpy()
        np.testing.assert_allclose(loss, detector.anomaly_score(new), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("column", "shift", "unit"), [("duration", 0.0, 1.0), ("duration", 50.0, 1e6)])
def test_the_log_density_is_in_the_units_of_the_column(column: str, shift: float, unit: float) -> None:
    table = behaviour(400)
    amounts = pc.multiply(pc.add(table[column], shift), unit)
    detector = DMDN(column, **SMALL).fit(replaced(table, column, amounts.to_pylist()))
    record = behaviour(1, seed=3)
    gap = math.exp(detector.log_density(over(record, **{column: [None]}).cast(record.schema))[0])
    # Fine steps where the values are, and all the way out.
    x = np.sort(np.concatenate([np.linspace(-20, 150, 20_001), np.sinh(np.linspace(-12, 12, 2001))])) * unit
    p = np.exp(detector.log_density(over(record, **{column: x.tolist()})))
    assert np.trapezoid(p, x) + gap == pytest.approx(1, abs=0.01)
    with np.errstate(divide="ignore"):
        assert np.isfinite(detector.log_density(over(record, **{column: [math.inf, -math.inf, 1e300]}))).all()


def test_the_log_density_of_a_date_is_by_the_hour_and_that_of_names_and_counts_a_probability(
    targeted: dict[str, DMDN],
) -> None:
    new = behaviour(30, seed=5)
    an_hour = math.log(2 * math.pi / 24)
    for column, unit in (("time", an_hour), ("action", 0.0), ("failures", 0.0)):
        detector = targeted[column]
        np.testing.assert_allclose(detector.log_density(new), unit - detector.anomaly_score(new), rtol=1e-9)


def test_the_log_density_is_of_what_was_learnt(targeted: dict[str, DMDN]) -> None:
    new = behaviour(5, seed=5)
    wanted = targeted["duration"].log_density(new)
    changed = copy.deepcopy(targeted["duration"]).set_params(target=["host"])
    assert changed.log_density(new).tolist() == wanted.tolist()
    whole = DMDN(max_time=1e-6, width=16).fit(behaviour(60)).set_params(target="host")
    with pytest.raises(DataError, match="target"):
        whole.log_density(new)


def test_without_a_target_there_is_no_density(whole: DMDN) -> None:
    with pytest.raises(DataError, match="target"):
        whole.log_density(behaviour(5))


def test_what_is_asked_leaves_no_trace_in_the_answer(whole: DMDN) -> None:
    new = behaviour(20, seed=5)
    for position, asked in enumerate(whole.encoder_.parts):
        cells = new[asked.column].to_pylist()
        rolled = replaced(new, asked.column, cells[7:] + cells[:7])
        with torch.no_grad():
            one, other = (whole.model_.conditional(encoded(whole, t), position) for t in (new, rolled))
        assert torch.equal(one[0], other[0])
        assert all(map(torch.equal, one[1], other[1]))


def test_it_learns_a_known_conditional_density() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=1200)
    y = np.where(rng.random(1200) < 0.5, 2 * x, -2 * x) + rng.normal(0, 0.2, 1200)
    table = pa.table({"x": x, "y": y})
    detector = DMDN("y", random_state=0, exemplars=0).fit(table.slice(0, 800))
    new = table.slice(800)
    numeric = part(detector, "y")
    x, y = x[800:], y[800:]
    unit = np.hypot(numeric.scale, y) * numeric.deviation  # dy/dt on the bent axis
    truth = -np.log(0.5 * (norm.pdf(y, 2 * x, 0.2) + norm.pdf(y, -2 * x, 0.2)) * unit)
    marginal = -np.log(np.histogram(y, 20, density=True)[0].max() * unit).mean()
    score = detector.anomaly_score(new).mean()
    assert truth.mean() - 0.1 < score < truth.mean() + 0.25 < marginal + 0.5


def test_scores_are_the_same_to_the_bit_in_any_company(whole: DMDN) -> None:
    new = behaviour(70, seed=8)
    scores = whole.anomaly_score(new)
    assert whole.anomaly_score(new.slice(9, 1))[0] == scores[9]
    many = pa.concat_tables([behaviour(600, seed=9), new])
    assert whole.anomaly_score(many)[-70:].tolist() == scores.tolist()


FAR = 10.0 ** np.arange(7)


def medians(detector: DMDN, records: pa.Table, column: str, cells: list[object]) -> list[float]:
    """The median score of the records with each of the cells in place of their own."""
    kind = pa.float64() if isinstance(cells[0], float) else records.schema.field(column).type
    at = records.column_names.index(column)
    return [
        float(np.median(detector.anomaly_score(records.set_column(at, column, pa.array([cell] * 500, kind)))))
        for cell in cells
    ]


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("column", ["bytes_out", "failures", "duration"])
def test_further_out_never_lowers_the_score(whole: DMDN, records: pa.Table, column: str, up: bool) -> None:
    x = records[column].to_numpy().astype(float)
    span = np.nanmax(x) - np.nanmin(x)
    cells = np.nanmax(x) + span * FAR if up else np.nanmin(x) - span * FAR
    ordinary = float(np.median(whole.anomaly_score(records)))
    found = medians(whole, records, column, [*cells.tolist(), math.inf if up else -math.inf])
    assert found[0] > ordinary
    assert all(np.diff(found) >= 0), found


@pytest.mark.parametrize("column", ["duration", "failures"])
def test_further_out_never_lowers_the_score_of_a_target(
    targeted: dict[str, DMDN], records: pa.Table, column: str
) -> None:
    x = records[column].to_numpy().astype(float)
    cells = np.nanmax(x) + np.ptp(x[~np.isnan(x)]) * FAR
    found = medians(targeted[column], records, column, [*cells.tolist(), math.inf])
    assert found[0] > np.median(targeted[column].anomaly_score(records))
    assert all(np.diff(found) >= 0), found


@pytest.mark.parametrize("column", ["action", "host", "remote"])
def test_an_unseen_category_raises_the_score(whole: DMDN, records: pa.Table, column: str) -> None:
    text = replaced(records, column, [str(value) for value in records[column].to_pylist()])
    assert whole.anomaly_score(text).tolist() == whole.anomaly_score(records).tolist()
    (found,) = medians(whole, text, column, ["unheard of"])
    assert found > np.median(whole.anomaly_score(records))


@pytest.mark.parametrize("column", ["time", "action", "host", "bytes_out", "failures", "remote"])
def test_an_improbable_gap_raises_the_score(whole: DMDN, records: pa.Table, column: str) -> None:
    (found,) = medians(whole, records, column, [None])
    assert found > np.median(whole.anomaly_score(records))


def test_pooling_by_sum_is_the_sum_of_the_surprises() -> None:
    detector = DMDN(pooling="sum", max_time=1e-6, **SMALL).fit(behaviour(30))
    new = behaviour(9, seed=5)
    np.testing.assert_array_equal(detector.contributions(new), detector.surprise(new))


def test_training_hides_half_of_the_columns_or_all(whole: DMDN) -> None:
    model = whole.model_
    hidden = model._random_hidden(4000, torch.Generator().manual_seed(0))
    columns = torch.stack([hidden[:, model.column_of_part == column].any(1) for column in range(model.columns)], 1)
    assert (hidden == columns[:, model.column_of_part]).all()  # a column goes with all its parts
    share = columns.float().mean(1)
    one = 1 / model.columns  # is hidden anyway
    assert share.min() >= one - 1e-6
    assert (share == 1).float().mean() == pytest.approx(0.125 + 0.875 * 0.5 ** (model.columns - 1), abs=0.02)
    assert share.mean() == pytest.approx(0.125 + 0.875 * (one + (1 - one) / 2), abs=0.02)


def test_a_target_is_named_once() -> None:
    with pytest.raises(DataError, match=r"names a column twice; name each once"):
        DMDN(["bytes_out", "bytes_out"], max_time=1e-6).fit(behaviour(60))


@pytest.mark.parametrize("targets", [(None, None), (["bytes_out", "duration"], ["duration", "bytes_out"])])
def test_what_is_loaded_is_asked_in_its_own_contexts(targets: tuple[list[str] | None, list[str] | None]) -> None:
    pair = [DMDN(target, random_state=seed) for seed, target in enumerate(targets)]
    detectors = [detector.untrained().fit(behaviour(60)) for detector in pair]
    mine, other = (detector.model_.eval() for detector in detectors)
    batch = encoded(detectors[0], behaviour(20, seed=3))
    with torch.no_grad():
        wanted = mine.evidence(batch)
        assert not torch.equal(other.evidence(batch), wanted)
        other.load_state_dict(mine.state_dict())
        torch.testing.assert_close(other.evidence(batch), wanted, rtol=0, atol=0)


def test_every_view_hides_what_it_says_and_the_strangest_counts(whole: DMDN) -> None:
    new, model = behaviour(60, seed=5), whole.model_
    batch, evidence = encoded(whole, new), whole._evidence(encoded(whole, new))
    columns = len(whole.columns_)

    def told(hidden: torch.Tensor) -> np.ndarray:
        """By column, where all that is hidden is asked; read by the network as in training."""
        asked = hidden.nonzero().flatten()
        with torch.no_grad():
            read = model.body(model.reading(batch, hidden))
            nats = model.heads.nats(batch, read, model.heads.every.some(asked)).double().numpy()
        by_column = np.full((len(new), columns), -np.inf)
        for column in set(model.column_of_part[asked].tolist()):
            by_column[:, column] = nats[:, (model.column_of_part[asked] == column).numpy()].sum(1)
        return by_column

    everything = torch.ones_like(model.blocks.hidden[0])
    halvings = [halves.hidden for halves in model.halvings]
    wanted = [
        np.max([told(hidden) for hidden in model.blocks.hidden], 0),
        np.max([told(half) for halves in halvings for half in halves], 0),
        told(everything),
    ]
    np.testing.assert_allclose(evidence, np.stack(wanted, 2), rtol=1e-4, atol=1e-4)
    for halves in halvings:
        shares = halves.float().mean(1)
        assert (halves.sum(0) == 1).all()  # each part in one half
        assert shares.min() > 0.25
    assert len({tuple(half.tolist()) for halves in halvings for half in halves}) > 2
    totals = evidence.sum(1)
    sums = np.column_stack([(evidence * model.weights.numpy()[:, None]).sum(1), totals[:, 0]])
    t = (sums - model.scale.centre.sum(1).numpy()) / model.scale.unit.numpy()
    strangest = np.where(t > 0, np.log1p(np.maximum(t, 0)), t).max(1)
    np.testing.assert_allclose(model.by_strangest_view(evidence).sum(1), strangest)
    rare = model.rarity.standing(evidence[..., 0]).sum(1)
    np.testing.assert_allclose(whole.anomaly_score(new), (strangest + rare) / 2)
    view = np.array([0, 1, 2, 0])[t.argmax(1)]
    np.testing.assert_allclose(whole.surprise(new).sum(1), totals[np.arange(len(new)), view])


def test_a_column_of_outcomes_counts_by_how_far_the_others_settle_it() -> None:
    rng = np.random.default_rng(0)

    def table(n: int) -> pa.Table:
        """`ruled` and `flag` follow from a number, `half` does so half of the time, `loose` from nothing."""
        x = rng.normal(size=n)
        side = np.where(x > 0, "plus", "minus")
        half = np.where(rng.random(n) < 0.5, side, rng.choice(["plus", "minus"], n))
        columns = {"x": x, "y": x + rng.normal(0, 0.01, n), "ruled": side, "half": half}
        return pa.table(columns | {"flag": 1.0 * (x > 0.5), "loose": rng.choice(list("abcd"), n)})

    detector = DMDN(pooling="views", random_state=0).fit(table(2000))
    model = detector.model_
    weights = dict(zip(detector.columns_, model.weights.tolist(), strict=True))
    assert weights["x"] == weights["y"] == 1  # numbers as such have no uncertainty that could be shared out
    assert 1 <= weights["loose"] < 1.05 < weights["half"] < 2 < 5 < min(weights["ruled"], weights["flag"])
    assert max(weights.values()) <= 50
    held_out = detector._evidence(detector._encoded(table(1000)))
    model.settle(held_out)
    others, _, nothing = held_out.mean(0).T
    wanted = np.where(np.isin(detector.columns_, ["x", "y"]), 1.0, nothing / others)
    np.testing.assert_allclose(model.weights, np.clip(wanted, 1, 50))
    # It is part of the score: a rule that is broken stands out further than where all columns count alike.
    usual, broken = table(300), table(300)
    turned = pa.array(["minus" if side == "plus" else "plus" for side in broken["ruled"].to_pylist()])
    broken = broken.set_column(2, "ruled", turned)

    def apart() -> float:
        return float(np.median(detector.anomaly_score(broken)) - np.quantile(detector.anomaly_score(usual), 0.99))

    weighed = apart()
    model.weights.fill_(1.0)
    model.scale.settle(model.counting(held_out))
    assert weighed > apart() + 0.3 > 0.3


def test_columns_that_others_settle_do_not_outshout_a_number() -> None:
    rng = np.random.default_rng(0)

    def table(n: int, off: float = 0.0) -> pa.Table:
        """Seven categories that nearly always go together, some rare; one number is noise about zero, or off."""
        kind = np.array(list("abcdefgh"))[np.minimum(rng.geometric(0.4, n), 8) - 1]
        broken = rng.random((7, n)) < 0.003
        named = {f"c{i}": np.where(broken[i], rng.choice(list("abcdefgh"), n), kind) for i in range(7)}
        return pa.table(named | {"x": rng.normal(off, 1, n)})

    detector = DMDN(random_state=0).fit(table(2000))
    model, usual, off = detector.model_, table(600), table(600, off=3.5)

    def auroc(sums: int) -> float:
        evidence = [detector._evidence(detector._encoded(records)) for records in (usual, off)]
        usual_at, off_at = (model._standing(each).sum(1)[:, :sums].max(1) for each in evidence)
        return float(roc_auc_score(np.repeat([0, 1], 600), np.concatenate([usual_at, off_at])))

    assert auroc(4) > 0.9 > 0.85 > auroc(3)


def test_the_strangest_view_finds_what_either_is_blind_to() -> None:
    rng = np.random.default_rng(0)

    def table(n: int, **cells: np.ndarray) -> pa.Table:
        """b is a with a bit of noise; five other columns are noise alone."""
        a = rng.normal(size=n)
        columns = {"a": a, "b": a + rng.normal(0, 0.05, n)} | {f"noise{i}": rng.normal(size=n) for i in range(5)}
        return pa.table(columns | cells)

    def standing(records: pa.Table) -> np.ndarray:
        """By each view."""
        return detector.model_._standing(detector._evidence(detector._encoded(records))).sum(1)

    def roc(odd: np.ndarray, usual: np.ndarray) -> float:
        return roc_auc_score(np.repeat([0, 1], [len(usual), len(odd)]), np.concatenate([usual, odd]))

    detector = DMDN(random_state=0).fit(table(3000))
    halvings = torch.cat([halves.hidden for halves in detector.model_.halvings])
    assert (halvings[:, 0] != halvings[:, 1]).all()  # each half is given a or b
    usual, plus, minus = standing(table(1000)), np.full(200, 1.5), np.full(200, -1.5)
    apart, together = standing(table(200, a=plus, b=minus)), standing(table(200, a=1.8 * plus, b=1.8 * plus))
    found = [[roc(odd[:, view], usual[:, view]) for view in range(3)] for odd in (apart, together)]
    assert found[0][0] > 0.95 > 0.8 > found[0][2]
    assert found[1][2] > 0.95 > 0.6 > max(found[1][:2])
    assert min(roc(odd.max(1), usual.max(1)) for odd in (apart, together)) > 0.95


def test_a_single_column_is_enough() -> None:
    x = np.random.default_rng(0).normal(size=(60, 1))
    detector = DMDN(**SMALL).fit(x)
    assert detector.anomaly_score([[9.0]]) > detector.anomaly_score([[0.0]])


def test_categories_alone_are_enough() -> None:
    rng = np.random.default_rng(0)
    pick = rng.integers(0, 3, 200)
    table = pa.table({"a": [f"a{i}" for i in pick], "b": [f"b{i}" for i in pick]})
    detector = DMDN(**SMALL).fit(table)
    torn, whole = detector.anomaly_score(pa.table({"a": ["a0", "a1"], "b": ["b1", "b1"]}))
    assert torn > whole
