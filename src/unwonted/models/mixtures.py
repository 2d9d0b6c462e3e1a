"""Gaussian mixtures side by side, one for each of several networks."""

import warnings
from collections.abc import Iterable

import torch
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Generator, Tensor, nn

from unwonted.density import gaussian_mixture_energy, soft_gaussian_mixture

__all__ = ["Mixtures", "soft_mixtures"]

Mixture = tuple[Tensor, Tensor, Tensor]
"""log φ, μ and Cholesky factors of Σ; see `gaussian_mixture_energy`."""


class Mixtures(nn.Module):
    """A Gaussian mixture for each network, kept.

    log φ, shape (networks, K), μ, shape (networks, K, D), and Cholesky factors of Σ, shape (networks, K, D, D).
    """

    log_weights: Tensor
    means: Tensor
    cholesky: Tensor

    def __init__(self, networks: int, components: int, dimensions: int) -> None:
        super().__init__()
        shapes = {"log_weights": (), "means": (dimensions,), "cholesky": (dimensions, dimensions)}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(networks, components, *shape, dtype=torch.float64))

    def forward(self, u: Tensor) -> Tensor:
        """The energy of points, (networks, n, D) to (networks, n)."""
        return gaussian_mixture_energy(u, self.log_weights, self.means, self.cholesky)

    def keep(self, log_weights: Tensor, means: Tensor, cholesky: Tensor) -> None:
        """Takes mixtures of as many components or fewer; the others weigh nothing."""
        found = log_weights.shape[1]
        self.log_weights.fill_(-torch.inf)[:, :found] = log_weights
        self.means.zero_()[:, :found] = means
        self.cholesky.copy_(torch.eye(self.means.shape[2]))[:, :found] = cholesky

    def fit(self, u: Tensor, floor: float, generator: Generator) -> None:
        """Takes mixtures found by expectation maximisation, of no more components than there are points.

        Args:
            u: Points, shape (networks, n, D).
            floor: Added to every variance.
            generator: Draws the seeds of scikit-learn.
        """
        components = min(self.log_weights.shape[1], u.shape[1])
        self.keep(*_stacked(_fitted(own, components, floor, generator) for own in u))


def soft_mixtures(u: Tensor, memberships: Tensor, floor: float) -> Mixture:
    """`soft_gaussian_mixture` of each network: of points (networks, n, D) and memberships (networks, n, K)."""
    # One after the other, so that the gradient of each rounds as that of a network by itself.
    return _stacked(soft_gaussian_mixture(*own, floor) for own in zip(u, memberships, strict=True))


def _fitted(u: Tensor, components: int, floor: float, generator: Generator) -> Mixture:
    seed = int(torch.randint(2**31, (1,), generator=generator))
    found = GaussianMixture(components, reg_covar=floor, random_state=seed)
    # The matrix is NumPy's, whatever arrays the caller has scikit-learn dispatch on.
    with warnings.catch_warnings(), config_context(array_api_dispatch=False):
        warnings.simplefilter("ignore", ConvergenceWarning)  # few different records
        found.fit(u.cpu().numpy())
    covariances = torch.from_numpy(found.covariances_)
    return (
        torch.from_numpy(found.weights_).log(),
        torch.from_numpy(found.means_),
        torch.linalg.cholesky(covariances),
    )


def _stacked(mixtures: Iterable[Mixture]) -> Mixture:
    log_weights, means, cholesky = map(torch.stack, zip(*mixtures, strict=True))
    return log_weights, means, cholesky
