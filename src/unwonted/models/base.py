"""What every model is to the rest of the package: a loss, and a score that splits over columns."""

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn

from unwonted.encode import Encoded

__all__ = ["Model", "in_padded_chunks"]

CHUNK = 512


class Model(nn.Module, ABC):
    """A trainable density of encoded records. All that scoring needs is in parameters and buffers."""

    @abstractmethod
    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        """Training loss of each record, in nats, shape (n,)."""

    @abstractmethod
    def surprise(self, batch: Encoded) -> Tensor:
        """−log p of each column given what it is conditioned on, in nats, shape (n, columns)."""

    @abstractmethod
    def pool(self, surprise: Tensor) -> Tensor:
        """What each column contributes to the anomaly score, shape (n, columns); the score is their sum."""

    @abstractmethod
    def settle(self, surprise: Tensor) -> None:
        """Fixes, after training, what pooling needs to know of the surprise of held-out records."""

    @abstractmethod
    def culprit(self, batch: Encoded) -> str:
        """Where in the batch a loss that is not finite comes from, in words."""


@torch.no_grad()
def in_padded_chunks(model: Model, records: Encoded, device: torch.device) -> Tensor:
    """The surprise of many records, in float64 on the CPU, shape (n, columns).

    All chunks have one size, the last one padded: a record's figures depend on the record alone, to the bit.
    """
    parts = [
        model.surprise(chunk.padded(CHUNK).to(device))[: len(chunk)].cpu() for chunk in records.chunks(CHUNK)
    ]
    return torch.cat(parts).double()
