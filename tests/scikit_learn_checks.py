"""Every check of scikit-learn on one estimator, in a process of its own: SciPy reads SCIPY_ARRAY_API on import."""

import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace

import unwonted.estimator
from unwonted import fitting
from unwonted.models import CLASSIFIERS, MODELS, classifier_class, model_class
from unwonted.train import steps_for

ESTIMATORS = [*(("model", name) for name in MODELS), *(("classifier", name) for name in CLASSIFIERS)]


def run(kind: str, name: str) -> subprocess.CompletedProcess[str]:
    """The process, whose last line of output is check, status and exception of each check, as JSON."""
    return subprocess.run(
        [sys.executable, __file__, kind, name],
        # Fits of a few records: threads would wait for one another.
        env={**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def main(kind: str, name: str) -> None:
    """Runs the checks here, and prints; their fits are many and small, none is asked for its best, so all are brief."""
    from sklearn.utils.estimator_checks import check_estimator

    warnings.simplefilter("ignore")
    estimator = {"model": model_class, "classifier": classifier_class}[kind](name)
    usual = estimator._plan
    fitting.FOLDS, unwonted.estimator.SMALL = 3, 60
    estimator._plan = lambda self, encoder, rows: replace(
        usual(self, encoder, rows), steps=steps_for(rows, 8, fewest=20, most=200)
    )
    results = check_estimator(estimator(), on_skip=None, on_fail=None)
    print(json.dumps([[entry["check_name"], entry["status"], repr(entry["exception"])] for entry in results]))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
