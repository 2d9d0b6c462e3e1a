"""The vector that models with an energy read of a record."""

import math

import numpy as np
import pyarrow as pa
import torch

from unwonted.checks import ordinary_records
from unwonted.encode import Encoder
from unwonted.models.vector import Vector
from unwonted.parts import Axis
from unwonted.schema import Schema


def read(train: pa.Table, new: pa.Table, axis: Axis = "counting") -> tuple[Vector, torch.Tensor]:
    schema = Schema.infer(train)
    encoder = Encoder.fit(schema.select(train)[0], schema, axis)
    vector = Vector(encoder)
    return vector, vector(encoder.transform(schema.select(new)[0]))


def test_numbers_categories_and_times_each_have_their_place() -> None:
    rng = np.random.default_rng(0)
    train = pa.table({"n": rng.normal(size=50), "c": rng.choice(["a", "b"], 50)})
    vector, x = read(train, pa.table({"n": [0.5, None, math.inf], "c": ["b", "a", "never seen"]}), axis="linear")
    assert vector.owner.tolist() == [0, 1, 1, 1]
    assert vector.numeric.tolist() == [True, False, False, False]
    assert x[:, 1:].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    n = train["n"].to_numpy()
    np.testing.assert_allclose(x[0, 0], (0.5 - n.min()) / (n.max() - n.min()), rtol=1e-5)
    assert x[1, 0] == 2  # a gap where there was none: as far out as the range is wide
    assert x[2, 0] == 1e8


def test_a_gap_that_training_knows_is_an_outcome_of_its_own() -> None:
    train = pa.table({"n": [*np.random.default_rng(0).normal(size=40).tolist(), None]})
    _, x = read(train, pa.table({"n": pa.array([None, 0.0], pa.float64())}))
    assert x[0].tolist() == [0, 1]
    assert x[1, 1] == 0


def test_every_training_record_is_read_within_range() -> None:
    records = ordinary_records(200, seed=0)
    axes: list[Axis] = ["counting", "bent", "linear"]
    for axis in axes:
        vector, x = read(records, records, axis)
        assert x.shape == (200, len(vector.owner))
        assert torch.isfinite(x).all()
        assert x.abs().max() < 10
        if axis == "linear":
            numbers = x[:, vector.numeric]
            assert numbers.min() == 0
            assert numbers.max() == 1
    infinite = pa.table({"n": [*range(50), math.inf, math.inf]})
    assert read(infinite, infinite)[1].abs().max() < 10  # an infinity of training must not stretch the axis
