"""The few exceptions and warnings a user can meet, each saying what is wrong, where, and what to do."""

__all__ = ["ArtifactError", "DataError", "DataWarning", "TrainingError", "UnwontedError"]


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
