"""Small data sets and quick methods in the place of the benchmarks' own."""

import os
import signal
import time
import warnings
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from unwonted.bench.matrix import Flat, Matrix
from unwonted.bench.peers import Method, Peer
from unwonted.datasets import Dataset, Records


def tiny(seed: int) -> Dataset:
    """Ordinary records around 0, anomalies far out in one number and with another action."""
    rng = np.random.default_rng(seed)

    def part(shift: np.ndarray) -> pa.Table:
        bytes_out = rng.normal(0, 1, len(shift)) + 6 * shift
        copies = shift & (rng.random(len(shift)) < 0.5)
        action = np.where(copies, "copy", rng.choice(["read", "write"], len(shift)))
        return pa.table({"bytes": bytes_out, "action": action})

    is_anomaly = np.arange(150) % 3 == 0
    kinds = np.where(is_anomaly, np.where(np.arange(150) % 2, "leak", "scan"), "normal")
    return Dataset("tiny", part(np.zeros(200, bool)), part(is_anomaly), is_anomaly, kinds)


def permuted(seed: int) -> Dataset:
    """The same records, the labels in another order."""
    data = tiny(seed)
    order = np.random.default_rng(99).permutation(len(data.is_anomaly))
    return Dataset("tiny", data.train, data.test, data.is_anomaly[order], None)


class Norm:
    """Distance from the mean of the first column; its threshold is the largest that it saw in training."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, X: pa.Table) -> Self:
        self.mean = float(np.mean(X["bytes"].to_numpy()))
        self.offset_ = -float(self.anomaly_score(X).max())
        return self

    def anomaly_score(self, X: pa.Table) -> np.ndarray:
        return np.abs(X["bytes"].to_numpy() - self.mean)


class Learner(Norm):
    """The same with an untrained twin, which measures from 3, not from the mean that it would learn."""

    learns = True

    def fit(self, X: pa.Table) -> Self:
        super().fit(X)
        self.mean = self.mean if self.learns else 3.0
        return self

    def untrained(self) -> "Learner":
        twin = Learner(self.seed)
        twin.learns = False
        return twin

    def objective(self, X: pa.Table) -> float:
        return float(self.anomaly_score(X).mean())


class Threads(Norm):
    """Scores with the number of threads that its process was given, to tell it to the test."""

    def anomaly_score(self, X: pa.Table) -> np.ndarray:
        return super().anomaly_score(X) * 0 + float(os.environ["OMP_NUM_THREADS"])


class Broken(Norm):
    """Fails to fit."""

    def fit(self, X: pa.Table) -> Self:
        raise RuntimeError("did not converge")


class Crash(Norm):
    """Kills its own process, as the kernel does where memory runs out."""

    def fit(self, X: pa.Table) -> Self:
        os.kill(os.getpid(), signal.SIGKILL)
        return self


class Hang(Norm):
    """Never ends."""

    def fit(self, X: pa.Table) -> Self:
        time.sleep(600)
        return self


class Loud(Norm):
    """Prints and warns."""

    def fit(self, X: pa.Table) -> Self:
        print("loud")  # noqa: T201
        warnings.warn("loud", stacklevel=1)
        return super().fit(X)


NORM, BROKEN = Method("norm", Norm), Method("broken", Broken)
LEARNER = Method("learner", Learner, untrained=True)


def images(order: bool, seed: int) -> Dataset:
    """Grey images, the anomalies with a bright corner; with `order`, the same with labels in another order."""
    rng = np.random.default_rng(seed)
    train, test = rng.normal(0, 1, (60, 6, 6)), rng.normal(0, 1, (40, 6, 6))
    is_anomaly = np.arange(40) % 2 == 0
    test[is_anomaly, :3, :3] += 4
    return Dataset("images", train, test, rng.permutation(is_anomaly) if order else is_anomaly)


def series(order: bool, seed: int) -> Dataset:
    """The same as series of six steps with six channels."""
    data = images(order, seed)
    return Dataset("series", list(data.train), list(data.test), data.is_anomaly)


class Counted(Norm):
    """Leaves a mark in a file whenever it is fitted."""

    def __init__(self, file: Path, seed: int) -> None:
        super().__init__(seed)
        self.file = file

    def fit(self, X: pa.Table) -> Self:
        with self.file.open("a") as file:
            file.write(f"{self.seed} ")
        return super().fit(X)


class Hog(Norm):
    """Holds 300 MB for a moment."""

    def fit(self, X: pa.Table) -> Self:
        assert np.ones(300 * 2**17).sum() > 0
        return super().fit(X)


class Naive(Peer):
    """A small forest in the place of our detector."""

    def __init__(self, seed: int) -> None:
        from sklearn.ensemble import IsolationForest

        super().__init__(IsolationForest(n_estimators=50, contamination=0.05, random_state=seed))


NAIVE = Method("naive", Naive)


class Pixels:
    """Distance of a record's numbers from their training means; untrained, from 1. Takes tables and arrays."""

    learns = True

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, X: Records) -> Self:
        self.matrix = (Matrix() if isinstance(X, pa.Table) else Flat()).fit(X)
        self.centre = self.matrix.transform(X).mean(0) if self.learns else np.ones(1)
        self.offset_ = -float(self.anomaly_score(X).max())
        return self

    def anomaly_score(self, X: Records) -> np.ndarray:
        return np.linalg.norm(self.matrix.transform(X) - self.centre, axis=1)

    def untrained(self) -> "Pixels":
        twin = Pixels(self.seed)
        twin.learns = False
        return twin

    def objective(self, X: Records) -> float:
        return float(self.anomaly_score(X).mean())
