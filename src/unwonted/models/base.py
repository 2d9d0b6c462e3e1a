"""What every model is to the rest of the package: a loss to train by, and a score from what it says of records."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from unwonted.batch import Batch
from unwonted.encode import Encoded

__all__ = ["ColumnModel", "EnergyModel", "Floats", "Model", "in_padded_chunks", "of_kind"]

Floats = NDArray[np.float64]
B = TypeVar("B", bound=Batch)

CHUNK = 512
GRAIN = 64  # chunks are padded to a multiple of it
FARTHEST = 1e300
"""What a surprise beyond all numbers counts as."""


class Model(nn.Module, ABC, Generic[B]):
    """A trainable model of encoded records. All that scoring needs is in parameters and buffers."""

    architecture: dict[str, Any]
    """Constructor arguments of the detector that fix the size of the network, as chosen for these records."""

    remembers_all = False
    """Whether held-out records are remembered too, of which each must then be scored by the others."""

    @abstractmethod
    def loss(self, batch: B, generator: Generator) -> Tensor:
        """Training loss of each record, shape (n,)."""

    @abstractmethod
    def evidence(self, batch: B) -> Tensor:
        """What the score of each record rests on, shape (n, ...)."""

    @abstractmethod
    def score(self, evidence: Floats) -> Floats:
        """The anomaly score of each record, shape (n,)."""

    def remember(self, records: B, generator: Generator) -> None:
        """Keeps, after training, what the model needs of the training records themselves."""
        return

    def kept(self) -> NDArray[np.intp]:
        """Positions, of those, of records that it would meet again, were it asked about them."""
        return np.zeros(0, dtype=np.intp)

    def evidence_of_kept(self, batch: B) -> Tensor:
        """Of records that are kept the evidence that new ones like them would have, to calibrate by."""
        return self.evidence(batch)

    def settle(self, evidence: Floats, labels: NDArray[np.int64] | None = None) -> None:
        """Fixes, after training, what the score needs to know of the evidence on held-out records, and of labels."""
        return

    @abstractmethod
    def culprit(self, batch: B) -> str:
        """Where in the batch a loss that is not finite comes from, in words."""


class ColumnModel(Model[Encoded]):
    """A model whose score is a sum over the columns of a table."""

    @abstractmethod
    def surprise(self, batch: Encoded) -> Tensor:
        """−log p of each column given what it is conditioned on, in nats, shape (n, columns)."""

    @abstractmethod
    def part_surprise(self, batch: Encoded) -> Tensor:
        """The same before the parts of a column are summed, shape (n, parts)."""

    @abstractmethod
    def scored_columns(self) -> list[int]:
        """The columns that the score is a sum over, ascending: all but where there are targets."""

    @abstractmethod
    def conditional(self, batch: Encoded, position: int, view: int = 0) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """What one part is expected to be, given what a view gives it: by the first all columns but its own block.

        Returns:
            Probabilities of its outcomes, (n, outcomes), and weights, means and scales of its mixture, each (n, K);
            empty for categories.
        """

    def evidence(self, batch: Encoded) -> Tensor:
        """Shape (n, columns, kinds): the surprise by each view first, in nats, then what else a model has."""
        return self.surprise(batch).unsqueeze(-1)

    def views(self, evidence: Floats) -> NDArray[np.intp]:
        """By which view, a kind of evidence in nats, each record is scored, shape (n,)."""
        return np.zeros(len(evidence), dtype=np.intp)

    def counted(self, evidence: Floats) -> Floats:
        """The surprise of each column by the view that the record is scored by, in nats, shape (n, columns)."""
        return of_kind(evidence, self.views(evidence))

    @abstractmethod
    def pool(self, evidence: Floats) -> Floats:
        """What each column contributes to the anomaly score, shape (n, columns)."""

    def by_distance(self, evidence: Floats) -> Floats:
        """What of that is for the distance of the nearest kept records, shape (n, columns)."""
        return np.zeros(evidence.shape[:2])

    def neighbours(self, batch: Encoded) -> list[Tensor]:
        """Positions among the kept records of those nearest to each record, nearest first."""
        return [torch.zeros(0, dtype=torch.long)] * len(batch)

    def held(self, kept: Tensor, position: int) -> list[tuple[int, float]]:
        """What kept records, by their positions, hold in a part: its outcome, and the place on its scaled axis."""
        return []

    def score(self, evidence: Floats) -> Floats:
        scores: Floats = self.pool(evidence).sum(1)
        return scores


def of_kind(evidence: Floats, kinds: NDArray[np.intp]) -> Floats:
    """Of evidence (n, columns, kinds) that of one kind for each record, (n, columns)."""
    found: Floats = np.take_along_axis(evidence, kinds[:, None, None], 2)[..., 0]
    return found


class EnergyModel(Model[B]):
    """A model whose score is a smooth function of the whole record, and no sum over its columns.

    Args:
        shape: Of one record's inputs; (channels,) for sequences.
    """

    typical: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("typical", torch.zeros(shape))

    @abstractmethod
    def read(self, batch: B) -> Tensor:
        """The real numbers that the score is a function of, float32 (n, ...)."""

    @abstractmethod
    def energy(self, x: Tensor, batch: B) -> Tensor:
        """The score as a function of these inputs, which can be differentiated by them, shape (n,)."""

    @abstractmethod
    def owners(self) -> Tensor | None:
        """The column of each input, shape (inputs,); None where the last axis of the inputs holds the columns."""

    def evidence(self, batch: B) -> Tensor:
        """Shape (n, kinds): the energy first, then what else a model has."""
        return self.energy(self.read(batch), batch).unsqueeze(-1)

    def score(self, evidence: Floats) -> Floats:
        return evidence[:, 0]

    def kinds(self, evidence: Floats) -> list[str]:
        """What kind of anomaly each record is, in a word; empty where a model tells no kinds."""
        return [""] * len(evidence)

    @torch.no_grad()
    def remember(self, records: B, generator: Generator) -> None:
        """Keeps the mean input, to explain records against where no training record is kept."""
        totals = [self._totals(chunk) for chunk in records.chunks(CHUNK)]
        self.typical.copy_(torch.stack(totals).sum(0) / len(records))

    def _totals(self, batch: B) -> Tensor:
        read = self.read(batch).double()
        # Of sequences the mean over steps; those behind the end are zero, which is the mean of a channel.
        return read.sum(0) if read.dim() == self.typical.dim() + 1 else read.mean(1).sum(0)

    def culprit(self, batch: B) -> str:
        if any(not torch.isfinite(weights).all() for weights in self.parameters()):
            return "a weight of the network is not finite; lower the learning rate"
        return "the loss of a record is not finite; look for values out of all proportion"


def in_padded_chunks(evidence: Callable[[B], Tensor], records: B, device: torch.device) -> Floats:
    """The evidence of a model (or another function of a batch) on many records, finite, shape (n, ...).

    Chunks are padded to whole grains, as few records go other ways through a processor than many: a record's figures
    depend on the record alone. Chunks are shared out among threads, each of which computes on one core: the operations
    are too small to split.
    """

    @torch.no_grad()
    def found_in(chunk: B) -> Tensor:
        return evidence(chunk.padded(-(-len(chunk) // GRAIN) * GRAIN).to(device))[: len(chunk)].cpu()

    chunks = list(records.chunks(CHUNK)) or [records]
    with (
        _ON_ONE_CORE as threads,
        ThreadPoolExecutor(min(threads, len(chunks)), initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        found = torch.cat(list(pool.map(found_in, chunks))).double()
    return found.nan_to_num(nan=FARTHEST, posinf=FARTHEST).numpy()


class _OnOneCore:
    """While any thread of the program scores, all threads that do compute on one core; then it is as it was before.

    How many torch uses is set for new threads all over the program, so that of calls at once the first one finds what
    the last one has to leave.
    """

    def __init__(self) -> None:
        self.lock, self.running, self.threads = Lock(), 0, 1

    def __enter__(self) -> int:
        """How many threads there are to share the work out to."""
        with self.lock:
            if not self.running:
                self.threads = torch.get_num_threads()
            self.running += 1
            return self.threads

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.running -= 1
            if not self.running:
                torch.set_num_threads(self.threads)


_ON_ONE_CORE = _OnOneCore()
