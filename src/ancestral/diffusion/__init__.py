"""Diffusion: noise is taken away step by step; of tokens the noise is that they are masked."""

from ancestral.diffusion.masked import MaskedDiffusion
from ancestral.diffusion.unmasking import Unmasking

__all__ = ["MaskedDiffusion", "Unmasking"]
