"""Rarity: against shares counted one by one, never falling, and what it hears that sums of nats do not."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from unwonted import DMDN
from unwonted.models.rarity import Rarity

RNG = np.random.default_rng(0)


@pytest.fixture
def settled() -> tuple[Rarity, np.ndarray]:
    """Settled by seventy records in columns of two shapes, of which the eighteen least strange are usual."""
    nats = np.column_stack([RNG.normal(size=70), RNG.integers(0, 3, 70) / 2])
    strangeness = np.arange(70.0)[::-1]
    rarity = Rarity(2)
    rarity.settle(nats, strangeness)
    return rarity, nats[-18:]


def test_it_is_minus_log_the_share_of_usual_records_that_surprise_as_much(settled: tuple[Rarity, np.ndarray]) -> None:
    rarity, usual = settled
    shares = [[(1 + (usual[:, column] >= s).sum()) / 19 for column, s in enumerate(row)] for row in usual]
    np.testing.assert_allclose(rarity.of(usual), -np.log(shares))


def test_beyond_all_usual_records_it_grows_by_their_mean_excess() -> None:
    nats = np.linspace(0, 50, 1000)[:, None]
    rarity = Rarity(1)
    rarity.settle(nats, nats[:, 0])
    usual = nats[:250, 0]
    over = usual[usual > np.quantile(usual, 0.9)] - np.quantile(usual, 0.9)
    at_most, above = rarity.of(np.array([[usual[-1]], [usual[-1] + 7.0]]))[:, 0]
    assert at_most == pytest.approx(np.log(251 / 2))
    assert above - at_most == pytest.approx(7.0 / max(1.0, over.mean()))
    # Between knots it is as good as counted.
    within = np.linspace(0, usual[-1], 500)[:, None]
    counted = -np.log((1 + (usual >= within).sum(1)) / 251)
    assert np.abs(rarity.of(within)[:, 0] - counted).max() < np.log(2)


def test_it_never_falls(settled: tuple[Rarity, np.ndarray]) -> None:
    rarity, _ = settled
    s = np.sort(np.concatenate([RNG.normal(0, 5, 500), [1e3, 1e6, 1e12]]))
    assert (np.diff(rarity.of(np.column_stack([s, s])), axis=0) >= 0).all()


@pytest.mark.parametrize("count", [2, 3])
def test_few_records_and_equal_surprises_are_enough(count: int) -> None:
    rarity = Rarity(1)
    rarity.settle(np.ones((count, 1)), np.zeros(count))
    assert rarity.of(np.array([[0.0], [1.0], [2.0]]))[:, 0].tolist() == [0.0, 0.0, 1.0]


def test_strange_records_are_no_measure_of_what_is_rare() -> None:
    nats = np.concatenate([RNG.normal(size=(1000, 1)), np.full((800, 1), 8.0)])
    rarity = Rarity(1)
    rarity.settle(nats, nats[:, 0])
    assert rarity.of(np.array([[8.0]])) > 10  # by all of them it would be log(1801/801) = 0.8


def test_it_hears_quiet_columns_beside_loud_ones() -> None:
    rng = np.random.default_rng(1)

    def table(n: int, off: float = 0.0) -> pa.Table:
        """Ten columns have heavy tails, which say nothing; ten others are noise about zero, or off."""
        columns = [*rng.laplace(size=(10, n)) ** 3, *rng.normal(off, 1, (10, n))]
        return pa.table({f"x{i}": column for i, column in enumerate(columns)})

    detector = DMDN(random_state=0).fit(table(2000))
    usual, odd = (detector._evidence(detector._encoded(table(800, off)))[..., 0] for off in (0.0, 1.0))

    def auroc(sums: Callable[[np.ndarray], np.ndarray]) -> float:
        return float(roc_auc_score(np.repeat([0, 1], 800), np.concatenate([sums(usual), sums(odd)])))

    assert auroc(lambda nats: detector.model_.rarity.standing(nats).sum(1)) > auroc(lambda nats: nats.sum(1)) + 0.05
