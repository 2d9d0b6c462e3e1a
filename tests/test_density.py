"""Densities and masses against SciPy, scikit-learn and zuko; gradients against closed forms; sums to one."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import zuko
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, log_softmax, logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.mixture import GaussianMixture
from torch import Tensor

from unwonted.density import (
    gaussian_mixture_energy,
    mixture_log_density,
    mixture_log_mass,
    smoothed_mixture_log_density,
    soft_gaussian_mixture,
    wrapped_mixture_log_density,
)

_SINGLE, _DOUBLE = torch.float32, torch.float64


class _Mixture(NamedTuple):
    """Parameters that are exact in float32, so that both types are asked the same question."""

    log_weights: NDArray[np.float64]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]

    def tensors(self, dtype: torch.dtype, grad: bool = False) -> list[Tensor]:
        return [torch.tensor(x, dtype=dtype, requires_grad=grad) for x in self]


def _exact(x: Any) -> NDArray[np.float64]:
    return np.asarray(x, dtype=np.float32).astype(np.float64)


@st.composite
def _mixtures(draw: st.DrawFn) -> _Mixture:
    k = draw(st.integers(1, 10))

    def numbers(low: float, high: float) -> list[float]:
        return draw(st.lists(st.floats(low, high), min_size=k, max_size=k))

    scales = 10 ** np.array(numbers(-4, 4))
    means = np.array(numbers(-10, 10)) * scales * draw(st.sampled_from([0, 1]))
    return _Mixture(_exact(log_softmax(numbers(-5, 3))), _exact(means), _exact(scales))


# How far out in units of σ, and on which side: 10⁻³ to 10⁶.
_DISTANCE = st.tuples(st.floats(-3, 6), st.sampled_from([-1, 1])).map(lambda t: t[1] * 10 ** t[0])
_WIDTH = st.floats(-6, 4).map(lambda e: 10**e)


def _place(mixture: _Mixture, distance: float) -> float:
    return float(_exact(mixture.means[0] + distance * mixture.scales[0]))


def _bin(mixture: _Mixture, distance: float, width: float) -> tuple[float, float] | None:
    """A bin so far out and so wide in units of the first σ; None where float32 cannot tell its ends apart."""
    lower = _place(mixture, distance)
    upper = float(_exact(lower + width * mixture.scales[0]))
    return (lower, upper) if upper > lower else None


def _reference_log_mass(lower: float, upper: float, mean: Any, scale: Any) -> NDArray[np.float64]:
    """log[Φ(b) − Φ(a)] in float64: SciPy on the side where Φ is small, φ times the width if narrow."""
    a, b = (lower - mean) / scale, (upper - mean) / scale
    a, b = np.where(a + b > 0, -b, a), np.where(a + b > 0, -a, b)
    width, middle = (upper - lower) / scale, (a + b) / 2
    x = np.maximum(np.abs(middle) * width, 1e-300)
    log_sinhc = x / 2 + np.log(-np.expm1(-x) / x)
    narrow = norm.logpdf(middle) + np.log(width) + log_sinhc  # relative error of the mass width²/8
    with np.errstate(divide="ignore"):  # where it is narrow the difference may vanish
        wide = log_ndtr(b) + np.log(-np.expm1(log_ndtr(a) - log_ndtr(b)))
    return np.asarray(np.where(width < 1e-5, narrow, wide))


def _assert_near(value: Tensor, expected: Any, tolerance: float) -> None:
    """Within the tolerance, relative where the expected number is above 1 and absolute below."""
    assert torch.isfinite(value).all()
    np.testing.assert_allclose(value.detach().double().numpy(), expected, rtol=tolerance, atol=tolerance)


@settings(max_examples=300, deadline=None)
@given(_mixtures(), _DISTANCE)
def test_log_density_is_scipys_in_both_types(mixture: _Mixture, distance: float) -> None:
    y = _place(mixture, distance)
    expected = logsumexp(mixture.log_weights + norm.logpdf(y, mixture.means, mixture.scales))
    for dtype, tolerance in ((_SINGLE, 3e-6), (_DOUBLE, 1e-12)):
        value = mixture_log_density(torch.tensor(y, dtype=dtype), *mixture.tensors(dtype))
        assert value.dtype == dtype
        _assert_near(value, expected, tolerance)


@settings(max_examples=500, deadline=None)
@given(_mixtures(), _DISTANCE, _WIDTH)
def test_log_mass_is_scipys_in_both_types(mixture: _Mixture, distance: float, width: float) -> None:
    ends = _bin(mixture, distance, width)
    if ends is None:
        return
    expected = logsumexp(mixture.log_weights + _reference_log_mass(*ends, mixture.means, mixture.scales))
    for dtype, tolerance in ((_SINGLE, 3e-6), (_DOUBLE, 1e-9)):
        lower, upper = torch.tensor(ends, dtype=dtype)
        _assert_near(mixture_log_mass(lower, upper, *mixture.tensors(dtype)), expected, tolerance)


@settings(max_examples=300, deadline=None)
@given(_mixtures(), _DISTANCE, st.floats(0, 2), st.floats(-3, 3), st.floats(-9, 9))
def test_smoothed_log_density_is_scipys_in_both_types(
    mixture: _Mixture, distance: float, least: float, wide: float, most: float
) -> None:
    y, deviation, ceiling = _place(mixture, distance), float(_exact(10**wide)), float(_exact(most))
    least = float(_exact(least + 1e-3))
    log_scales = _exact(np.log(mixture.scales))
    scales = np.hypot(least + np.exp(np.minimum(log_scales, ceiling)), deviation)
    expected = logsumexp(mixture.log_weights + norm.logpdf(y, mixture.means, scales))
    smoothed = _Mixture(mixture.log_weights, mixture.means, log_scales)
    for dtype, tolerance in ((_SINGLE, 1e-5), (_DOUBLE, 1e-12)):
        at, variance, most_ = (torch.tensor(x, dtype=dtype) for x in (y, deviation**2, ceiling))
        value = smoothed_mixture_log_density(at, variance, *smoothed.tensors(dtype), least, most_)
        assert value.dtype == dtype
        _assert_near(value, expected, tolerance)


@settings(deadline=None)
@given(_mixtures(), _DISTANCE)
def test_log_density_is_zukos(mixture: _Mixture, distance: float) -> None:
    log_weights, means, scales = mixture.tensors(_DOUBLE)
    log_weights = log_weights.log_softmax(-1)  # zuko normalises
    y = torch.tensor(_place(mixture, distance), dtype=_DOUBLE)
    peer = zuko.distributions.Mixture(torch.distributions.Normal(means, scales), log_weights)
    _assert_near(mixture_log_density(y, log_weights, means, scales), peer.log_prob(y).numpy(), 1e-10)


def test_log_density_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal(-3, 0.1, 200), rng.normal(2, 5, 200), rng.normal(9, 1, 100)])[:, None]
    model = GaussianMixture(3, random_state=0).fit(data)
    parameters = (np.log(model.weights_), model.means_.ravel(), np.sqrt(model.covariances_.ravel()))
    y = np.linspace(-60, 60, 301)
    value = mixture_log_density(torch.tensor(y), *(torch.tensor(p) for p in parameters))
    _assert_near(value, model.score_samples(y[:, None]), 1e-10)


# Closed forms of the gradients of one component by SciPy, in float64.
def _density_gradients(y: float, mean: float, scale: float) -> list[float]:
    z = (y - mean) / scale
    return [-z / scale, z / scale, (z * z - 1) / scale]  # by y, μ, σ


def _mass_gradients(lower: float, upper: float, mean: float, scale: float) -> list[float]:
    a, b = (lower - mean) / scale, (upper - mean) / scale
    mirrored = a + b < 0
    near, far = (-b, -a) if mirrored else (a, b)
    drop = math.expm1(-(near + far) * (upper - lower) / scale / 2)  # φ(far)/φ(near) − 1
    # φ(near) over the mass, scaled by exp(near²/2) in the tail where both underflow.
    if near > 30:
        at_near = math.sqrt(2 / math.pi) / (erfcx(near / math.sqrt(2)) - erfcx(far / math.sqrt(2)) * (1 + drop))
        if (far - near) * near < 1e-3:  # the difference above has cancelled; the mass is a short exponential's
            at_near = -near / drop
    else:
        at_near = math.exp(norm.logpdf(near) - _reference_log_mass(lower, upper, mean, scale))
    at_far = at_near * (1 + drop)
    by_mean = -at_near * drop * (-1 if mirrored else 1)
    by_scale = -at_near * near * drop - at_far * (upper - lower) / scale
    by_lower, by_upper = (-at_far, at_near) if mirrored else (-at_near, at_far)
    return [g / scale for g in (by_lower, by_upper, by_mean, by_scale)]


@settings(max_examples=300, deadline=None)
@given(st.floats(-4, 4).map(lambda e: float(_exact(10**e))), st.floats(-3, 3), _DISTANCE)
def test_density_gradients_are_the_closed_forms(scale: float, mean: float, distance: float) -> None:
    mixture = _Mixture(np.zeros(1), _exact([mean * scale]), np.array([scale]))
    y = _place(mixture, distance)
    expected = np.array(_density_gradients(y, mixture.means[0], scale)) * scale
    for dtype, tolerance in ((_SINGLE, 3e-6), (_DOUBLE, 1e-10)):
        at = torch.tensor(y, dtype=dtype, requires_grad=True)
        log_weights, means, scales = mixture.tensors(dtype, grad=True)
        mixture_log_density(at, log_weights, means, scales).backward()
        found = torch.stack([at.grad, means.grad[0], scales.grad[0]])  # type: ignore[index,list-item]
        _assert_near(found * scale, expected, tolerance)
        assert log_weights.grad.item() == 1  # type: ignore[union-attr]


@settings(max_examples=500, deadline=None)
@given(st.floats(-4, 4).map(lambda e: float(_exact(10**e))), _DISTANCE, _WIDTH)
def test_mass_gradients_are_the_closed_forms(scale: float, distance: float, width: float) -> None:
    mixture = _Mixture(np.zeros(1), np.zeros(1), np.array([scale]))
    ends = _bin(mixture, distance, width)
    if ends is None:
        return
    expected = np.array(_mass_gradients(*ends, 0.0, scale)) * scale
    for dtype, tolerance in ((_SINGLE, 3e-5), (_DOUBLE, 1e-5)):
        lower, upper = (torch.tensor(e, dtype=dtype, requires_grad=True) for e in ends)
        log_weights, means, scales = mixture.tensors(dtype, grad=True)
        mixture_log_mass(lower, upper, log_weights, means, scales).backward()
        by_bounds = torch.stack([lower.grad, upper.grad])  # type: ignore[list-item]
        by_parameters = torch.cat([means.grad, scales.grad])  # type: ignore[list-item]
        _assert_near(by_parameters * scale, expected[2:], tolerance)
        # The far bound's gradient is exact to the rounding of the near bound's.
        largest = max(1, np.abs(expected[:2]).max())
        _assert_near(by_bounds * scale / largest, expected[:2] / largest, tolerance)
        assert log_weights.grad.item() == 1  # type: ignore[union-attr]


def _batch(dtype: torch.dtype, rows: int = 6, k: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    log_weights, means, log_scales = torch.randn(3, rows, k, generator=generator, dtype=dtype)
    return [log_weights.log_softmax(-1), 2 * means, (0.5 * log_scales).exp()]


def _smoothed(dtype: torch.dtype, rows: int = 6, k: int = 3) -> list[Tensor]:
    """Log weights, means and log scales, (k, rows), variances and largest log scales, (rows,)."""
    generator = torch.Generator().manual_seed(4)
    logits, means, log_scales = torch.randn(3, k, rows, generator=generator, dtype=dtype)
    deviations, most = torch.randn(2, rows, generator=generator, dtype=dtype)
    return [logits.log_softmax(0), means, log_scales, deviations.square(), most]


_BOUNDS = torch.tensor([[-math.inf, -1.0], [-9.0, 8.0], [-0.5, 0.3], [2.0, 2.5], [-7.0, -4.0], [1.5, math.inf]])


def test_gradients_of_mixtures_are_the_numerical_ones() -> None:
    parameters = [p.requires_grad_() for p in _batch(_DOUBLE)]
    y = torch.linspace(-4, 4, 6, dtype=_DOUBLE, requires_grad=True)
    lower, upper = _BOUNDS.double().unbind(-1)
    finite = _BOUNDS.double().clamp(-20, 20).requires_grad_()
    check = torch.autograd.gradcheck
    assert check(mixture_log_density, (y, *parameters))
    assert check(lambda *p: wrapped_mixture_log_density(*p, period=5.0), (y, *parameters))
    *smoothed, variance, most = _smoothed(_DOUBLE)
    assert (smoothed[2] > most).any()  # where the scale has no gradient
    for rows in (6, 1):  # parameters of each value, and of all alike
        shared = [p[:, :rows].clone().requires_grad_() for p in smoothed]
        assert check(lambda y, *p: smoothed_mixture_log_density(y, variance, *p, 0.1, most), (y, *shared))
    assert check(lambda *p: mixture_log_mass(lower, upper, *p), parameters)
    assert check(lambda b, *p: mixture_log_mass(*b.unbind(-1), *p), (finite, *parameters))


def test_single_precision_gradients_of_mixtures_are_the_double_ones() -> None:
    found = []
    for dtype in (_SINGLE, _DOUBLE):
        parameters = [p.to(dtype).requires_grad_() for p in _batch(_SINGLE)]
        mixture_log_mass(*_BOUNDS.to(dtype).unbind(-1), *parameters).sum().backward()
        *smoothed, variance, most = (x.to(dtype) for x in _smoothed(_SINGLE))
        parameters += [p.requires_grad_() for p in smoothed]
        y = torch.linspace(-4, 4, 6, dtype=dtype)
        smoothed_mixture_log_density(y, variance, *smoothed, 0.1, most).sum().backward()
        found.append(torch.cat([p.grad.double().flatten() for p in parameters]))  # type: ignore[union-attr]
    _assert_near(found[0], found[1].numpy(), 2e-6)


@pytest.mark.parametrize("dtype", [_SINGLE, _DOUBLE])
def test_values_and_gradients_are_finite_and_fall_outwards_however_extreme(dtype: torch.dtype) -> None:
    steps = torch.cat([torch.zeros(1), 10.0 ** torch.arange(-6, 31)]).to(dtype)
    for scale in (1e-4, 1.0, 1e4):
        for side in (-1, 1):
            parameters = [
                torch.tensor(p, dtype=dtype).expand(len(steps), 2).clone().requires_grad_()
                for p in ([-0.1, -2.4], [0.0, 0.0], [scale, scale])
            ]
            y = (side * steps).clone().requires_grad_()
            edge = torch.full_like(steps, side * math.inf)
            to_the_end = (y, edge) if side > 0 else (edge, y)
            narrow = (y - 1e-6 * scale, y + 1e-6 * scale)
            for value in (
                mixture_log_density(y, *parameters),
                mixture_log_mass(*to_the_end, *parameters),
                mixture_log_mass(*narrow, *parameters),  # far out its ends are one number
                mixture_log_mass(torch.full_like(y, -math.inf), torch.full_like(y, math.inf), *parameters),
            ):
                assert torch.isfinite(value).all()
                grads = torch.autograd.grad(value.sum(), [y, *parameters], retain_graph=True, allow_unused=True)
                assert all(torch.isfinite(g).all() for g in grads if g is not None)
            assert (mixture_log_density(y, *parameters).diff() <= 1e-6).all()
            for log_scale in (math.log(scale), -1000.0, 1000.0):
                at = [torch.tensor(p, dtype=dtype)[:, None] for p in ([-0.1, -2.4], [0.0, 0.0], [log_scale] * 2)]
                at = [p.expand(2, len(steps)).clone().requires_grad_() for p in at]
                value = smoothed_mixture_log_density(y, torch.zeros_like(y), *at, 1e-4, torch.full_like(y, 5.0))
                assert (value.diff() <= 1e-6).all()
                assert torch.isfinite(value).all()
                assert all(torch.isfinite(g).all() for g in torch.autograd.grad(value.sum(), [y, *at]))
            assert (mixture_log_mass(*to_the_end, *parameters).diff() <= 1e-6).all()


def test_the_whole_line_has_log_mass_zero_and_no_gradient() -> None:
    log_weights, means, scales = (p.requires_grad_() for p in _batch(_SINGLE))
    ends = torch.full((6,), math.inf)
    value = mixture_log_mass(-ends, ends, log_weights, means, scales)
    _assert_near(value, 0, 2e-7)
    value.sum().backward()
    assert means.grad is not None
    assert scales.grad is not None
    assert (means.grad == 0).all()
    assert (scales.grad == 0).all()


@settings(deadline=None)
@given(_mixtures(), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_masses_of_bins_that_tile_the_line_sum_to_one(mixture: _Mixture, bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cuts = mixture.means[0] + mixture.scales[0] * rng.standard_normal(bins) * 10 ** rng.uniform(-4, 4, bins)
    edges = torch.tensor(np.unique([-math.inf, *_exact(cuts), math.inf]), dtype=_SINGLE)
    total = mixture_log_mass(edges[:-1], edges[1:], *mixture.tensors(_SINGLE)).double().exp().sum()
    assert total.item() == pytest.approx(1, abs=2e-6)


@settings(deadline=None)
@given(_mixtures())
def test_the_density_integrates_to_one(mixture: _Mixture) -> None:
    # A grid for each component, fine near its mean, merged: the trapezoid rule then resolves every σ.
    z = np.sinh(np.linspace(-7, 7, 1001)) / 50
    grid = np.unique((mixture.means[:, None] + mixture.scales[:, None] * z).ravel())
    density = mixture_log_density(torch.tensor(grid), *mixture.tensors(_DOUBLE)).exp().numpy()
    total = np.exp(logsumexp(mixture.log_weights))  # 1 up to rounding to float32
    assert np.trapezoid(density, grid) == pytest.approx(total, abs=1e-4)


def _wrapped_reference(y: NDArray[np.float64], mean: float, scale: float, period: float) -> Any:
    return logsumexp([norm.logpdf(y + j * period, mean, scale) for j in range(-30, 31)], axis=0)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.2, 1 / 3])
@pytest.mark.parametrize("mean", [0.0, 11.9, 23.9, -30.0])
def test_the_wrapped_density_is_that_of_all_images(share: float, mean: float) -> None:
    period = 24.0
    y = np.linspace(-24, 48, 601)
    parameters = (
        torch.zeros(1, dtype=_DOUBLE),
        torch.tensor([mean], dtype=_DOUBLE),
        torch.tensor([share * period]),
    )
    value = wrapped_mixture_log_density(torch.tensor(y), *parameters, period=period)
    _assert_near(value, _wrapped_reference(y, mean, share * period, period), 1e-3)
    if share > 0.01:  # the grid resolves it
        assert np.trapezoid(value[:201].exp().numpy(), y[:201]) == pytest.approx(1, abs=1e-3)


def test_midnight_is_as_near_from_both_sides() -> None:
    parameters = (torch.zeros(1), torch.tensor([23.5]), torch.tensor([1.0]))
    before, after = wrapped_mixture_log_density(torch.tensor([22.5, 0.5]), *parameters, period=24.0)
    assert before.item() == pytest.approx(after.item(), abs=1e-6)


_FUNCTIONS: list[Callable[..., Tensor]] = [
    mixture_log_density,
    lambda y, *p: mixture_log_mass(y, y + 0.5, *p),
    lambda y, *p: wrapped_mixture_log_density(y, *p, period=9.0),
]


@pytest.mark.parametrize("function", _FUNCTIONS)
def test_shapes_broadcast_and_gradients_keep_the_shapes_of_the_inputs(
    function: Callable[..., Tensor],
) -> None:
    y = torch.linspace(-3, 3, 20).reshape(5, 4)
    row, whole, one = (p.requires_grad_() for p in (torch.randn(4, 3), torch.randn(5, 4, 3), torch.rand(3) + 0.5))
    value = function(y, row, whole, one)
    assert value.shape == (5, 4)
    full = [p.detach().expand(5, 4, 3).clone().requires_grad_() for p in (row, whole, one)]
    each = torch.stack([function(y[i, j], *(p[i, j] for p in full)) for i in range(5) for j in range(4)])
    torch.testing.assert_close(value.flatten(), each)
    value.square().sum().backward()
    each.square().sum().backward()
    assert row.grad is not None
    torch.testing.assert_close(row.grad, full[0].grad.sum(0))  # type: ignore[union-attr]
    torch.testing.assert_close(whole.grad, full[1].grad)
    torch.testing.assert_close(one.grad, full[2].grad.sum((0, 1)))  # type: ignore[union-attr]


def _in_space(k: int, d: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Weights, means and covariances, some of them close to singular."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, d, d)) * 10 ** rng.uniform(-2, 1, (k, 1, d))
    return rng.dirichlet(np.ones(k)), 3 * rng.normal(size=(k, d)), roots @ roots.mT + 1e-6 * np.eye(d)


@pytest.mark.parametrize(("k", "d"), [(1, 1), (1, 4), (3, 1), (4, 3), (2, 10)])
def test_the_energy_in_space_is_scipys(k: int, d: int) -> None:
    weights, means, covariances = _in_space(k, d, seed=k)
    z = np.concatenate(
        [means, np.random.default_rng(1).normal(size=(50, d)) * 10.0 ** np.arange(50)[:, None].clip(0, 6)]
    )
    logs = [
        multivariate_normal.logpdf(z, mean, covariance).reshape(-1)
        for mean, covariance in zip(means, covariances, strict=True)
    ]
    expected = -logsumexp(np.stack(logs, 1) + np.log(weights), axis=1)
    cholesky = np.linalg.cholesky(covariances)
    value = gaussian_mixture_energy(*(torch.tensor(x) for x in (z, np.log(weights), means, cholesky)))
    _assert_near(value, expected, 1e-6)


def test_the_mixture_of_soft_members_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(-2, 0.3, (300, 3)), rng.normal(1, 1, (200, 3)) @ rng.normal(size=(3, 3))])
    model = GaussianMixture(2, tol=1e-9, max_iter=2000, reg_covar=1e-5, random_state=0).fit(z)
    # At the fixed point of expectation maximisation the mixture of the memberships is the mixture itself.
    log_weights, means, cholesky = soft_gaussian_mixture(torch.tensor(z), torch.tensor(model.predict_proba(z)), 1e-5)
    _assert_near(log_weights.exp(), model.weights_, 1e-4)
    _assert_near(means, model.means_, 1e-4)
    _assert_near(cholesky @ cholesky.mT, model.covariances_, 1e-4)
    energy = gaussian_mixture_energy(torch.tensor(z), log_weights, means, cholesky)
    _assert_near(energy, -model.score_samples(z), 1e-3)


def test_the_gradients_in_space_are_the_numerical_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(7, 2, generator=generator, dtype=_DOUBLE, requires_grad=True)
    logits = torch.randn(7, 3, generator=generator, dtype=_DOUBLE, requires_grad=True)

    def energy(z: Tensor, logits: Tensor) -> Tensor:
        return gaussian_mixture_energy(z, *soft_gaussian_mixture(z, logits.softmax(1), 0.1))

    assert torch.autograd.gradcheck(energy, (z, logits))


@pytest.mark.parametrize("none", [0.0, 1e-300, 1e-9])
def test_a_component_without_members_changes_nothing(none: float) -> None:
    z = torch.randn(30, 2, generator=torch.Generator().manual_seed(0), dtype=_DOUBLE)
    alone = torch.ones(30, 1, dtype=_DOUBLE)
    z.requires_grad_()
    memberships = torch.cat([alone - none, alone * none], 1).requires_grad_()
    energy = gaussian_mixture_energy(z, *soft_gaussian_mixture(z, memberships, 1e-6))
    _assert_near(energy, gaussian_mixture_energy(z, *soft_gaussian_mixture(z, alone, 1e-6)).detach().numpy(), 1e-5)
    energy.sum().backward()
    assert z.grad is not None
    assert memberships.grad is not None
    assert torch.isfinite(z.grad).all()
    assert torch.isfinite(memberships.grad).all()


def test_points_in_one_place_have_the_floor_for_variance() -> None:
    log_weights, means, cholesky = soft_gaussian_mixture(torch.ones(5, 2), torch.ones(5, 1), 0.25)
    torch.testing.assert_close(log_weights, torch.zeros(1))
    torch.testing.assert_close(means, torch.ones(1, 2))
    torch.testing.assert_close(cholesky, 0.5 * torch.eye(2)[None])
