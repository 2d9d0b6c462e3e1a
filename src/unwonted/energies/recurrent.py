"""The recurrent energy, for sequences of any length."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from unwonted.energies import Energy
from unwonted.energies.matching import valid_steps

__all__ = ["RecurrentEnergy"]

POSITIONS = 32  # with a usual energy of their own; later steps share the last


class RecurrentEnergy(Energy):
    """E(u) = Σ_t E_t over the valid steps of a sequence, each a fully connected energy that the past shifts:

        E_t = ½‖u_t − b′_t‖² − Σ_j softplus(Wᵀ u_t + b_t)_j,
        b_t = b + B s_{t−1},    b′_t = b′ + B′ s_{t−1},    s_t = tanh(A u_t + R s_{t−1} + a),

    with s_0 learned. A state lies between −1 and 1, so that the energy grows without bound along any ray. ∇E runs
    through the states: a step is answerable for how it makes those after it look.

    exp(−E) is the density of a whole sequence, up to a factor of its length which score matching leaves open, and the
    first steps, which know of no past, are not on a level with the others. So that sequences of different length can
    be compared, each step's usual energy on the training records is set to zero (`level`); divide by the length then.

    Args:
        channels: Of a step.
        hidden: Size of the state.
        features: How many softplus features a step has.

    Source: Zhai et al. (2016).
    """

    usual: Tensor

    def __init__(self, channels: int, hidden: int, features: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # the caller draws the weights
            self.reading = nn.Linear(channels, hidden)
            self.recurrence = nn.Linear(hidden, hidden)
            self.features = nn.Linear(channels, features)
            self.feature_shift = nn.Linear(hidden, features)
            self.centre = nn.Linear(hidden, channels)
        self.start = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("usual", torch.zeros(POSITIONS))

    def forward(self, u: Tensor, lengths: Tensor | None = None) -> Tensor:
        steps = self._steps(u) - self.usual[_positions(u)]
        return steps.sum(1) if lengths is None else (steps * valid_steps(steps, lengths)).sum(1)

    @torch.no_grad()
    def level(self, u: Tensor, lengths: Tensor) -> None:
        """Sets the mean energy that these records have at a position to zero; changes no gradient.

        Args:
            u: All training records, shape (n, time, channels).
            lengths: Their valid steps, shape (n,).
        """
        valid = valid_steps(u[:, :, 0], lengths)
        positions = _positions(u).expand(len(u), -1)[valid]
        total = self.usual.new_zeros(POSITIONS).index_add(0, positions, self._steps(u)[valid])
        count = torch.bincount(positions, minlength=POSITIONS)
        reached = int(count.count_nonzero())
        self.usual[:reached] = total[:reached] / count[:reached]
        self.usual[reached:] = self.usual[reached - 1]

    def _steps(self, u: Tensor) -> Tensor:
        """E_t, shape (n, time)."""
        states = self._states(u)
        features = functional.softplus(self.features(u) + self.feature_shift(states)).sum(2)
        distances: Tensor = 0.5 * (u - self.centre(states)).square().sum(2)
        return distances - features

    def _states(self, u: Tensor) -> Tensor:
        """s_0 … s_{T−1}, what each step finds, shape (n, time, hidden)."""
        state = self.start.expand(len(u), -1)
        states = [state]
        for read in self.reading(u[:, :-1]).unbind(1):
            state = torch.tanh(read + self.recurrence(state))
            states.append(state)
        return torch.stack(states, 1)


def _positions(u: Tensor) -> Tensor:
    return torch.arange(u.shape[1], device=u.device).clamp(max=POSITIONS - 1)
