"""Data sets for experiments: the publishers' files, checked by hash, as one-class problems; a demo log."""

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from unwonted.errors import DataError
from unwonted.office import MISUSE, ORDINARY, office_log

__all__ = [
    "ADBENCH",
    "LABELS",
    "MISUSE",
    "ORDINARY",
    "UNSW_TTL",
    "Dataset",
    "adbench",
    "data_folder",
    "nsl_kdd",
    "office_log",
    "online_shoppers",
    "unsw_oneclass",
]

LABELS = frozenset({"id", "label", "attack_cat", "difficulty", "revenue"})
"""Columns, in lower case, that give the answer away: no data set has them among its inputs."""

UNSW_TTL = ("sttl", "dttl", "ct_state_ttl")
"""UNSW-NB15's columns that betray the traffic generator; the benchmark has a row without them."""

_UNSW_TRAIN = "unsw-nb15/unsw_nb15_oneclass_train_56000.parquet"
_UNSW_TEST = "unsw-nb15/unsw_nb15_oneclass_test_82332.parquet"
_NSL_KDD = "nsl-kdd/nsl_kdd_train_plus.parquet"
_SHOPPERS = "online-shoppers/online_shoppers_intention.parquet"
_SHA256 = {
    _UNSW_TRAIN: "8de4502b4a962cc49ee05646bcf0e8325bda85af3ff4ed657c6c6757279e61bf",
    _UNSW_TEST: "4dfbde38715834ccffe6ec0f281902ab80afaec329140ca266f5c82b256eccfc",
    _NSL_KDD: "8d90e128a7ca56ac982edbb8e7cde2703197394b5740b99090d957c4aae1987b",
    _SHOPPERS: "d5dc87f9edd6a85e12955c97f2b3739752dfc04a1e7f7d6886513f8f93c940b7",
}
_ADBENCH_SHA256 = {
    "1_ALOI": "792d0b5bd1147bfc9574a1974f157b39fbd4cbed8ecd04cf983fd554498ed477",
    "2_annthyroid": "e738f7c58a8740d2c4aac4c71ff49ce5e1d1aa16f44178135fc9c09df05fad1b",
    "4_breastw": "4f37ce07dbc25ddad8178fdc6d664ab46d2d0000ee28c2787c3c7ff3c03ef9f6",
    "6_cardio": "bc5009bde6930b4d298b594f31b34485a9a17210cff0e8fb00a8c3068b885a2d",
    "7_Cardiotocography": "5ae84910430f05923e11b6f537243263977c9136949dabd891e3570aeec51e29",
    "8_celeba": "1cadfdea14cd8d240eca715a70c09c88af8621d086a7478c63f602d97adef0b5",
    "11_donors": "5824ec854465f2763b4bfe3da1ae9f25ed5433b5c6e265d42e37da4f82a58679",
    "12_fault": "ec27301f9a4cf7c5d8b22c360cf37ddb043b7fb062465723dfd8b34e2771e5dd",
    "15_Hepatitis": "4a87a2f7d8013e5bfde63294fae61ec7a612322de72f338a7f9491749025ad98",
    "16_http": "9d98710091551587f4740cfc851a6b064fff6319a337c2dc77ee6da4bcc2e02c",
    "19_landsat": "ba17e2158c07469597b89db49d3982c874c6b713ff6670721ddc88969da77987",
    "21_Lymphography": "dad977b04f4ea65b78ccd0e9f76b45175bad605165b37e63f3cc177845e67037",
    "24_mnist": "be7706272325fdd3592c1be555ae1a82f916a2f8545f4f8cbaa548ab102cc44c",
    "26_optdigits": "60de17a375a278ba220a7849727d998aa02b5e2f9fd17732a004bba28de4656e",
    "27_PageBlocks": "10a9b4d5bb5d3b9083caab4c4062f665610eada703c3d927bf7c34b1f2d0d223",
    "28_pendigits": "c4936b89dcdad59d303020e492f763a0f54170080d787c77497609acbb9c2d79",
    "30_satellite": "1f048f5686f1b8c16a227fdfa3c81a62cd9a92715714a6b24c69b1c5ad96b46e",
    "31_satimage-2": "1b056e357f801b8b20c3f380a30224a3c4088d7ed764ec5a24828dc9b1918d6f",
    "33_skin": "d02aa01ffc1b6bf2b8b1ac250c90e8a8eacd0cefc962940ed5cc4bf5deac9c95",
    "34_smtp": "d2569fc9bc12115419e3f5b37d19921e10e6c26e5ad1e61064cfb0fbc402dfdd",
    "35_SpamBase": "d0c46c7928e43f6496bcd06e09de0b70f6bc8143792dfa0a43f450263d254e9b",
    "38_thyroid": "8de161b3f235b7647bb0b39a836d983ff61d67bf234edac461da2d71e889cb87",
    "39_vertebral": "0816286f92b96fe6867664a41a031ac7228dcfbf1a5feefe50ca3883b2e9073d",
    "41_Waveform": "6c9d867337ad1a2f8372c1d27f4c032f0401237e2041b7c45f00de8d319ff30f",
    "42_WBC": "650f9dcb129248f67a291be0974f533ef259fcbde50fce5c8ad2a1cb2652d03b",
    "43_WDBC": "78d4606a1ab516f5b60b00c196497f3bbd6bd5e4548fd04cf5f2475209b34b85",
    "45_wine": "d5ad8965d92cc57122fe1e6572bb301adbaf795b3e166d187ae00a704d8f6e20",
    "46_WPBC": "68a6d67242643855713bcdad07d89ecc472bd00000dccc17ba87916eb2693d19",
}
ADBENCH = {int(name.split("_", 1)[0]): name for name in _ADBENCH_SHA256}
"""ADBench's classical tables by their number."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A one-class problem: train on ordinary rows, tell the test's anomalies from its ordinary rows.

    Attributes:
        name: For tables and messages.
        train: The training records, all ordinary; no label among the columns.
        test: The records to score, with the same columns.
        is_anomaly: For each test record whether it is one; shape (n_test,), bool.
        categories: For each test record the kind its publisher gives it, where there are kinds.

    Raises:
        DataError: A column would give the label away, train and test differ, or lengths do.
    """

    name: str
    train: pa.Table
    test: pa.Table
    is_anomaly: np.ndarray
    categories: np.ndarray | None = None

    def __post_init__(self) -> None:
        leaks = [name for name in self.train.column_names if name.lower() in LABELS]
        if leaks:
            raise DataError(f"Data set {self.name!r} has the label column {leaks[0]!r} as an input; drop it.")
        if self.train.column_names != self.test.column_names:
            raise DataError(f"The test part of data set {self.name!r} has other columns than its training part.")
        lengths = {self.test.num_rows, len(self.is_anomaly)}
        lengths |= set() if self.categories is None else {len(self.categories)}
        if len(lengths) > 1:
            raise DataError(f"Data set {self.name!r} needs one label a row for {self.test.num_rows} test rows.")

    def without(self, *columns: str) -> "Dataset":
        """The same problem with fewer columns."""
        return Dataset(
            f"{self.name} without {', '.join(columns)}",
            self.train.drop_columns(list(columns)),
            self.test.drop_columns(list(columns)),
            self.is_anomaly,
            self.categories,
        )


