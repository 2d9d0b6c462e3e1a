"""A table to tensors: parts in the schema's order, every row by itself."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
import torch

from conftest import behaviour
from unwonted.encode import Encoded, Encoder
from unwonted.parts import NOVEL, CategoricalPart, CyclicPart, NumericPart
from unwonted.schema import Schema


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.infer(behaviour(500))


@pytest.fixture(scope="module")
def encoder(schema: Schema) -> Encoder:
    return Encoder.fit(schema.select(behaviour(500))[0], schema)


def equal(a: Encoded, b: Encoded) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("codes", "values", "widths", "inputs"))


def test_each_column_has_its_parts_and_a_date_has_two(encoder: Encoder) -> None:
    assert encoder.columns == ("time", "action", "host", "bytes_out", "failures", "duration", "remote")
    assert [type(part) for part in encoder.parts] == [
        CyclicPart, CategoricalPart, CategoricalPart, CategoricalPart, NumericPart, NumericPart, NumericPart,
        CategoricalPart,
    ]  # fmt: skip
    assert encoder.column_of_part == (0, 0, 1, 2, 3, 4, 5, 6)
    assert encoder.valued == (0, 4, 5, 6)


def test_tensors_have_a_row_a_record(encoder: Encoder, schema: Schema) -> None:
    encoded = encoder.transform(schema.select(behaviour(500))[0])
    assert len(encoded) == 500
    assert encoded.codes.shape == (500, 8)
    assert encoded.values.shape == encoded.widths.shape == (500, 4)
    assert encoded.inputs.shape == (500, 4 + 3 * 2)
    assert (encoded.codes != NOVEL).all()
    assert torch.isfinite(encoded.inputs).all()
    assert encoded.values.dtype == torch.float32


def test_a_record_is_encoded_alike_in_any_company(encoder: Encoder, schema: Schema) -> None:
    table, _ = schema.select(behaviour(50, seed=3))
    whole = encoder.transform(table)
    order = np.random.default_rng(0).permutation(50)
    assert equal(encoder.transform(table.take(order)), whole[torch.from_numpy(order)])
    pieces = pa.concat_tables([table.slice(0, 1), table.slice(1, 30), table.slice(31)])
    assert equal(encoder.transform(pieces), whole)
    assert equal(encoder.transform(table.slice(7, 1)), whole[7:8])


def test_dates_give_hour_and_weekday() -> None:
    moments = [datetime.datetime(2026, 3, day, hour, 30) for day in (2, 3, 8) for hour in (0, 18)]
    table = pa.table({"t": moments})
    schema = Schema.infer(table)
    encoder = Encoder.fit(schema.select(table)[0], schema)
    encoded = encoder.transform(schema.select(table)[0])
    hour, weekday = encoder.parts
    assert isinstance(weekday, CategoricalPart)
    np.testing.assert_allclose(hour.original(encoded.values[:, 0].numpy()), [0.5, 18.5] * 3, atol=1e-5)
    named = [weekday.name(code) for code in encoded.codes[:, 1].tolist()]
    assert named == ["Monday", "Monday", "Tuesday", "Tuesday", "Sunday", "Sunday"]


def test_dates_before_1970_have_hours_too() -> None:
    table = pa.table({"t": [datetime.datetime(1969, 12, 31, hour) for hour in range(24)]})
    schema = Schema.infer(table)
    encoder = Encoder.fit(schema.select(table)[0], schema)
    hours = encoder.parts[0].original(encoder.transform(schema.select(table)[0]).values[:, 0].numpy())
    np.testing.assert_allclose(hours, np.arange(24), atol=1e-4)


def test_padding_repeats_and_chunks_cover_all(encoder: Encoder, schema: Schema) -> None:
    encoded = encoder.transform(schema.select(behaviour(10))[0])
    padded = encoded.padded(16)
    assert len(padded) == 16
    assert equal(padded[:10], encoded)
    assert equal(padded[15:], encoded[9:])
    chunks = list(encoded.chunks(4))
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]
    assert torch.equal(torch.cat([chunk.codes for chunk in chunks]), encoded.codes)


def test_a_gap_leaves_the_same_inputs_whatever_it_hides(encoder: Encoder, schema: Schema) -> None:
    # A gap must not look like the value 0, and nothing of the rest of the row may change.
    table, _ = schema.select(behaviour(5, seed=1))
    at = table.column_names.index("duration")
    gap = encoder.transform(table.set_column(at, "duration", pa.array([None] * 5, pa.float64())))
    zero = encoder.transform(table.set_column(at, "duration", pa.array([0.0] * 5)))
    part = encoder.parts[6]
    assert part.missing
    assert (gap.codes[:, 6] == part.outcomes - 1).all()
    assert (gap.inputs[:, -2:] == 0).all()
    assert (zero.inputs[:, -2:] != 0).all()
    others = [i for i in range(8) if i != 6]
    assert torch.equal(gap.codes[:, others], encoder.transform(table).codes[:, others])
