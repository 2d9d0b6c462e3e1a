"""Log densities of Gaussian mixtures on lines and on circles."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from unwonted.density.components import FURTHEST, LOG_ROOT_2PI, pooled

__all__ = ["mixture_log_density", "smoothed_mixture_log_density", "wrapped_mixture_log_density"]


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


def smoothed_mixture_log_density(
    y: Tensor, variance: Tensor, log_weights: Tensor, means: Tensor, log_scales: Tensor, least: float, most: Tensor
) -> Tensor:
    """Log density of a Gaussian mixture smoothed by another Gaussian, its scales within bounds, in nats:

        log Σ_k π_k N(y; μ_k, σ_k² + v),    σ_k = s + exp(min(l_k, m)).

    It is `mixture_log_density` in fewer operations, there and back; components come first, for sums over a few
    neighbours in memory are many times slower than sums of rows. Its gradient cannot be differentiated again.

    Args:
        y: Values, shape (...).
        variance: v ≥ 0, shape (...); it gets no gradient.
        log_weights: Normalised log π, shape (K, ...).
        means: μ, shape (K, ...).
        log_scales: l, any numbers, shape (K, ...).
        least: s > 0.
        most: m, shape (...); it gets no gradient.

    Returns:
        Shape (...), finite for every finite y; beyond 1e15 √(σ² + v) it falls no further.

    Example:
        >>> from torch import tensor
        >>> y, zero = tensor([0.0, 100.0]), tensor([[0.0]])
        >>> smoothed_mixture_log_density(y, tensor([0.0, 3.0]), zero, zero, zero, 1.0, tensor([-torch.inf, 0.0]))
        tensor([  -0.9189, -716.1776])
    """
    density: Tensor = _SmoothedMixtureLogDensity.apply(  # type: ignore[no-untyped-call]
        y, variance, log_weights, means, log_scales, least, most
    )
    return density


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


class _MixtureLogDensity(torch.autograd.Function):
    """Forward and closed-form backward of `mixture_log_density`."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
        inverse = scales.reciprocal()
        z = ((y.unsqueeze(-1) - means) * inverse).clamp_(-FURTHEST, FURTHEST)
        log_density, shares = pooled(torch.addcmul(log_weights - scales.log(), z, z, value=-0.5))
        ctx.save_for_backward(z, shares, inverse)
        return log_density - LOG_ROOT_2PI

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


class _SmoothedMixtureLogDensity(torch.autograd.Function):
    """Forward and closed-form backward of `smoothed_mixture_log_density`."""

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        variance: Tensor,
        log_weights: Tensor,
        means: Tensor,
        log_scales: Tensor,
        least: float,
        most: Tensor,
    ) -> Tensor:
        above = torch.minimum(log_scales, most).exp_()
        scales = above + least
        whole = scales.square().add(variance).sqrt_()
        inverse = whole.reciprocal()
        z = (y - means).mul_(inverse).clamp_(-FURTHEST, FURTHEST)
        log_density, shares = pooled((log_weights - whole.log()).addcmul(z, z, value=-0.5), 0)
        ctx.save_for_backward(z, shares, inverse, whole, scales, above, log_scales <= most)
        return log_density.sub_(LOG_ROOT_2PI)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, shares, inverse, whole, scales, above, rising = ctx.saved_tensors
        by_log_weight = shares * grad
        by_whole = by_log_weight * inverse
        by_mean = by_whole * z
        # √(σ² + v) rises with σ by σ over itself, and σ with l by what is above s, unless l is cut.
        by_log_scale = by_whole.mul_(z.square().sub_(1)).div_(whole).mul_(scales).mul_(above).mul_(rising)
        by_y = -by_mean.sum(0) if ctx.needs_input_grad[0] else None
        return by_y, None, by_log_weight, by_mean, by_log_scale, None, None  # autograd sums over what was broadcast
