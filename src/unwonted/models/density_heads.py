"""Heads of a network that say how each column is distributed: outcomes by name, and mixtures of Gaussians beside."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from unwonted.density import mixture_log_mass, smoothed_mixture_log_density, wrapped_mixture_log_density
from unwonted.encode import Encoded
from unwonted.models.asked import LEAST_SCALE, Asked
from unwonted.nets import bounded
from unwonted.parts import NOVEL, VALUE, Part

__all__ = ["DensityHeads"]

LARGEST_LOGIT = 30.0
LEAST_WIDTH = 1e-30  # of a bin, whose logarithm is taken
WIDEST_VARIANCE = 1e6  # of a bin

Mixture = tuple[Tensor, Tensor, Tensor]
"""Log weights, means and scales, each (n, valued, K)."""


class DensityHeads(nn.Module):
    """The distribution of each part, off what a network has read of the others.

    Outcomes (categories, gaps, atoms) have a categorical distribution, values a mixture of K Gaussians beside it:

        p(y | x) = P(value | x) · Σ_k π_k(x) N(y; μ_k(x), σ_k²(x)) + P(outcome of y | x),

    where N is a density, or the mass of the value's bin, or wound around a circle, as the part asks. What training
    never saw has the probability that Good–Turing leaves for it.

    Args:
        parts: What is distributed.
        width: Of what the network has read.
        components: K.
        exact: Whether a value that stands for a bin has the mass of the bin; otherwise it counts at its density
            N(y; μ_k, σ_k² + w²/12), with the variance of its bin of width w added: a bin a millionth of a deviation
            wide would have 14 nats to pay for digits that say nothing.

    Source: Bishop's mixture density network (1994) as in the DMDN paper, equations 1 to 3.
    """

    def __init__(self, parts: Sequence[Part], width: int, components: int, exact: bool) -> None:
        super().__init__()
        self.components, self.exact = components, exact
        self.every = Asked.every(parts, exact)
        with torch.random.fork_rng(devices=[]):  # the caller draws the weights
            self.outcome_head = nn.Linear(width, len(self.every.rows))
            self.mixture_head = nn.Linear(width, max(1, len(self.every.place)) * 3 * components)

    def start_apart(self) -> None:
        """Spreads the components over the range of the values, so that they start with different jobs."""
        with torch.no_grad():
            self.outcome_head.bias.zero_()
            bias = self.mixture_head.bias.view(-1, 3, self.components)
            bias.zero_()
            bias[:, 1] = torch.linspace(-1.5, 1.5, self.components)
            bias[:, 2] = -0.5
            bias[self.every.laws.get("circle", []), 1] = torch.linspace(0, 2 * math.pi, self.components + 1)[:-1]

    def nats(self, batch: Encoded, h: Tensor, asked: Asked) -> Tensor:
        """−log p of the asked parts given what the network has read, (n, asked).

        One row of `h` stands for all records.
        """
        logits = self.outcomes(h, asked)
        # Logits are bounded, so a plain sum of exponentials is safe; one product sums all parts at once.
        log_total = (logits.exp() @ asked.member.to(logits)).log()
        codes = asked.columns(batch.codes)
        outcome = asked.starts + codes.clamp(min=0)
        log_p = logits.expand(len(batch), -1).gather(1, outcome) - log_total
        if asked.any_shared:
            log_p = log_p + asked.shared[outcome]
        if asked.laws:
            log_any = logits.index_select(1, asked.firsts) - asked.valued(log_total)
            of_value = log_any + self._log_values(h, batch, asked)
            code, named = asked.valued(codes), asked.valued(log_p)
            both = of_value
            if asked.any_atoms:
                at_atom = of_value if self.exact else of_value + _log_widths(asked.values(batch.widths))
                both = torch.where(code == VALUE, of_value, torch.logaddexp(named, at_atom))
            found = torch.where(code != asked.gaps, both, named) if asked.any_gaps else both
            log_p = found if asked.all_valued else log_p.index_copy(1, asked.place, found)
        return -torch.where(codes != NOVEL, log_p + asked.log_seen, asked.log_novel)

    def outcomes(self, h: Tensor, asked: Asked) -> Tensor:
        """Bounded logits of the asked parts' outcomes, one after the other."""
        head = self.outcome_head
        logits = head(h) if asked.whole else functional.linear(h, head.weight[asked.rows], head.bias[asked.rows])
        return bounded(logits, LARGEST_LOGIT)

    def mixtures(self, h: Tensor, asked: Asked) -> Mixture:
        """Of those asked parts that have values."""
        return _bound(self._free(h, asked), asked.ceilings)

    def _free(self, h: Tensor, asked: Asked) -> Tensor:
        """What bounds make the mixtures of: logits, means and log scales, (3, K, n, valued)."""
        head, shape = self.mixture_head, (-1, 3 * self.components)
        if asked.whole:
            found: Tensor = head(h)
        else:
            weight = head.weight.view(*shape, h.shape[1])[asked.slots].flatten(0, 1)
            found = functional.linear(h, weight, head.bias.view(shape)[asked.slots].flatten())
        valued = found.shape[1] // (3 * self.components)
        return found.view(len(found), valued, 3, self.components).permute(2, 3, 0, 1).contiguous()

    def _log_values(self, h: Tensor, batch: Encoded, asked: Asked) -> Tensor:
        """Log density or mass of the asked parts' values under their mixtures, (n, valued)."""
        values, widths, free = asked.values(batch.values), asked.values(batch.widths), self._free(h, asked)
        if len(asked.laws) == 1:
            return LAWS[next(iter(asked.laws))](values, widths, free, asked.ceilings)
        by_law = [
            LAWS[law](values[:, here], widths[:, here], free[..., here], asked.ceilings[here])
            for law, here in asked.laws.items()
        ]
        return torch.cat(by_law, 1).index_select(1, asked.order)


def _bound(free: Tensor, ceilings: Tensor) -> Mixture:
    """Mixtures by any numbers, (3, K, n, valued), whose log scales count no more than the ceilings."""
    logits, means, log_scales = free
    scales = LEAST_SCALE + log_scales.clamp(max=ceilings).exp()
    return logits.log_softmax(0).permute(1, 2, 0), means.permute(1, 2, 0), scales.permute(1, 2, 0)


def _log_widths(widths: Tensor) -> Tensor:
    return widths.clamp(min=LEAST_WIDTH).log()


def _log_density(y: Tensor, width: Tensor, free: Tensor, ceilings: Tensor) -> Tensor:
    variance = (width.square() / 12).clamp(max=WIDEST_VARIANCE)
    logits, means, log_scales = free
    return smoothed_mixture_log_density(y, variance, logits.log_softmax(0), means, log_scales, LEAST_SCALE, ceilings)


def _log_mass(y: Tensor, width: Tensor, free: Tensor, ceilings: Tensor) -> Tensor:
    # Bins around 0 keep their digits however far out the value is.
    log_weights, means, scales = _bound(free, ceilings)
    return mixture_log_mass(-width / 2, width / 2, log_weights, means - y.unsqueeze(-1), scales)


def _log_on_circle(y: Tensor, width: Tensor, free: Tensor, ceilings: Tensor) -> Tensor:
    period = 2 * math.pi
    log_weights, means, scales = _bound(free, ceilings)
    return wrapped_mixture_log_density(y, log_weights, means.remainder(period), scales, period)


LAWS = {"density": _log_density, "mass": _log_mass, "circle": _log_on_circle}
