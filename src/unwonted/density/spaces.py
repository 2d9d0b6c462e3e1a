"""Gaussian mixtures in space: their energy, and the one that soft memberships make."""

import math

import torch
from torch import Tensor

from unwonted.density.components import LOG_ROOT_2PI

__all__ = ["gaussian_mixture_energy", "soft_gaussian_mixture"]

_FEWEST_MEMBERS = 1e-6  # of a component: below, its sums are not divided by their number


def gaussian_mixture_energy(z: Tensor, log_weights: Tensor, means: Tensor, cholesky: Tensor) -> Tensor:
    """Energy under a Gaussian mixture in space, −log Σ_k φ_k N(z; μ_k, L_k L_kᵀ), in nats.

    log|Σ_k| is 2 Σ_j log L_kjj, and (z−μ_k)ᵀ Σ_k⁻¹ (z−μ_k) is ‖L_k⁻¹ (z−μ_k)‖².

    Args:
        z: Points, shape (..., n, D); for several mixtures, with as many leading axes as these have.
        log_weights: Normalised log φ, shape (..., K); −inf for a component without weight.
        means: μ, shape (..., K, D).
        cholesky: Lower triangular L with a positive diagonal, shape (..., K, D, D).

    Returns:
        Shape (..., n).

    Source: Zong et al. (2018), the sample energy.

    Example:
        >>> from torch import eye, tensor, zeros
        >>> gaussian_mixture_energy(tensor([[0.0, 0.0], [3.0, 4.0]]), zeros(1), zeros(1, 2), eye(2)[None])
        tensor([ 1.8379, 14.3379])
    """
    apart = (z[..., None, :, :] - means[..., None, :]).mT
    squares = torch.linalg.solve_triangular(cholesky, apart, upper=False).square().sum(-2)
    half_log_determinants = cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    constants = log_weights - half_log_determinants - z.shape[-1] * LOG_ROOT_2PI
    return -torch.logsumexp(constants[..., None] - 0.5 * squares, -2)


def soft_gaussian_mixture(z: Tensor, memberships: Tensor, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    """The Gaussian mixture of points that belong to each component in part: shares, means and covariances.

        φ_k = Σ_i γ_ik / n,  μ_k = Σ_i γ_ik z_i / Σ_i γ_ik,  Σ_k = Σ_i γ_ik (z_i−μ_k)(z_i−μ_k)ᵀ / Σ_i γ_ik + floor · I

    Args:
        z: Points, shape (n, D), of about unit variance: the floor is in its units.
        memberships: γ ≥ 0, shape (n, K); rows sum to 1.
        floor: Added to every variance, > 0: far above rounding, so that Σ_k has a Cholesky factor.

    Returns:
        log φ, shape (K,), μ, shape (K, D), and the Cholesky factors of Σ, shape (K, D, D). A component without
        members has the log weight −inf, and no gradient.

    Source: Zong et al. (2018), the mixture of soft memberships.

    Example:
        >>> from torch import tensor
        >>> log_weights, means, _ = soft_gaussian_mixture(tensor([[0.0], [2.0]]), tensor([[0.5, 0.5]] * 2), 1e-6)
        >>> log_weights.exp().tolist(), means.tolist()
        ([0.5, 0.5], [[1.0], [1.0]])
    """
    members = memberships.sum(0)
    none = members <= 0
    log_weights = torch.where(none, 1.0, members).log().masked_fill(none, -math.inf) - math.log(len(z))
    parts = memberships.T / members.clamp(min=_FEWEST_MEMBERS)[:, None]
    means = parts @ z
    apart = z - means[:, None]
    covariances = (parts[..., None] * apart).mT @ apart
    identity = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return log_weights, means, torch.linalg.cholesky(covariances + floor * identity)
