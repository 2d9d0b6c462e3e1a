"""Checks that training teaches: held-out loss and the telling of strange records, trained against untrained."""

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from unwonted.checks.records import labelled_records, ordinary_records, strange_records
from unwonted.checks.subject import Subject
from unwonted.models.base import ColumnModel

__all__ = ["check_gradients", "check_labels_are_learnt", "check_training_helps"]

Floats = NDArray[np.float64]

SEEDS = 3
LEAST_GAIN = 0.03


def check_gradients(subject: Subject) -> None:
    """Every parameter of the model receives a gradient."""
    detector = subject.fitted
    model = detector._model(detector.encoder_, detector.summary_["train"], 0)
    model.loss(subject.batch(detector), torch.Generator().manual_seed(0)).mean().backward()
    for name, weights in model.named_parameters():
        reached = weights.grad is not None and bool(torch.isfinite(weights.grad).all() and weights.grad.any())
        assert reached, f"no gradient reaches the parameter {name}"


def check_training_helps(subject: Subject) -> None:
    """Trained beats untrained, in the loss of held-out records and in telling strange ones, over seeds.

    Where a score is a sum over columns, strange ones are told by the surprises alone: what else it rests on may need
    no training. The untrained model has all that it remembers of the training records, and so what it can do.
    """
    held_out, strange = ordinary_records(300, seed=3), strange_records(150, seed=4)
    truth = np.repeat([0, 1], [held_out.num_rows, strange.num_rows])
    losses: list[float] = []
    aurocs: list[float] = []
    for seed in range(SEEDS):
        for each in (subject.make(seed).untrained().fit(subject.records), subject.fitted_by(seed)):
            losses.append(each.objective(held_out))
            scores = [_learnt(each, records) for records in (held_out, strange)]
            aurocs.append(roc_auc_score(truth, np.concatenate(scores)))
    before, after = np.reshape(losses, (SEEDS, 2)).T
    spread = max(before.std(ddof=1), after.std(ddof=1))
    assert before.mean() - after.mean() > 3 * spread, (
        f"training lowers the held-out loss from {before.mean():.3f} to {after.mean():.3f} only, "
        f"with a standard deviation over seeds of {spread:.3f}"
    )
    was, now = np.reshape(aurocs, (SEEDS, 2)).mean(0)
    assert now > was + LEAST_GAIN, f"training raises the AUROC from {was:.3f} to {now:.3f} only"


def _learnt(detector: Any, records: pa.Table) -> Floats:
    evidence = detector._evidence(detector._encoded(records))
    model = detector.model_
    found: Floats = evidence[..., 0].sum(1) if isinstance(model, ColumnModel) else model.score(evidence)
    return found


def check_labels_are_learnt(subject: Subject) -> None:
    """Trained beats untrained on held-out records, in loss and accuracy, over seeds; shuffled labels teach nothing."""
    held_out = labelled_records(240, seed=7)
    truth = np.array(held_out["outcome"].to_pylist())
    losses: list[float] = []
    right: list[float] = []
    for seed in range(SEEDS):
        for each in (subject.fit(subject.make(seed).untrained(), subject.records), subject.fitted_by(seed)):
            losses.append(each.objective(held_out, held_out["outcome"]))
            right.append(float(np.mean(each.predict(held_out) == truth)))
    before, after = np.reshape(losses, (SEEDS, 2)).T
    assert before.mean() - after.mean() > 3 * max(before.std(ddof=1), after.std(ddof=1)), (
        f"training lowers the held-out loss from {before.mean():.3f} to {after.mean():.3f} only"
    )
    was, now = np.reshape(right, (SEEDS, 2)).mean(0)
    assert now > max(was, float(np.mean(truth == "usual"))) + LEAST_GAIN, f"accuracy is {now:.3f}, untrained {was:.3f}"
    outcome = subject.records["outcome"].take(np.random.default_rng(0).permutation(subject.records.num_rows))
    place = subject.records.column_names.index("outcome")
    fooled = subject.fit(subject.make(), subject.records.set_column(place, "outcome", outcome))
    shuffled = float(np.mean(fooled.predict(held_out) == truth))
    assert shuffled < now - LEAST_GAIN, f"labels in another order teach as much ({shuffled:.3f})"
