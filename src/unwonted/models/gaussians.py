"""Gaussian mixtures over whole records: the density between single neighbours and single columns."""

import math
import warnings
from typing import Any

import torch
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from unwonted.models.points import Points

__all__ = ["Gaussians"]

SIZES = (2, 5, 10, 20)
"""How many Gaussians each mixture has."""
FEWEST_EACH = 10  # records a Gaussian
MOST_AXES = 64
FEWEST_AN_AXIS = 4  # records
VARIANCE_FLOOR = 1e-2  # added along each axis, where 1 is the variance of a column
MOST_RECORDS = 5000  # that the mixtures are fitted to
ITERATIONS = 60


class Gaussians(nn.Module):
    """−log p of a record's place (see `Points`) under mixtures of Gaussians with full covariances.

    The mean over mixtures M of 2, 5, 10 and 20 Gaussians (those that have ten records a Gaussian), fitted by
    expectation maximisation,

        −log p_M(x) = −log Σ_k π_k N(z; m_k, S_k) − log N(x − μ − Uz; 0, σ² I),

    where z = Uᵀ(x − μ) lies along the principal axes U of the records, the first 64 where there are more (one for every
    four records at most), and σ² is the variance of the others. One mixture of many Gaussians is sharper where there
    are many records, one of few where there are few; their mean takes no choice.

    It splits over columns by an identity: with p(k | x) = π_k N_k / p,

        −log p_M = Σ_k p(k | x) [½ (z − m_k)ᵀ S_k⁻¹ (z − m_k) + ½ log det S_k − log π_k + log p(k | x)] + …,

    whose squared distance is a sum over the dimensions of x − μ − U m_k; what belongs to no column is shared evenly.

    Args:
        points: Which keep the records.
        rows: How many records it is fitted to.
    """

    centre: Tensor
    axes: Tensor
    log_weights: Tensor
    means: Tensor
    precisions: Tensor
    half_log_dets: Tensor
    residual: Tensor

    def __init__(self, points: Points, rows: int) -> None:
        super().__init__()
        self.sizes = [size for size in SIZES if FEWEST_EACH * size <= rows] or [1]
        dimensions = points.kept.shape[1]
        axes = min(dimensions, MOST_AXES, max(1, rows // FEWEST_AN_AXIS))
        total = sum(self.sizes)
        self.register_buffer("centre", torch.zeros(dimensions))
        self.register_buffer("axes", torch.zeros(dimensions, axes))
        self.register_buffer("log_weights", torch.zeros(total))
        self.register_buffer("means", torch.zeros(total, axes))
        self.register_buffer("precisions", torch.eye(axes).repeat(total, 1, 1))
        self.register_buffer("half_log_dets", torch.zeros(total))
        self.register_buffer("residual", torch.ones(()))

    def fit(self, points: Tensor, seed: int) -> None:
        """Fits to where records lie, shape (n, dimensions)."""
        x = points.double()
        centre = x.mean(0)
        axes = torch.linalg.svd(x - centre, full_matrices=False).Vh[: self.axes.shape[1]].T
        z = (x - centre) @ axes
        left = x.shape[1] - axes.shape[1]
        self.centre.copy_(centre)
        self.axes.copy_(axes)
        if left:
            self.residual.copy_(((x - centre).square().sum() - z.square().sum()) / (len(x) * left) + VARIANCE_FLOOR)
        fitted = [self._fitted(z, size, seed) for size in self.sizes]
        self.log_weights.copy_(torch.cat([torch.from_numpy(one.weights_).log() for one in fitted]))
        self.means.copy_(torch.cat([torch.from_numpy(one.means_) for one in fitted]))
        precisions = torch.cat([torch.from_numpy(one.precisions_) for one in fitted])
        self.precisions.copy_(precisions)
        self.half_log_dets.copy_(-torch.logdet(precisions) / 2)

    def forward(self, asked: Tensor, points: Points) -> Tensor:
        """Each column's share in the mean of −log p, in nats, (n, columns)."""
        x = asked - self.centre
        z = x @ self.axes
        off = x - z @ self.axes.T
        columns = points.owner.shape[1]
        found = off.square() @ points.owner / (2 * self.residual)
        start = 0
        for size in self.sizes:
            found = found + self._split(x, z, slice(start, start + size), points.owner) / len(self.sizes)
            start += size
        dimensions, axes = self.axes.shape
        constant = dimensions * math.log(2 * math.pi) / 2 + (dimensions - axes) * self.residual.log() / 2
        return found + constant / columns

    def _split(self, x: Tensor, z: Tensor, mixture: slice, owner: Tensor) -> Tensor:
        """One mixture's −log p, but for what is the same for all records, (n, columns)."""
        apart = z[:, None] - self.means[mixture]
        pulled = torch.einsum("nka,kab->nkb", apart, self.precisions[mixture])
        halves = (apart * pulled).sum(2) / 2 + self.half_log_dets[mixture] - self.log_weights[mixture]
        log_shares = (-halves).log_softmax(1)
        shares = log_shares.exp()
        # Σ_k p(k|x) (x − U m_k) ∘ U S_k⁻¹ (z − m_k) / 2, with the sum over Gaussians taken before the long products.
        weighed = shares[..., None] * pulled
        along = x * (weighed.sum(1) @ self.axes.T)
        of_means = torch.einsum("da,nka,kd->nd", self.axes, weighed, self.means[mixture] @ self.axes.T)
        even = (shares * (self.half_log_dets[mixture] - self.log_weights[mixture] + log_shares)).sum(1)
        return (along - of_means) @ owner / 2 + even[:, None] / owner.shape[1]

    def _fitted(self, z: Tensor, size: int, seed: int) -> Any:
        mixture = GaussianMixture(size, reg_covar=VARIANCE_FLOOR, max_iter=ITERATIONS, random_state=seed)
        with warnings.catch_warnings(), config_context(array_api_dispatch=False):
            warnings.simplefilter("ignore", ConvergenceWarning)  # nearly as good as it gets is good enough here
            return mixture.fit(z.numpy())
