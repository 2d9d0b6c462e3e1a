"""Optimisers by name, for all weights of a network as one vector; AdaBelief is ours."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from unwonted.errors import check_choice

__all__ = ["OPTIMISERS", "Descent", "State", "adabelief"]

MOMENTUM = 0.9
BETAS = 0.9, 0.999
EPSILON = 1e-8  # of all but AdaBelief
LEAST_NORM = 1e-6


class State(NamedTuple):
    """What an optimiser remembers: two running means, shaped like the weights, and how many steps; all 0 at first."""

    mean: Tensor
    square: Tensor
    steps: Tensor


Move = Callable[[Tensor, Tensor, State, float, float], None]
"""Changes weights and state in place: (weights, gradient, state, rate, decay)."""


def adabelief(
    weights: Tensor,
    gradient: Tensor,
    state: State,
    rate: float,
    decay: float,
    betas: tuple[float, float] = BETAS,
    epsilon: float = 1e-16,
) -> None:
    """A step of AdaBelief: it is long where the gradient is as it was expected to be.

        m ← β₁ m + (1 − β₁) g,    s ← β₂ s + (1 − β₂) (g − m)² + ε,
        θ ← (1 − ηλ) θ − η m̂ / (√ŝ + ε),    m̂ = m/(1 − β₁ᵗ),  ŝ = s/(1 − β₂ᵗ).

    Args:
        weights: θ, changed in place.
        gradient: g.
        state: m, s and t, changed in place.
        rate: η.
        decay: λ, decoupled from the gradient.
        betas: β₁ and β₂.
        epsilon: ε.

    Source: Zhuang et al. (2020), algorithm 2, with the decoupled decay of Loshchilov and Hutter (2019).

    >>> weights, zero = torch.tensor([1.0]), torch.zeros(1)
    >>> adabelief(weights, torch.tensor([0.5]), State(zero, zero.clone(), torch.tensor(0.0)), rate=0.1, decay=0)
    >>> round(weights.item(), 4)
    0.8889
    """
    state.steps.add_(1)
    steps = int(state.steps)
    state.mean.lerp_(gradient, 1 - betas[0])
    apart = gradient - state.mean
    state.square.mul_(betas[1]).addcmul_(apart, apart, value=1 - betas[1]).add_(epsilon)
    scale = (state.square / (1 - betas[1] ** steps)).sqrt_().add_(epsilon)
    weights.mul_(1 - rate * decay).addcdiv_(state.mean, scale, value=-rate / (1 - betas[0] ** steps))


def _sgd(weights: Tensor, gradient: Tensor, state: State, rate: float, decay: float) -> None:
    sgd(
        [weights], [gradient], [state.mean],
        lr=rate, weight_decay=decay, momentum=MOMENTUM, dampening=0.0, nesterov=False, maximize=False,
    )  # fmt: skip


def _rmsprop(weights: Tensor, gradient: Tensor, state: State, rate: float, decay: float) -> None:
    rmsprop(
        [weights], [gradient], [state.square], [], [], [state.steps],
        lr=rate, weight_decay=decay, alpha=0.99, eps=EPSILON, momentum=0.0, centered=False,
    )  # fmt: skip


def _by_moments(move: Callable[..., None]) -> Move:
    def moved(weights: Tensor, gradient: Tensor, state: State, rate: float, decay: float) -> None:
        move(
            [weights], [gradient], [state.mean], [state.square], [], [state.steps],
            lr=rate, weight_decay=decay, beta1=BETAS[0], beta2=BETAS[1], eps=EPSILON,
            fused=True, amsgrad=False, maximize=False,
        )  # fmt: skip

    return moved


class _Kind(NamedTuple):
    """How an optimiser moves, and its usual rate in units of that of AdamW."""

    move: Move
    scale: float


OPTIMISERS = {
    "sgd": _Kind(_sgd, 25.0),
    "rmsprop": _Kind(_rmsprop, 0.25),
    "adam": _Kind(_by_moments(adam), 1.0),
    "adamw": _Kind(_by_moments(adamw), 1.0),
    "adabelief": _Kind(adabelief, 1.0),
}
"""SGD (momentum 0.9), RMSProp, Adam, AdamW and AdaBelief."""


class Descent:
    """Moves the weights of a network down the gradient, all as one vector: a step is few operations for many layers.

    The functions of `torch.optim` do it, not its classes: the first of these that a process makes loads the compiler
    of torch, which takes longer than many a training.

    Args:
        name: One of `OPTIMISERS`.
        weights: What is moved.
        decay: Weight decay: a share of the rate with AdamW and AdaBelief, part of the gradient with the others.

    Raises:
        DataError: there is no optimiser of this name.

    >>> weights = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> descent = Descent("sgd", [weights], decay=0)
    >>> descent.step(weights.square().sum() / 2, rate=0.1, largest_norm=1.0)
    >>> [round(weight, 2) for weight in weights.tolist()]
    [2.94, 3.92]
    """

    def __init__(self, name: str, weights: Iterable[Tensor], decay: float) -> None:
        check_choice("optimiser", name, OPTIMISERS)
        self.weights, self.decay = list(weights), decay
        self.move = OPTIMISERS[name].move
        self.vector = torch.cat([weights.detach().flatten() for weights in self.weights])
        self.gradient, mean, square = (torch.zeros_like(self.vector) for _ in range(3))
        self.state = State(mean, square, torch.zeros((), device=self.vector.device))
        self.shares = self.shared(self.vector)

    def shared(self, vector: Tensor) -> list[Tensor]:
        """The weights that such a vector holds, as views of it in their own shapes."""
        shares = torch.split(vector, [weights.numel() for weights in self.weights])
        return [share.view_as(weights) for share, weights in zip(shares, self.weights, strict=True)]

    def step(self, loss: Tensor, rate: float, largest_norm: float) -> None:
        """One step down the gradient of the loss, which is cut to the largest norm."""
        gradients = torch.autograd.grad(loss, self.weights, materialize_grads=True)
        # Into the same memory in each step: fresh pages cost more than all the arithmetic here.
        torch.cat([gradient.flatten() for gradient in gradients], out=self.gradient)
        self.gradient.mul_((largest_norm / (self.gradient.norm() + LEAST_NORM)).clamp(max=1.0))
        with torch.no_grad():
            self.move(self.vector, self.gradient, self.state, rate, self.decay)
            torch._foreach_copy_(self.weights, self.shares)
