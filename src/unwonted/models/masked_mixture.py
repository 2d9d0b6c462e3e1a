"""The network of DMDN: p(hidden columns | visible columns) for any choice of what is hidden."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from unwonted.encode import Encoded, Encoder
from unwonted.models.asked import Asked
from unwonted.models.base import ColumnModel, Floats, of_kind
from unwonted.models.contexts import Contexts, chained, shared_out
from unwonted.models.density_heads import DensityHeads
from unwonted.models.rarity import Rarity
from unwonted.models.reading import Reading
from unwonted.models.scale import CommonScale
from unwonted.nets import ResidualMLP, initialise, register_derived

__all__ = ["POOLINGS", "MaskedMixture"]

BLOCKS = 8  # of the columns, each scored given all the others
HALVINGS = 3  # of the columns, each half scored given the other
WHOLLY_HIDDEN = 0.125  # share of the records of a batch
LEAST_DOUBT = 0.02  # share of a column's uncertainty that others are taken to leave, where they leave less
LEAST_UNCERTAINTY = 0.1  # nats that a column takes by itself; of one that takes less no share is told
SELDOM = 0.02  # share of records whose surprise is below 0, in a column that has outcomes more than values
ROUNDING = 1e-3  # nats
OTHERS, HALVES, NOTHING = range(3)
VIEW_OF_SUM = np.array([OTHERS, HALVES, NOTHING, OTHERS])  # the last of all columns alike
POOLINGS = "rarity", "views", "sum"


class MaskedMixture(ColumnModel):
    """A hidden column leaves no trace in the input; each part of it gets a distribution from the network.

    By views a record is as strange as it stands by the one that finds it strangest, on the scale of `CommonScale`: each
    column given the other blocks of columns, given a random half of them (the most of three), and by itself. There a
    column of outcomes (a category, a flag, a small count: its surprise is hardly ever below 0) counts 1/max(1 − U, .02)
    times, with U = 1 − E[−log p(x_j | others)]/E[−log p(x_j)] over held-out records, at least 0: Theil's uncertainty
    coefficient, how far others settle what it is. Where they do, a record that breaks the rule says most; what nothing
    tells is noise, and counts once (so does a number that is never well told, whose surprise is not below 0 either). A
    fourth sum has all columns alike, given the other blocks: else categories would outshout numbers.

    By rarity the score is the mean of that and of where the record stands by `Rarity` of its columns' surprises, given
    the other blocks.

    What training never saw is hidden where it is an input. The distributions are those of `DensityHeads`; with targets
    values have the mass of their bins.

    Args:
        encoder: The parts.
        width, depth: Of the residual network.
        components: K.
        targets: Columns to predict, in the order of the chain rule; none: every column given random others.
        pooling: "rarity" or "views", as above, or "sum", in nats: `part_surprise`. With targets it is the sum.
        seed: Of the weights, and of the contexts that scoring uses.

    Source: Bishop's mixture density network (1994) as in the DMDN paper, equations 1 to 3.
    """

    column_of_part: Tensor
    weights: Tensor
    halvings: nn.ModuleList

    def __init__(
        self,
        encoder: Encoder,
        *,
        width: int,
        depth: int,
        components: int,
        targets: Sequence[str] = (),
        pooling: str = "rarity",
        seed: int = 0,
    ) -> None:
        super().__init__()
        parts = encoder.parts
        generator = Generator().manual_seed(seed)
        self.architecture = {"width": width, "depth": depth, "components": components}
        self.reading = Reading(encoder)
        self.chained = bool(targets)
        self.by_views = pooling != "sum" and not targets
        self.columns = len(encoder.columns)
        self.labels = tuple(part.label for part in parts)
        register_derived(self, {"column_of_part": torch.tensor(encoder.column_of_part)})
        self.register_buffer("weights", torch.ones(self.columns, dtype=torch.float64))
        if targets:
            self.blocks = chained(self.column_of_part, [encoder.columns.index(target) for target in targets])
        else:
            self.blocks = shared_out(self.column_of_part, BLOCKS, generator)
        self.scale = CommonScale(len(VIEW_OF_SUM) if self.by_views else 1, self.columns)
        self.rarity = Rarity(self.columns) if self.by_views and pooling == "rarity" else None
        with torch.random.fork_rng(devices=[]):
            self.body = ResidualMLP(len(self.reading.owner), width, depth)
        self.heads = DensityHeads(parts, width, components, exact=self.chained)
        initialise(self, generator)
        self.heads.start_apart()
        halvings = HALVINGS if self.by_views else 0
        self.halvings = nn.ModuleList(shared_out(self.column_of_part, 2, generator) for _ in range(halvings))
        _ask_anew(self)
        self.register_load_state_dict_post_hook(_ask_anew)  # type: ignore[no-untyped-call]

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        """Surprise of the hidden parts, over half the number of parts; with targets −log p, the sum over the chain."""
        if self.training:
            batch = self.reading.noised(batch, generator)
        if self.chained:
            return self.part_surprise(batch).sum(1)
        hidden = self._random_hidden(len(batch), generator).to(batch.codes.device)
        h = self.body(self.reading(batch, hidden))
        nats = self.heads.nats(batch, h, self.heads.every)
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
        if not self.chained:
            return self._given_other_blocks(batch, [self.blocks])[0]
        states = (self.body(self.reading(batch, hidden)) for hidden in self.blocks.hidden)
        return self._told(batch, states, self.blocks)

    def given_nothing(self, batch: Encoded) -> Tensor:
        """−log p of each part by itself."""
        h = self.body.beyond_first(self.body.first.bias[None])
        return self.heads.nats(batch, h, self.heads.every)

    def by_column(self, nats: Tensor) -> Tensor:
        """Sums over the parts of each column, (n, parts) to (n, columns)."""
        return nats.new_zeros(len(nats), self.columns).index_add(1, self.column_of_part, nats)

    def evidence(self, batch: Encoded) -> Tensor:
        """Shape (n, columns, views), in nats: given others, given halves, given nothing; or the surprise alone."""
        if not self.by_views:
            return super().evidence(batch)
        others, *halves = map(self.by_column, self._given_other_blocks(batch, [self.blocks, *self.halvings]))
        return torch.stack([others, torch.stack(halves).amax(0), self.by_column(self.given_nothing(batch))], 2)

    def views(self, evidence: Floats) -> NDArray[np.intp]:
        if not self.by_views:
            return super().views(evidence)
        views: NDArray[np.intp] = VIEW_OF_SUM[self._standing(evidence).sum(1).argmax(1)]
        return views

    def pool(self, evidence: Floats) -> Floats:
        if not self.by_views:
            return evidence[..., 0]
        by_view = self.by_strangest_view(evidence)
        return (by_view + self.rarity.standing(evidence[..., OTHERS])) / 2 if self.rarity else by_view

    def by_strangest_view(self, evidence: Floats) -> Floats:
        """What each column has of where a record stands by the view that finds it strangest, (n, columns)."""
        parts = self._standing(evidence)
        return of_kind(parts, parts.sum(1).argmax(1))

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        if not self.by_views or len(evidence) < 2:
            return
        nats = np.maximum(evidence.mean(0), 0.0)
        of_outcomes = (evidence[..., OTHERS] < -ROUNDING).mean(0) <= SELDOM
        told = of_outcomes & (nats[:, NOTHING] > LEAST_UNCERTAINTY)
        doubt = np.divide(nats[:, OTHERS], nats[:, NOTHING], out=np.ones(self.columns), where=told)
        self.weights.copy_(torch.from_numpy(1 / doubt.clip(LEAST_DOUBT, 1.0)))
        self.scale.settle(self.counting(evidence))
        if self.rarity:
            self.rarity.settle(evidence[..., OTHERS], self.by_strangest_view(evidence).sum(1))

    def _standing(self, evidence: Floats) -> Floats:
        """What each column has of where a record stands by each sum, shape (n, columns, sums)."""
        return self.scale.parts(self.counting(evidence))

    def counting(self, evidence: Floats) -> Floats:
        """What columns add to each sum, in nats, (n, columns, sums): by weight to those of the views, then alike."""
        weighed = evidence * self.weights.cpu().numpy()[:, None]
        return np.concatenate([weighed, evidence[..., OTHERS, None]], 2)

    def culprit(self, batch: Encoded) -> str:
        if any(not torch.isfinite(weights).all() for weights in self.parameters()):
            return "a weight of the network is not finite; lower the learning rate"
        with torch.no_grad():
            everything = torch.ones_like(self.blocks.hidden[0])
            nats = self.heads.nats(batch, self.body(self.reading(batch, everything)), self.heads.every)
        wrong = (~torch.isfinite(nats)).any(0).nonzero().flatten().tolist()
        return f"the loss of column {self.labels[(wrong or [0])[0]]!r} is not finite"

    def scored_columns(self) -> list[int]:
        return sorted(set(self.column_of_part[self.blocks.scored.any(0)].tolist()))

    def conditional(
        self, batch: Encoded, position: int, view: int = OTHERS
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        own_column = self.column_of_part == self.column_of_part[position]
        asked = self.heads.every.some(torch.tensor([position], device=own_column.device))
        h = self.body(self.reading(batch, self._hidden_in(view, batch, position) | own_column))
        logits = self.heads.outcomes(h, asked)
        if self.heads.every.kinds[position] == "category":
            return logits.softmax(1), (h[:, :0], h[:, :0], h[:, :0])
        log_weights, means, scales = (x[:, 0] for x in self.heads.mixtures(h, asked))
        return logits.softmax(1), (log_weights.exp(), means, scales)

    def _hidden_in(self, view: int, batch: Encoded, position: int) -> Tensor:
        """What the network does not see of the records, when it is asked for a part: bool (parts,) or (n, parts)."""
        if view == NOTHING:
            return torch.ones_like(self.blocks.hidden[0])
        if view == OTHERS:
            return self.blocks.of(position).any(0)
        column = self.heads.every.some((self.column_of_part == self.column_of_part[position]).nonzero().flatten())
        contexts = torch.cat([cast(Contexts, halves).of(position) for halves in self.halvings])
        nats = [self.heads.nats(batch, self.body(self.reading(batch, hidden)), column).sum(1) for hidden in contexts]
        return contexts[torch.stack(nats).argmax(0)]

    def _told(self, batch: Encoded, states: Iterable[Tensor], contexts: Contexts) -> Tensor:
        """−log p of each part in the state of the network in which it is scored, (n, parts)."""
        total = torch.zeros(batch.codes.shape, device=batch.codes.device)
        for h, asked in zip(states, contexts.asked, strict=True):
            assert isinstance(asked, Asked)
            total = total.index_add(1, asked.parts, self.heads.nats(batch, h, asked))
        return total

    def _given_other_blocks(self, batch: Encoded, divisions: Iterable[Contexts]) -> list[Tensor]:
        """−log p of each part given all blocks but its own, for each way to share out the columns, (n, parts)."""
        inputs = self.reading(batch, torch.zeros_like(self.blocks.hidden[0]))
        return [self._told(batch, self._without_each(inputs, division.hidden), division) for division in divisions]

    def _without_each(self, inputs: Tensor, blocks: Tensor) -> Iterable[Tensor]:
        """The network's state without the inputs of each block of the parts, (n, width)."""
        first, owner = self.body.first, self.reading.owner
        # Each block's part in the first layer is worked out once.
        places = [mine.nonzero().flatten() for mine in blocks[:, owner]]
        own = torch.stack([inputs.index_select(1, at) @ first.weight.index_select(1, at).T for at in places])
        others = 1 - torch.eye(len(own), dtype=own.dtype, device=own.device)
        return (self.body.beyond_first(h + first.bias) for h in torch.tensordot(others, own, 1))

    def _random_hidden(self, n: int, generator: Generator) -> Tensor:
        """Which parts each record hides: about half of the columns, at least one, or all; bool (n, parts)."""
        share = torch.where(torch.rand(n, 1, generator=generator) < WHOLLY_HIDDEN, 1.0, 0.5)
        hidden = torch.rand(n, self.columns, generator=generator) < share
        hidden[torch.arange(n), torch.randint(self.columns, (n,), generator=generator)] = True
        return hidden.index_select(1, self.column_of_part.cpu())


def _ask_anew(model: MaskedMixture, _: Any = None) -> None:
    """Derives what heads are asked from the contexts, which may just have been loaded."""
    for contexts in model.modules():
        if isinstance(contexts, Contexts):
            contexts.ask(model.heads.every)
