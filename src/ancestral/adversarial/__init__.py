"""Adversarial models: samplers without a density, learned against a critic."""

from ancestral.adversarial.augmentation import Augmentation, augment
from ancestral.adversarial.conditional import ConditionalGAN
from ancestral.adversarial.critic import Critic
from ancestral.adversarial.cyclegan import CycleGAN, Direction
from ancestral.adversarial.divergences import DIVERGENCES, DivergenceGame
from ancestral.adversarial.equalised import equalise
from ancestral.adversarial.five_rules import Rule, dcgan_rules
from ancestral.adversarial.game import AdversarialGame
from ancestral.adversarial.gan import GAN, UniformPrior
from ancestral.adversarial.growing_gan import GrowingGAN
from ancestral.adversarial.growing_networks import (
    GrowingCritic,
    GrowingGenerator,
    Growth,
    PixelNorm,
)
from ancestral.adversarial.image_gan import ImageGAN
from ancestral.adversarial.image_networks import ImageCritic, ImageGenerator, MinibatchDeviation
from ancestral.adversarial.initialise import rescale
from ancestral.adversarial.losses import (
    critic_loss,
    game_value,
    hinge_critic_loss,
    least_squares_critic_loss,
    least_squares_loss,
    non_saturating_loss,
    relativistic_loss,
    saturating_loss,
    smoothed_critic_loss,
    wasserstein_critic_loss,
    wasserstein_loss,
)
from ancestral.adversarial.objectives import OBJECTIVES, Objective
from ancestral.adversarial.patch_critic import PatchCritic
from ancestral.adversarial.penalties import unit_slope_penalty, zero_centred_penalty
from ancestral.adversarial.pix2pix import Pix2Pix
from ancestral.adversarial.rules import GameRules
from ancestral.adversarial.spectral import normalise_spectrum
from ancestral.adversarial.style_gan import StyleGAN
from ancestral.adversarial.style_networks import ModulatedConv2d, StyleGenerator
from ancestral.adversarial.table_gan import TableGAN
from ancestral.adversarial.view import View

__all__ = [
    "DIVERGENCES",
    "GAN",
    "OBJECTIVES",
    "AdversarialGame",
    "Augmentation",
    "ConditionalGAN",
    "Critic",
    "CycleGAN",
    "Direction",
    "DivergenceGame",
    "GameRules",
    "GrowingCritic",
    "GrowingGAN",
    "GrowingGenerator",
    "Growth",
    "ImageCritic",
    "ImageGAN",
    "ImageGenerator",
    "MinibatchDeviation",
    "ModulatedConv2d",
    "Objective",
    "PatchCritic",
    "Pix2Pix",
    "PixelNorm",
    "Rule",
    "StyleGAN",
    "StyleGenerator",
    "TableGAN",
    "UniformPrior",
    "View",
    "augment",
    "critic_loss",
    "dcgan_rules",
    "equalise",
    "game_value",
    "hinge_critic_loss",
    "least_squares_critic_loss",
    "least_squares_loss",
    "non_saturating_loss",
    "normalise_spectrum",
    "relativistic_loss",
    "rescale",
    "saturating_loss",
    "smoothed_critic_loss",
    "unit_slope_penalty",
    "wasserstein_critic_loss",
    "wasserstein_loss",
    "zero_centred_penalty",
]
