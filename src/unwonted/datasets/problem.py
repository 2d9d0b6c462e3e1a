"""A one-class problem: its records, truth and splits; no label is ever among the inputs."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from unwonted.errors import DataError

__all__ = [
    "LABELS",
    "Dataset",
    "Records",
    "contaminated",
    "half_of_all",
    "half_of_ordinary",
    "joined",
    "some_of",
    "take",
]

LABELS = frozenset({"id", "label", "attack_cat", "difficulty", "revenue"})
"""Columns, in lower case, that give the answer away: no data set has them among its inputs."""

Records: TypeAlias = Any
"""An Arrow table, an array of images (n, height, width), or a list of series (time, channel)."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A one-class problem: train on ordinary records, tell the test's anomalies from its ordinary records.

    Attributes:
        name: For tables and messages.
        train: The training records, all ordinary; no label among the columns.
        test: The records to score, of the same form.
        is_anomaly: For each test record whether it is one; shape (n_test,), bool.
        categories: For each test record the kind its publisher gives it, where there are kinds.
        withheld: Anomalies that fell into the training half and are in neither part; see `contaminated`.

    Raises:
        DataError: A column would give the label away, train and test differ, or lengths do.
    """

    name: str
    train: Records
    test: Records
    is_anomaly: np.ndarray
    categories: np.ndarray | None = None
    withheld: Records | None = None

    def __post_init__(self) -> None:
        form = _form(self.train)
        leaks = [name for name in form if str(name).lower() in LABELS]
        if leaks:
            raise DataError(f"Data set {self.name!r} has the label column {leaks[0]!r} as an input; drop it.")
        if any(_form(part) != form for part in (self.test, self.withheld) if part is not None):
            raise DataError(f"The test part of data set {self.name!r} has other columns than its training part.")
        lengths = {len(self.test), len(self.is_anomaly)}
        lengths |= set() if self.categories is None else {len(self.categories)}
        if len(lengths) > 1:
            raise DataError(f"Data set {self.name!r} needs one label a row for {len(self.test)} test rows.")

    @property
    def columns(self) -> int:
        """How many numbers or categories make a record."""
        return self.train.num_columns if isinstance(self.train, pa.Table) else int(np.size(self.train[0]))

    def without(self, *columns: str) -> "Dataset":
        """The same problem, of a table, with fewer columns and nothing withheld."""
        train, test = (part.drop_columns(list(columns)) for part in (self.train, self.test))
        name = f"{self.name} without {', '.join(columns)}"
        return replace(self, name=name, train=train, test=test, withheld=None)


def _form(records: Records) -> list[Any]:
    """What records of one problem share: column names, or an array's shape but for length."""
    if isinstance(records, pa.Table):
        return list(records.column_names)
    return list(np.shape(records[0])[-1:] if isinstance(records, list) else np.shape(records)[1:])


def take(records: Records, rows: np.ndarray) -> Records:
    """Some records, in the order of `rows`.

    Example:
        >>> take([[1.0], [2.0], [3.0]], np.array([2, 0]))
        [[3.0], [1.0]]
    """
    if isinstance(records, pa.Table):
        return records.take(rows)
    return [records[row] for row in rows] if isinstance(records, list) else records[rows]


def some_of(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most so many of the row numbers, drawn and in order."""
    return np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows


def joined(first: Records, second: Records) -> Records:
    """The records of both, one after the other."""
    if isinstance(first, pa.Table):
        return pa.concat_tables([first, second])
    return first + second if isinstance(first, list) else np.concatenate([first, second])


def half_of_ordinary(
    name: str, inputs: Records, is_anomaly: np.ndarray, seed: int, categories: np.ndarray | None = None
) -> Dataset:
    """A random half of the ordinary records trains; the other half and all anomalies are the test."""
    ordinary = np.random.default_rng(seed).permutation(np.flatnonzero(~is_anomaly))
    train = np.sort(ordinary[: len(ordinary) // 2])
    test = np.setdiff1d(np.arange(len(is_anomaly)), train)
    kinds = None if categories is None else categories[test]
    return Dataset(name, take(inputs, train), take(inputs, test), is_anomaly[test], kinds)


def half_of_all(name: str, inputs: Records, is_anomaly: np.ndarray, seed: int) -> Dataset:
    """The DAGMM paper's protocol: a random half of all records trains with its ordinary ones; the other half tests.

    Source: B. Zong et al., ICLR 2018. The anomalies of the training half are `withheld`.
    """
    order = np.random.default_rng(seed).permutation(len(is_anomaly))
    train, test = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    ordinary, anomalies = train[~is_anomaly[train]], train[is_anomaly[train]]
    return Dataset(name, take(inputs, ordinary), take(inputs, test), is_anomaly[test], withheld=take(inputs, anomalies))


def contaminated(data: Dataset, share: float, seed: int) -> Dataset:
    """The same problem with so many `withheld` anomalies in the training part that they are `share` of it.

    Source: B. Zong et al., ICLR 2018.

    Args:
        data: A problem with withheld anomalies.
        share: Of the training records, above 0 and below 1.
        seed: Draws the anomalies, and their places among the others.

    Raises:
        DataError: There are too few withheld anomalies.
    """
    spare = 0 if data.withheld is None else len(data.withheld)
    wanted = round(share * len(data.train) / (1 - share))
    if not 0 < wanted <= spare:
        raise DataError(
            f"A share of {share:.1%} asks for {wanted} anomalies to train on; {data.name} withholds {spare}."
        )
    rng = np.random.default_rng([seed, 2])
    mixed = joined(data.train, take(data.withheld, np.sort(rng.choice(spare, wanted, replace=False))))
    name = f"{data.name}, {share:.0%} contaminated"
    return replace(data, name=name, train=take(mixed, rng.permutation(len(mixed))), withheld=None)
