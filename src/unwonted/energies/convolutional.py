"""The convolutional energy, for images and other grids of one size."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from unwonted.energies import Energy

__all__ = ["ConvolutionalEnergy"]

KERNEL = 8
STRIDE = 2


class ConvolutionalEnergy(Energy):
    """E(u) = ½‖u − b′‖² − Σ_j h_{2,j}, where b′ is one image and

        h_1 = average over 2 × 2 of softplus(W_1 ∗ u + b_1),    h_2 = softplus(W_2ᵀ h_1 + Vᵀ u + b_2).

    The convolution sees patches of 8 × 8, one in two along each axis; the features of the second layer see all of the
    pooled maps and the image itself. A stack of small convolutions, which sees patches alone, denoises the images of a
    foreign class as well as its own, and can hardly tell them apart.

    Args:
        shape: (height, width, channels) of an image.
        maps: How many feature maps the convolution has.
        features: How many features of the whole image there are.

    Source: Zhai et al. (2016).
    """

    def __init__(self, shape: tuple[int, int, int], maps: int, features: int) -> None:
        super().__init__()
        height, width, channels = shape
        padding = (KERNEL // 2 - (height > 1), KERNEL // 2 - (width > 1))
        with torch.random.fork_rng(devices=[]):  # the caller draws the weights
            self.convolution = nn.Conv2d(channels, maps, KERNEL, STRIDE, padding)
            with torch.no_grad():
                pooled = self._pooled(torch.zeros(1, *shape)).shape[1]
            self.features = nn.Linear(pooled, features)
            self.whole = nn.Linear(height * width * channels, features, bias=False)
        self.centre = nn.Parameter(torch.zeros(shape))

    def forward(self, u: Tensor, lengths: Tensor | None = None) -> Tensor:
        features = functional.softplus(self.features(self._pooled(u)) + self.whole(u.flatten(1))).sum(1)
        return 0.5 * (u - self.centre).square().flatten(1).sum(1) - features

    def _pooled(self, u: Tensor) -> Tensor:
        """h_1, shape (n, cells)."""
        maps = functional.softplus(self.convolution(u.movedim(3, 1)))
        return functional.avg_pool2d(maps, 2, ceil_mode=True).flatten(1)
