"""The few exceptions and warnings a user can meet, each saying what is wrong, where, and what to do."""

from collections.abc import Iterable

__all__ = ["ArtifactError", "DataError", "DataWarning", "TrainingError", "UnwontedError", "check_choice"]


class UnwontedError(Exception):
    """Base of every mistake a user can mend; the command line prints it as one line and exits with 2."""


class DataError(UnwontedError, ValueError):
    """The records, their columns or their file cannot be used as asked."""


class DataWarning(UserWarning):
    """Cells count as missing because they are not of their column's kind; nothing is dropped without a word."""


class ArtifactError(UnwontedError, ValueError):
    """A model file is missing, damaged, newer than this package, or of an unknown model."""


class TrainingError(UnwontedError, ArithmeticError):
    """Training broke down numerically; the message names the cause."""


def check_choice(what: str, choice: object, known: Iterable[object]) -> None:
    """Refuses what is none of the known names.

    Raises:
        DataError: naming it, and those there are.

    >>> check_choice("pooling", "sum", ["standardised", "sum"])
    """
    names = tuple(known)
    if choice not in names:
        raise DataError(f"{what} {choice!r} does not exist; choose of {', '.join(map(str, names))}")
