"""Checks that a fit can be repeated to the bit, and that nothing else enters it."""

import random

import numpy as np
import torch

from unwonted.checks.state import demand_equal, state
from unwonted.checks.subject import ROWS, Subject

__all__ = [
    "check_global_random_state",
    "check_labels_ignored",
    "check_refit",
    "check_same_seed",
    "check_scoring_is_pure",
    "check_seeds_differ",
]


def check_same_seed(subject: Subject) -> None:
    """Two detectors with one seed are equal to the byte."""
    again = subject.fit(subject.make(), subject.records)
    assert state(again) == state(subject.fitted), "two detectors with the same seed and records differ"


def check_seeds_differ(subject: Subject) -> None:
    """Another seed gives another detector: the seed is what decides the draws."""
    scores = [subject.fitted_by(seed).anomaly_score(subject.new) for seed in (0, 1)]
    assert not np.array_equal(*scores), "the seed changes nothing"


def check_refit(subject: Subject) -> None:
    """A detector that was fitted before is, fitted again, equal to the byte to a fresh one."""
    detector = subject.make()
    limit, detector.max_time = detector.max_time, 1e-6  # what is learned first does not matter
    subject.fit(detector, subject.records.slice(30, 30).drop_columns(["inside", "sent"]))
    detector.max_time = limit
    subject.fit(detector, subject.records)
    assert state(detector) == state(subject.fitted), "a refit of the same object differs from a first fit"


def check_labels_ignored(subject: Subject) -> None:
    """`fit(X, y)` ignores y."""
    detector = subject.make().fit(subject.records, np.arange(ROWS) % 2)
    assert state(detector) == state(subject.fitted), "y changes what is learned"


def check_global_random_state(subject: Subject) -> None:
    """The global random state of `random`, NumPy and torch is neither used nor touched."""
    wanted = state(subject.fitted)  # fitted under another global state
    saved = (random.getstate(), np.random.get_state(), torch.get_rng_state())  # noqa: NPY002
    try:
        random.seed(77)
        np.random.seed(77)  # noqa: NPY002
        torch.manual_seed(77)
        before = (random.getstate(), repr(np.random.get_state()), torch.get_rng_state())  # noqa: NPY002
        detector = subject.fit(subject.make(), subject.records)
        subject.outputs(detector, subject.new)
        after = (random.getstate(), repr(np.random.get_state()), torch.get_rng_state())  # noqa: NPY002
    finally:
        random.setstate(saved[0])
        np.random.set_state(saved[1])  # noqa: NPY002
        torch.set_rng_state(saved[2])
    assert before[:2] == after[:2], "the global random state of random or NumPy was touched"
    assert torch.equal(before[2], after[2]), "the global random state of torch was touched"
    assert state(detector) == wanted, "the fit depends on a global random state"


def check_scoring_is_pure(subject: Subject) -> None:
    """Scoring leaves the detector as it was, and says the same twice."""
    before = state(subject.fitted)
    first = subject.outputs(subject.fitted, subject.new)
    assert state(subject.fitted) == before, "scoring changes the detector"
    demand_equal(subject.outputs(subject.fitted, subject.new), first, "when asked twice")
