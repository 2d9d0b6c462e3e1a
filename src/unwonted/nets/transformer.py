"""A Transformer encoder over tokens."""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from unwonted.nets.starting import dropped

__all__ = ["TransformerEncoder"]

EXPANSION = 2


class TransformerEncoder(nn.Module):
    """A class token before the others, `depth` pre-norm blocks, and the class token's last state.

        h ← h + MHA(LayerNorm(h)),    h ← h + W₂ GELU(W₁ LayerNorm(h)),    W₁ twice as wide as h.

    Tokens of columns carry their place in themselves, so there is no positional encoding. Input (n, tokens, width),
    output (n, width).

    Args:
        width: Of a token; a multiple of `heads`.
        depth: Blocks.
        heads: Of the attention.
        dropout: Share of each block's additions left out in training.

    Source: Vaswani et al. (2017), in the pre-norm form of Gorishniy et al. (2021) for tables.
    """

    def __init__(self, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.start_token = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(_Block(width, heads, dropout) for _ in range(depth))
        self.last = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, generator: Generator | None = None) -> Tensor:
        h = torch.cat([self.start_token.expand(len(tokens), 1, -1), tokens], 1)
        for block in self.blocks:
            h = block(h, generator)
        found: Tensor = self.last(h[:, 0])
        return found


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before_attention, self.before_dense = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, EXPANSION * width), nn.Linear(EXPANSION * width, width)

    def forward(self, h: Tensor, generator: Generator | None) -> Tensor:
        n, tokens, width = h.shape
        read = self.read(self.before_attention(h)).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = read.unbind(0)
        # Written out: for so few numbers a head PyTorch's fused attention takes several times as long on a CPU.
        attention = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)
        seen = attention @ value
        h = h + dropped(self.mix(seen.transpose(1, 2).reshape(n, tokens, width)), self.dropout, generator)
        wide = functional.gelu(self.widen(self.before_dense(h)))
        return h + dropped(self.narrow(wide), self.dropout, generator)
