"""What every model is to the rest of the package: a loss, and a score that splits over columns."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from unwonted.encode import Encoded

__all__ = ["Floats", "Model", "in_padded_chunks"]

Floats = NDArray[np.float64]

CHUNK = 512
FARTHEST = 1e300
"""What a surprise beyond all numbers counts as."""


class Model(nn.Module, ABC):
    """A trainable density of encoded records. All that scoring needs is in parameters and buffers."""

    architecture: dict[str, int]
    """Constructor arguments of the detector that fix the size of the network, as chosen for this table."""

    @abstractmethod
    def loss(self, batch: Encoded, generator: Generator) -> Tensor:
        """Training loss of each record, in nats, shape (n,)."""

    @abstractmethod
    def surprise(self, batch: Encoded) -> Tensor:
        """−log p of each column given what it is conditioned on, in nats, shape (n, columns)."""

    @abstractmethod
    def part_surprise(self, batch: Encoded) -> Tensor:
        """The same before the parts of a column are summed, shape (n, parts)."""

    @abstractmethod
    def conditional(self, batch: Encoded, position: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """What one part is expected to be, given all columns but its own.

        Returns:
            Probabilities of its outcomes, (n, outcomes), and weights, means and scales of its mixture, each (n, K);
            empty for categories.
        """

    def evidence(self, batch: Encoded) -> Tensor:
        """What the score rests on, shape (n, columns, kinds): the surprise first, then what else a model has."""
        return self.surprise(batch).unsqueeze(-1)

    @abstractmethod
    def pool(self, evidence: Floats) -> Floats:
        """What each column contributes to the anomaly score, shape (n, columns); the score is their sum."""

    def remember(self, records: Encoded, generator: Generator) -> None:
        """Keeps, after training, what the model needs of the training records themselves; mostly nothing."""

    @abstractmethod
    def settle(self, evidence: Floats) -> None:
        """Fixes, after training, what pooling needs to know of the evidence on held-out records."""

    @abstractmethod
    def culprit(self, batch: Encoded) -> str:
        """Where in the batch a loss that is not finite comes from, in words."""


def in_padded_chunks(model: Model, records: Encoded, device: torch.device) -> Floats:
    """The evidence on many records, finite, shape (n, columns, kinds).

    All chunks have one size, the last one padded: a record's figures depend on the record alone, to the bit.
    Chunks are shared out among threads, each of which computes on one core: the operations are too small to split.
    """

    @torch.no_grad()
    def evidence(chunk: Encoded) -> Tensor:
        return model.evidence(chunk.padded(CHUNK).to(device))[: len(chunk)].cpu()

    threads = torch.get_num_threads()
    chunks = list(records.chunks(CHUNK))
    try:
        with ThreadPoolExecutor(min(threads, len(chunks)), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            found = torch.cat(list(pool.map(evidence, chunks))).double()
    finally:
        torch.set_num_threads(threads)
    return found.nan_to_num(nan=FARTHEST, posinf=FARTHEST).numpy()
