"""The four baselines of the DMDN paper as classifiers of table records, whose columns are their tokens."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from unwonted.classifier import Classifier
from unwonted.encode import Encoder
from unwonted.models.token_model import TokenModel
from unwonted.nets import AttentiveGRU, ResNet1D, TemporalCNN, TransformerEncoder
from unwonted.schema import Overrides
from unwonted.train import Plan, Progress, steps_for

__all__ = ["GRUAttentionClassifier", "ResNet1DClassifier", "TemporalCNNClassifier", "TransformerClassifier"]

STEPS, FEWEST_STEPS, MOST_STEPS = 8, 200, 4000
BATCH = 256
HEADS, KERNEL, DENSE = 4, 3, 64


@dataclass(frozen=True)
class Sizes:
    """Of a network, and the learning rate of AdamW that suits it."""

    width: int
    depth: int
    dropout: float
    rate: float


class TokenClassifier(Classifier):
    """A classifier whose network reads columns as tokens (see `TokenModel`); a subclass says which network.

    Args:
        normal: The label or labels that mean normal; None for the most frequent.
        width, depth, dropout: Of the network; None for those in `sizes`.
        alert_rate, schema, ignore, exemplars, device, max_time, optimiser, learning_rate, random_state, verbose: See
            `Estimator`.
    """

    sizes: ClassVar[Sizes]

    def __init__(
        self,
        *,
        normal: Any = None,
        width: int | None = None,
        depth: int | None = None,
        dropout: float | None = None,
        alert_rate: float = 0.05,
        schema: Overrides | None = None,
        ignore: Sequence[str] = (),
        exemplars: int = 1000,
        device: str = "auto",
        max_time: float | None = None,
        optimiser: str = "adamw",
        learning_rate: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | Callable[[Progress], None] = False,
    ) -> None:
        super().__init__(
            normal=normal,
            alert_rate=alert_rate,
            schema=schema,
            ignore=ignore,
            exemplars=exemplars,
            device=device,
            max_time=max_time,
            optimiser=optimiser,
            learning_rate=learning_rate,
            random_state=random_state,
            verbose=verbose,
        )
        self.width = width
        self.depth = depth
        self.dropout = dropout

    @abstractmethod
    def _network(self, width: int, depth: int, dropout: float) -> tuple[nn.Module, int]:
        """The network over tokens, and how many numbers it gives."""

    def _model(self, encoder: Encoder, rows: int, seed: int) -> TokenModel:
        width, depth = self.width or self.sizes.width, self.depth or self.sizes.depth
        dropout = self.sizes.dropout if self.dropout is None else self.dropout
        with torch.random.fork_rng(devices=[]):  # the model draws the weights
            network, outputs = self._network(width, depth, dropout)
            return TokenModel(
                encoder,
                self.normal_.tolist(),
                network,
                width=width,
                outputs=outputs,
                architecture={"width": width, "depth": depth, "dropout": dropout},
                seed=seed,
            )

    def _plan(self, encoder: Encoder, rows: int) -> Plan:
        steps = steps_for(rows, STEPS, FEWEST_STEPS, MOST_STEPS)
        return Plan(steps=steps, batch=BATCH, rate=self.sizes.rate)


class TransformerClassifier(TokenClassifier):
    """Transformer encoder over column tokens: two pre-norm blocks of width 32 with four heads, a class token.

    Source: `TransformerEncoder`; in the DMDN paper's table "Transformer-Encoder Net".
    """

    sizes = Sizes(width=32, depth=2, dropout=0.1, rate=2e-3)

    def _network(self, width: int, depth: int, dropout: float) -> tuple[nn.Module, int]:
        return TransformerEncoder(width, depth, HEADS, dropout), width


class TemporalCNNClassifier(TokenClassifier):
    """Temporal convolutional network over column tokens: five causal blocks of 32 channels, kernels of three.

    Source: `TemporalCNN`; in the DMDN paper's table "Temporal CNN".
    """

    sizes = Sizes(width=32, depth=5, dropout=0.1, rate=2e-3)

    def _network(self, width: int, depth: int, dropout: float) -> tuple[nn.Module, int]:
        return TemporalCNN(width, depth, KERNEL, dropout), width


class GRUAttentionClassifier(TokenClassifier):
    """Bidirectional GRU with additive attention over column tokens: one layer, 32 units each way.

    Source: `AttentiveGRU`; in the DMDN paper's table "GRU-Attention Network".
    """

    sizes = Sizes(width=64, depth=1, dropout=0.1, rate=2e-3)

    def _network(self, width: int, depth: int, dropout: float) -> tuple[nn.Module, int]:
        return AttentiveGRU(width, depth, dropout), width


class ResNet1DClassifier(TokenClassifier):
    """Residual convolutional network over column tokens: three stages of 16, 32 and 64 channels, a dense layer.

    Source: `ResNet1D`; in the DMDN paper's table "ResNet1D + Dense Head".
    """

    sizes = Sizes(width=16, depth=3, dropout=0.1, rate=2e-3)

    def _network(self, width: int, depth: int, dropout: float) -> tuple[nn.Module, int]:
        return ResNet1D(width, depth, DENSE, dropout), DENSE