def data_folder() -> Path:
    """Where the publishers' files lie: `$UNWONTED_DATA`, else `../shared/data` beside the current folder."""
    return Path(os.environ.get("UNWONTED_DATA") or "../shared/data")


def _read(path: str, sha256: str) -> bytes:
    """A publisher's file, refused unless it is to the byte the one that the results were made with."""
    file = data_folder() / path
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"No data file {file}: set UNWONTED_DATA to the folder that holds {path}.") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise DataError(f"The data file {file} is not the publisher's (SHA-256 {found[:12]}…, not {sha256[:12]}…).")
    return data


def _table(path: str) -> pa.Table:
    return pq.read_table(io.BytesIO(_read(path, _SHA256[path])))


def _one_class(
    name: str, inputs: pa.Table, is_anomaly: np.ndarray, seed: int, categories: np.ndarray | None = None
) -> Dataset:
    """A random half of the ordinary rows trains; the other half and all anomalies are the test."""
    ordinary = np.random.default_rng(seed).permutation(np.flatnonzero(~is_anomaly))
    train = np.sort(ordinary[: len(ordinary) // 2])
    test = np.setdiff1d(np.arange(len(is_anomaly)), train)
    kinds = None if categories is None else categories[test]
    return Dataset(name, inputs.take(train), inputs.take(test), is_anomaly[test], kinds)


def unsw_oneclass() -> Dataset:
    """UNSW-NB15, official one-class split: 56,000 normal flows train; the official test part tests.

    Source: N. Moustafa, J. Slay, MilCIS 2015. 42 inputs; `categories` are the publisher's attack categories.
    """
    train, test = _table(_UNSW_TRAIN), _table(_UNSW_TEST)
    answers = ["attack_cat", "label"]
    is_anomaly = test["label"].to_numpy() == 1
    categories = np.array([str(kind).strip() for kind in test["attack_cat"].to_pylist()])
    return Dataset("unsw-nb15", train.drop_columns(answers), test.drop_columns(answers), is_anomaly, categories)


def nsl_kdd(seed: int = 0) -> Dataset:
    """NSL-KDD's training file: half of its normal connections train, the rest and all attacks are the test.

    Source: M. Tavallaee et al., CISDA 2009. `difficulty`, made from the labels, is dropped with them.
    """
    table = _table(_NSL_KDD)
    categories = np.array(table["label"].to_pylist())
    inputs = table.drop_columns(["label", "difficulty"])
    return _one_class("nsl-kdd", inputs, categories != "normal", seed, categories)


def online_shoppers(seed: int = 0) -> Dataset:
    """Sessions of a web shop: those that end in a purchase (`Revenue` TRUE) count as the anomalies.

    Source: C. O. Sakar et al., Neural Computing and Applications, 2019. Buying is rare, not wrong.
    """
    table = _table(_SHOPPERS)
    is_anomaly = pc.equal(table["Revenue"], "TRUE").to_numpy()
    return _one_class("online-shoppers", table.drop_columns(["Revenue"]), is_anomaly, seed)


def adbench(which: int | str, seed: int = 0) -> Dataset:
    """One of 28 classical tables of ADBench, all columns numeric (`x0`, `x1`, …).

    Source: S. Han et al., NeurIPS 2022.

    Args:
        which: The table's number (38), its name ("thyroid") or both ("38_thyroid").
        seed: Draws the half of the ordinary rows that trains.

    Raises:
        DataError: There is no such table, or its file is missing or altered.
    """
    names = {key: name for number, name in ADBENCH.items() for key in (str(number), name, name.split("_", 1)[1])}
    name = names.get(str(which))
    if name is None:
        raise DataError(f"There is no ADBench table {which!r}; there are {', '.join(ADBENCH.values())}.")
    with np.load(io.BytesIO(_read(f"adbench/classical/{name}.npz", _ADBENCH_SHA256[name]))) as arrays:
        values, is_anomaly = arrays["X"].astype(np.float64), arrays["y"].astype(int) == 1
    inputs = pa.table({f"x{j}": values[:, j] for j in range(values.shape[1])})
    return _one_class(name, inputs, is_anomaly, seed)
