"""Log densities and log masses on tensors: Gaussian mixtures on lines, bins, circles and in space."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = [
    "gaussian_mixture_energy",
    "mixture_log_density",
    "mixture_log_mass",
    "soft_gaussian_mixture",
    "wrapped_mixture_log_density",
]

_LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
_PHI_0 = math.exp(-_LOG_ROOT_2PI)  # the standard normal density at 0
# Standardised values stop here, and widths at its inverse, so that no square or gradient overflows float32.
_FURTHEST = 1e15
# Logarithms of what is added to 1 stop here: far below rounding even in float64, and well clear of the
# denormal numbers, on which exp and all that follows run ten to fifty times slower.
_FAINTEST = -60.0

# R(x) = exp(x²/2)·(1 − Φ(x)) on x ≥ 0 as t·Σ c_j t^j with t = 1/(1 + x/4): our own minimax fit in float64,
# relative error below 4e-8 over the whole half line (x → ∞ is t → 0, so the tail needs no second branch).
_SLOPE = 0.25
_COEFFICIENTS = (
    0.09973557,
    0.09973643,
    0.09346636,
    0.0816031,
    0.0589752,
    0.06369896,
    -0.03171725,
    0.0955968,
    -0.08087715,
    0.01978197,
)
_FEWEST_MEMBERS = 1e-6  # of a component: below, its sums are not divided by their number
_NARROW = 1e-5  # float64: below this width a difference of two erfcx loses more than the trapezoid rule


def mixture_log_density(y: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Log density of a Gaussian mixture, log Σ_k π_k N(y; μ_k, σ_k²), in nats.

    Args:
        y: Values, shape (...).
        log_weights: Normalised log π, shape (..., K), as `log_softmax` gives them.
        means: μ, shape (..., K).
        scales: σ > 0, shape (..., K).

    Returns:
        Shape (...), finite for every finite y; beyond 1e15 σ it falls no further.

    Example:
        >>> from torch import tensor
        >>> y, one = tensor([0.0, 100.0]), tensor([1.0])
        >>> mixture_log_density(y, one.log(), 0 * one, one)
        tensor([-9.1894e-01, -5.0009e+03])
    """
    density: Tensor = _MixtureLogDensity.apply(y, log_weights, means, scales)  # type: ignore[no-untyped-call]
    return density


