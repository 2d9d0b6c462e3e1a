"""The data sets of benchmarks by seed: functions at the top of a module, so that they travel to other processes."""

import numpy as np

from unwonted import datasets
from unwonted.datasets import UNSW_TTL, Dataset
from unwonted.datasets.problem import joined, some_of, take

__all__ = [
    "LIMITS",
    "all_in_one",
    "capped",
    "contaminated_kddcup",
    "digit",
    "gesture",
    "kddcup_attacks",
    "load",
    "load_unlabelled",
    "shuffled_gesture",
    "unsw",
    "unsw_without_ttl",
]

LIMITS = {"train": 10_000, "test_normal": 20_000, "test_anomalies": 5_000}
"""The most rows that `capped` leaves of each part; `all_in_one` leaves as many as there may be to train on."""


def load(name: str, seed: int) -> Dataset:
    """One-class: a development set, ADBench table or set of embeddings by name, of at most `LIMITS` rows."""
    return capped(_whole(name, seed), seed)


def load_unlabelled(name: str, seed: int) -> Dataset:
    """Unsupervised: the same sets, see `all_in_one`."""
    return all_in_one(_whole(name, seed), seed)


def _whole(name: str, seed: int) -> Dataset:
    if name == "nsl-kdd":
        return datasets.nsl_kdd(seed)
    if name == "online-shoppers":
        return datasets.online_shoppers(seed)
    return datasets.adbench(name, seed)


def all_in_one(data: Dataset, seed: int) -> Dataset:
    """All records, or a draw of them with the same share of anomalies, in random order, to train on and to score."""
    is_anomaly = np.concatenate([np.zeros(len(data.train), bool), data.is_anomaly])
    rng = np.random.default_rng([seed, 1])
    most = min(LIMITS["train"], len(is_anomaly))
    anomalies = max(1, round(most * float(is_anomaly.mean())))
    drawn = [
        some_of(np.flatnonzero(is_anomaly == kind), count, rng)
        for kind, count in ((False, most - anomalies), (True, anomalies))
    ]
    rows = rng.permutation(np.concatenate(drawn))
    records = take(joined(data.train, data.test), rows)
    return Dataset(data.name, records, records, is_anomaly[rows])


def capped(data: Dataset, seed: int) -> Dataset:
    """At most `LIMITS` rows of each part, drawn by the seed: every method can finish on every table."""
    rng = np.random.default_rng([seed, 1])
    train = some_of(np.arange(len(data.train)), LIMITS["train"], rng)
    normal = some_of(np.flatnonzero(~data.is_anomaly), LIMITS["test_normal"], rng)
    anomalies = some_of(np.flatnonzero(data.is_anomaly), LIMITS["test_anomalies"], rng)
    test = np.sort(np.concatenate([normal, anomalies]))
    kinds = None if data.categories is None else data.categories[test]
    return Dataset(data.name, take(data.train, train), take(data.test, test), data.is_anomaly[test], kinds)


def unsw(seed: int) -> Dataset:
    """The official split; it has no seed."""
    return datasets.unsw_oneclass()


def unsw_without_ttl(seed: int) -> Dataset:
    """The official split without the columns that betray the traffic generator."""
    return datasets.unsw_oneclass().without(*UNSW_TTL)


def kddcup_attacks(seed: int) -> Dataset:
    """KDD Cup 1999 with attacks as the anomalies."""
    return datasets.kddcup(seed, anomalies="attacks")


def contaminated_kddcup(share: float, seed: int) -> Dataset:
    """KDD Cup 1999 as in the papers, with so large a share of anomalies among the training records."""
    return datasets.contaminated(datasets.kddcup(seed), share, seed)


def digit(which: int, seed: int) -> Dataset:
    """One digit of MNIST against the rest; the split is the publisher's."""
    return datasets.mnist(which)


def gesture(which: int, seed: int) -> Dataset:
    """One gesture of NATOPS against the rest; the split is the publisher's."""
    return datasets.natops(which)


def shuffled_gesture(which: int, seed: int) -> Dataset:
    """The same with the steps of each series in an order of its own."""
    return datasets.shuffled_in_time(datasets.natops(which), seed)
