"""Heads of a network that say how each column is distributed: outcomes by name, and mixtures of Gaussians beside."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from unwonted.density import mixture_log_density, mixture_log_mass, wrapped_mixture_log_density
from unwonted.encode import Encoded
from unwonted.nets import bounded, register_derived
from unwonted.parts import NOVEL, VALUE, CategoricalPart, CyclicPart, NumericPart, Part

__all__ = ["DensityHeads"]

LEAST_SCALE = 0.1  # of a component, in standard deviations of the column
LARGEST_LOG_SCALE = 5.0
LARGEST_LOGIT = 30.0
CIRCLE_SCALE = 2.0  # largest σ on a circle of 2π, a third of the way round
LEAST_WIDTH = 1e-30  # of a bin, whose logarithm is taken
WIDEST_VARIANCE = 1e6  # of a bin


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

    sizes: Tensor
    part_of_outcome: Tensor
    slot: Tensor
    log_seen: Tensor
    log_novel: Tensor
    largest_log_scale: Tensor
    shared: Tensor
    missing: Tensor

    def __init__(self, parts: Sequence[Part], width: int, components: int, exact: bool) -> None:
        super().__init__()
        self.components, self.exact = components, exact
        kinds = tuple(map(_kind, parts))
        # A value that stands for no bin has one of width 0: unless masses are exact, one law serves both.
        one_law = not exact and "mass" in kinds
        self.kinds = tuple("mass" if one_law and kind == "density" else kind for kind in kinds)
        sizes = torch.tensor([part.outcomes for part in parts])
        valued = torch.tensor([kind != "category" for kind in self.kinds])
        circles = torch.tensor([kind == "circle" for kind in self.kinds])
        novelty = torch.tensor([part.novelty for part in parts])
        shared = [part.shared() if isinstance(part, CategoricalPart) else [0.0] * part.outcomes for part in parts]
        derived = {
            "sizes": sizes,
            "part_of_outcome": torch.arange(len(parts)).repeat_interleave(sizes),
            "slot": torch.where(valued, valued.cumsum(0) - 1, -1),
            "log_seen": torch.log1p(-novelty),
            "log_novel": (novelty / torch.tensor([getattr(part, "unseen", 1.0) for part in parts])).log(),
            "largest_log_scale": torch.where(circles, math.log(CIRCLE_SCALE - LEAST_SCALE), LARGEST_LOG_SCALE),
            "shared": torch.tensor([x for shares in shared for x in shares], dtype=torch.float32),
            "missing": torch.tensor([part.gap for part in parts]),
        }
        register_derived(self, derived)
        with torch.random.fork_rng(devices=[]):  # the caller draws the weights
            self.outcome_head = nn.Linear(width, int(sizes.sum()))
            self.mixture_head = nn.Linear(width, max(1, int(valued.sum())) * 3 * components)

    def start_apart(self) -> None:
        """Spreads the components over the range of the values, so that they start with different jobs."""
        with torch.no_grad():
            self.outcome_head.bias.zero_()
            bias = self.mixture_head.bias.view(-1, 3, self.components)
            bias.zero_()
            bias[:, 1] = torch.linspace(-1.5, 1.5, self.components)
            bias[:, 2] = -0.5
            circles = [int(self.slot[i]) for i, kind in enumerate(self.kinds) if kind == "circle"]
            bias[circles, 1] = torch.linspace(0, 2 * math.pi, self.components + 1)[:-1]

    def nats(self, batch: Encoded, h: Tensor, asked: Tensor) -> Tensor:
        """−log p of the asked parts (ascending) given what the network has read, (n, asked).

        One row of `h` stands for all records.
        """
        logits, starts = self.outcomes(h, asked)
        part = torch.arange(len(asked), device=asked.device).repeat_interleave(self.sizes[asked])
        # Logits are bounded, so a plain sum of exponentials is safe; one product sums all parts at once.
        log_total = (logits.exp() @ functional.one_hot(part, len(asked)).to(logits.dtype)).log()
        codes = batch.codes[:, asked]
        outcome = starts + codes.clamp(min=0)
        share = self.shared[self._outcome_rows(asked)]
        log_p = logits.expand(len(batch), -1).gather(1, outcome) + share[outcome] - log_total
        slots = self.slot[asked]
        place = (slots >= 0).nonzero().flatten()
        if len(place):
            of_value = logits[:, starts[place]] - log_total[:, place]
            of_value = of_value + self._log_values(h, batch, asked[place])
            code, named = codes[:, place], log_p[:, place]
            at_atom = of_value if self.exact else of_value + self._log_widths(batch, slots[place])
            both = torch.where(code == VALUE, of_value, torch.logaddexp(named, at_atom))
            valued = (code != NOVEL) & (code != self.missing[asked[place]])
            log_p = log_p.index_copy(1, place, torch.where(valued, both, named))
        return -torch.where(codes != NOVEL, log_p + self.log_seen[asked], self.log_novel[asked])

    def outcomes(self, h: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Bounded logits of the asked parts' outcomes, one after the other, and where each part's start."""
        head = self.outcome_head
        if len(asked) == len(self.sizes):
            logits = head(h)
        else:
            rows = self._outcome_rows(asked)
            logits = functional.linear(h, head.weight[rows], head.bias[rows])
        sizes = self.sizes[asked]
        return bounded(logits, LARGEST_LOGIT), sizes.cumsum(0) - sizes

    def mixtures(self, h: Tensor, asked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log weights, means and scales of the asked parts' mixtures, each (n, asked, K)."""
        slots, head = self.slot[asked], self.mixture_head
        if 3 * self.components * len(slots) == head.out_features:
            raw = head(h)
        else:
            shape = (-1, 3 * self.components)
            weight = head.weight.view(*shape, h.shape[1])[slots].flatten(0, 1)
            raw = functional.linear(h, weight, head.bias.view(shape)[slots].flatten())
        # In memory the components come first: sums over a few neighbours are many times slower than sums of rows.
        by_component = raw.view(len(h), len(asked), 3, self.components).permute(2, 3, 0, 1).contiguous()
        log_weights, means, log_scales = by_component
        scales = LEAST_SCALE + log_scales.clamp(max=self.largest_log_scale[asked]).exp()
        return log_weights.log_softmax(0).movedim(0, -1), means.movedim(0, -1), scales.movedim(0, -1)

    def _log_values(self, h: Tensor, batch: Encoded, asked: Tensor) -> Tensor:
        """Log density or mass of the asked parts' values under their mixtures, (n, asked)."""
        mixtures = self.mixtures(h, asked)
        values, widths = batch.values[:, self.slot[asked]], batch.widths[:, self.slot[asked]]
        kinds = [self.kinds[i] for i in asked.tolist()]
        laws = {"density": _log_density, "mass": _log_mass if self.exact else _log_smoothed, "circle": _log_on_circle}
        if len(set(kinds)) == 1:
            return laws[kinds[0]](values, widths, *mixtures)
        columns, order = [], []
        for kind, log_p in laws.items():
            here = [i for i, k in enumerate(kinds) if k == kind]
            if here:
                columns.append(log_p(values[:, here], widths[:, here], *(x[:, here] for x in mixtures)))
                order += here
        return torch.cat(columns, 1)[:, torch.tensor(order, device=values.device).argsort()]

    def _log_widths(self, batch: Encoded, slots: Tensor) -> Tensor:
        """Log width of each value's bin, (n, slots)."""
        return batch.widths[:, slots].clamp(min=LEAST_WIDTH).log()

    def _outcome_rows(self, asked: Tensor) -> Tensor:
        """Positions of the asked parts' outcomes among all."""
        return torch.isin(self.part_of_outcome, asked).nonzero().flatten()


def _kind(part: Part) -> str:
    if isinstance(part, CategoricalPart):
        return "category"
    if isinstance(part, CyclicPart):
        return "circle"
    return "mass" if isinstance(part, NumericPart) and part.resolution else "density"


def _log_density(y: Tensor, width: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    return mixture_log_density(y, log_weights, means, scales)


def _log_smoothed(y: Tensor, width: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    variance = (width.square() / 12).clamp(max=WIDEST_VARIANCE).unsqueeze(-1)
    return mixture_log_density(y, log_weights, means, (scales.square() + variance).sqrt())


def _log_mass(y: Tensor, width: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    # Bins around 0 keep their digits however far out the value is.
    return mixture_log_mass(-width / 2, width / 2, log_weights, means - y.unsqueeze(-1), scales)


def _log_on_circle(y: Tensor, width: Tensor, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    period = 2 * math.pi
    return wrapped_mixture_log_density(y, log_weights, means.remainder(period), scales, period)
