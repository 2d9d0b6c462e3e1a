"""Energies of sequences and images: independent sums, gradients, masks, growth, and toys that only structure tells."""

import math
from functools import partial
from typing import TypeVar

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from scipy.special import log_expit
from sklearn.metrics import roc_auc_score
from torch import Generator, Tensor, nn

from unwonted.energies import Energy
from unwonted.energies.convolutional import ConvolutionalEnergy
from unwonted.energies.matching import denoising_loss, gradient
from unwonted.energies.recurrent import RecurrentEnergy
from unwonted.nets import initialise

AnyEnergy = TypeVar("AnyEnergy", bound=Energy)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def drawn(energy: AnyEnergy, seed: int = 0) -> AnyEnergy:
    """The energy with all its weights random, those that start at zero too."""
    generator = Generator().manual_seed(seed)
    initialise(energy, generator)
    with torch.no_grad():
        for weights in energy.parameters():
            weights.add_(0.1 * torch.randn(weights.shape, generator=generator))
    return energy


def recurrent() -> RecurrentEnergy:
    return drawn(RecurrentEnergy(3, hidden=5, features=6))


def convolutional(*shape: int) -> ConvolutionalEnergy:
    height, width, channels = shape
    return drawn(ConvolutionalEnergy((height, width, channels), maps=4, features=6))


def numpy_of(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def softplus(a: np.ndarray) -> np.ndarray:
    return -log_expit(-a)


def test_the_recurrent_energy_is_its_formula_step_by_step() -> None:
    energy, u = recurrent().double(), normal(4, 7, 3).double()
    p = numpy_of(energy)

    def affine(name: str, x: np.ndarray) -> np.ndarray:
        return p[f"{name}.weight"] @ x + p[f"{name}.bias"]

    wanted = []
    for sequence in u.numpy():
        state, total = p["start"], 0.0
        for step in sequence:
            total += 0.5 * np.square(step - affine("centre", state)).sum()
            total -= softplus(affine("features", step) + affine("feature_shift", state)).sum()
            state = np.tanh(affine("reading", step) + affine("recurrence", state))
        wanted.append(total)
    np.testing.assert_allclose(energy(u).detach().numpy(), wanted, rtol=1e-12)


def test_the_convolutional_energy_is_its_formula() -> None:
    energy, u = convolutional(12, 10, 2).double(), normal(3, 12, 10, 2).double()
    p = numpy_of(energy)
    wanted = []
    for image in u.numpy():
        padded = np.pad(image, ((3, 3), (3, 3), (0, 0)))
        maps = [
            sum(correlate2d(padded[..., c], kernel[c], "valid") for c in range(2))[::2, ::2] + bias
            for kernel, bias in zip(p["convolution.weight"], p["convolution.bias"], strict=True)
        ]
        pooled = [
            [softplus(one[i : i + 2, j : j + 2]).mean() for i in range(0, 6, 2) for j in range(0, 5, 2)] for one in maps
        ]
        whole = p["whole.weight"] @ image.ravel()
        top = softplus(p["features.weight"] @ np.ravel(pooled) + p["features.bias"] + whole)
        wanted.append(0.5 * np.square(image - p["centre"]).sum() - top.sum())
    np.testing.assert_allclose(energy(u).detach().numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize(("energy", "shape"), [(recurrent(), (9, 3)), (convolutional(8, 6, 2), (8, 6, 2))])
def test_the_loss_reaches_every_parameter(energy: Energy, shape: tuple[int, ...]) -> None:
    denoising_loss(energy, normal(50, *shape), normal(50, *shape, seed=1)).mean().backward()
    for name, weights in energy.named_parameters():
        assert weights.grad is not None, name
        # A shift of all features by one amount moves them little; all others are well above.
        assert weights.grad.abs().max() > 1e-6, name


@pytest.mark.parametrize(("energy", "shape"), [(recurrent(), (5, 3)), (convolutional(4, 6, 1), (4, 6, 1))])
def test_the_loss_is_differentiated_as_finite_differences_say(energy: Energy, shape: tuple[int, ...]) -> None:
    energy, u, noise = energy.double(), normal(3, *shape).double(), normal(3, *shape, seed=1).double()
    lengths = torch.tensor([5, 3, 1]) if len(shape) == 2 else None
    names, values = zip(*energy.named_parameters(), strict=True)

    def loss(*weights: Tensor) -> Tensor:
        bound = dict(zip(names, weights, strict=True))
        wrapped = partial(torch.func.functional_call, energy, bound)
        return denoising_loss(lambda at, steps: wrapped((at, steps)), u, noise, lengths)  # type: ignore[arg-type]

    assert torch.autograd.gradcheck(loss, tuple(value.detach().requires_grad_() for value in values))
    assert torch.autograd.gradcheck(lambda at: gradient(energy, at, lengths), (u.requires_grad_(),))


def test_a_later_step_tells_on_an_earlier_one() -> None:
    energy, u = recurrent(), normal(2, 6, 3)
    later = u.clone()
    later[:, 5] += 1
    moved = (gradient(energy, later) - gradient(energy, u)).abs().amax(2)
    assert (moved > 1e-7).all()


def test_what_lies_behind_the_end_changes_nothing() -> None:
    energy, u, noise = recurrent(), normal(4, 9, 3), normal(4, 9, 3, seed=1)
    lengths = torch.tensor([9, 6, 2, 1])
    u = u.masked_fill(torch.arange(9)[None, :, None] >= lengths[:, None, None], 1e4)
    for row, length in enumerate(lengths.tolist()):
        short = slice(row, row + 1), slice(0, length)
        torch.testing.assert_close(energy(u, lengths)[row], energy(u[short])[0], rtol=1e-6, atol=1e-6)
        slope = gradient(energy, u, lengths)[row]
        torch.testing.assert_close(slope[:length], gradient(energy, u[short])[0], rtol=1e-5, atol=1e-6)
        assert not slope[length:].any()
        loss = denoising_loss(energy, u, noise, lengths)[row]
        torch.testing.assert_close(loss, denoising_loss(energy, u[short], noise[short])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 9, 3), (5, 5, 1), (17, 6, 2), (28, 28, 1), (1, 3, 1), (30, 1, 2)])
