"""A table's columns as tokens: one vector a column, for the networks that read a record as a sequence."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from unwonted.nets.starting import register_derived

__all__ = ["ColumnTokens"]


class ColumnTokens(nn.Module):
    """One token a column, t_j = W_j x_j + b_j, where x_j are the inputs that stem from column j.

    Input (n, inputs), output (n, columns, width).

    Args:
        owner: The column of each input, shape (inputs,).
        width: Of a token.

    Source: the feature tokenizer of Gorishniy et al. (2021), for columns of several inputs each.
    """

    order: Tensor

    def __init__(self, owner: Sequence[int], width: int) -> None:
        super().__init__()
        places = torch.tensor(owner)
        self.columns = int(places.max()) + 1
        self.ends = torch.bincount(places, minlength=self.columns).cumsum(0)[:-1].tolist()
        register_derived(self, {"order": places.argsort(stable=True)})
        self.weight = nn.Parameter(torch.empty(len(places), width))
        self.bias = nn.Parameter(torch.empty(self.columns, width))

    def start(self, generator: Generator) -> None:
        """Draws weights and biases from U(−1/√width, 1/√width)."""
        bound = self.weight.shape[1] ** -0.5
        with torch.no_grad():
            for weights in self.parameters():
                weights.uniform_(-bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        inputs, weights = x[:, self.order].tensor_split(self.ends, 1), self.weight.tensor_split(self.ends)
        tokens = [mine @ weight for mine, weight in zip(inputs, weights, strict=True)]
        return torch.stack(tokens, 1) + self.bias
