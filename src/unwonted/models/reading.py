"""What the network of DMDN reads of a record, where some of its columns are hidden."""

import numpy as np
import torch
from torch import Generator, Tensor, nn

from unwonted.encode import Encoded, Encoder
from unwonted.models.base import Floats
from unwonted.nets import register_derived
from unwonted.parts import NOVEL, CategoricalPart, CyclicPart, NumericPart, Part

__all__ = ["Reading"]

BINS = 8  # of a number's range, between quantiles of its different values
NARROWEST_BIN = 0.02  # standard deviations
NOISE = 0.05  # standard deviations


class Reading(nn.Module):
    """The inputs of the network: features of values, one-hot outcomes, and numbers bin by bin.

    A number is read as its scaled value, its normal score, and how far it has come through each of its bins
    (piecewise linear encoding, Gorishniy et al. 2022), so that a network of few steps tells near values apart. What is
    hidden, or was never seen in training, is read as zeros.

    Attributes:
        owner: The part of each input, shape (inputs,).
    """

    owner: Tensor
    starts: Tensor
    noisy: Tensor
    dense: Tensor
    edges: Tensor
    bin_widths: Tensor
    scaled_at: Tensor

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        parts = encoder.parts
        every = torch.arange(len(parts))
        sizes = torch.tensor([part.outcomes for part in parts])
        inputs = torch.tensor([getattr(part, "inputs", 0) for part in parts])
        numbers = [i for i, part in enumerate(parts) if isinstance(part, NumericPart)]
        edges = torch.tensor(np.array([_edges(parts[i]) for i in numbers]).reshape(-1, BINS + 1), dtype=torch.float32)
        of_bins = torch.tensor(numbers, dtype=torch.long).repeat_interleave(BINS)
        line = torch.tensor([not isinstance(part, CyclicPart) for part in parts])
        valued = [part for part in parts if not isinstance(part, CategoricalPart)]
        dense = [isinstance(part, NumericPart) and not part.resolution for part in valued]
        derived = {
            "owner": torch.cat([every.repeat_interleave(inputs), of_bins, every.repeat_interleave(sizes)]),
            "starts": sizes.cumsum(0) - sizes,
            "noisy": line.repeat_interleave(inputs),
            "dense": torch.tensor(dense, dtype=torch.bool),
            "edges": edges,
            "bin_widths": edges.diff(dim=1).clamp(min=NARROWEST_BIN),
            "scaled_at": (inputs.cumsum(0) - inputs)[numbers],
        }
        register_derived(self, derived)
        self.outcomes, self.any_dense = int(sizes.sum()), any(dense)

    def forward(self, batch: Encoded, hidden: Tensor) -> Tensor:
        """The inputs of what is not hidden, bool (n, parts) or (parts,); shape (n, inputs)."""
        visible = (~hidden & (batch.codes != NOVEL)).to(batch.inputs.dtype)
        outcomes = visible.new_zeros(len(batch), self.outcomes)
        outcomes.scatter_(1, self.starts + batch.codes.clamp(min=0), visible)
        scaled = batch.inputs.index_select(1, self.scaled_at).unsqueeze(-1)
        bins = ((scaled - self.edges[:, :-1]) / self.bin_widths).clamp(0, 1).flatten(1) - 0.5
        read = torch.cat([batch.inputs, bins], 1)
        seen = visible.index_select(visible.dim() - 1, self.owner[: read.shape[1]])
        return torch.cat([read * seen, outcomes], 1)

    def noised(self, batch: Encoded, generator: Generator) -> Encoded:
        """The same records with noise on what is read of their values, and on values that have a density.

        Source: the noise regularisation of Rothfuss et al. (2019).
        """
        inputs, values = batch.inputs, batch.values
        inputs = inputs + NOISE * self.noisy * torch.randn(inputs.shape, generator=generator).to(inputs)
        if self.any_dense:
            values = values + NOISE / 2 * self.dense * torch.randn(values.shape, generator=generator).to(values)
        return Encoded(batch.codes, values, batch.widths, inputs)


def _edges(part: Part) -> Floats:
    """Where a number's bins meet, on its scaled axis, shape (BINS + 1,)."""
    assert isinstance(part, NumericPart)
    return np.quantile(part.knots, np.linspace(0, 1, BINS + 1)) if part.knots else np.zeros(BINS + 1)