def test_any_size_of_image_is_read_to_its_edges(shape: tuple[int, int, int]) -> None:
    energy, u = convolutional(*shape), normal(2, *shape)
    assert energy(u).shape == (2,)
    curved = gradient(energy, u) - (u - energy.centre)  # what the features add to the quadratic part
    assert (curved.abs().amax(0) > 0).all()


@pytest.mark.parametrize(("energy", "shape"), [(recurrent(), (9, 3)), (convolutional(8, 6, 2), (8, 6, 2))])
def test_the_energy_grows_without_bound_along_any_ray(energy: Energy, shape: tuple[int, ...]) -> None:
    rays = normal(300, *shape)
    rays /= rays.flatten(1).norm(dim=1).reshape(-1, *[1] * len(shape))
    with torch.no_grad():
        along = torch.stack([energy(distance * rays) for distance in (1e2, 1e3, 1e4, 1e6)])
    assert (along.diff(dim=0) > 0).all()
    assert (along[-1] > 1e11).all()


def trained(energy: AnyEnergy, u: Tensor, steps: int, rate: float, lengths: Tensor | None = None) -> AnyEnergy:
    """The energy after so many steps of Adam on all of u."""
    generator = Generator().manual_seed(0)
    optimiser = torch.optim.Adam(energy.parameters(), lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        denoising_loss(energy, u, torch.randn(u.shape, generator=generator), lengths).mean().backward()
        optimiser.step()
    return energy


@torch.no_grad()
def told_apart(energy: Energy, ordinary: Tensor, strange: Tensor) -> tuple[float, float]:
    """AUROC of the energy and of ‖∇E‖²."""
    u = torch.cat([ordinary, strange])
    labels = np.repeat([0, 1], [len(ordinary), len(strange)])
    slopes = gradient(energy, u).square().flatten(1).sum(1)
    return roc_auc_score(labels, energy(u)), roc_auc_score(labels, slopes)


def rising(n: int, time: int, seed: int) -> Tensor:
    """Points that run round a circle of radius 3, all one way and at one speed, from any start; (n, time, 2)."""
    start = 2 * math.pi * torch.rand(n, 1, generator=Generator().manual_seed(seed))
    phase = start + 0.5 * torch.arange(time)
    return 3 * torch.stack([phase.cos(), phase.sin()], 2)


@pytest.fixture(scope="module")
def circling() -> RecurrentEnergy:
    energy = RecurrentEnergy(2, hidden=16, features=16)
    initialise(energy, Generator().manual_seed(0))
    u = rising(128, 16, seed=0)
    trained(energy, u, steps=300, rate=1e-2).level(u, torch.full((len(u),), 16))
    return energy


def test_the_order_of_steps_alone_tells(circling: RecurrentEnergy) -> None:
    ordinary = rising(200, 16, seed=1)
    order = torch.rand(200, 16, generator=Generator().manual_seed(2)).argsort(1)
    shuffled = ordinary.gather(1, order[..., None].expand(-1, -1, 2))
    untrained = RecurrentEnergy(2, hidden=16, features=16)
    initialise(untrained, Generator().manual_seed(0))
    assert min(told_apart(circling, ordinary, shuffled)) > 0.97
    assert max(told_apart(untrained, ordinary, shuffled)) < 0.8
    backwards, _ = told_apart(circling, ordinary, ordinary.flip(1))
    assert backwards > 0.97


@torch.no_grad()
def test_the_energy_of_a_step_does_not_drift_with_length(circling: RecurrentEnergy) -> None:
    whole = circling(rising(200, 16, seed=1)) / 16
    for length in (4, 8, 12, 32):
        short = circling(rising(200, length, seed=3)) / length
        assert (short.mean() - whole.mean()).abs() < 3 * whole.std() + 0.3, length


def strokes(n: int, seed: int, turned: bool = False) -> Tensor:
    """Noise-free 8 × 8 images of a stroke of four cells, lying (standing where turned), at any place; (n, 8, 8, 1)."""
    rng = np.random.default_rng(seed)
    u = torch.zeros(n, 8, 8, 1)
    for image, row, column in zip(u, rng.integers(0, 8, n), rng.integers(0, 5, n), strict=True):
        image[row, column : column + 4] = 3
    return u.transpose(1, 2) if turned else u


def test_local_structure_tells() -> None:
    energy = ConvolutionalEnergy((8, 8, 1), maps=16, features=64)
    initialise(energy, Generator().manual_seed(0))
    ordinary, strange = strokes(300, seed=1), strokes(300, seed=2, turned=True)
    before = told_apart(energy, ordinary, strange)
    trained(energy, strokes(128, seed=0), steps=300, rate=1e-2)
    assert max(before) < 0.7
    assert min(told_apart(energy, ordinary, strange)) > 0.95
