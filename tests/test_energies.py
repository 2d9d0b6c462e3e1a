"""Energies and score matching: closed forms, growth far from the data, and a density that is known."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp
from torch import Generator, Tensor

from unwonted.energies import Energy
from unwonted.energies.dense import DenseEnergy
from unwonted.energies.matching import denoising_loss, gradient, reconstruction
from unwonted.nets import initialise

CENTRES = torch.tensor([[-3.0, 0.0], [2.0, 1.0]])
WEIGHTS = torch.tensor([0.3, 0.7])
SPREAD = 0.5


def dense(inputs: int, *widths: int, seed: int = 0) -> DenseEnergy:
    """An energy with random weights, its centre too."""
    energy, generator = DenseEnergy(inputs, widths), Generator().manual_seed(seed)
    initialise(energy, generator)
    with torch.no_grad():
        energy.centre.normal_(generator=generator)
    return energy


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def drawn(n: int, generator: Generator) -> Tensor:
    """Records of the known mixture."""
    which = torch.multinomial(WEIGHTS, n, replacement=True, generator=generator)
    return CENTRES[which] + SPREAD * torch.randn(n, 2, generator=generator)


def true_energy(u: Tensor) -> np.ndarray:
    """−log of the known mixture convolved with N(0, I)."""
    variance = SPREAD**2 + 1
    squares = (u[:, None] - CENTRES).square().sum(2).numpy()
    return -logsumexp(np.log(WEIGHTS.numpy()) - squares / (2 * variance), axis=1) + math.log(2 * math.pi * variance)


@pytest.fixture(scope="module")
def learned() -> DenseEnergy:
    energy, generator = dense(2, 32, 32), Generator().manual_seed(1)
    steps = 800
    optimiser = torch.optim.Adam(energy.parameters(), lr=2e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        u = drawn(256, generator)
        optimiser.zero_grad()
        denoising_loss(energy, u, torch.randn(u.shape, generator=generator)).mean().backward()
        optimiser.step()
        schedule.step()
    return energy


def mismatch(energy: DenseEnergy) -> float:
    """Standard deviation of E − true E over records under noise: nil if they differ by a constant."""
    generator = Generator().manual_seed(2)
    u = drawn(4000, generator) + torch.randn(4000, 2, generator=generator)
    with torch.no_grad():
        return float(np.std(energy(u).numpy() - true_energy(u)))


def test_the_energy_of_a_known_mixture_is_learned(learned: DenseEnergy) -> None:
    assert mismatch(learned) < 0.06
    assert mismatch(dense(2, 32, 32)) > 0.5
    assert mismatch(dense(2)) > 0.5


def test_the_learned_energy_is_lower_on_data_than_far_away(learned: DenseEnergy) -> None:
    data = drawn(500, Generator().manual_seed(3))
    angles = torch.linspace(0, 2 * math.pi, 200)
    rays = torch.stack([angles.cos(), angles.sin()], 1)
    with torch.no_grad():
        highest = learned(data).max()
        for distance in (8.0, 20.0, 1e3, 1e8):
            assert (learned(distance * rays) > highest).all()


@pytest.mark.parametrize("widths", [(), (16,), (16, 16), (16, 16, 16)])
def test_the_energy_grows_without_bound_along_any_ray(widths: tuple[int, ...]) -> None:
    energy, rays = dense(5, *widths), torch.nn.functional.normalize(normal(300, 5), dim=1)
    with torch.no_grad():
        along = torch.stack([energy(distance * rays) for distance in (1e2, 1e3, 1e4, 1e6)])
    assert (along.diff(dim=0) > 0).all()
    assert (along[-1] > 1e11).all()


def test_f_of_one_layer_is_its_closed_form() -> None:
    energy, u = dense(4, 7).double(), normal(20, 4).double()
    weights, biases, centre = (value.detach().numpy() for value in (*energy.layers[0].parameters(), energy.centre))
    wanted = centre + expit(u.numpy() @ weights.T + biases) @ weights
    np.testing.assert_allclose(reconstruction(energy, u).detach().numpy(), wanted, rtol=1e-12)


def test_f_of_two_layers_is_the_backward_pass_through_the_same_weights() -> None:
    energy, u = dense(4, 7, 5).double(), normal(20, 4).double()
    (first, b1), (second, b2) = ([p.detach().numpy() for p in layer.parameters()] for layer in energy.layers)
    below = u.numpy() @ first.T + b1
    above = np.logaddexp(0, below) @ second.T + b2
    wanted = energy.centre.detach().numpy() + (expit(below) * (expit(above) @ second)) @ first
    np.testing.assert_allclose(reconstruction(energy, u).detach().numpy(), wanted, rtol=1e-12)


def test_the_loss_is_half_the_squared_distance_to_what_was_restored() -> None:
    energy, u, noise = dense(3, 6).double(), normal(9, 3).double(), normal(9, 3, seed=1).double()
    restored = reconstruction(energy, u + noise).detach().numpy()
    wanted = 0.5 * ((u.numpy() - restored) ** 2).sum(1)
    np.testing.assert_allclose(denoising_loss(energy, u, noise).detach().numpy(), wanted, rtol=1e-12)


def test_the_loss_reaches_every_parameter() -> None:
    energy = dense(3, 6, 6)
    denoising_loss(energy, normal(50, 3), normal(50, 3, seed=1)).mean().backward()
    for name, weights in energy.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.abs().max() > 1e-6, name


def test_without_gradients_the_loss_is_the_same_and_keeps_no_graph() -> None:
    energy, u, noise = dense(3, 6), normal(9, 3), normal(9, 3, seed=1)
    wanted = denoising_loss(energy, u, noise)
    assert wanted.requires_grad
    with torch.no_grad():
        found = denoising_loss(energy, u, noise)
    assert not found.requires_grad
    torch.testing.assert_close(found, wanted.detach())


def test_the_gradient_can_be_differentiated_by_its_input() -> None:
    energy, u = dense(3, 6).double(), normal(5, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda at: gradient(energy, at).square().sum(1), (u,))


class Coupled(Energy):
    """½ (Σ u)², which tells every cell of every other."""

    def forward(self, u: Tensor, lengths: Tensor | None = None) -> Tensor:
        return 0.5 * u.flatten(1).sum(1).square()


def test_steps_behind_the_end_get_no_noise_and_do_not_count() -> None:
    lengths = torch.tensor([4, 2])
    u, noise = normal(2, 4, 3), normal(2, 4, 3, seed=1)
    u[1, 2:] = 0
    found = denoising_loss(Coupled(), u, noise, lengths)
    for row, length in enumerate(lengths.tolist()):
        short = slice(row, row + 1), slice(0, length)
        torch.testing.assert_close(found[row : row + 1], denoising_loss(Coupled(), u[short], noise[short]))
