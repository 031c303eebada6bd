"""Adversarial models: samplers without a density, learned against a critic."""

from ancestral.adversarial.conditional import ConditionalGAN
from ancestral.adversarial.critic import Critic
from ancestral.adversarial.five_rules import Rule, dcgan_rules
from ancestral.adversarial.game import AdversarialGame
from ancestral.adversarial.gan import GAN, UniformPrior
from ancestral.adversarial.image_gan import ImageGAN
from ancestral.adversarial.image_networks import ImageCritic, ImageGenerator
from ancestral.adversarial.initialise import rescale
from ancestral.adversarial.losses import (
    critic_loss,
    game_value,
    non_saturating_loss,
    relativistic_loss,
    saturating_loss,
)
from ancestral.adversarial.penalties import zero_centred_penalty
from ancestral.adversarial.rules import GameRules
from ancestral.adversarial.table_gan import TableGAN

__all__ = [
    "GAN",
    "AdversarialGame",
    "ConditionalGAN",
    "Critic",
    "GameRules",
    "ImageCritic",
    "ImageGAN",
    "ImageGenerator",
    "Rule",
    "TableGAN",
    "UniformPrior",
    "critic_loss",
    "dcgan_rules",
    "game_value",
    "non_saturating_loss",
    "relativistic_loss",
    "rescale",
    "saturating_loss",
    "zero_centred_penalty",
]
