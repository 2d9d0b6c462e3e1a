"""The peers: PyOD's detectors with PyOD's defaults, as ADBench's users run them."""

from functools import partial
from importlib import import_module
from inspect import signature

from unwonted.bench.peers import ALERT_RATE, Method, Peer

__all__ = ["PYOD", "every", "ocsvm", "pyod"]

PYOD = {
    "kNN": "knn.KNN",
    "LOF": "lof.LOF",
    "CBLOF": "cblof.CBLOF",
    "OCSVM": "ocsvm.OCSVM",
    "IForest": "iforest.IForest",
    "ECOD": "ecod.ECOD",
    "COPOD": "copod.COPOD",
    "HBOS": "hbos.HBOS",
    "PCA": "pca.PCA",
    "GMM": "gmm.GMM",
    "KDE": "kde.KDE",
    "INNE": "inne.INNE",
    "LUNAR": "lunar.LUNAR",
    "DIF": "dif.DIF",
    "AutoEncoder": "auto_encoder.AutoEncoder",
    "VAE": "vae.VAE",
    "DeepSVDD": "deep_svdd.DeepSVDD",
}
"""Module and class by name.

ECOD and COPOD rank test records together with the training records: a score of theirs depends on the other records of
the test. The networks and PCA standardise their standardised inputs again; LUNAR and DIF bring them to 0 … 1.
"""

_SEEDED = {"CBLOF", "IForest", "INNE", "LUNAR", "DIF", "AutoEncoder", "VAE", "DeepSVDD"}
_NETWORKS = {"LUNAR", "DIF", "AutoEncoder", "VAE", "DeepSVDD"}
_LIBRARIES = ("numpy", "pyod", "scikit-learn", "scipy")


def _pyod(path: str, log: bool, most: int | None, seed: int) -> Peer:
    module, name = path.split(".")
    kind = getattr(import_module(f"pyod.models.{module}"), name)
    # The rate sets the threshold alone; the number of features is what it is once there are data.
    ours = {"contamination": ALERT_RATE, "random_state": seed, "verbose": 0, "n_features": 1}
    asked = signature(kind).parameters
    return Peer(kind(**{key: value for key, value in ours.items() if key in asked}), log, most, seed)


def pyod(name: str, log: bool = False, most: int | None = None) -> Method:
    """One of `PYOD` with its defaults.

    Args:
        name: As in `PYOD`.
        log: Numbers enter as their logarithm; the method's name says so.
        most: Training records to use at most, drawn by the seed; None for all.
    """
    libraries = (*_LIBRARIES, "torch") if name in _NETWORKS else _LIBRARIES
    seeded = name in _SEEDED or most is not None
    return Method(
        f"{name}, log inputs" if log else name, partial(_pyod, PYOD[name], log, most), seeded, libraries=libraries
    )


def every() -> list[Method]:
    """All of `PYOD`."""
    return [pyod(name) for name in PYOD]


def _ocsvm(most: int | None, seed: int) -> Peer:
    from pyod.models.ocsvm import OCSVM

    return Peer(OCSVM(nu=ALERT_RATE, contamination=ALERT_RATE), most=most, seed=seed)


def ocsvm(most: int | None = None) -> Method:
    """One-class SVM of scikit-learn, Gaussian kernel, ν the alert rate, on at most so many training records.

    By way of PyOD, whose threshold is a quantile of training scores: the SVM's own lies on records at the margin, of
    which tables with many equal records have many, and rounding then decides.
    """
    return Method("OC-SVM", partial(_ocsvm, most), seeded=most is not None, libraries=_LIBRARIES)
