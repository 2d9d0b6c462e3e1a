"""The contract over the whole registry: every check of unwonted.checks."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest

from unwonted.checks import CHECKS, CLASSIFIER_CHECKS, Pupil, Subject, ordinary_records, strange_records
from unwonted.models import CLASSIFIERS, MODELS, classifier_class, dagmm, model_class


@pytest.fixture(scope="module", params=MODELS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dagmm, "NETWORKS", 2)  # what holds of two holds of four, and takes less time
        yield Subject(model_class(request.param))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(subject: Subject, check: Callable[[Subject], None]) -> None:
    check(subject)


@pytest.fixture(scope="module", params=CLASSIFIERS)
def pupil(request: pytest.FixtureRequest) -> Pupil:
    return Pupil(classifier_class(request.param))


@pytest.mark.parametrize("check", CLASSIFIER_CHECKS, ids=lambda check: check.__name__)
def test_contract_of_classifiers(pupil: Pupil, check: Callable[[Subject], None]) -> None:
    check(pupil)


def test_strange_records_are_strange_in_combination_alone() -> None:
    ordinary, strange = ordinary_records(4000, seed=0), strange_records(4000, seed=0)
    assert ordinary.schema == strange.schema
    for name in ("sent", "spent", "errors"):
        for q in (0.2, 0.5, 0.8):
            limit = np.nanquantile(ordinary[name].to_numpy(), q)
            shares = [np.nanmean(table[name].to_numpy() <= limit) for table in (ordinary, strange)]
            assert abs(shares[0] - shares[1]) < 0.15
    assert set(ordinary["action"].to_pylist()) == set(strange["action"].to_pylist())

    def torn(table: pa.Table) -> float:
        backup = np.array(table["action"].to_pylist()) == "backup"
        return float(np.mean(backup != (table["sent"].to_numpy() > 2e5)))

    assert torn(ordinary) < 0.01 < 0.5 < torn(strange)
