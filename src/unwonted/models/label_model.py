"""A network that says how probable each class is, calibrated; the anomaly score are the log odds against normal."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.encode import Encoded, Encoder
from unwonted.labels import UNLABELLED, Labelled
from unwonted.models.base import EnergyModel, Floats
from unwonted.models.reading import Reading
from unwonted.models.values import NumberReader
from unwonted.nets import register_derived

__all__ = ["LabelModel"]

ENOUGH = 20
"""Held-out labels below which logits are taken as they are."""
WIDEST = 3.0
"""Largest logarithm of the temperature, either way."""


class LabelModel(EnergyModel[Encoded]):
    """Logits of classes from what is read of a record (see `Reading`), and off its numbers beside.

    P(class | x) = softmax(logits(x)/T), where T, the temperature, is chosen after training to make held-out labels most
    probable. The energy are the log odds that the class is none of those that mean normal.

    Args:
        encoder: The parts.
        normal: Which classes mean normal.
        beside: What reads numbers; a subclass draws its weights.

    Source of the temperature: Guo et al. (2017), with the targets of Platt (1999), short of 0 and 1.
    """

    temperature: Tensor
    normal: Tensor
    column_of_input: Tensor

    def __init__(self, encoder: Encoder, normal: Sequence[bool], beside: Sequence[NumberReader]) -> None:
        reading = Reading(encoder)
        part_of_input = torch.cat([reading.owner, *(reader.owner for reader in beside)])
        owners = torch.tensor(encoder.column_of_part)[part_of_input]
        super().__init__((len(owners),))
        self.reading, self.beside = reading, nn.ModuleList(beside)
        register_derived(self, {"normal": torch.tensor(normal), "column_of_input": owners})
        self.register_buffer("temperature", torch.ones((), dtype=torch.float64))

    @abstractmethod
    def logits(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """One for each class, shape (n, classes); with a generator, of which the draws come, as in training."""

    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        """−log P(label | x), weighted; 0 for records without a label."""
        assert isinstance(batch, Labelled)
        return self.label_loss(batch, self._drawn(batch, generator))

    def label_loss(self, batch: Labelled, logits: Tensor) -> Tensor:
        """−log P(label | x) from logits, weighted; 0 for records without a label."""
        nats = functional.cross_entropy(logits, batch.labels.clamp(min=0), reduction="none")
        return nats * batch.label_weight

    def read(self, batch: Encoded) -> Tensor:
        return self._read(batch, None)

    def owners(self) -> Tensor:
        return self.column_of_input

    def energy(self, x: Tensor, batch: Encoded) -> Tensor:
        logits = self.logits(x) / self.temperature.to(x.dtype)
        return logits[:, ~self.normal].logsumexp(1) - logits[:, self.normal].logsumexp(1)

    def evidence(self, batch: Encoded) -> Tensor:
        """The logits, shape (n, classes)."""
        return self.logits(self.read(batch))

    def score(self, evidence: Floats) -> Floats:
        logits = self._scaled(evidence)
        normal = self.normal.cpu().numpy()
        odds: Floats = logsumexp(logits[:, ~normal], axis=1) - logsumexp(logits[:, normal], axis=1)
        return odds

    def probabilities(self, evidence: Floats) -> Floats:
        """P(class | x), shape (n, classes)."""
        found: Floats = np.exp(log_softmax(self._scaled(evidence), axis=1))
        return found

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        """Fixes the temperature by the likelihood of held-out labels, if there are some."""
        assert labels is not None
        known = labels != UNLABELLED
        logits, truth = self._unscaled(evidence)[known], labels[known]
        if len(truth) < ENOUGH:
            return

        # Were no held-out label mistaken, any temperature could be bettered by a lower one: a doubt of Platt's size.
        doubt = 1 / (len(truth) + 2)

        def nats(log_temperature: float) -> float:
            p = log_softmax(logits / np.exp(log_temperature), axis=1)
            return -float((1 - doubt) * p[np.arange(len(truth)), truth].mean() + doubt * p.mean())

        found = minimize_scalar(nats, bounds=(-WIDEST, WIDEST), method="bounded")
        self.temperature.fill_(float(np.exp(found.x)))

    @torch.no_grad()
    def remember(self, records: Encoded, generator: Generator) -> None:
        """Keeps the mean input of the normal records, to explain others against where no record is kept."""
        assert isinstance(records, Labelled)
        ordinary = records.density_weight > 0
        super().remember(records[ordinary] if ordinary.any() else records, generator)

    def _drawn(self, batch: Encoded, generator: Generator) -> Tensor:
        """Logits in training or, when the model is in evaluation, without any draw."""
        drawing = generator if self.training else None
        return self.logits(self._read(batch, drawing), drawing)

    def _read(self, batch: Encoded, generator: Generator | None) -> Tensor:
        nothing = batch.codes.new_zeros(batch.codes.shape[1], dtype=torch.bool)
        return torch.cat([self.reading(batch, nothing), *(reader(batch, generator) for reader in self.beside)], 1)

    def _unscaled(self, evidence: Floats) -> Floats:
        return evidence[:, : len(self.normal)]

    def _scaled(self, evidence: Floats) -> Floats:
        scaled: Floats = self._unscaled(evidence) / float(self.temperature)
        return scaled
