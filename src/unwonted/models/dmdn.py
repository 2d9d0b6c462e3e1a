"""DMDN, the deep mixture density network: −log p of each column given others, from one masked network."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from unwonted.density import mixture_log_density, mixture_log_mass, wrapped_mixture_log_density
from unwonted.detector import Detector
from unwonted.encode import Encoded, Encoder
from unwonted.errors import DataError
from unwonted.models.base import Model
from unwonted.nets import ResidualMLP, initialise
from unwonted.parts import NOVEL, VALUE
from unwonted.schema import Overrides
from unwonted.train import Plan, Progress

__all__ = ["DMDN", "MaskedMixture"]

Floats = NDArray[np.float64]

PASSES = 60  # over the training records, between 200 and 4,000 steps

LEAST_SCALE = 1e-3  # of a component where the column is mass: its bins bound the likelihood
LEAST_SCALE_DENSITY = 1e-2  # where it is density, in standard deviations of the column
LARGEST_LOG_SCALE = 5.0
CIRCLE_SCALE = 2.0  # largest σ on a circle of 2π, a third of the way round
PARTITIONS = 6
SPREAD_FLOOR = 0.3
ALL_HIDDEN = 0.1
FEW_HIDDEN = 0.45
FEW = 0.15
NOISE = 0.05


class MaskedMixture(Model):
    """p(hidden columns' values | visible columns), for any choice of what is hidden.

    A hidden column leaves no trace in the network's input. For each part of each column the network gives a
    categorical distribution over the part's outcomes, and for values a mixture of K Gaussians beside it:

        p(y | x) = P(value | x) · Σ_k π_k(x) N(y; μ_k(x), σ_k²(x)) + P(outcome of y | x),

    where the Gaussian is a density, or the mass of the value's bin, or wound around a circle, as the part asks.

    Args:
        encoder: The parts.
        width, depth: Of the residual network.
        components: K.
        targets: Columns to predict, in the order of the chain rule; none: each column given random others.
        seed: Of weights and of the contexts that scoring uses.

    Source: the mixture density network of Bishop (1994), as in the DMDN paper, equations 1 to 3; noise on inputs
    and values is the regularisation of Rothfuss et al. (2019).
    """

    column_of_part: Tensor
    part_of_feature: Tensor
    noisy: Tensor
    offsets: Tensor
    valued: Tensor
    novelty: Tensor
    shared: Tensor
    missing: Tensor
    density: Tensor
    mass: Tensor
    circle: Tensor
    least_scale: Tensor
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
        pooling: str = "standardised",
        seed: int = 0,
    ) -> None:
        super().__init__()
        parts = encoder.parts
        self.components, self.pooling, self.chained = components, pooling, bool(targets)
        self.sizes = [part.outcomes for part in parts]
        self.labels = [part.label for part in parts]
        valued = encoder.valued
        features = [getattr(part, "inputs", 0) for part in parts]
        generator = Generator().manual_seed(seed)

        def fixed(name: str, value: Tensor) -> None:
            self.register_buffer(name, value, persistent=False)

        fixed("column_of_part", torch.tensor(encoder.column_of_part))
        fixed("part_of_feature", torch.repeat_interleave(torch.arange(len(parts)), torch.tensor(features)))
        fixed(
            "noisy",
            torch.tensor([1.0 * (parts[i].period == 0) for i, f in enumerate(features) for _ in range(f)]),
        )
        fixed("offsets", torch.tensor([0, *self.sizes]).cumsum(0)[:-1])
        fixed("valued", torch.tensor(valued, dtype=torch.long))
        fixed("novelty", torch.tensor([part.novelty for part in parts]))
        shared = [part.shared() if hasattr(part, "shared") else [0.0] * part.outcomes for part in parts]
        fixed("shared", torch.tensor([x for shares in shared for x in shares], dtype=torch.float32))
        kinds = [self._kind(parts[i]) for i in valued]
        for kind in ("density", "mass", "circle"):
            fixed(kind, torch.tensor([j for j, k in enumerate(kinds) if k == kind], dtype=torch.long))
        least = [LEAST_SCALE if kind == "mass" else LEAST_SCALE_DENSITY for kind in kinds]
        fixed("least_scale", torch.tensor(least).reshape(-1, 1))
        fixed("missing", torch.tensor([part.outcomes - 1 if part.missing else NOVEL for part in parts]))
        hidden, scored = self._contexts(encoder, targets, generator)
        self.register_buffer("hidden", hidden)
        self.register_buffer("scored", scored)
        columns = len(encoder.columns)
        self.register_buffer("centre", torch.zeros(columns, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(columns, dtype=torch.float64))

        with torch.random.fork_rng(devices=[]):
            self.body = ResidualMLP(sum(features) + sum(self.sizes), width, depth)
            self.outcome_head = nn.Linear(width, sum(self.sizes))
            self.mixture_head = nn.Linear(width, len(valued) * 3 * components)
        initialise(self, generator)
        with torch.no_grad():
            self.outcome_head.bias.zero_()
            bias = self.mixture_head.bias.view(len(valued), 3, components)
            bias.zero_()
            bias[:, 1] = torch.linspace(-1.5, 1.5, components)
            for j, kind in enumerate(kinds):
                if kind == "circle":
                    bias[j, 1] = torch.linspace(0, 2 * math.pi, components + 1)[:-1]
            bias[:, 2] = -0.5

    @staticmethod
    def _kind(part: object) -> str:
        if getattr(part, "period", 0):
            return "circle"
        return "mass" if getattr(part, "resolution", 0) else "density"

    def _contexts(
        self, encoder: Encoder, targets: Sequence[str], generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """What is hidden and what of it is scored in each pass, both bool (passes, parts)."""
        column = self.column_of_part
        if targets:
            order = [encoder.columns.index(target) for target in targets]
            chain = [part for position in order for part in torch.nonzero(column == position)]
            scored = torch.eye(len(column), dtype=torch.bool)[torch.cat(chain)]
            return scored.flip(0).cumsum(0).flip(0).bool(), scored
        columns = len(encoder.columns)
        halves = []
        for _ in range(PARTITIONS):
            first = torch.zeros(columns, dtype=torch.bool)
            first[torch.randperm(columns, generator=generator)[: (columns + 1) // 2]] = True
            halves += [first, ~first] if columns > 1 else [first]
        hidden = torch.stack(halves)[:, column]
        return hidden, hidden

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        """Mean surprise of the hidden parts; with targets, −log p of the targets, their sum over the chain."""
        noisy = self._with_noise(batch, generator) if self.training else batch
        if self.chained:
            passes = zip(self.hidden, self.scored, strict=True)
            return torch.stack(
                [(self._nats(noisy, hidden[None]) * scored).sum(1) for hidden, scored in passes]
            ).sum(0)
        hidden = self._random_hidden(len(batch), generator).to(batch.codes.device)
        return (self._nats(noisy, hidden) * hidden).sum(1) / hidden.sum(1)

    def surprise(self, batch: Encoded) -> Tensor:
        mean = self.part_surprise(batch)
        return mean.new_zeros(len(mean), len(self.centre)).index_add(1, self.column_of_part, mean)

    def part_surprise(self, batch: Encoded) -> Tensor:
        """−log p of each part, mean over the contexts that score it, in nats, shape (n, parts)."""
        return self._over_contexts(batch) / self.scored.sum(0).clamp(min=1)

    def pool(self, surprise: Tensor) -> Tensor:
        return (surprise - self.centre) / self.spread

    def settle(self, surprise: Tensor) -> None:
        if self.pooling == "standardised" and not self.chained and len(surprise) > 1:
            self.centre.copy_(surprise.mean(0))
            self.spread.copy_(surprise.std(0) + SPREAD_FLOOR)

    def culprit(self, batch: Encoded) -> str:
        if any(not torch.isfinite(weights).all() for weights in self.parameters()):
            return "a weight of the network is not finite; lower the learning rate"
        with torch.no_grad():
            nats = self._nats(batch, torch.ones_like(self.hidden[:1]))
        bad = [
            label
            for label, column in zip(self.labels, nats.T, strict=True)
            if not torch.isfinite(column).all()
        ]
        return f"the loss of column {(bad or self.labels)[0]!r} is not finite"

    def conditional(self, batch: Encoded, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Parameters of all parts' distributions given the visible ones.

        Args:
            batch: Records.
            hidden: bool (n or 1, parts).

        Returns:
            Log probabilities of all outcomes, part after part, (n, outcomes), and the mixtures' log weights, means
            and scales, each (n, valued parts, K).
        """
        h = self.body(self._inputs(batch, hidden.expand(batch.codes.shape)))
        logits = self.outcome_head(h)
        outcomes = torch.cat([part.log_softmax(1) for part in logits.split(self.sizes, 1)], 1)
        raw = self.mixture_head(h).view(len(batch), len(self.valued), 3, self.components)
        log_weights, means, log_scales = raw.unbind(2)
        scales = self.least_scale + log_scales.clamp(max=LARGEST_LOG_SCALE).exp()
        if len(self.circle):
            scales = scales.index_copy(1, self.circle, scales[:, self.circle].clamp(max=CIRCLE_SCALE))
            means = means.index_copy(1, self.circle, means[:, self.circle].remainder(2 * math.pi))
        return outcomes, log_weights.log_softmax(-1), means, scales

    def _over_contexts(self, batch: Encoded) -> Tensor:
        """Sum over the contexts of each scored part's −log p, (n, parts)."""
        total = torch.zeros(batch.codes.shape, device=batch.codes.device)
        for i in range(len(self.hidden)):
            total = total + self._nats(batch, self.hidden[i : i + 1]) * self.scored[i]
        return total

    def _nats(self, batch: Encoded, hidden: Tensor) -> Tensor:
        """−log p of each part given the visible ones, (n, parts)."""
        outcomes, log_weights, means, scales = self.conditional(batch, hidden)
        known = batch.codes != NOVEL
        position = self.offsets + batch.codes.clamp(min=0)
        log_p = (outcomes + self.shared).gather(1, position)
        if len(self.valued):
            codes = batch.codes[:, self.valued]
            is_value = (codes != NOVEL) & (codes != self.missing[self.valued])
            of_value = outcomes[:, self.offsets[self.valued]] + self._log_values(
                batch, log_weights, means, scales
            )
            named = log_p[:, self.valued]
            both = torch.where(codes == VALUE, of_value, torch.logaddexp(named, of_value))
            log_p = log_p.index_copy(1, self.valued, torch.where(is_value, both, named))
        log_p = torch.where(known, log_p + torch.log1p(-self.novelty), self.novelty.log())
        return -log_p

    def _log_values(self, batch: Encoded, log_weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
        """Log density or mass of the values under their mixtures, (n, valued parts)."""
        result = torch.zeros_like(batch.values)

        def of(parts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return log_weights[:, parts], means[:, parts], scales[:, parts]

        if len(self.density):
            y = batch.values[:, self.density]
            result = result.index_copy(1, self.density, mixture_log_density(y, *of(self.density)))
        if len(self.mass):
            weights, centres, spreads = of(self.mass)
            half = batch.widths[:, self.mass] / 2
            centres = centres - batch.values[:, self.mass, None]  # bins around 0 keep their digits
            result = result.index_copy(1, self.mass, mixture_log_mass(-half, half, weights, centres, spreads))
        if len(self.circle):
            y = batch.values[:, self.circle]
            wrapped = wrapped_mixture_log_density(y, *of(self.circle), 2 * math.pi)
            result = result.index_copy(1, self.circle, wrapped)
        return result

    def _inputs(self, batch: Encoded, hidden: Tensor) -> Tensor:
        """The visible features and one-hot outcomes; what training never saw is hidden too."""
        visible = (~hidden & (batch.codes != NOVEL)).float()
        features = batch.inputs * visible[:, self.part_of_feature]
        outcomes = visible.new_zeros(len(batch), sum(self.sizes))
        outcomes.scatter_(1, self.offsets + batch.codes.clamp(min=0), visible)
        return torch.cat([features, outcomes], 1)

    def _with_noise(self, batch: Encoded, generator: Generator) -> Encoded:
        inputs, values = batch.inputs, batch.values
        shaken = torch.randn(inputs.shape, generator=generator).to(inputs.device) * (NOISE * self.noisy)
        moved = values.new_zeros(values.shape[1]).index_fill(0, self.density, NOISE / 2)
        return Encoded(
            batch.codes,
            values + torch.randn(values.shape, generator=generator).to(values.device) * moved,
            batch.widths,
            inputs + shaken,
        )

    def _random_hidden(self, n: int, generator: Generator) -> Tensor:
        """Which parts are hidden in each record, bool (n, parts): all, few, or any share, never none."""
        columns = len(self.centre)
        draw, share = torch.rand(2, n, 1, generator=generator)
        few = torch.full_like(share, FEW)
        rate = torch.where(
            draw < ALL_HIDDEN, torch.ones_like(share), torch.where(draw < ALL_HIDDEN + FEW_HIDDEN, few, share)
        )
        hidden = torch.rand(n, columns, generator=generator) < rate
        hidden[torch.arange(n), torch.randint(columns, (n,), generator=generator)] = True
        return hidden[:, self.column_of_part.cpu()]



class DMDN(Detector):
    """Deep mixture density network: scores a record by −log p of its columns under learned Gaussian mixtures.

    `DMDN()` takes every column as behaviour: one network learns p(hidden columns | visible columns) for random
    choices of what is hidden, and scores each column given fixed random halves of the others. The surprise of
    column j, s_j (nats), is pooled to the anomaly score Σ_j (s_j − m_j)/(d_j + 0.3), with mean m_j and standard
    deviation d_j over held-out records: a documented surrogate, so that columns of pure noise do not drown the
    telling ones. `DMDN(target=["bytes_out"])` gives the exact −log p(target columns | all others), several targets
    by the chain rule in the order given.

    Args:
        target: Columns whose density is wanted given all others; none for all columns.
        pooling: "standardised" as above, or "sum", Σ_j s_j. With targets it is always the sum.
        components: Gaussians a column, K.
        width, depth: Of the network; a width of None follows the number of records.
        alert_rate, schema, ignore, exemplars, device, max_time, random_state, verbose: See `Detector`.

    Source: the DMDN paper (arXiv 2505.08220), equations 1 to 3.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(400, 1)) * [[1, 2]] + [[0, 5]]
    >>> detector = DMDN(random_state=0).fit(X)
    >>> detector.predict([[0.0, 5.0], [0.0, 50.0]]).tolist()
    [1, -1]
    """

    def __init__(
        self,
        target: Sequence[str] | str | None = None,
        *,
        pooling: str = "standardised",
        components: int = 6,
        width: int | None = None,
        depth: int = 2,
        alert_rate: float = 0.05,
        schema: Overrides | None = None,
        ignore: Sequence[str] = (),
        exemplars: int = 1000,
        device: str = "auto",
        max_time: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | Callable[[Progress], None] = False,
    ) -> None:
        super().__init__(
            alert_rate=alert_rate,
            schema=schema,
            ignore=ignore,
            exemplars=exemplars,
            device=device,
            max_time=max_time,
            random_state=random_state,
            verbose=verbose,
        )
        self.target = target
        self.pooling = pooling
        self.components = components
        self.width = width
        self.depth = depth

    def log_density(self, X: Any) -> Floats:
        """log p(target columns | all others), in nats, shape (n,): exact, up to the constant of the columns' units.

        Raises:
            DataError: if the detector has no target; its score is then a surrogate and no density.
        """
        if not self._targets():
            raise DataError("log_density needs a target: DMDN(target=[...]); without one the score is no density")
        return -self.surprise(X).sum(1)

    def _targets(self) -> tuple[str, ...]:
        return (self.target,) if isinstance(self.target, str) else tuple(self.target or ())

    def _model(self, encoder: Encoder, rows: int, seed: int) -> MaskedMixture:
        if self.pooling not in ("standardised", "sum"):
            raise DataError(f"pooling {self.pooling!r} does not exist; choose of standardised, sum")
        constant = [name for name in self._targets() if name not in encoder.columns]
        if constant:
            raise DataError(f"target {constant[0]!r} is constant or empty in the training records; choose another")
        return MaskedMixture(
            encoder,
            width=self.width or (64 if rows < 300 else 128 if rows < 3000 else 192),
            depth=self.depth,
            components=self.components,
            targets=self._targets(),
            pooling=self.pooling,
            seed=seed,
        )

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        batch = 2 ** int(np.clip(math.log2(max(rows, 1) / 16), 4, 9))
        return Plan(steps=int(np.clip(PASSES * rows / batch, 200, 4000)), batch=batch)
