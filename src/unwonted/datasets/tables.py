"""Tables as one-class problems: UNSW-NB15, KDD 99, NSL-KDD, thyroid, arrhythmia, ADBench, online shoppers."""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unwonted.datasets import files
from unwonted.datasets.problem import Dataset, half_of_all, half_of_ordinary
from unwonted.errors import DataError

__all__ = ["UNSW_TTL", "adbench", "arrhythmia", "kddcup", "nsl_kdd", "online_shoppers", "thyroid", "unsw_oneclass"]

UNSW_TTL = ("sttl", "dttl", "ct_state_ttl")
"""UNSW-NB15's columns that betray the traffic generator; the benchmark has a row without them."""


def unsw_oneclass() -> Dataset:
    """UNSW-NB15, official one-class split: 56,000 normal flows train; the official test part tests.

    Source: N. Moustafa, J. Slay, MilCIS 2015. 42 inputs; `categories` are the publisher's attack categories.
    """
    train = files.table(files.UNSW_TRAIN)
    test = files.table(files.UNSW_TEST)
    answers = ["attack_cat", "label"]
    is_anomaly = test["label"].to_numpy() == 1
    categories = np.array([str(kind).strip() for kind in test["attack_cat"].to_pylist()])
    return Dataset("unsw-nb15", train.drop_columns(answers), test.drop_columns(answers), is_anomaly, categories)


def nsl_kdd(seed: int = 0) -> Dataset:
    """NSL-KDD's training file: half of its normal connections train, the rest and all attacks are the test.

    Source: M. Tavallaee et al., CISDA 2009. `difficulty`, made from the labels, is dropped with them.
    """
    records = files.table(files.NSL_KDD)
    categories = np.array(records["label"].to_pylist())
    inputs = records.drop_columns(["label", "difficulty"])
    return half_of_ordinary("nsl-kdd", inputs, categories != "normal", seed, categories)


def online_shoppers(seed: int = 0) -> Dataset:
    """Sessions of a web shop: those that end in a purchase (`Revenue` TRUE) count as the anomalies.

    Source: C. O. Sakar et al., Neural Computing and Applications, 2019. Buying is rare, not wrong.
    """
    records = files.table(files.SHOPPERS)
    is_anomaly = pc.equal(records["Revenue"], "TRUE").to_numpy()
    return half_of_ordinary("online-shoppers", records.drop_columns(["Revenue"]), is_anomaly, seed)


def kddcup(seed: int = 0, anomalies: Literal["normal", "attacks"] = "normal") -> Dataset:
    """KDD Cup 1999, the 10 % file, in the DAGMM paper's protocol (see `half_of_all`).

    Source: S. Stolfo et al., KDD Cup 1999, doi:10.24432/C51C7N. 494,021 connections, 41 inputs.

    Args:
        seed: Draws the half that trains.
        anomalies: "normal" as the papers have it: the normal connections, a fifth of the file, are the rare class.
            "attacks" is the other way round, and 80 % of the test are anomalies.
    """
    records = files.table(files.KDDCUP)
    is_normal = pc.equal(records["label"], "normal.").to_numpy()
    is_anomaly = is_normal if anomalies == "normal" else ~is_normal
    name = "kddcup" if anomalies == "normal" else "kddcup-attacks"
    return half_of_all(name, records.drop_columns(["label"]), is_anomaly, seed)


def thyroid(seed: int = 0) -> Dataset:
    """ADBench's `38_thyroid` in the DAGMM paper's protocol: 3,772 records, 93 anomalies, 6 inputs."""
    inputs, is_anomaly = _numeric(f"adbench/classical/{files.ADBENCH[38]}.npz")
    return half_of_all("thyroid", inputs, is_anomaly, seed)


def arrhythmia(seed: int = 0) -> Dataset:
    """ODDS arrhythmia in the DAGMM paper's protocol: 452 records, 66 anomalies, 274 inputs.

    Source: H. A. Guvenir et al., UCI, 1997; S. Rayana, ODDS Library, 2016.
    """
    inputs, is_anomaly = _numeric(files.ARRHYTHMIA)
    return half_of_all("arrhythmia", inputs, is_anomaly, seed)


def adbench(which: int | str, seed: int = 0) -> Dataset:
    """One of ADBench's 28 classical tables or 14 sets of embeddings, all columns numeric (`x0`, `x1`, …).

    Source: S. Han et al., NeurIPS 2022.

    Args:
        which: The table's number (38), its name ("thyroid") or both ("38_thyroid"); the name of `EMBEDDINGS`.
        seed: Draws the half of the ordinary rows that trains.

    Raises:
        DataError: There is no such table, or its file is missing or altered.
    """
    names = {key: name for number, name in files.ADBENCH.items() for key in (str(number), name, name.split("_", 1)[1])}
    name = names.get(str(which), str(which))
    folder = "embeddings" if name in files.EMBEDDINGS else "classical"
    if name not in (*files.ADBENCH.values(), *files.EMBEDDINGS):
        there = ", ".join((*files.ADBENCH.values(), *files.EMBEDDINGS))
        raise DataError(f"There is no ADBench table {which!r}; there are {there}.")
    inputs, is_anomaly = _numeric(f"adbench/{folder}/{name}.npz")
    return half_of_ordinary(name, inputs, is_anomaly, seed)


def _numeric(path: str) -> tuple[pa.Table, np.ndarray]:
    """The table x0, x1, … of a file's `X`, and whether its `y` is 1."""
    stored = files.arrays(path)
    values = stored["X"].astype(np.float64)
    return pa.table({f"x{j}": values[:, j] for j in range(values.shape[1])}), stored["y"].astype(int) == 1
