"""Log probabilities of bins under Gaussian mixtures."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from unwonted.density.components import FAINTEST, FURTHEST, LOG_ROOT_2PI, pooled

__all__ = ["mixture_log_mass"]

_PHI_0 = math.exp(-LOG_ROOT_2PI)  # the standard normal density at 0

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
_NARROW = 1e-5  # float64: below this width a difference of two erfcx loses more than the trapezoid rule


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
        a = (low - mean).mul_(inverse).clamp_(-FURTHEST, FURTHEST)
        minus_b = (mean - high).mul_(inverse).clamp_(-FURTHEST, FURTHEST)
        side = (a - minus_b).sign_()
        near, far = torch.maximum(a, minus_b), torch.minimum(a, minus_b, out=a).neg_()
        right = near.clamp_min(0)
        left = near.clamp_max_(0).neg_()
        # From the bounds themselves: far − near would have lost the width of a narrow bin.
        width = (high - low) * inverse
        torch.minimum(width, far, out=width).clamp_min_(1 / FURTHEST)
        fall = (right + far).mul_(width).mul_(-0.5).clamp_min_(FAINTEST).expm1_()  # exp(−D) − 1
        value, scaled = _decay(right, far, width)
        scaled.addcmul_(value.sub_(scaled), fall, value=-1)
        scaled.add_(left.mul(math.sqrt(0.5)).erf_(), alpha=0.5)
        terms = scaled.log().addcmul_(right, right, value=-0.5).add_(log_pi)
        log_mass, shares = pooled(terms)
        ctx.save_for_backward(side, right, left, width, fall, scaled, shares, inverse)
        return log_mass

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        side, right, left, width, fall, scaled, shares, inverse = ctx.saved_tensors
        shares = shares * grad.unsqueeze(-1)
        common = shares.mul(inverse).mul_(_PHI_0).div_(scaled)
        # In units of φ(0)·exp(−n⁺²/2) the density is 1 + start at the near end, 1 + fall at the far.
        start = left.square().mul_(-0.5).clamp_min_(FAINTEST).expm1_()
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
