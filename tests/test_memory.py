"""Memory: the nearest kept records, found exactly, and their distance shared out among the columns."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Generator

from conftest import behaviour
from unwonted.encode import Encoded, Encoder
from unwonted.models.memory import NEIGHBOURS, Memory
from unwonted.models.points import Points
from unwonted.schema import Schema


class Remembered:
    """An encoder, and the distances from the records that it was fitted on."""

    def __init__(self, table: pa.Table, size: int) -> None:
        schema = Schema.infer(table)
        records = schema.select(table)[0]
        self.encoder = Encoder.fit(records, schema)
        self.points = Points(self.encoder, size)
        self.points.remember(self.encoder.transform(records), Generator().manual_seed(0))
        self.points.place()
        self.memory = Memory(self.points)
        self.memory.place(self.points)

    def encoded(self, table: pa.Table) -> Encoded:
        return self.encoder.transform(Schema.infer(table).select(table)[0])

    def shares(self, table: pa.Table) -> torch.Tensor:
        return self.memory(self.points(self.encoded(table)), self.points)


def test_the_nearest_of_many_are_those_of_a_search_one_by_one() -> None:
    rng = np.random.default_rng(0)
    kept, new = (pa.table({name: rng.normal(size=n) for name in "abc"}) for n in (1000, 50))
    there = Remembered(kept, 1000)
    points, asked = (
        np.column_stack([part.scaled(table[part.column].to_numpy()) for part in there.encoder.parts])
        for table in (kept, new)
    )
    apart = np.linalg.norm(asked[:, None] - points, axis=2)
    wanted = np.sort(apart, 1)[:, :NEIGHBOURS].mean(1)
    np.testing.assert_allclose(there.shares(new).sum(1), wanted, rtol=1e-4)


def test_the_nearest_are_told_by_their_positions_and_what_they_hold() -> None:
    rng = np.random.default_rng(0)
    kept = pa.table({"a": rng.normal(size=200), "b": rng.integers(0, 40, 200), "c": rng.choice(["x", "y"], 200)})
    there = Remembered(kept, 200)
    asked = there.points(there.encoded(kept))
    apart = torch.cdist(asked.double(), asked.double(), compute_mode="donot_use_mm_for_euclid_dist")
    apart.fill_diagonal_(np.inf)
    wanted = apart.argsort(1)[:, :NEIGHBOURS]
    found = there.memory.nearest(asked, there.points)
    assert torch.equal(torch.stack(found), wanted)
    for at, part in enumerate(there.encoder.parts):
        held = [pair for rows in found for pair in there.points.held(rows, at)]
        cells = [kept[part.column][int(row)].as_py() for row in wanted.flatten()]
        if part.column == "c":
            assert [part.name(code) for code, _ in held] == cells
        else:
            np.testing.assert_allclose(part.value_at(np.array([place for _, place in held])), cells, atol=1e-4)


def test_each_column_has_its_share() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.choice([0.0, 10.0], 300) + rng.normal(0, 0.3, 300) for _ in "ab")
    there = Remembered(pa.table({"a": a, "b": b, "c": rng.choice(["x", "y"], 300)}), 300)
    middle = {"a": [0.0, 4.0, 0.0, 0.0], "b": [0.0, 0.0, 4.0, 0.0], "c": ["x", "x", "x", "unheard of"]}
    shares = there.shares(pa.table(middle)).numpy()
    assert shares[0].sum() < 0.5
    assert shares[1:].argmax(1).tolist() == [0, 1, 2]
    assert (shares[1:].max(1) > 0.8 * shares[1:].sum(1)).all()


def test_what_calibrates_is_as_far_from_the_kept_as_what_is_new() -> None:
    rng = np.random.default_rng(0)
    kept, new = (pa.table({name: rng.integers(0, 16, n) for name in "ab"}) for n in (400, 2000))
    there = Remembered(kept, 400)
    calibrating, meeting = (
        there.memory(there.points(there.encoded(kept)), there.points, kept=kept_ones).sum(1)
        for kept_ones in (True, False)
    )
    assert calibrating.mean() > 1.2 * meeting.mean()  # which one more record like it was as near to as itself
    assert calibrating.mean().item() == pytest.approx(there.shares(new).sum(1).mean().item(), rel=0.1)
    alone = Remembered(pa.table({"a": rng.normal(size=50)}), 50)
    points = alone.points.kept
    assert torch.equal(alone.memory(points, alone.points, kept=True), alone.memory(points, alone.points))


def test_a_kept_record_is_measured_by_the_others() -> None:
    rng = np.random.default_rng(0)
    kept = pa.table({name: np.append(rng.normal(size=300), far) for name, far in (("a", 9.0), ("b", -9.0))})
    distances = Remembered(kept, 301).shares(kept).sum(1)
    assert distances.argmax() == 300
    assert distances[300] > 5 * distances[:300].median() > 0


def test_a_rare_category_is_further_off_than_a_common_one() -> None:
    there = Remembered(pa.table({"name": ["often"] * 150 + ["also often"] * 148 + ["twice"] * 2}), 300)
    common, seen, new = there.shares(pa.table({"name": ["often", "twice", "unheard of"]})).sum(1).tolist()
    assert common == 0 < seen < new


def test_infinite_numbers_leave_the_others_their_distances() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=300), rng.normal(size=300)
    x[::5] = np.inf
    there = Remembered(pa.table({"x": x, "y": y}), 300)
    new = np.append(rng.normal(size=40), [0.0, 0.0])
    found = there.shares(pa.table({"x": [np.inf] * 40 + [0.0, -np.inf], "y": new}))
    apart = np.sort(np.abs(new[:40, None] - y[::5]), axis=1)[:, :3].mean(1) / y.std()
    assert (found[:41].sum(1) < 2).all()
    assert np.corrcoef(found[:40, 1], apart)[0, 1] > 0.95
    assert found[41].sum() > 100  # which is news


def test_gaps_are_far_from_values() -> None:
    kept = behaviour(300)
    there = Remembered(kept, 300)
    gap = kept.slice(0, 20)
    at = gap.column_names.index("duration")
    known = ~np.isnan(gap["duration"].to_numpy())
    none = gap.set_column(at, "duration", pa.nulls(20, pa.float64()))
    encoded = there.encoder.transform(Schema.infer(kept).select(none)[0])
    shares = there.memory(there.points(encoded), there.points)[:, there.encoder.columns.index("duration")]
    assert known.any()
    assert shares[torch.from_numpy(known)].mean() > 0
