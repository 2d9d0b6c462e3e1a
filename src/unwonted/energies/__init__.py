"""Energies: functions E(u) of a record that are low where records are common, p(u) ∝ exp(−E(u))."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

__all__ = ["Energy"]


class Energy(nn.Module, ABC):
    """A function of a record in whitened coordinates u = x/σ, in which the noise of training has unit scale.

    It is half the squared distance from a centre less what grows at most linearly, so that it grows without bound
    along any ray: far from all data no record is likely.
    """

    @abstractmethod
    def forward(self, u: Tensor, lengths: Tensor | None = None) -> Tensor:
        """E(u) in nats, up to a constant.

        Args:
            u: Records, shape (n, ...).
            lengths: Of sequences, how many steps of each are valid, shape (n,); the others do not count.

        Returns:
            Shape (n,).
        """
