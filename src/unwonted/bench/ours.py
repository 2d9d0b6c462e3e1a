"""The methods of this package, as benchmarks run them: with defaults, or as a paper has them."""

from functools import partial
from typing import Literal

from unwonted.bench.peers import ALERT_RATE, Method, Scorer

__all__ = ["DEFAULT", "DMDN", "FEW_KEPT", "dagmm", "dsebm", "methods"]

Preset = Literal["kddcup", "thyroid", "arrhythmia"]
Variant = Literal["joint", "staged", "density", "projection"]
Criterion = Literal["energy", "reconstruction"]


def _unwonted(seed: int, **params: int) -> Scorer:
    from unwonted.models import default_detector

    return default_detector(alert_rate=ALERT_RATE, random_state=seed, **params)


def _dmdn(seed: int) -> Scorer:
    from unwonted.models.dmdn import DMDN

    return DMDN(alert_rate=ALERT_RATE, random_state=seed)


def _dagmm(preset: Preset | None, variant: Variant, seed: int) -> Scorer:
    from unwonted.models.dagmm import DAGMM

    return DAGMM(preset=preset, variant=variant, alert_rate=ALERT_RATE, random_state=seed)


def _dsebm(criterion: Criterion, seed: int) -> Scorer:
    from unwonted.models.dsebm import DSEBM

    return DSEBM(criterion=criterion, alert_rate=ALERT_RATE, random_state=seed)


DEFAULT = Method("unwonted", _unwonted)
"""What people get who choose no model."""

FEW_KEPT = Method("unwonted, memory=64", partial(_unwonted, memory=64))
"""The same where training is not clean: clusters of anomalies hide from a search among all, less from one among few."""

DMDN = Method("DMDN", _dmdn)
"""The deep mixture density network."""


def dagmm(preset: Preset | None = None, variant: Variant = "joint") -> Method:
    """The deep autoencoding Gaussian mixture, of sizes that follow the table or of the paper's."""
    names = ["DAGMM", *(["paper's sizes"] if preset else []), *([variant] if variant != "joint" else [])]
    return Method(", ".join(names), partial(_dagmm, preset, variant), untrained=True)


def dsebm(criterion: Criterion = "energy") -> Method:
    """The deep structured energy-based model, scored by energy (DSEBM-e) or reconstruction error (DSEBM-r)."""
    return Method(f"DSEBM-{criterion[0]}", partial(_dsebm, criterion), untrained=True)


def methods() -> list[Method]:
    """Every detector of this package with defaults, and the default one for training records that are not clean."""
    return [DEFAULT, FEW_KEPT, DMDN, dagmm(), dsebm("energy"), dsebm("reconstruction")]
