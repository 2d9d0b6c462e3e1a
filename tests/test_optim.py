"""Optimisers: AdaBelief step by step against another implementation; each of them learns; bad names are refused."""

import numpy as np
import pytest
import pytorch_optimizer
import torch
from torch import nn

from conftest import behaviour
from unwonted import DAGMM, DMDN, DSEBM, DataError, fitting
from unwonted.models import MODELS, model_class
from unwonted.optim import OPTIMISERS, AdaBelief, optimiser


def steps_of(optimiser: torch.optim.Optimizer, weights: list[nn.Parameter], steps: int) -> list[list[float]]:
    """The weights after each step down noisy gradients of a bent valley."""
    generator = torch.Generator().manual_seed(0)
    path = []
    for _ in range(steps):
        optimiser.zero_grad()
        a, b = weights
        loss = (a.square() * torch.tensor([1.0, 30.0])).sum() + (b - 3).pow(4).sum() + (a * b).sum()
        (loss + (a * torch.randn(2, generator=generator)).sum()).backward()
        optimiser.step()
        path.append([*a.tolist(), *b.tolist()])
    return path


def start() -> list[nn.Parameter]:
    return [nn.Parameter(torch.tensor([2.0, -1.0], dtype=torch.float64)), nn.Parameter(torch.zeros(1).double())]


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_adabelief_takes_the_steps_of_another_implementation(decay: float, betas: tuple[float, float]) -> None:
    ours, theirs = start(), start()
    options = {"lr": 0.03, "betas": betas, "eps": 1e-8, "weight_decay": decay}
    other = pytorch_optimizer.AdaBelief(
        theirs, weight_decouple=True, fixed_decay=False, rectify=False, ams_bound=False, **options
    )
    path = steps_of(AdaBelief(ours, **options), ours, 60)
    np.testing.assert_allclose(path, steps_of(other, theirs, 60), rtol=1e-10)
    adam = start()
    away = steps_of(torch.optim.AdamW(adam, **options), adam, 60)
    assert np.abs(np.array(path) - away).max() > 1e-2  # so that Adam would not pass


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_finds_the_bottom_of_a_bowl(name: str) -> None:
    weights = nn.Parameter(torch.tensor([3.0, -2.0]))
    descent = optimiser(name, [weights], 0.02, 0.0)
    for _ in range(600):
        descent.zero_grad()
        (weights - torch.tensor([1.0, 1.0])).square().sum().backward()
        descent.step()
    assert torch.allclose(weights, torch.ones(2), atol=0.05)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_takes_an_optimiser_by_name(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "FOLDS", 3)
    losses = {}
    for name in ("adamw", "sgd", "adabelief"):
        detector = model_class(model)(optimiser=name, random_state=0).fit(behaviour(24))
        losses[name] = detector.objective(behaviour(24))
    assert all(np.isfinite(loss) for loss in losses.values())
    assert len(set(losses.values())) == len(losses)  # a name that is not passed on would give equal ones


@pytest.mark.parametrize("make", [DMDN, DAGMM, DSEBM])
def test_an_unknown_optimiser_and_a_bad_rate_are_refused_before_the_work(make: type) -> None:
    with pytest.raises(DataError, match=r"optimiser 'lion' does not exist; choose of sgd, rmsprop, adam"):
        make(optimiser="lion").fit(behaviour(40))
    with pytest.raises(DataError, match=r"learning_rate=0 is not above 0"):
        make(learning_rate=0).fit(behaviour(40))
