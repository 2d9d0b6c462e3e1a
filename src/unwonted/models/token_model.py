"""A network over a table's columns as tokens, with a head for the label."""

from collections.abc import Sequence

from torch import Generator, Tensor, nn

from unwonted.encode import Encoder
from unwonted.models.label_model import LabelModel
from unwonted.models.values import FrequentValues
from unwonted.nets import AttentiveGRU, ColumnTokens, TemporalCNN, initialise

__all__ = ["TokenModel"]


class TokenModel(LabelModel):
    """Each column becomes a token, a network reads the tokens in the order of the columns, a linear head tells classes.

    Args:
        encoder: The parts.
        normal: Which classes mean normal.
        network: Takes (n, tokens, width) and a generator or None, gives (n, outputs).
        width: Of a token.
        outputs: Of the network.
        architecture: The sizes, as constructor arguments of the estimator.
        seed: Of the weights.
    """

    def __init__(
        self,
        encoder: Encoder,
        normal: Sequence[bool],
        network: nn.Module,
        *,
        width: int,
        outputs: int,
        architecture: dict[str, int | float],
        seed: int,
    ) -> None:
        values = FrequentValues(encoder)
        super().__init__(encoder, normal, [values])
        generator = Generator().manual_seed(seed)
        self.architecture = architecture
        self.tokens = ColumnTokens(self.column_of_input.tolist(), width)
        self.network = network
        self.head = nn.Linear(outputs, len(normal))
        values.start(generator)
        self.tokens.start(generator)
        initialise(self.network, generator)
        if isinstance(network, AttentiveGRU | TemporalCNN):
            network.start(generator)
        initialise(self.head, generator)

    def logits(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        found: Tensor = self.head(self.network(self.tokens(x), generator))
        return found
