"""What learns from labels in a benchmark: this package's classifiers, and those of other libraries as references."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa

from unwonted.bench.matrix import Matrix
from unwonted.datasets.labelled import UNKNOWN

__all__ = ["BASELINES", "OPTIMISERS", "Learner", "Taught", "dmdn", "dmdn_literal", "one_class", "references"]


class Taught(Protocol):
    """What a benchmark asks of a classifier."""

    def fit(self, X: pa.Table, y: np.ndarray) -> Any:
        """Learns from records with labels 0, 1, and −1 where there is none."""

    def attack_probability(self, X: pa.Table) -> np.ndarray:
        """P(attack | x), or what ranks as it does, shape (n,)."""

    @property
    def facts(self) -> dict[str, Any]:
        """parameters, steps, and what else is known after a fit."""


@dataclass(frozen=True)
class Learner:
    """A named way to make a classifier.

    Attributes:
        name: As in the tables of results.
        make: Gives an unfitted one for a seed and settings; a function at the top of a module.
        settings: Of this learner; part of what makes two runs the same.
        probable: Whether what it gives are probabilities.
    """

    name: str
    make: Callable[..., Taught]
    settings: Mapping[str, Any] = field(default_factory=dict)
    probable: bool = True

    def at(self, **settings: Any) -> "Learner":
        """The same with other settings."""
        return Learner(self.name, self.make, {**self.settings, **settings}, self.probable)


class _Ours:
    """A classifier of this package."""

    def __init__(self, model: str, seed: int, **settings: Any) -> None:
        from unwonted.models import classifier_class

        self.model = classifier_class(model)(normal=0, random_state=seed, **settings)

    def fit(self, X: pa.Table, y: np.ndarray) -> Self:
        self.model.fit(X, np.where(y == UNKNOWN, np.nan, y.astype(float)))
        return self

    def attack_probability(self, X: pa.Table) -> np.ndarray:
        found: np.ndarray = self.model.predict_proba(X)[:, 1]
        return found

    @property
    def facts(self) -> dict[str, Any]:
        kept = ("parameters", "steps", "best_step", "stopped_by", "loss_variance")
        return {name: self.model.summary_[name] for name in kept} | {"history": self.model.history_}


class _OneClass:
    """A detector that learns from all training records and no label."""

    def __init__(self, model: str, seed: int, **settings: Any) -> None:
        from unwonted.models import model_class

        self.model = model_class(model)(random_state=seed, **settings)

    def fit(self, X: pa.Table, y: np.ndarray) -> Self:
        self.model.fit(X)
        return self

    def attack_probability(self, X: pa.Table) -> np.ndarray:
        return 1 - self.model.p_value(X) + 1e-9 * np.argsort(np.argsort(self.model.anomaly_score(X)))

    @property
    def facts(self) -> dict[str, Any]:
        return {name: self.model.summary_[name] for name in ("parameters", "steps", "best_step", "stopped_by")}


class _Reference:
    """A classifier of another library, on a prepared matrix, of the labelled records alone."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: pa.Table, y: np.ndarray) -> Self:
        known = np.flatnonzero(y != UNKNOWN)
        X = X.take(known)
        self.matrix = Matrix().fit(X)
        self.model.fit(self.matrix.transform(X), y[known])
        return self

    def attack_probability(self, X: pa.Table) -> np.ndarray:
        found: np.ndarray = self.model.predict_proba(self.matrix.transform(X))[:, 1]
        return found.astype(np.float64)

    @property
    def facts(self) -> dict[str, Any]:
        return {}


def _xgboost(seed: int) -> Taught:
    from xgboost import XGBClassifier

    return _Reference(XGBClassifier(n_estimators=300, max_depth=8, learning_rate=0.2, random_state=seed, n_jobs=1))


def _forest(seed: int) -> Taught:
    from sklearn.ensemble import RandomForestClassifier

    return _Reference(RandomForestClassifier(300, random_state=seed))


def _logistic(seed: int) -> Taught:
    from sklearn.linear_model import LogisticRegression

    return _Reference(LogisticRegression(max_iter=1000))


dmdn = Learner("DMDN", partial(_Ours, "dmdn"))
"""The deep mixture density network with labels."""

dmdn_literal = Learner("DMDN, Gaussians over the label", partial(_Ours, "dmdn"), {"head": "mixture"})
"""The paper's equation taken literally."""

one_class = Learner("DMDN, no labels", partial(_OneClass, "dmdn"), probable=False)
"""The detector, which learns from all training records."""

BASELINES = [
    Learner("Transformer encoder", partial(_Ours, "transformer")),
    Learner("Temporal CNN", partial(_Ours, "tcn")),
    Learner("GRU with attention", partial(_Ours, "gru")),
    Learner("ResNet1D", partial(_Ours, "resnet1d")),
]
"""The paper's four baselines."""

references = [
    Learner("XGBoost", _xgboost),
    Learner("Random forest", _forest),
    Learner("Logistic regression", _logistic),
]
"""What anyone would try first: 300 trees of depth 8 at a rate of 0.2; 300 trees; the line."""

OPTIMISERS = {"SGD": "sgd", "RMSProp": "rmsprop", "Adam": "adam", "AdamW": "adamw", "AdaBelief": "adabelief"}
"""The optimisers by the paper's names."""
