"""Optimisers by name; AdaBelief is ours."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from unwonted.errors import DataError, check_choice

__all__ = ["OPTIMISERS", "AdaBelief", "optimiser"]

MOMENTUM = 0.9


class AdaBelief(Optimizer):
    """AdaBelief: steps are long where the gradient is as it was expected to be.

        m ← β₁ m + (1 − β₁) g,    s ← β₂ s + (1 − β₂) (g − m)² + ε,
        θ ← (1 − ηλ) θ − η m̂ / (√ŝ + ε),    m̂ = m/(1 − β₁ᵗ),  ŝ = s/(1 − β₂ᵗ).

    Args:
        params: Weights, or groups of them.
        lr: η.
        betas: β₁ and β₂.
        eps: ε.
        weight_decay: λ, decoupled from the gradient.

    Source: Zhuang et al. (2020), algorithm 2, with the decoupled decay of Loshchilov and Hutter (2019).

    >>> weights = torch.nn.Parameter(torch.tensor([1.0]))
    >>> weights.grad = torch.tensor([0.5])
    >>> AdaBelief([weights], lr=0.1).step()
    >>> round(weights.item(), 4)
    0.8889
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-16,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step down the gradients that are there."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    self._move(weights, weights.grad, group)

    def _move(self, weights: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        (beta1, beta2), eps, state = group["betas"], group["eps"], self.state[weights]
        if not state:
            state.update(step=0, mean=torch.zeros_like(weights), belief=torch.zeros_like(weights))
        state["step"] += 1
        mean, belief = state["mean"], state["belief"]
        mean.lerp_(gradient, 1 - beta1)
        apart = gradient - mean
        belief.mul_(beta2).addcmul_(apart, apart, value=1 - beta2).add_(eps)
        weights.mul_(1 - group["lr"] * group["weight_decay"])
        scale = (belief / (1 - beta2 ** state["step"])).sqrt_().add_(eps)
        weights.addcdiv_(mean, scale, value=-group["lr"] / (1 - beta1 ** state["step"]))


class _Kind(NamedTuple):
    """How to make an optimiser of weights, rate and decay, and its usual rate in units of that of AdamW."""

    make: Callable[[list[Tensor], float, float], Optimizer]
    scale: float


OPTIMISERS = {
    "sgd": _Kind(lambda w, rate, decay: SGD(w, rate, momentum=MOMENTUM, weight_decay=decay), 25.0),
    "rmsprop": _Kind(lambda w, rate, decay: RMSprop(w, rate, weight_decay=decay), 0.25),
    "adam": _Kind(lambda w, rate, decay: Adam(w, rate, weight_decay=decay, fused=True), 1.0),
    "adamw": _Kind(lambda w, rate, decay: AdamW(w, rate, weight_decay=decay, fused=True), 1.0),
    "adabelief": _Kind(lambda w, rate, decay: AdaBelief(w, rate, weight_decay=decay), 1.0),
}
"""SGD (momentum 0.9), RMSProp, Adam, AdamW and AdaBelief."""


def optimiser(name: str, weights: Iterable[Tensor], rate: float, decay: float) -> Optimizer:
    """A new optimiser of this name.

    Args:
        name: One of `OPTIMISERS`.
        weights: What it changes.
        rate: Learning rate.
        decay: Weight decay: a share of the rate with AdamW and AdaBelief, part of the gradient with the others.

    Raises:
        DataError: there is none of this name, or the rate is not above 0.
    """
    check_choice("optimiser", name, OPTIMISERS)
    if not rate > 0:
        raise DataError(f"learning_rate={rate} is not above 0; give a positive number, or None for the usual one")
    return OPTIMISERS[name].make(list(weights), rate, decay)
