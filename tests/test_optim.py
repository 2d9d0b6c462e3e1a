"""Optimisers: step by step against other implementations; each of them learns; bad names are refused."""

import math
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import pytorch_optimizer
import torch
from torch import nn

from conftest import behaviour
from unwonted import DAGMM, DMDN, DSEBM, DataError, fitting
from unwonted.models import MODELS, model_class
from unwonted.optim import OPTIMISERS, Descent, adabelief


def noisy_loss(a: torch.Tensor, b: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The height of a bent valley with noise on its slope."""
    height = (a.square() * torch.tensor([1.0, 30.0])).sum() + (b - 3).pow(4).sum() + (a * b).sum()
    return height + (a * torch.randn(2, generator=generator)).sum()


def start() -> list[nn.Parameter]:
    return [nn.Parameter(torch.tensor([2.0, -1.0], dtype=torch.float64)), nn.Parameter(torch.zeros(1).double())]


def steps_of_theirs(optimiser: torch.optim.Optimizer, weights: list[nn.Parameter], steps: int) -> list[list[float]]:
    """The weights after each step of an optimiser of another library."""
    generator, path = torch.Generator().manual_seed(0), []
    for _ in range(steps):
        optimiser.zero_grad()
        noisy_loss(*weights, generator).backward()
        optimiser.step()
        path.append([*weights[0].tolist(), *weights[1].tolist()])
    return path


def steps_of_ours(name: str, steps: int, rate: float, decay: float) -> list[list[float]]:
    weights = start()
    descent, generator, path = Descent(name, weights, decay), torch.Generator().manual_seed(0), []
    for _ in range(steps):
        descent.step(noisy_loss(*weights, generator), rate, largest_norm=math.inf)
        path.append([*weights[0].tolist(), *weights[1].tolist()])
    return path


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_adabelief_takes_the_steps_of_another_implementation(
    decay: float, betas: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = start()
    other = pytorch_optimizer.AdaBelief(
        theirs, lr=0.03, betas=betas, eps=1e-8, weight_decay=decay,
        weight_decouple=True, fixed_decay=False, rectify=False, ams_bound=False,
    )  # fmt: skip
    by_such_betas = partial(adabelief, betas=betas, epsilon=1e-8)
    monkeypatch.setitem(OPTIMISERS, "adabelief", OPTIMISERS["adabelief"]._replace(move=by_such_betas))
    path = steps_of_ours("adabelief", 60, 0.03, decay)
    np.testing.assert_allclose(path, steps_of_theirs(other, theirs, 60), rtol=1e-10)
    adam = start()
    away = steps_of_theirs(torch.optim.AdamW(adam, 0.03, betas, 1e-8, decay), adam, 60)
    assert np.abs(np.array(path) - away).max() > 1e-2  # so that Adam would not pass


THEIRS = {
    "sgd": partial(torch.optim.SGD, momentum=0.9),
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", THEIRS)
def test_the_others_take_the_steps_of_the_classes_of_torch(name: str, decay: float) -> None:
    theirs = start()
    wanted = steps_of_theirs(THEIRS[name](theirs, lr=0.003, weight_decay=decay), theirs, 60)
    np.testing.assert_allclose(steps_of_ours(name, 60, 0.003, decay), wanted, rtol=1e-10)


def test_a_gradient_is_cut_as_one_vector_and_never_made_longer() -> None:
    weights = [nn.Parameter(torch.zeros(1, 2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.ones(1))]

    def moved_by(slope: float) -> list[float]:
        before = torch.cat([weight.detach().flatten() for weight in weights])
        of_two = slope * (weights[0] * torch.tensor([2.0, 4.0])).sum() + slope * 4 * weights[1].sum()
        Descent("sgd", weights, decay=0.0).step(of_two, rate=1.0, largest_norm=1.0)
        return (torch.cat([weight.detach().flatten() for weight in weights]) - before).tolist()

    assert moved_by(100.0) == pytest.approx([-1 / 3, -2 / 3, -2 / 3, 0.0], rel=1e-5)
    assert moved_by(0.01) == pytest.approx([-0.02, -0.04, -0.04, 0.0], rel=1e-5)


def test_training_does_not_load_the_compiler_of_torch() -> None:
    program = (
        "import sys, numpy as np; from unwonted import default_detector;"
        "X = np.random.default_rng(0).normal(size=(40, 2));"
        "default_detector(random_state=0, max_time=0.01).fit(X);"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_finds_the_bottom_of_a_bowl(name: str) -> None:
    weights = nn.Parameter(torch.tensor([3.0, -2.0]))
    descent = Descent(name, [weights], 0.0)
    for _ in range(600):
        descent.step((weights - torch.tensor([1.0, 1.0])).square().sum(), 0.02, math.inf)
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
