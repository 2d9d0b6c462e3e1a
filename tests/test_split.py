"""Parts of the training records: disjoint, complete, duplicates together, no record preferred."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import behaviour
from unwonted.split import Split, fingerprints, folds, split_rows


def parts(split: Split) -> list[np.ndarray]:
    return [split.train, split.validation, split.calibration]


def rows_of(table: pa.Table, rows: np.ndarray) -> set[str]:
    return {repr(row) for row in table.take(rows).to_pylist()}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=20, max_size=300), st.integers(0, 9))
def test_every_record_is_in_one_part(values: list[int], seed: int) -> None:
    table = pa.table({"x": [float(value) for value in values]})
    split = split_rows(table, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts(split)).tolist()) == list(range(len(values)))
    assert all(len(part) for part in parts(split))
    folded = folds(table, 5, np.random.default_rng(seed))
    assert sorted(np.concatenate(folded).tolist()) == list(range(len(values)))
    assert all(len(fold) for fold in folded)


def test_sizes_are_as_said() -> None:
    split = split_rows(behaviour(1000), np.random.default_rng(0))
    assert [len(part) for part in parts(split)] == [750, 100, 150]
    big = split_rows(pa.table({"x": np.random.default_rng(0).normal(size=300_000)}), np.random.default_rng(0))
    assert [len(part) for part in parts(big)] == [270_000, 10_000, 20_000]


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_stay_together(seed: int) -> None:
    one = behaviour(200, seed)
    table = pa.concat_tables([one, one.slice(0, 120), one.slice(50, 60), one.slice(0, 9)])
    split = split_rows(table, np.random.default_rng(seed))
    texts = [rows_of(table, part) for part in parts(split)]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]
    folded = [rows_of(table, fold) for fold in folds(table, 5, np.random.default_rng(seed))]
    assert sum(map(len, folded)) == len(set().union(*folded)) == 200


@pytest.mark.parametrize("share", [0.5, 0.95, 1.0])
def test_one_giant_group_leaves_every_part_with_records(share: float) -> None:
    n = 400
    x = np.arange(n, dtype=float)
    x[: int(share * n)] = -1
    table = pa.table({"x": np.random.default_rng(0).permutation(x)})
    split = split_rows(table, np.random.default_rng(1))
    assert len(split.train) > n / 2
    assert 0.5 * 60 <= len(split.calibration) <= 60
    assert 0.5 * 40 <= len(split.validation) <= 40
    folded = folds(table, 5, np.random.default_rng(1))
    assert all(len(fold) for fold in folded)


def test_where_a_record_stands_does_not_matter() -> None:
    # Sorted records, a trend over time: each part must look like the whole, over draws.
    n, draws = 200, 300
    table = pa.table({"x": np.arange(n, dtype=float)})
    hits = np.zeros((3, n))
    for seed in range(draws):
        for part, rows in enumerate(parts(split_rows(table, np.random.default_rng(seed)))):
            hits[part, rows] += 1
    for counts, share in zip(hits, (0.75, 0.10, 0.15), strict=True):
        sd = np.sqrt(draws * share * (1 - share))
        assert np.abs(counts - draws * share).max() < 5 * sd
        assert 0.8 < counts.std() / sd < 1.2  # neither fixed nor clumped
        assert abs(counts[: n // 2].sum() - counts[n // 2 :].sum()) < 5 * sd * np.sqrt(n)


def test_the_same_generator_gives_the_same_parts_and_another_gives_others() -> None:
    table = behaviour(300)
    one, same, other = (split_rows(table, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(map(np.array_equal, parts(one), parts(same)))
    assert not np.array_equal(one.calibration, other.calibration)


def test_units_leave_the_parts_as_they_are() -> None:
    table = behaviour(300)
    at = table.column_names.index("bytes_out")
    scaled = table.set_column(at, "bytes_out", pa.array(table["bytes_out"].to_numpy() * 1e6))
    one, other = (split_rows(t, np.random.default_rng(0)) for t in (table, scaled))
    assert all(map(np.array_equal, parts(one), parts(other)))


def test_fingerprints_tell_records_apart_and_equal_ones_not() -> None:
    moment = datetime.datetime(2026, 3, 2)
    table = pa.table(
        {
            "x": [0.0, -0.0, 1.0, 0.0, 0.0, 0.0, None],
            "c": ["a", "a", "a", None, "b", "a", "a"],
            "t": [moment] * 5 + [None, moment],
        }
    )
    found = fingerprints(table)
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 6
    swapped = pa.table({"x": ["a", "b"], "c": ["b", "a"]})
    assert len(set(fingerprints(swapped).tolist())) == 2
    assert fingerprints(table.slice(3)).tolist() == found[3:].tolist()
    assert fingerprints(pa.concat_tables([table.slice(0, 2), table.slice(2)])).tolist() == found.tolist()


def test_many_records_have_as_many_fingerprints() -> None:
    grid = np.stack(np.meshgrid(np.arange(300.0), np.arange(300.0)), -1).reshape(-1, 2)
    table = pa.table({"x": grid[:, 0], "y": grid[:, 1]})
    assert len(np.unique(fingerprints(table))) == 90_000


def test_every_class_is_shared_out_and_calibration_takes_from_the_normal_ones_alone() -> None:
    table = behaviour(1000)
    labels = np.where(np.arange(1000) < 40, 1, np.where(np.arange(1000) < 500, 0, -1))
    split = split_rows(table, np.random.default_rng(0), labels, labels == 0)
    assert sorted(np.concatenate(parts(split)).tolist()) == list(range(1000))
    assert set(labels[split.calibration].tolist()) == {0}
    for label, count in ((1, 40), (0, 460), (-1, 500)):
        assert (labels[split.validation] == label).sum() == pytest.approx(0.1 * count, abs=2)
    folded = folds(table, 5, np.random.default_rng(0), labels)
    assert {int((labels[fold] == 1).sum()) for fold in folded} <= {7, 8, 9}


def test_of_many_labelled_records_two_thousand_validate_and_of_unlabelled_ones_a_tenth() -> None:
    table = pa.table({"x": np.random.default_rng(0).normal(size=80_000)})
    labels = np.repeat([0, 1, -1], [30_000, 10_000, 40_000])
    split = split_rows(table, np.random.default_rng(0), labels, labels == 0)
    assert np.bincount(labels[split.validation] + 1).tolist() == [4000, 1500, 500]
    assert np.bincount(labels[split.calibration] + 1).tolist() == [0, 4500]
    assert sum(map(len, parts(split))) == 80_000


def test_equal_records_of_two_classes_stay_together() -> None:
    table = pa.table({"x": np.repeat(np.arange(100), 2).astype(float)})
    labels = np.tile([0, 1], 100)
    split = split_rows(table, np.random.default_rng(0), labels, labels == 0)
    for rows in parts(split):
        values, counts = np.unique(table["x"].to_numpy()[rows], return_counts=True)
        assert (counts == 2).all(), values


def test_classes_too_small_for_three_parts_are_shared_out_as_one_table() -> None:
    table = pa.table({"x": np.arange(30.0)})
    labels = np.arange(30) % 15
    split = split_rows(table, np.random.default_rng(0), labels, labels < 20)
    assert min(len(rows) for rows in parts(split)) > 0
    assert sorted(np.concatenate(parts(split)).tolist()) == list(range(30))
