"""The network of DMDNClassifier: one body, a head for the label, and the density of behaviour."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.density import mixture_log_density
from unwonted.encode import Encoded, Encoder
from unwonted.labels import UNLABELLED, Labelled, Taught
from unwonted.models.base import Floats
from unwonted.models.label_model import LabelModel
from unwonted.models.masked_mixture import MaskedMixture
from unwonted.models.periodic import PeriodicNumbers
from unwonted.models.values import FrequentValues
from unwonted.nets import ResidualLayers, bounded, initialise, initialise_for_relu

__all__ = ["HEADS", "LabelledMixture"]

HEADS = ("categorical", "mixture")
DENSITY = 0.1
EVERY = 4  # of the records of a batch, one teaches the density: that costs twice as much as the label
HIDDEN = 0.2  # share of the columns hidden in training
LARGEST_LOGIT = 5.0  # so that no record is worth more than some 10 nats
LEAST_SCALE = 0.1  # of a Gaussian over labels, which are 1 apart


class LabelledMixture(LabelModel):
    """p(label | x) and p(hidden columns | visible columns) from one network.

    Both share the first layer. For the label it reads the record, its numbers once more as frequent values and as
    waves; in training a fifth of the columns is hidden, so that the network finds more than one way to tell. For the
    density it reads what `MaskedMixture` does, in training of every fourth record, at four times the weight. The loss
    of a record is

        −log p(label | x)  +  0.1 w(x) · mean over hidden columns of −log p(column | visible),

    the first term for labelled records, with w = 1 for those labelled normal, 0 for those labelled otherwise, and
    P(normal | x), as the network sees it, for unlabelled ones. Where a teacher says what those might be (`Taught`), it
    says that too, and the first term is their cross-entropy −Σ_c b_c log p(c | x) with the teacher's beliefs b: what is
    hidden makes the network find more ways to tell than the teacher knows (noisy student, Xie et al. 2020).

    Args:
        encoder: The parts.
        normal: Which classes mean normal.
        width, depth, components, dropout: Of the network.
        head: "categorical", or "mixture" for Gaussians over the label as a number: the place of the class among all,
            P(c | x) = p(c | x) / Σ p(c′ | x) with p(y | x) = Σ_k π_k(x) N(y; μ_k(x), σ_k²(x)).
        seed: Of the weights, and of the contexts of the density.
    """

    def __init__(
        self,
        encoder: Encoder,
        normal: Sequence[bool],
        *,
        width: int,
        depth: int,
        components: int,
        dropout: float,
        head: str,
        seed: int,
    ) -> None:
        beside = [FrequentValues(encoder), PeriodicNumbers(encoder)]
        super().__init__(encoder, normal, beside)
        self.architecture = {"width": width, "depth": depth, "components": components, "dropout": dropout}
        generator = Generator().manual_seed(seed)
        self.density = MaskedMixture(encoder, width=width, depth=depth, components=components, seed=seed)
        self.of_mixture, self.components = head == "mixture", components
        outputs = 3 * components if self.of_mixture else len(normal)
        with torch.random.fork_rng(devices=[]):
            self.of_beside = nn.Linear(sum(len(reader.owner) for reader in beside), width, bias=False)
            self.trunk = ResidualLayers(width, depth, dropout)
            self.head = nn.Linear(width, outputs)
        initialise(self.head, generator)
        initialise_for_relu([self.density.body.first, self.of_beside], generator)
        self.trunk.start(generator)
        for reader in beside:
            reader.start(generator)
        if self.of_mixture:
            self._start_apart(len(normal))

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        """Of the label, and of the density in proportion to how surely a record is normal."""
        assert isinstance(batch, Labelled)
        logits = self._drawn(batch, generator)
        believed = batch.beliefs if isinstance(batch, Taught) else logits.detach().softmax(1)
        sure = torch.where(batch.labels == UNLABELLED, believed[:, self.normal].sum(1), 1.0)
        weight = DENSITY * sure * batch.density_weight
        loss = self.label_loss(batch, logits)
        some = slice(None, None, EVERY if self.training else 1)
        shown = batch[some]
        loss[some] += weight[some] * self.density.loss(shown, generator) * (len(batch) / len(shown))
        return loss

    def label_loss(self, batch: Labelled, logits: Tensor) -> Tensor:
        if isinstance(batch, Taught):
            log_p = logits if self.of_mixture else logits.log_softmax(1)
            return -(batch.beliefs * log_p).sum(1) * batch.label_weight
        if not self.of_mixture:
            return super().label_loss(batch, logits)
        nats = -logits.gather(1, batch.labels.clamp(min=0)[:, None]).squeeze(1)
        return nats * batch.label_weight

    def logits(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        read, beside = x.tensor_split([len(self.reading.owner)], 1)
        h = self.head(self.trunk(self.density.body.first(read) + self.of_beside(beside), generator))
        return self._log_densities(h) if self.of_mixture else bounded(h, LARGEST_LOGIT)

    def evidence(self, batch: Encoded) -> Tensor:
        """The logits, and behind them what the density's score rests on, shape (n, classes + columns · views)."""
        return torch.cat([super().evidence(batch), self.density.evidence(batch).flatten(1)], 1)

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        """The temperature, and what is usual of the surprises among normal records."""
        super().settle(evidence, labels)
        assert labels is not None
        ordinary = (labels != UNLABELLED) & self.normal.cpu().numpy()[labels]
        if ordinary.sum() > 1:
            self.density.settle(
                evidence[ordinary, len(self.normal) :].reshape(ordinary.sum(), self.density.columns, -1)
            )

    def _drawn(self, batch: Encoded, generator: Generator) -> Tensor:
        if not self.training:
            return super()._drawn(batch, generator)
        hidden = torch.rand(len(batch), self.density.columns, generator=generator) < HIDDEN
        seen = ~hidden.to(batch.codes.device)[:, self.column_of_input]
        return self.logits(self._read(batch, generator) * seen, generator)

    def _log_densities(self, h: Tensor) -> Tensor:
        """log p(y | x) at each class, shape (n, classes)."""
        log_weights, means, log_scales = h.view(len(h), 3, 1, self.components).unbind(1)
        scales = LEAST_SCALE + functional.softplus(log_scales)
        y = torch.arange(len(self.normal), dtype=h.dtype, device=h.device).expand(len(h), -1)
        return mixture_log_density(y, log_weights.log_softmax(-1), means, scales)

    def _start_apart(self, classes: int) -> None:
        """Spreads the Gaussians over the labels."""
        with torch.no_grad():
            self.head.bias.view(3, self.components)[1] = torch.linspace(0, classes - 1, self.components)
