"""The labelled data sets of benchmarks by seed: functions at the top of a module, so that they travel."""

from unwonted.datasets import UNSW_TTL, labelled
from unwonted.datasets.labelled import LabelledProblem

__all__ = ["apart", "few_labels", "kddcup", "no_labels", "nsl_kdd", "small", "unsw", "without_ttl"]

_SMALL = 1000


def unsw(seed: int) -> LabelledProblem:
    """UNSW-NB15, a stratified random split."""
    return labelled.unsw_labelled(seed)


def apart(seed: int) -> LabelledProblem:
    """UNSW-NB15, equal records on one side of the split."""
    return labelled.unsw_labelled(seed, apart=True)


def without_ttl(seed: int) -> LabelledProblem:
    """UNSW-NB15 without the columns that betray the traffic generator."""
    return labelled.unsw_labelled(seed).without(UNSW_TTL)


def nsl_kdd(seed: int) -> LabelledProblem:
    """NSL-KDD, a stratified random split."""
    return labelled.nsl_kdd_labelled(seed)


def kddcup(seed: int) -> LabelledProblem:
    """KDD Cup 1999, a stratified random split."""
    return labelled.kddcup_labelled(seed)


def few_labels(share: float, seed: int) -> LabelledProblem:
    """UNSW-NB15 with the labels of a share of the training records."""
    return labelled.scarce(unsw(seed), share, seed)


def no_labels(share: float, seed: int) -> LabelledProblem:
    """UNSW-NB15 without any label, attacks thinned to a share of the training records."""
    return labelled.thinned(unsw(seed), share, seed)


def small(seed: int) -> LabelledProblem:
    """A few records of UNSW-NB15 to learn from and as many to test by, to see that all runs."""
    return labelled.some_rows(unsw(seed), _SMALL, seed)
