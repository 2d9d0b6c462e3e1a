"""A recurrent network with attention over tokens."""

import torch
from torch import Generator, Tensor, nn

from unwonted.nets.starting import dropped

__all__ = ["AttentiveGRU"]


class AttentiveGRU(nn.Module):
    """A bidirectional GRU and additive attention over its states h_t:

        a = softmax_t(vᵀ tanh(W h_t + b)),    the output is Σ_t a_t h_t.

    Input (n, tokens, width), output (n, width).

    Args:
        width: Of a token; even, for either direction has half of it.
        depth: Layers of the GRU.
        dropout: Share of the output left out in training.

    Source: Cho et al. (2014) for the GRU, Bahdanau et al. (2015) for the attention.
    """

    def __init__(self, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.gru = nn.GRU(width, width // 2, depth, batch_first=True, bidirectional=True)
        self.key, self.query = nn.Linear(width, width), nn.Linear(width, 1, bias=False)

    def forward(self, tokens: Tensor, generator: Generator | None = None) -> Tensor:
        states, _ = self.gru(tokens)
        attention = self.query(self.key(states).tanh()).softmax(1)
        return dropped((attention * states).sum(1), self.dropout, generator)

    def start(self, generator: Generator) -> None:
        """Draws the GRU's weights from U(−1/√size, 1/√size)."""
        bound = self.gru.hidden_size**-0.5
        with torch.no_grad():
            for weights in self.gru.parameters():
                weights.uniform_(-bound, bound, generator=generator)
