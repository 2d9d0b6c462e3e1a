"""Score matching in its denoising form: how an energy learns the density of records under noise."""

import torch
from torch import Tensor

from unwonted.energies import Energy

__all__ = ["denoising_loss", "gradient", "reconstruction", "valid_steps"]


def gradient(energy: Energy, u: Tensor, lengths: Tensor | None = None) -> Tensor:
    """∇E(u), of the shape of u; differentiable in its turn wherever gradients are enabled."""
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        at = u if u.requires_grad else u.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(at, lengths).sum(), at, create_graph=differentiable)
    return slope


def reconstruction(energy: Energy, u: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The energy as an autoencoder, f(u) = u − ∇E(u): the mean record that noise of unit scale makes u of.

    >>> from unwonted.energies.dense import DenseEnergy
    >>> energy = DenseEnergy(inputs=2, widths=())
    >>> reconstruction(energy, torch.tensor([[3.0, 4.0]])).tolist()  # ½‖u‖², of a normal density, keeps nothing
    [[0.0, 0.0]]
    """
    return u - gradient(energy, u, lengths)


def denoising_loss(energy: Energy, u: Tensor, noise: Tensor, lengths: Tensor | None = None) -> Tensor:
    """½‖u − f(u + noise)‖² of each record, shape (n,).

    Its mean over records and noise is least where E = −log p + constant, with p the density of u + noise. Steps of a
    sequence behind its end get no noise and do not count.

    Args:
        energy: E.
        u: Records, shape (n, ...).
        noise: Draws from N(0, I), of the shape of u.
        lengths: Of sequences, how many steps of each are valid, shape (n,).

    Source: Zhai et al. (2016); Vincent (2011), "A connection between score matching and denoising autoencoders".
    """
    if lengths is not None:
        noise = noise * valid_steps(u, lengths)
    difference = u - reconstruction(energy, u + noise, lengths)
    if lengths is not None:
        difference = difference * valid_steps(u, lengths)
    return 0.5 * difference.square().flatten(1).sum(1)


def valid_steps(u: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of sequences lie before the end, bool, (n, time, 1, ...), to be multiplied with u."""
    valid = torch.arange(u.shape[1], device=u.device) < lengths[:, None]
    return valid.reshape(*valid.shape, *[1] * (u.dim() - 2))
