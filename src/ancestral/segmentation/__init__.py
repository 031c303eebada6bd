"""Segmentation: p(mask | image), a class for every pixel."""

from ancestral.segmentation.losses import cross_entropy, dice, focal
from ancestral.segmentation.segmenter import PixelLoss, Segmenter
from ancestral.segmentation.tiles import tiled

__all__ = ["PixelLoss", "Segmenter", "cross_entropy", "dice", "focal", "tiled"]
