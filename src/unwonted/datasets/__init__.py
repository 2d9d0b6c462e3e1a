"""Data sets for experiments: the publishers' files, checked by hash, as one-class problems; a demo log."""

from unwonted.datasets.files import ADBENCH, EMBEDDINGS, data_folder
from unwonted.datasets.grids import mnist, natops, shuffled_in_time
from unwonted.datasets.problem import LABELS, Dataset, Records, contaminated
from unwonted.datasets.tables import (
    UNSW_TTL,
    adbench,
    arrhythmia,
    kddcup,
    nsl_kdd,
    online_shoppers,
    thyroid,
    unsw_oneclass,
)
from unwonted.office import MISUSE, ORDINARY, office_log

__all__ = [
    "ADBENCH",
    "EMBEDDINGS",
    "LABELS",
    "MISUSE",
    "ORDINARY",
    "UNSW_TTL",
    "Dataset",
    "Records",
    "adbench",
    "arrhythmia",
    "contaminated",
    "data_folder",
    "kddcup",
    "mnist",
    "natops",
    "nsl_kdd",
    "office_log",
    "online_shoppers",
    "shuffled_in_time",
    "thyroid",
    "unsw_oneclass",
]
