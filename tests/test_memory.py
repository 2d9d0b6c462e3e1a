"""Memory: the nearest kept records, found exactly, and their distance shared out among the columns."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Generator

from conftest import behaviour
from unwonted import DMDN, load
from unwonted.encode import Encoded, Encoder
from unwonted.models.memory import NEIGHBOURS, Memory
from unwonted.schema import Schema


def remembered(table: pa.Table, size: int) -> tuple[Encoder, Memory]:
    schema = Schema.infer(table)
    records = schema.select(table)[0]
    encoder = Encoder.fit(records, schema)
    memory = Memory(encoder, size)
    memory.remember(encoder.transform(records), Generator().manual_seed(0))
    return encoder, memory


def encoded(encoder: Encoder, table: pa.Table) -> Encoded:
    return encoder.transform(Schema.infer(table).select(table)[0])


def test_the_nearest_of_many_are_those_of_a_search_one_by_one() -> None:
    rng = np.random.default_rng(0)
    kept, new = (pa.table({name: rng.normal(size=n) for name in "abc"}) for n in (1000, 50))
    encoder, memory = remembered(kept, 1000)
    points, asked = (
        np.column_stack([part.scaled(table[part.column].to_numpy()) for part in encoder.parts]) for table in (kept, new)
    )
    ends = points.min(0), points.max(0)
    apart = np.linalg.norm(np.clip(asked, *ends)[:, None] - points, axis=2)
    wanted = np.sort(apart, 1)[:, :NEIGHBOURS].mean(1)
    np.testing.assert_allclose(memory(encoded(encoder, new)).sum(1), wanted, rtol=1e-4)


def test_each_column_has_its_share() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.choice([0.0, 10.0], 300) + rng.normal(0, 0.3, 300) for _ in "ab")
    encoder, memory = remembered(pa.table({"a": a, "b": b, "c": rng.choice(["x", "y"], 300)}), 300)
    middle = {"a": [0.0, 4.0, 0.0, 0.0], "b": [0.0, 0.0, 4.0, 0.0], "c": ["x", "x", "x", "unheard of"]}
    shares = memory(encoded(encoder, pa.table(middle))).numpy()
    assert shares[0].sum() < 0.5
    assert shares[1:].argmax(1).tolist() == [0, 1, 2]
    assert (shares[1:].max(1) > 0.8 * shares[1:].sum(1)).all()


def test_a_kept_record_is_measured_by_the_others() -> None:
    rng = np.random.default_rng(0)
    kept = pa.table({name: np.append(rng.normal(size=300), far) for name, far in (("a", 9.0), ("b", -9.0))})
    encoder, memory = remembered(kept, 301)
    distances = memory(encoded(encoder, kept)).sum(1)
    assert distances.argmax() == 300
    assert distances[300] > 5 * distances[:300].median() > 0


def test_a_rare_category_is_further_off_than_a_common_one() -> None:
    kept = pa.table({"name": ["often"] * 150 + ["also often"] * 148 + ["once"] * 2})
    encoder, memory = remembered(kept, 300)
    common, seen, new = memory(encoded(encoder, pa.table({"name": ["often", "once", "unheard of"]}))).sum(1).tolist()
    assert common == 0 < seen < new


def test_gaps_are_far_from_values() -> None:
    kept = behaviour(300)
    encoder, memory = remembered(kept, 300)
    gap = kept.slice(0, 20)
    at = gap.column_names.index("duration")
    values = gap["duration"].to_numpy()
    none = gap.set_column(at, "duration", pa.nulls(20, pa.float64()))
    position = encoder.columns.index("duration")
    schema = Schema.infer(kept)
    shares = memory(encoder.transform(schema.select(none)[0]))[:, position]
    known = ~np.isnan(values)
    assert known.any()
    assert shares[torch.from_numpy(known)].mean() > 0


@pytest.mark.parametrize("memory", [0, 50])
def test_a_model_file_brings_it_back(memory: int, tmp_path) -> None:
    new = behaviour(30, seed=5)
    detector = DMDN(memory=memory, width=16, max_time=1e-6, random_state=0).fit(behaviour(400))
    detector.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.anomaly_score(new).tolist() == detector.anomaly_score(new).tolist()
    assert again.model_.architecture["memory"] == memory
    assert detector._evidence(detector._encoded(new)).shape[2] == (2 if memory else 1)
    np.testing.assert_allclose(detector.contributions(new).sum(1), detector.anomaly_score(new))


def test_it_finds_what_lies_in_a_gap_that_each_column_alone_would_not_show() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 600)
    ring = pa.table({"x": np.cos(angle) + rng.normal(0, 0.05, 600), "y": np.sin(angle) + rng.normal(0, 0.05, 600)})
    detector = DMDN(random_state=0, max_time=1e-6).fit(ring)  # hardly trained: it is the memory that tells
    shares = detector._evidence(detector._encoded(pa.table({"x": [0.0, 1.0], "y": [0.0, 0.0]})))[..., 1].sum(1)
    assert shares[0] > 10 * shares[1]
