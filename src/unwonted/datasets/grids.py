"""Images and series as one-class problems: one digit of MNIST, one gesture of NATOPS, against the rest."""

from dataclasses import replace

import numpy as np

from unwonted.datasets import files
from unwonted.datasets.problem import Dataset
from unwonted.errors import DataError

__all__ = ["mnist", "natops", "shuffled_in_time"]


def mnist(digit: int) -> Dataset:
    """One digit against the rest: its training images train, the 10,000 test images test.

    Source: Y. LeCun et al., Proceedings of the IEEE, 1998. Arrays (n, 28, 28) of float32, grey values from 0 to 1.

    Raises:
        DataError: There is no such digit, or the file is missing or altered.
    """
    stored = files.arrays(files.MNIST)
    train, test = (stored[part].astype(np.float32) / 255 for part in ("x_train", "x_test"))
    return _one_against_the_rest(f"mnist-{digit}", train, stored["y_train"], test, stored["y_test"], digit)


def natops(gesture: int) -> Dataset:
    """One gesture (1 to 6) against the rest: its 30 training series train, the 180 test series test.

    Source: Y. Song, D. Demirdjian, R. Davis, FG 2011; UEA archive. Lists of float32 arrays (51 steps, 24 channels):
    x, y, z of hands, elbows, wrists and thumbs.

    Raises:
        DataError: There is no such gesture, or the file is missing or altered.
    """
    stored = files.arrays(files.NATOPS)
    train, test = (list(stored[part].astype(np.float32).transpose(0, 2, 1)) for part in ("x_train", "x_test"))
    kinds = [stored[part].astype(float).astype(int) for part in ("y_train", "y_test")]
    return _one_against_the_rest(f"natops-{gesture}", train, kinds[0], test, kinds[1], gesture)


def _one_against_the_rest(
    name: str,
    train: np.ndarray | list[np.ndarray],
    train_kinds: np.ndarray,
    test: np.ndarray | list[np.ndarray],
    test_kinds: np.ndarray,
    kind: int,
) -> Dataset:
    if kind not in train_kinds:
        there = ", ".join(str(other) for other in np.unique(train_kinds))
        raise DataError(f"There is no {name}; choose of {there}.")
    mine = [record for record, other in zip(train, train_kinds, strict=True) if other == kind]
    ordinary = mine if isinstance(train, list) else np.stack(mine)
    return Dataset(name, ordinary, test, test_kinds != kind, test_kinds.astype(str))


def shuffled_in_time(data: Dataset, seed: int) -> Dataset:
    """The same series, the steps of each in an order of its own: what is learned from order is lost."""
    rng = np.random.default_rng([seed, 3])
    train, test = ([series[rng.permutation(len(series))] for series in part] for part in (data.train, data.test))
    return replace(data, name=f"{data.name}, time shuffled", train=train, test=test)
