"""The network of DMDN: p(hidden columns | visible columns) for any choice of what is hidden."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.density import mixture_log_density, mixture_log_mass, wrapped_mixture_log_density
from unwonted.encode import Encoded, Encoder
from unwonted.models.base import ColumnModel, Floats
from unwonted.models.reading import Reading
from unwonted.nets import ResidualMLP, initialise, register_derived
from unwonted.parts import NOVEL, VALUE, CategoricalPart, CyclicPart, NumericPart, Part

__all__ = ["MaskedMixture"]

LEAST_SCALE = 0.1  # of a component, in standard deviations of the column
LARGEST_LOG_SCALE = 5.0
LARGEST_LOGIT = 30.0
CIRCLE_SCALE = 2.0  # largest σ on a circle of 2π, a third of the way round
BLOCKS = 8  # of the columns, each scored given all the others
SPREAD_FLOOR = 0.1  # nats
LEAST_WIDTH = 1e-30  # of a bin, whose logarithm is taken
WIDEST_VARIANCE = 1e6  # of a bin


class MaskedMixture(ColumnModel):
    """A hidden column leaves no trace in the input; each part of it gets a distribution from the network.

    Outcomes (categories, gaps, atoms) have a categorical distribution, values a mixture of K Gaussians beside it:

        p(y | x) = P(value | x) · Σ_k π_k(x) N(y; μ_k(x), σ_k²(x)) + P(outcome of y | x),

    where N is a density, or the mass of the value's bin, or wound around a circle, as the part asks. What training
    never saw has the probability that Good–Turing leaves for it, and is hidden where it is an input.

    Without targets a value that stands for a bin of width w counts at its density N(y; μ_k, σ_k² + w²/12), the
    variance of the bin added: a bin a millionth of a deviation wide would have 14 nats to pay for digits that say
    nothing.

    Args:
        encoder: The parts.
        width, depth: Of the residual network.
        components: K.
        targets: Columns to predict, in the order of the chain rule; none: every column given random others.
        standardise: Whether pooling centres and scales each column's surprise; never with targets.
        seed: Of the weights, and of the contexts that scoring uses.

    Source: Bishop's mixture density network (1994) as in the DMDN paper, equations 1 to 3.
    """

    sizes: Tensor
    part_of_outcome: Tensor
    column_of_part: Tensor
    slot: Tensor
    log_seen: Tensor
    log_novel: Tensor
    shared: Tensor
    missing: Tensor
    hidden: Tensor
    scored: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        encoder: Encoder,
        *,
        width: int,
        depth: int,
        components: int,
        targets: Sequence[str] = (),
        standardise: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        parts = encoder.parts
        generator = Generator().manual_seed(seed)
        self.architecture = {"width": width, "depth": depth, "components": components}
        self.reading = Reading(encoder)
        self.components, self.chained = components, bool(targets)
        self.standardise = standardise and not targets
        self.labels = tuple(part.label for part in parts)
        self.kinds = tuple(map(_kind, parts))
        sizes = torch.tensor([part.outcomes for part in parts])

        every = torch.arange(len(parts))
        valued = torch.tensor([kind != "category" for kind in self.kinds])
        novelty = torch.tensor([part.novelty for part in parts])
        shared = [part.shared() if isinstance(part, CategoricalPart) else [0.0] * part.outcomes for part in parts]
        derived = {
            "column_of_part": torch.tensor(encoder.column_of_part),
            "sizes": sizes,
            "part_of_outcome": every.repeat_interleave(sizes),
            "slot": torch.where(valued, valued.cumsum(0) - 1, -1),
            "log_seen": torch.log1p(-novelty),
            "log_novel": (novelty / torch.tensor([getattr(part, "unseen", 1.0) for part in parts])).log(),
            "shared": torch.tensor([x for shares in shared for x in shares], dtype=torch.float32),
            "missing": torch.tensor([part.outcomes - 1 if part.missing else NOVEL for part in parts]),
        }
        register_derived(self, derived)
        hidden, scored = self._contexts(encoder, targets, generator)
        self.register_buffer("hidden", hidden)
        self.register_buffer("scored", scored)
        self.register_buffer("centre", torch.zeros(len(encoder.columns), dtype=torch.float64))
        self.register_buffer("spread", torch.ones(len(encoder.columns), dtype=torch.float64))

        with torch.random.fork_rng(devices=[]):
            self.body = ResidualMLP(len(self.reading.owner), width, depth)
            self.outcome_head = nn.Linear(width, int(sizes.sum()))
            self.mixture_head = nn.Linear(width, max(1, int(valued.sum())) * 3 * components)
        initialise(self, generator)
        self._start_apart()

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        """Surprise of the hidden parts, over half their number; with targets −log p, the sum over the chain.

        Half of the parts are hidden on average, whatever the draw: so each hidden part has the same weight.
        """
        if self.training:
            batch = self.reading.noised(batch, generator)
        if self.chained:
            return self.part_surprise(batch).sum(1)
        hidden = self._random_hidden(len(batch), generator).to(batch.codes.device)
        h = self.body(self.reading(batch, hidden))
        nats = self._nats(batch, h, torch.arange(len(self.labels), device=hidden.device))
        return (nats * hidden).sum(1) * 2 / len(self.labels)

    def surprise(self, batch: Encoded) -> Tensor:
        return self.by_column(self.part_surprise(batch))

    def part_surprise(self, batch: Encoded) -> Tensor:
        """−log p of each part, (n, parts): ⅔ `given_others` + ⅓ `given_nothing`; of targets the former alone."""
        if self.chained:
            return self.given_others(batch)
        return (2 * self.given_others(batch) + self.given_nothing(batch)) / 3

    def given_others(self, batch: Encoded) -> Tensor:
        """−log p of each part given the other blocks of columns, or its predecessors in the chain of targets."""
        total = torch.zeros(batch.codes.shape, device=batch.codes.device)
        for h, scored in zip(self._read_in_contexts(batch), self.scored, strict=True):
            asked = scored.nonzero().flatten()
            total = total.index_add(1, asked, self._nats(batch, h, asked))
        return total

    def given_nothing(self, batch: Encoded) -> Tensor:
        """−log p of each part by itself."""
        h = self.body.beyond_first(self.body.first.bias[None]).expand(len(batch), -1)
        return self._nats(batch, h, torch.arange(len(self.labels), device=h.device))

    def by_column(self, nats: Tensor) -> Tensor:
        """Sums over the parts of each column, (n, parts) to (n, columns)."""
        return nats.new_zeros(len(nats), len(self.centre)).index_add(1, self.column_of_part, nats)

    def pool(self, evidence: Floats) -> Floats:
        surprise = evidence[..., 0]
        if not self.standardise:
            return surprise
        # log(1 + exp z): what is above the usual counts, what is below hardly.
        z: Floats = (surprise - self.centre.cpu().numpy()) / self.spread.cpu().numpy()
        return np.logaddexp(0.0, z)

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        if not self.standardise or len(evidence) < 2:
            return
        surprise = evidence[..., 0]
        self.centre.copy_(torch.from_numpy(surprise.mean(0)))
        self.spread.copy_(torch.from_numpy(surprise.std(0, ddof=1)) + SPREAD_FLOOR)

    def culprit(self, batch: Encoded) -> str:
        if any(not torch.isfinite(weights).all() for weights in self.parameters()):
            return "a weight of the network is not finite; lower the learning rate"
        with torch.no_grad():
            everything = torch.ones_like(self.scored[0])
            nats = self._nats(batch, self.body(self.reading(batch, everything)), everything.nonzero().flatten())
        wrong = (~torch.isfinite(nats)).any(0).nonzero().flatten().tolist()
        return f"the loss of column {self.labels[(wrong or [0])[0]]!r} is not finite"

    def conditional(self, batch: Encoded, position: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        own_column = self.column_of_part == self.column_of_part[position]
        hidden = self.hidden[self.scored[:, position]].any(0) | own_column
        asked = torch.tensor([position], device=hidden.device)
        h = self.body(self.reading(batch, hidden))
        logits, _ = self._outcomes(h, asked)
        if self.kinds[position] == "category":
            return logits.softmax(1), (h[:, :0], h[:, :0], h[:, :0])
        log_weights, means, scales = (x[:, 0] for x in self._mixtures(h, asked))
        return logits.softmax(1), (log_weights.exp(), means, scales)

    def _contexts(self, encoder: Encoder, targets: Sequence[str], generator: Generator) -> tuple[Tensor, Tensor]:
        """What is hidden, and what of it is scored, in each pass of scoring; both bool (passes, parts)."""
        column = self.column_of_part
        if targets:
            order = [encoder.columns.index(target) for target in targets]
            chain = torch.cat([(column == position).nonzero().flatten() for position in order])
            scored = torch.eye(len(column), dtype=torch.bool)[chain]
            return scored.flip(0).cumsum(0).flip(0).bool(), scored
        columns = len(encoder.columns)
        blocks = torch.zeros(min(BLOCKS, columns), columns, dtype=torch.bool)
        blocks[torch.arange(columns) % len(blocks), torch.randperm(columns, generator=generator)] = True
        hidden = blocks[:, column]
        return hidden, hidden.clone()

    def _start_apart(self) -> None:
        """Spreads the components over the range of the values, so that they start with different jobs."""
        with torch.no_grad():
            self.outcome_head.bias.zero_()
            bias = self.mixture_head.bias.view(-1, 3, self.components)
            bias.zero_()
            bias[:, 1] = torch.linspace(-1.5, 1.5, self.components)
            bias[:, 2] = -0.5
            circles = [int(self.slot[i]) for i, kind in enumerate(self.kinds) if kind == "circle"]
            bias[circles, 1] = torch.linspace(0, 2 * math.pi, self.components + 1)[:-1]

    def _read_in_contexts(self, batch: Encoded) -> list[Tensor]:
        """The network's state in each context, before the heads, each (n, width)."""
        if self.chained:
            return [self.body(self.reading(batch, hidden)) for hidden in self.hidden]
        # The blocks share out the inputs: each block's part in the first layer is worked out once for all contexts.
        inputs = self.reading(batch, torch.zeros_like(self.hidden[0]))
        first, owner = self.body.first, self.reading.owner
        blocks = [inputs[:, mine] @ first.weight[:, mine].T for mine in (hidden[owner] for hidden in self.hidden)]
        others = (sum(blocks[:i] + blocks[i + 1 :], first.bias.expand(len(batch), -1)) for i in range(len(blocks)))
        return [self.body.beyond_first(h) for h in others]

    def _nats(self, batch: Encoded, h: Tensor, asked: Tensor) -> Tensor:
        """−log p of the asked parts (ascending) given what the network has read, (n, asked)."""
        logits, starts = self._outcomes(h, asked)
        part = torch.arange(len(asked), device=asked.device).repeat_interleave(self.sizes[asked])
        # Logits are bounded, so a plain sum of exponentials is safe; one product sums all parts at once.
        log_total = (logits.exp() @ functional.one_hot(part, len(asked)).to(logits.dtype)).log()
        codes = batch.codes[:, asked]
        outcome = starts + codes.clamp(min=0)
        share = self.shared[self._outcome_rows(asked)]
        log_p = logits.gather(1, outcome) + share[outcome] - log_total
        slots = self.slot[asked]
        place = (slots >= 0).nonzero().flatten()
        if len(place):
            of_value = logits[:, starts[place]] - log_total[:, place]
            of_value = of_value + self._log_values(h, batch, asked[place])
            code, named = codes[:, place], log_p[:, place]
            at_atom = of_value if self.chained else of_value + self._log_widths(batch, slots[place])
            both = torch.where(code == VALUE, of_value, torch.logaddexp(named, at_atom))
            valued = (code != NOVEL) & (code != self.missing[asked[place]])
            log_p = log_p.index_copy(1, place, torch.where(valued, both, named))
        return -torch.where(codes != NOVEL, log_p + self.log_seen[asked], self.log_novel[asked])

    def _outcomes(self, h: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Bounded logits of the asked parts' outcomes, one after the other, and where each part's start."""
        head = self.outcome_head
        if len(asked) == len(self.labels):
            logits = head(h)
        else:
            rows = self._outcome_rows(asked)
            logits = functional.linear(h, head.weight[rows], head.bias[rows])
        sizes = self.sizes[asked]
        return LARGEST_LOGIT * torch.tanh(logits / LARGEST_LOGIT), sizes.cumsum(0) - sizes

    def _mixtures(self, h: Tensor, asked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log weights, means and scales of the asked parts' mixtures, each (n, asked, K)."""
        slots, head = self.slot[asked], self.mixture_head
        if 3 * self.components * len(slots) == head.out_features:
            raw = head(h)
        else:
            shape = (-1, 3 * self.components)
            weight = head.weight.view(*shape, h.shape[1])[slots].flatten(0, 1)
            raw = functional.linear(h, weight, head.bias.view(shape)[slots].flatten())
        log_weights, means, log_scales = raw.view(len(h), len(asked), 3, self.components).unbind(2)
        scales = LEAST_SCALE + log_scales.clamp(max=LARGEST_LOG_SCALE).exp()
        return log_weights.log_softmax(-1), means, scales

    def _log_values(self, h: Tensor, batch: Encoded, asked: Tensor) -> Tensor:
        """Log density or mass of the asked parts' values under their mixtures, (n, asked)."""
        mixtures = self._mixtures(h, asked)
        values, widths = batch.values[:, self.slot[asked]], batch.widths[:, self.slot[asked]]
        kinds = [self.kinds[i] for i in asked.tolist()]
        laws = {"density": _log_density, "mass": _log_mass if self.chained else _log_smoothed, "circle": _log_on_circle}
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

    def _random_hidden(self, n: int, generator: Generator) -> Tensor:
        """Which parts each record hides: a random share of the columns, at least one; bool (n, parts)."""
        columns = len(self.centre)
        hidden = torch.rand(n, columns, generator=generator) < torch.rand(n, 1, generator=generator)
        hidden[torch.arange(n), torch.randint(columns, (n,), generator=generator)] = True
        return hidden[:, self.column_of_part.cpu()]

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
    return wrapped_mixture_log_density(y, log_weights, means.remainder(period), scales.clamp(max=CIRCLE_SCALE), period)
