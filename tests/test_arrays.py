"""Sequences and images: what is taken, what is refused with one sentence, and how they become tensors."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from unwonted import DAGMM, DMDN, DSEBM, DataError, load, sequences
from unwonted.arrays import ArrayEncoder, Arrays, Layout, array_column, as_arrays, as_column

RNG = np.random.default_rng(0)


def walks(n: int, seed: int = 0, channels: int = 2) -> list[np.ndarray]:
    """Sequences of several lengths, each a rising phase of a wave."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        t = np.arange(rng.integers(6, 12)) * 0.7 + rng.random()
        found.append(np.stack([np.sin(t + c) for c in range(channels)], 1) + rng.normal(0, 0.05, (len(t), channels)))
    return found


def crosses(n: int, seed: int = 0) -> np.ndarray:
    """Small images of a bright cross."""
    images = np.random.default_rng(seed).normal(0, 0.1, (n, 9, 7))
    images[:, 4, :] += 1
    images[:, :, 3] += 1
    return images


def test_sequences_are_padded_and_what_lies_behind_their_end_does_not_matter() -> None:
    listed = [RNG.normal(size=(length, 3)) for length in (2, 5, 1)]
    padded = np.full((3, 6, 3), 7.0)
    for row, one in zip(padded, listed, strict=True):
        row[: len(one)] = one
    ours, theirs = sequences(listed), sequences(padded, [2, 5, 1])
    assert ours.lengths.tolist() == theirs.lengths.tolist() == [2, 5, 1]
    np.testing.assert_array_equal(ours.values, theirs.values[:, :5])
    assert (theirs.values[:, 5] == 0).all()
    padded[0, 2:] = np.nan  # no gap: it is behind the end
    np.testing.assert_array_equal(sequences(padded, [2, 5, 1]).values, theirs.values)


def test_the_form_follows_from_the_axes() -> None:
    images = RNG.normal(size=(4, 5, 6))
    assert Layout.of(as_arrays(images)).shape == (5, 6, 1)
    assert Layout.of(as_arrays(RNG.normal(size=(4, 5, 6, 3)))).shape == (5, 6, 3)
    assert Layout.of(as_arrays(list(images))).shape == (6,)
    assert Layout.of(sequences(images)).shape == (6,)
    assert as_arrays(images[0]) is None
    assert as_arrays([[1.0, 2.0], [3.0, 4.0]]) is None


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.zeros((2, 2, 2, 2, 2)), "5 axes"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], "sequence 2 has no step"),
        ([np.zeros((3, 2)), np.zeros((3, 4))], "sequence 2 has 4 channels"),
        ([np.zeros((3, 2)), np.zeros(3)], "sequence 2 is an array of 1 axes"),
        ([np.zeros((3, 2, 1)), np.zeros((2, 2, 1))], "image 2 is of size"),
        ([np.zeros((3, 2)), np.full((3, 2), np.nan)], "sequence 2 has a cell that is missing"),
        (np.full((2, 3, 3), np.inf), "image 1 has a cell that is missing or infinite"),
        (np.full((2, 3, 3), "a"), "in place of numbers"),
        (np.zeros((2, 0, 3)), "no pixel"),
    ],
)
def test_what_fits_nothing_is_refused_in_one_sentence(X: object, says: str) -> None:
    with pytest.raises(DataError, match=says) as raised:
        DSEBM().fit(X)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("lengths", "says"),
    [([1, 2], "3 sequences need 3"), ([0, 1, 1], "length 0"), ([1, 9, 1], "length 9"), ([1.0, 1.0, 1.0], "whole")],
)
def test_lengths_that_fit_nothing(lengths: list[float], says: str) -> None:
    with pytest.raises(DataError, match=says):
        sequences(np.zeros((3, 4, 2)), lengths)


def test_a_column_of_an_arrow_table_holds_them() -> None:
    for arrays in (as_arrays(crosses(5)), sequences(walks(5))):
        assert arrays is not None
        table = pa.table({"y": range(5), "X": as_column(arrays)})
        assert array_column(table) == "X"
        back = as_arrays(table.take([4, 0]))
        assert back is not None
        np.testing.assert_array_equal(back.values, arrays.take([4, 0]).values[:, : back.values.shape[1]])
        np.testing.assert_array_equal(back.lengths, arrays.lengths[[4, 0]])
    assert array_column(pa.table({"y": [1]})) is None


