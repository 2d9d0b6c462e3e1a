"""The contract that any detector must keep, as checks that anyone can run on a detector of their own."""

from collections.abc import Callable

from unwonted.checks.learning import check_gradients, check_labels_are_learnt, check_training_helps
from unwonted.checks.meaning import (
    check_alert_rate_moves_the_threshold,
    check_alerts_are_p_values,
    check_contributions,
    check_probabilities,
)
from unwonted.checks.records import labelled_records, ordinary_records, strange_records
from unwonted.checks.repeating import (
    check_global_random_state,
    check_labels_ignored,
    check_refit,
    check_same_seed,
    check_scoring_is_pure,
    check_seeds_differ,
)
from unwonted.checks.scoring import (
    check_batch_invariance,
    check_column_order,
    check_few_records,
    check_save_and_load,
    check_strange_cells,
    check_units,
)
from unwonted.checks.state import state
from unwonted.checks.subject import Pupil, Subject
from unwonted.classifier import Classifier
from unwonted.detector import Detector

__all__ = [
    "CHECKS",
    "CLASSIFIER_CHECKS",
    "Pupil",
    "Subject",
    "check_classifier",
    "check_detector",
    "labelled_records",
    "ordinary_records",
    "state",
    "strange_records",
]

CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_same_seed,
    check_seeds_differ,
    check_refit,
    check_labels_ignored,
    check_global_random_state,
    check_scoring_is_pure,
    check_column_order,
    check_batch_invariance,
    check_save_and_load,
    check_strange_cells,
    check_few_records,
    check_alerts_are_p_values,
    check_alert_rate_moves_the_threshold,
    check_contributions,
    check_units,
    check_gradients,
    check_training_helps,
)
"""All checks, in order."""

CLASSIFIER_CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_same_seed,
    check_seeds_differ,
    check_refit,
    check_global_random_state,
    check_scoring_is_pure,
    check_column_order,
    check_batch_invariance,
    check_save_and_load,
    check_strange_cells,
    check_few_records,
    check_contributions,
    check_units,
    check_gradients,
    check_probabilities,
    check_labels_are_learnt,
)
"""All checks of classifiers, in order."""


def check_detector(factory: Callable[..., Detector]) -> None:
    """Runs every check; takes a minute or so.

    A detector can be saved only once it is registered: `MODELS["mine"] = ("module", "Class")`.

    Args:
        factory: A detector class, or what, called with `random_state=seed`, gives an unfitted one.

    Raises:
        AssertionError: at the first promise that is not kept; the message says which.
    """
    subject = Subject(factory)
    for check in CHECKS:
        check(subject)


def check_classifier(factory: Callable[..., Classifier]) -> None:
    """Runs every check of a classifier.

    Args:
        factory: A classifier class, or what, called with `random_state=seed` and `normal=`, gives an unfitted one.

    Raises:
        AssertionError: at the first promise that is not kept; the message says which.
    """
    pupil = Pupil(factory)
    for check in CLASSIFIER_CHECKS:
        check(pupil)
