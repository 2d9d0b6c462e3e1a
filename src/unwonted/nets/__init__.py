"""The networks, and how they start."""

from unwonted.nets.dense import MLPs, ResidualLayers, ResidualMLP, bounded, initialise_for_tanh
from unwonted.nets.recurrent import AttentiveGRU
from unwonted.nets.resnet import ResNet1D
from unwonted.nets.starting import dropped, initialise, initialise_for_relu, register_derived
from unwonted.nets.temporal import TemporalCNN
from unwonted.nets.tokens import ColumnTokens
from unwonted.nets.transformer import TransformerEncoder

__all__ = [
    "AttentiveGRU",
    "ColumnTokens",
    "MLPs",
    "ResNet1D",
    "ResidualLayers",
    "ResidualMLP",
    "TemporalCNN",
    "TransformerEncoder",
    "bounded",
    "dropped",
    "initialise",
    "initialise_for_relu",
    "initialise_for_tanh",
    "register_derived",
]
