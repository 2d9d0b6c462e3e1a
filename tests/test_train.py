"""The training loop: best weights kept, early stopping, limits, history, and failures with a name."""

import math
import time

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn

from unwonted.encode import Encoded
from unwonted.errors import TrainingError
from unwonted.train import Plan, Progress, train


def numbers(*values: float) -> Encoded:
    column = torch.tensor(values, dtype=torch.float32).reshape(-1, 1)
    return Encoded(torch.zeros_like(column, dtype=torch.long), column, torch.zeros_like(column), column)


class Mean(nn.Module):
    """A Gaussian's mean, to be learned; counts the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(()))
        self.batches: list[list[float]] = []
        self.modes: list[tuple[bool, bool]] = []

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        self.modes.append((torch.is_grad_enabled(), self.training))
        if torch.is_grad_enabled():
            self.batches.append(sorted(batch.values[:, 0].tolist()))
        return (batch.values[:, 0] - self.mean).square() / 2

    def culprit(self, batch: Encoded) -> str:
        return "the loss of column 'x' is not finite"


def test_it_learns_the_mean_and_tells_its_history() -> None:
    model = Mean()
    history = train(model, numbers(*[3.0] * 64), numbers(*[3.0] * 8), Plan(600, 16, epochs=10, rate=0.05), seed=0)
    assert model.mean.item() == pytest.approx(3, abs=0.05)
    assert len(history.train) == len(history.validation) == 10
    assert history.steps == 600
    assert history.train[0] > history.train[-1]
    assert history.validation[0] == pytest.approx(min(history.validation), abs=5)
    assert history.stopped_by == "steps"


def test_every_record_is_seen_once_before_any_is_seen_twice() -> None:
    model = Mean()
    train(model, numbers(*range(32)), numbers(1.0), Plan(8, 8, epochs=2), seed=0)
    for start in (0, 4):
        seen = sorted(x for batch in model.batches[start : start + 4] for x in batch)
        assert seen == list(range(32))
    assert model.batches[:4] != model.batches[4:]


def test_validation_records_are_never_learned_from_and_judge_without_noise() -> None:
    model = Mean()
    train(model, numbers(*range(20)), numbers(-7.0, -8.0), Plan(10, 8, epochs=5), seed=0)
    assert all(x >= 0 for batch in model.batches for x in batch)
    assert {training for grad, training in model.modes if grad} == {True}
    assert {training for grad, training in model.modes if not grad} == {False}


def test_the_best_weights_are_kept_not_the_last() -> None:
    # Training pulls the mean to 10, validation is best on the way there.
    model = Mean()
    plan = Plan(400, 8, epochs=40, rate=0.2, patience=40)
    history = train(model, numbers(*[10.0] * 32), numbers(2.0, 2.0), plan, seed=0)
    assert history.stopped_by == "steps"
    assert history.best_step < history.steps
    best = min(history.validation)
    assert (model.mean.item() - 2) ** 2 / 2 == pytest.approx(best, rel=1e-5)
    assert history.validation.index(best) == history.best_step // 10 - 1
    assert best < history.validation[-1] / 10


class Ramp(nn.Module):
    """A loss that falls at the same slope everywhere; notes the weight before each step."""

    def __init__(self) -> None:
        super().__init__()
        self.height = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.heights: list[float] = []

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        if torch.is_grad_enabled():
            self.heights.append(self.height.item())
        return -self.height.expand(len(batch)) / 2

    def culprit(self, batch: Encoded) -> str:
        return "nothing"


def test_averaged_weights_are_the_mean_of_about_the_last_fifth_at_a_rate_that_does_not_fall() -> None:
    model = Ramp()
    plan = Plan(200, 8, epochs=10, rate=0.1, decay=0, optimiser="sgd", averaged=True)
    train(model, numbers(*[0.0] * 16), numbers(0.0, 0.0), plan, seed=0)
    steps = np.diff(model.heights)
    assert steps[100] == pytest.approx(steps[-1], rel=1e-3)
    passed = np.append(model.heights[1:], model.heights[-1] + steps[-1])  # the weight after each step
    # Unrolled, the weight of step t among T is 5/(t + 4) · Π over later steps s of (s − 1)/(s + 4).
    t = np.arange(1, 201)
    shares = 5 / (t + 4) * np.array([np.prod((t[i + 1 :] - 1) / (t[i + 1 :] + 4)) for i in range(200)])
    assert shares.sum() == pytest.approx(1)
    assert model.height.item() == pytest.approx(shares @ passed, rel=1e-6)
    assert passed[140] < model.height.item() < passed[190]


def test_weights_that_are_not_averaged_come_to_rest() -> None:
    model = Ramp()
    train(model, numbers(*[0.0] * 16), numbers(0.0), Plan(200, 8, rate=0.1, decay=0, optimiser="sgd"), seed=0)
    steps = np.diff(model.heights)
    assert steps[-1] < steps[100] / 10
    assert model.height.item() >= model.heights[-1]


def test_patience_ends_it_early() -> None:
    plan = Plan(400, 8, epochs=40, rate=0.2, patience=3)
    history = train(Mean(), numbers(*[10.0] * 32), numbers(2.0, 2.0), plan, seed=0)
    assert history.stopped_by == "patience"
    assert history.steps - history.best_step in range(30, 42)
    assert len(history.train) == len(history.validation) == history.steps // 10


def test_a_deadline_ends_it_after_one_step_with_weights_that_were_judged() -> None:
    model = Mean()
    plan = Plan(1000, 8, epochs=2)
    history = train(model, numbers(*range(32)), numbers(1.0), plan, seed=0, deadline=time.monotonic() - 1)
    assert (history.stopped_by, history.steps) == ("max_time", 1)
    assert len(history.train) == len(history.validation) == 1


def test_without_validation_the_last_weights_stay() -> None:
    model = Mean()
    history = train(model, numbers(*[3.0] * 40), numbers(), Plan(200, 8, epochs=10, rate=0.05).cut_to(70), seed=0)
    assert history.steps == history.best_step == 70
    assert all(math.isnan(loss) for loss in history.validation)
    longer = Mean()
    train(longer, numbers(*[3.0] * 40), numbers(), Plan(200, 8, epochs=10, rate=0.05), seed=0)
    assert 0 < model.mean.item() < longer.mean.item()


def test_a_loss_that_is_no_number_is_named_with_its_cause() -> None:
    with pytest.raises(TrainingError, match=r"step 1: the loss of column 'x' is not finite"):
        train(Mean(), numbers(1.0, math.nan), numbers(1.0), Plan(10, 8), seed=0)


def test_weights_that_blow_up_are_named() -> None:
    from conftest import behaviour
    from unwonted import DMDN

    class Reckless(DMDN):
        def _plan(self, encoder: object, rows: int) -> Plan:
            return Plan(steps=100, batch=32, rate=1e30)

    with pytest.raises(TrainingError, match=r"training broke down at step \d+: .*(weight|column)") as caught:
        Reckless(random_state=0, width=8, depth=1).fit(behaviour(300))
    assert "\n" not in str(caught.value)


def test_ctrl_c_passes_through() -> None:
    class Interrupted(Mean):
        def loss(self, batch: Encoded, generator: Generator) -> Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(), numbers(1.0, 2.0), numbers(1.0), Plan(10, 8), seed=0)


def test_the_same_seed_takes_the_same_way() -> None:
    models = [Mean(), Mean(), Mean()]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        train(model, numbers(*range(32)), numbers(1.0), Plan(8, 8, epochs=2), seed=seed)
    assert models[0].batches == models[1].batches != models[2].batches
    assert torch.equal(models[0].mean, models[1].mean)


def test_gradients_are_clipped() -> None:
    model = Mean()
    plan = Plan(2, 8, epochs=1, rate=1e-3, decay=0, optimiser="sgd")
    train(model, numbers(*[1e18] * 8), numbers(), plan, seed=0)
    # By no more than the rate; of a gradient of 1e18 an optimiser's running scale would stay huge for long.
    assert 0 < model.mean.item() <= 1.001e-3


def test_progress_counts_up_to_the_last_step() -> None:
    told: list[Progress] = []
    train(Mean(), numbers(*range(32)), numbers(1.0), Plan(100, 8, epochs=10), seed=0, report=told.append)
    assert told[-1].step == told[-1].steps == 100
    assert [progress.step for progress in told] == sorted({progress.step for progress in told})
    assert all(progress.seconds >= 0 for progress in told)
    assert math.isfinite(told[-1].validation)