def test_channels_are_standardised_over_valid_steps_alone() -> None:
    arrays = sequences([one * [1, 1e6] + [5, -3] for one in walks(40)])
    grids = ArrayEncoder.fit(arrays).transform(arrays)
    valid = torch.cat([row[:length] for row, length in zip(grids.values, grids.lengths, strict=True)])
    torch.testing.assert_close(valid.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(valid.std(0), torch.ones(2), atol=0.01, rtol=0)
    assert all((row[length:] == 0).all() for row, length in zip(grids.values, grids.lengths, strict=True))


@pytest.fixture(scope="module")
def of_walks() -> DSEBM:
    return DSEBM(random_state=0).fit(walks(120))


@pytest.fixture(scope="module")
def of_crosses() -> DSEBM:
    return DSEBM(random_state=0).fit(crosses(120))


def test_a_broken_record_is_strange_and_the_broken_cell_is_the_reason(of_walks: DSEBM, of_crosses: DSEBM) -> None:
    ordinary, broken = walks(60, seed=1), walks(60, seed=1)
    for one in broken:
        one[4, 1] += 3
    assert np.median(of_walks.p_value(broken)) < 0.05 < 0.3 < np.median(of_walks.p_value(ordinary))
    told = [one.reasons[0].column for one in of_walks.explain(broken)]
    assert told.count("step 5, channel 2") > 50
    images, marred = crosses(60, seed=1), crosses(60, seed=1)
    marred[:, 1, 5] += 3
    assert np.median(of_crosses.p_value(marred)) < 0.05 < 0.3 < np.median(of_crosses.p_value(images))
    assert [one.reasons[0].column for one in of_crosses.explain(marred)].count("row 2, column 6, channel 1") > 50


def test_a_nearest_record_that_is_shorter_ends_where_it_ends() -> None:
    rng = np.random.default_rng(0)
    short, long = ([at + rng.normal(size=(n, 1)) for _ in range(40)] for at, n in ((100.0, 6), (200.0, 12)))
    detector = DSEBM(max_time=1.0, random_state=0).fit(short + long)
    (one,) = detector.explain([100 + rng.normal(size=(12, 1))], top=12)
    assert one.picture.nearest.shape == (12, 1)
    assert np.isnan(one.picture.nearest[6:]).all()
    assert (np.abs(one.picture.nearest[:6] - 100) < 10).all()
    behind = [reason.expected.text for reason in one.reasons if int(reason.column.split(",")[0].split()[1]) > 6]
    assert behind == ["nothing"] * 6


@pytest.mark.parametrize("kind", ["walks", "crosses"])
def test_a_picture_sums_to_what_the_score_is_above_its_baseline(kind: str, request: pytest.FixtureRequest) -> None:
    detector = request.getfixturevalue(f"of_{kind}")
    new = {"walks": walks, "crosses": crosses}[kind](8, seed=2)
    scores, contributions = detector.anomaly_score(new), detector.contributions(new)
    assert contributions.shape == (8, len(detector.columns_))
    for i, one in enumerate(detector.explain(new)):
        assert one.picture is not None
        assert (
            one.picture.heat.shape
            == one.picture.seen.shape
            == as_arrays(new).take([i]).values[0][: len(one.picture.seen)].shape
        )
        assert one.baseline + contributions[i].sum() == pytest.approx(scores[i], rel=1e-5)
        assert one.baseline + one.picture.heat.sum() == pytest.approx(scores[i], rel=1e-5)


def test_saved_and_loaded_they_say_the_same(of_walks: DSEBM, of_crosses: DSEBM, tmp_path) -> None:
    for detector, new in ((of_walks, walks(9, seed=3)), (of_crosses, crosses(9, seed=3))):
        detector.save(tmp_path / "m")
        loaded = load(tmp_path / "m")
        np.testing.assert_array_equal(loaded.anomaly_score(new), detector.anomaly_score(new))
        assert isinstance(loaded.exemplars_, Arrays)
        assert [e.reasons for e in loaded.explain(new)] == [e.reasons for e in detector.explain(new)]


def test_a_score_depends_on_the_record_alone(of_walks: DSEBM, of_crosses: DSEBM) -> None:
    series = walks(30, seed=4)
    whole = of_walks.anomaly_score(series)
    single = [of_walks.anomaly_score([one])[0] for one in series]  # without the padding that the longest asks for
    np.testing.assert_allclose(single, whole, rtol=1e-5, atol=1e-5)
    images = crosses(30, seed=4)
    order = RNG.permutation(30)
    np.testing.assert_allclose(
        of_crosses.anomaly_score(images[order]), of_crosses.anomaly_score(images)[order], rtol=1e-6
    )


def test_records_of_another_form_are_refused(of_walks: DSEBM, of_crosses: DSEBM) -> None:
    with pytest.raises(DataError, match=r"learnt from sequences of 2 channel.*images of 9"):
        of_walks.anomaly_score(crosses(3))
    with pytest.raises(DataError, match=r"images of 9 × 7 pixels.*images of 7 × 9"):
        of_crosses.anomaly_score(crosses(3).swapaxes(1, 2))
    with pytest.raises(DataError, match="learnt from sequences"):
        of_walks.anomaly_score(pa.table({"x": [1.0]}))
    with pytest.raises(DataError, match="name columns of a table"):
        DSEBM(ignore=["x"]).fit(walks(20))
    for other in (DMDN, DAGMM):
        with pytest.raises(DataError, match="DSEBM takes those"):
            other().fit(sequences(walks(20)))
    with pytest.raises(DataError, match="too few"):
        DSEBM().fit(walks(5))
