"""Layers: no probability, no training."""

from ancestral.nn.fourier import FourierFeatures
from ancestral.nn.label_planes import LabelPlanesConv2d
from ancestral.nn.mlp import MLP
from ancestral.nn.pyramid import ConvDecoder, ConvEncoder, Upsampling, halvings

__all__ = [
    "MLP",
    "ConvDecoder",
    "ConvEncoder",
    "FourierFeatures",
    "LabelPlanesConv2d",
    "Upsampling",
    "halvings",
]
