"""Diffusion: noise is taken away step by step; of tokens the noise is that they are masked.

Read in this order: ``denoiser`` (a network as the mean of x given x with noise), ``diffusion`` (two
chains and their bound), ``samplers`` and ``levels`` (functions of any denoiser), ``score``.
"""

from ancestral.diffusion.denoiser import Denoised, Denoiser, Spread
from ancestral.diffusion.denoising import denoising_loss
from ancestral.diffusion.diffusion import Diffusion
from ancestral.diffusion.editing import imposed, known_blocks, known_grey, known_pixels
from ancestral.diffusion.guidance import classifier_guided, through_denoised
from ancestral.diffusion.latent import LatentDiffusion
from ancestral.diffusion.levels import chain_levels, geometric_levels, karras_levels
from ancestral.diffusion.masked import MaskedDiffusion
from ancestral.diffusion.samplers import SAMPLERS, evaluations, walk
from ancestral.diffusion.score import ImageScoreModel, ScoreModel, flow_log_prob, score_of
from ancestral.diffusion.table import TableDiffusion
from ancestral.diffusion.unmasking import Unmasking

__all__ = [
    "SAMPLERS",
    "Denoised",
    "Denoiser",
    "Diffusion",
    "ImageScoreModel",
    "LatentDiffusion",
    "MaskedDiffusion",
    "ScoreModel",
    "Spread",
    "TableDiffusion",
    "Unmasking",
    "chain_levels",
    "classifier_guided",
    "denoising_loss",
    "evaluations",
    "flow_log_prob",
    "geometric_levels",
    "imposed",
    "karras_levels",
    "known_blocks",
    "known_grey",
    "known_pixels",
    "score_of",
    "through_denoised",
    "walk",
]
