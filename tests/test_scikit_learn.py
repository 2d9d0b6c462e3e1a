"""Every check of scikit-learn passes on every estimator of the registry."""

import json
import subprocess
from concurrent.futures import Future

import pytest

from scikit_learn_checks import ESTIMATORS


@pytest.mark.parametrize("estimator", ESTIMATORS, ids="-".join)
def test_every_check_of_scikit_learn_passes(
    estimator: tuple[str, str], checked: dict[tuple[str, str], Future[subprocess.CompletedProcess[str]]]
) -> None:
    run = checked[estimator].result()
    assert run.returncode == 0, run.stderr[-2000:]
    results = json.loads(run.stdout.splitlines()[-1])
    assert [entry for entry in results if entry[1] != "passed"] == []
    assert len(results) > 40
