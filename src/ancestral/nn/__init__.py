"""Layers: no probability, no training."""

from ancestral.nn.attention import CausalSelfAttention, Sight
from ancestral.nn.convolution import (
    Interpolation,
    checkerboards,
    contributions,
    convolution_matrix,
    convolution_size,
    insert_zeros,
    interpolation_matrix,
    transposed_size,
)
from ancestral.nn.cross_attention import CrossAttention
from ancestral.nn.dit import DiT
from ancestral.nn.feed_forward import FeedForward, SwiGLU
from ancestral.nn.film import film
from ancestral.nn.fourier import FourierFeatures
from ancestral.nn.guidance import guided
from ancestral.nn.key_value_cache import KeyValueCache
from ancestral.nn.label_planes import LabelPlanesConv2d
from ancestral.nn.low_rank import (
    LowRankCell,
    LowRankLinear,
    LowRankMatrix,
    adapters,
    add_adapters,
    merge_adapters,
    merged_state,
    trainable,
)
from ancestral.nn.mlp import MLP
from ancestral.nn.norm import RMSNorm
from ancestral.nn.patches import patchify, unpatchify
from ancestral.nn.pixel_attention import PixelAttention
from ancestral.nn.plain_unet import PlainUNet
from ancestral.nn.pyramid import ConvDecoder, ConvEncoder, Upsampling, halvings
from ancestral.nn.rotary import rotary_tables, rotate
from ancestral.nn.time_embedding import TimeEmbedding
from ancestral.nn.timed_mlp import TimedMLP
from ancestral.nn.translator import Translator
from ancestral.nn.unet import TimedUNet, UNet
from ancestral.nn.vit import ViT
from ancestral.nn.winograd import WinogradConv2d

__all__ = [
    "MLP",
    "CausalSelfAttention",
    "ConvDecoder",
    "ConvEncoder",
    "CrossAttention",
    "DiT",
    "FeedForward",
    "FourierFeatures",
    "Interpolation",
    "KeyValueCache",
    "LabelPlanesConv2d",
    "LowRankCell",
    "LowRankLinear",
    "LowRankMatrix",
    "PixelAttention",
    "PlainUNet",
    "RMSNorm",
    "Sight",
    "SwiGLU",
    "TimeEmbedding",
    "TimedMLP",
    "TimedUNet",
    "Translator",
    "UNet",
    "Upsampling",
    "ViT",
    "WinogradConv2d",
    "adapters",
    "add_adapters",
    "checkerboards",
    "contributions",
    "convolution_matrix",
    "convolution_size",
    "film",
    "guided",
    "halvings",
    "insert_zeros",
    "interpolation_matrix",
    "merge_adapters",
    "merged_state",
    "patchify",
    "rotary_tables",
    "rotate",
    "trainable",
    "transposed_size",
    "unpatchify",
]
