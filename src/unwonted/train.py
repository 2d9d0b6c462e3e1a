"""The one training loop: batches, steps, validation, early stopping, best weights, history, progress."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Generator, Tensor, nn

from unwonted.batch import Batch
from unwonted.errors import DataError, TrainingError, check_choice
from unwonted.optim import OPTIMISERS, Descent

__all__ = ["History", "Learn", "Plan", "Progress", "Trainable", "mean_loss", "steps_for", "train"]

WARM_UP = 0.05
AVERAGED_OVER = 5  # one part of so many of the steps so far
CLIP_NORM = 1.0
CHUNK = 1024


class Trainable(Protocol):
    """What the loop needs of a model."""

    def loss(self, batch: Any, generator: Generator) -> Tensor:
        """Loss of each record, shape (n,); random draws come from the generator."""

    def culprit(self, batch: Any) -> str:
        """Where in the batch a loss that is not finite comes from, in words."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train; bounded in steps, so that the same seed gives the same weights.

    An epoch is `steps / epochs` steps; validation follows each. Training ends early after `patience` epochs
    without a better validation loss; at `stop` steps, if given, without a change of the schedule. The rate is that of
    AdamW; `by` takes another optimiser, at its usual rate in proportion.

    Where weights are `averaged`, those that are validated and kept are a running mean of the weights over about the
    last fifth of the steps so far, and the rate does not fall.
    """

    steps: int
    batch: int
    epochs: int = 30
    rate: float = 2e-3
    decay: float = 1e-4
    patience: int = 10
    stop: int = 0
    optimiser: str = "adamw"
    averaged: bool = False

    def by(self, optimiser: str, rate: float | None) -> "Plan":
        """The same plan with another optimiser, at this rate or, if None, at the usual one.

        Raises:
            DataError: there is no such optimiser, or the rate is not above 0.
        """
        check_choice("optimiser", optimiser, OPTIMISERS)
        if rate is not None and not rate > 0:
            raise DataError(f"learning_rate={rate} is not above 0; give a positive number, or None for the usual one")
        usual = self.rate * OPTIMISERS[optimiser].scale
        return replace(self, optimiser=optimiser, rate=usual if rate is None else rate)

    def cut_to(self, steps: int) -> "Plan":
        """The same schedule, ended after so many steps."""
        return replace(self, stop=min(steps, self.stop or self.steps))


def steps_for(rows: int, times: float, fewest: int, most: int) -> int:
    """So many times the square root of the number of training records, between the fewest and the most.

    >>> steps_for(100, 40, fewest=200, most=4000), steps_for(10, 40, 200, 4000), steps_for(10**6, 40, 200, 4000)
    (400, 200, 4000)
    """
    return min(max(int(times * math.sqrt(rows)), fewest), most)


@dataclass(frozen=True)
class Progress:
    """Where training stands: steps done of those planned, seconds since the start, last validation loss.

    Where a fit takes several trainings, of folds or anew from all records, it is number `training` of `trainings`.
    """

    step: int
    steps: int
    seconds: float
    validation: float
    training: int = 1
    trainings: int = 1


@dataclass
class History:
    """Training and validation loss of each epoch, and how training ended: steps, patience or max_time.

    `loss_variance` is that of the training loss from step to step, over the last half of them.
    """

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    steps: int = 0
    best_step: int = 0
    stopped_by: str = "steps"
    loss_variance: float = 0.0


Learn = Callable[[Trainable, Any, Any, Plan], History]
"""Trains a model on records, stopped by held-out ones, by a plan: `train` with the rest of its arguments settled."""


def train(
    model: Trainable,
    training: Batch,
    validation: Batch,
    plan: Plan,
    *,
    seed: int,
    deadline: float = math.inf,
    report: Callable[[Progress], None] = lambda progress: None,
) -> History:
    """Minimises the mean loss of the training records and leaves the best weights in the model.

    The learning rate warms up linearly and falls along a cosine; gradients are clipped to norm 1. Which weights
    are best is told by the loss of the validation records, drawn with the same random numbers every time. Averaged
    weights follow w̄ ← w̄ + 5/(t + 4) · (w − w̄) after step t, the polynomial decay of Shamir and Zhang (2013): it needs
    no time scale of its own.

    Args:
        model: A module with `loss` and `culprit`; its weights are changed in place.
        training: Records to learn from.
        validation: Records to stop by; without any, the weights of the last step stay.
        plan: Steps, batch size and rates.
        seed: Of all random draws.
        deadline: `time.monotonic()` at which to stop.
        report: Called once an epoch and about ten times in between.

    Raises:
        TrainingError: if a loss is not finite; the message names the cause.
    """
    assert isinstance(model, nn.Module)
    generator = Generator().manual_seed(seed)
    model.train()
    judged = copy.deepcopy(model) if plan.averaged else model
    descent = Descent(plan.optimiser, model.parameters(), plan.decay)
    mean = descent.vector.clone()
    history, best, best_weights = History(), math.inf, None
    started, losses, order = time.monotonic(), list[Tensor](), torch.empty(0, dtype=torch.long)
    every, begun = max(1, plan.steps // plan.epochs), 0
    last = plan.stop or plan.steps
    for step in range(1, last + 1):
        if len(order) < min(plan.batch, len(training)):
            order = torch.randperm(len(training), generator=generator)
        batch, order = training[order[: plan.batch]], order[plan.batch :]
        loss = model.loss(batch, generator).mean()
        if not torch.isfinite(loss):
            raise TrainingError(f"training broke down at step {step}: {model.culprit(batch)}")
        descent.step(loss, plan.rate * _schedule(step / plan.steps, falling=not plan.averaged), CLIP_NORM)
        if plan.averaged:
            mean.lerp_(descent.vector, AVERAGED_OVER / (step - 1 + AVERAGED_OVER))
        losses.append(loss.detach())
        history.steps = step
        late = time.monotonic() > deadline
        if step % every == 0 or step == last or late:
            history.train.append(float(torch.stack(losses[begun:]).mean()))
            if plan.averaged:
                with torch.no_grad():
                    torch._foreach_copy_(list(judged.parameters()), descent.shared(mean))
            judged.eval()
            history.validation.append(mean_loss(judged, validation, seed=seed + 1, chunk=max(plan.batch, CHUNK)))
            model.train()
            begun = len(losses)
            if not len(validation) or history.validation[-1] < best:
                best, history.best_step = history.validation[-1], step
                best_weights = {name: value.clone() for name, value in judged.state_dict().items()}
        if step % max(1, every // 10) == 0:
            latest = history.validation[-1] if history.validation else math.nan
            report(Progress(step, last, time.monotonic() - started, latest))
        if late:
            history.stopped_by = "max_time"
            break
        if step - history.best_step > plan.patience * every:
            history.stopped_by = "patience"
            break
    if best_weights is not None:
        model.load_state_dict(best_weights)
    history.loss_variance = float(torch.stack(losses[len(losses) // 2 :]).double().var(correction=0)) if losses else 0.0
    return history


def _schedule(done: float, falling: bool) -> float:
    """Share of the full learning rate, from the share of steps done."""
    return min(done / WARM_UP, 0.5 * (1 + math.cos(math.pi * done)) if falling else 1.0)


@torch.no_grad()
def mean_loss(model: Trainable, records: Batch, *, seed: int, chunk: int = CHUNK) -> float:
    """Mean loss of records, so many at a time, with random draws of this seed; NaN without records."""
    if not len(records):
        return math.nan
    generator = Generator().manual_seed(seed)
    return float(torch.cat([model.loss(part, generator) for part in records.chunks(chunk)]).mean())
