"""Every check of scikit-learn passes on every estimator of the registry."""

import json

import pytest

from scikit_learn_checks import ESTIMATORS, run


@pytest.mark.parametrize("estimator", ESTIMATORS, ids="-".join)
def test_every_check_of_scikit_learn_passes(estimator: tuple[str, str]) -> None:
    made = run(*estimator)
    assert made.returncode == 0, made.stderr[-2000:]
    results = json.loads(made.stdout.splitlines()[-1])
    assert [entry for entry in results if entry[1] != "passed"] == []
    assert len(results) > 40