def mixture_log_mass(lower: Tensor, upper: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Log probability of a bin under a Gaussian mixture, log Σ_k π_k [Φ((u−μ_k)/σ_k) − Φ((l−μ_k)/σ_k)].

    No two nearly equal numbers are ever subtracted, so bins a millionth of σ wide and bins a million σ out
    keep the precision of the type. The gradients are the closed form, computed the same way; they are finite
    everywhere and cannot be differentiated again. As bounds far from zero have few digits left for a narrow
    bin, shift values and means towards zero first.

    Args:
        lower: l, shape (...); may be −inf.
        upper: u > l, shape (...); may be +inf. A bin below 1e-15 σ counts as that wide.
        log_weights: Normalised log π, shape (..., K).
        means: μ, shape (..., K).
        scales: σ > 0, shape (..., K).

    Returns:
        Shape (...), at most 0 up to rounding, finite.

    Example:
        >>> from torch import inf, tensor
        >>> one = tensor([1.0])
        >>> edges = tensor([-inf, 0.0, 1.0, 1000.0, inf])
        >>> mixture_log_mass(edges[:-1], edges[1:], one.log(), 0 * one, one)
        tensor([-6.9315e-01, -1.0749e+00, -1.8410e+00, -5.0001e+05])
    """
    mass: Tensor = _MixtureLogMass.apply(lower, upper, log_weights, means, scales)  # type: ignore[no-untyped-call]
    return mass


def wrapped_mixture_log_density(y: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor, period: float) -> Tensor:
    """Log density of a Gaussian mixture wound around a circle, log Σ_j Σ_k π_k N(y + j·period; μ_k, σ_k²).

    The image nearest to μ and its two neighbours are summed. With σ up to a third of the period the others
    are worth less than a thousandth of a nat; the caller bounds σ.

    Args:
        y: Values, shape (...), in any period.
        log_weights: Normalised log π, shape (..., K).
        means: μ, shape (..., K), in any period.
        scales: σ > 0, shape (..., K).
        period: Length of the circle in the unit of y.

    Returns:
        Shape (...).

    Example:
        >>> from torch import tensor
        >>> hour, one = tensor([23.5, 0.5]), tensor([1.0])
        >>> wrapped_mixture_log_density(hour, one.log(), 0 * one, one, period=24.0)
        tensor([-1.0439, -1.0439])
    """
    nearest = means + period * ((y.unsqueeze(-1) - means) / period).round()
    images = torch.stack([y - period, y, y + period])
    return torch.logsumexp(mixture_log_density(images, log_weights, nearest, scales), 0)


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
    constants = log_weights - half_log_determinants - z.shape[-1] * _LOG_ROOT_2PI
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


def _decay(near: Tensor, far: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """R(near) and R(near) − R(far) for 0 ≤ near ≤ far = near + width, both to full relative precision."""
    if near.dtype == torch.float32:
        t, s = (x.mul(_SLOPE).add_(1).reciprocal_() for x in (near, far))
        value = torch.full_like(t, _COEFFICIENTS[-1])
        slope = torch.zeros_like(t)
        for c in (*_COEFFICIENTS[-2::-1], 0.0):  # Horner's scheme and, beside it, its divided difference
            slope.mul_(s).add_(value)
            value.mul_(t).add_(c)
        return value, slope.mul_(t).mul_(s).mul_(width).mul_(_SLOPE)  # t − s = t·s·slope·width
    root = math.sqrt(0.5)
    value, other = (0.5 * torch.special.erfcx(x * root) for x in (near, far))
    trapezoid = width * (_PHI_0 - 0.5 * (near * value + far * other))  # R' = x·R − φ(0)
    return value, torch.where(width < _NARROW, trapezoid, value - other)


def _pool(terms: Tensor) -> tuple[Tensor, Tensor]:
    """log Σ_k exp(terms) over the last dimension, and the share of each k in it."""
    top = terms.amax(-1, keepdim=True)
    shares = (terms - top).clamp_min_(_FAINTEST).exp_()
    total = shares.sum(-1, keepdim=True)
    return (top + total.log()).squeeze(-1), shares.div_(total)


class _MixtureLogDensity(torch.autograd.Function):
    """Forward and closed-form backward of `mixture_log_density`."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
        inverse = scales.reciprocal()
        z = ((y.unsqueeze(-1) - means) * inverse).clamp_(-_FURTHEST, _FURTHEST)
        log_density, shares = _pool(torch.addcmul(log_weights - scales.log(), z, z, value=-0.5))
        ctx.save_for_backward(z, shares, inverse)
        return log_density - _LOG_ROOT_2PI

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, shares, inverse = ctx.saved_tensors
        shares = shares * grad.unsqueeze(-1)
        by_scale = shares * inverse
        by_mean = by_scale * z
        by_scale.mul_(z.square().sub_(1))
        by_y = -by_mean.sum(-1) if ctx.needs_input_grad[0] else None
        return by_y, shares, by_mean, by_scale  # autograd sums over what was broadcast


class _MixtureLogMass(torch.autograd.Function):
    """Forward and closed-form backward of `mixture_log_mass`.

    A bin [a, b] in units of σ is mirrored so that its middle is ≥ 0 and cut at zero: n⁺ = max(near, 0),
    n⁻ = max(−near, 0), w = far − n⁺. With D = (far² − n⁺²)/2 its mass is exp(−n⁺²/2)·A, where

        A = [R(n⁺) − R(far)]·exp(−D) + R(n⁺)·[1 − exp(−D)] + erf(n⁻/√2)/2

    has no negative term and neither under- nor overflows.
    """

    @staticmethod
    def forward(ctx: Any, lower: Tensor, upper: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
        low, high, log_pi, mean, inverse = torch.broadcast_tensors(  # type: ignore[no-untyped-call]
            lower.unsqueeze(-1), upper.unsqueeze(-1), log_weights, means, scales.reciprocal()
        )
        # In place wherever a tensor is done with: fresh memory costs as much here as the arithmetic.
        a = (low - mean).mul_(inverse).clamp_(-_FURTHEST, _FURTHEST)
        minus_b = (mean - high).mul_(inverse).clamp_(-_FURTHEST, _FURTHEST)
        side = (a - minus_b).sign_()
        near, far = torch.maximum(a, minus_b), torch.minimum(a, minus_b, out=a).neg_()
        right = near.clamp_min(0)
        left = near.clamp_max_(0).neg_()
        # From the bounds themselves: far − near would have lost the width of a narrow bin.
        width = (high - low) * inverse
        torch.minimum(width, far, out=width).clamp_min_(1 / _FURTHEST)
        fall = (right + far).mul_(width).mul_(-0.5).clamp_min_(_FAINTEST).expm1_()  # exp(−D) − 1
        value, scaled = _decay(right, far, width)
        scaled.addcmul_(value.sub_(scaled), fall, value=-1)
        scaled.add_(left.mul(math.sqrt(0.5)).erf_(), alpha=0.5)
        terms = scaled.log().addcmul_(right, right, value=-0.5).add_(log_pi)
        log_mass, shares = _pool(terms)
        ctx.save_for_backward(side, right, left, width, fall, scaled, shares, inverse)
        return log_mass

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        side, right, left, width, fall, scaled, shares, inverse = ctx.saved_tensors
        shares = shares * grad.unsqueeze(-1)
        common = shares.mul(inverse).mul_(_PHI_0).div_(scaled)
        # In units of φ(0)·exp(−n⁺²/2) the density is 1 + start at the near end, 1 + fall at the far.
        start = left.square().mul_(-0.5).clamp_min_(_FAINTEST).expm1_()
        by_mean = (start - fall).mul_(common).mul_(side)
        by_scale = right.mul(fall).addcmul_(left, start + 1).addcmul_(width, fall + 1).mul_(common).neg_()
        by_bound: list[Tensor | None] = [None, None]
        if any(ctx.needs_input_grad[:2]):
            at_near, at_far = (start + 1).mul_(common), (fall + 1).mul_(common)
            mirrored = side < 0
            by_bound = [
                -torch.where(mirrored, at_far, at_near).sum(-1),
                torch.where(mirrored, at_near, at_far).sum(-1),
            ]
        return *by_bound, shares, by_mean, by_scale
