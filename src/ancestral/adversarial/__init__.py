"""Adversarial models: samplers without a density, learned against a critic."""

from ancestral.adversarial.conditional import ConditionalGAN
from ancestral.adversarial.critic import Critic
from ancestral.adversarial.game import AdversarialGame, GeneratorLoss
from ancestral.adversarial.gan import GAN, UniformPrior
from ancestral.adversarial.initialise import rescale
from ancestral.adversarial.losses import (
    critic_loss,
    game_value,
    non_saturating_loss,
    saturating_loss,
)
from ancestral.adversarial.penalties import zero_centred_penalty
from ancestral.adversarial.table_gan import TableGAN

__all__ = [
    "GAN",
    "AdversarialGame",
    "ConditionalGAN",
    "Critic",
    "GeneratorLoss",
    "TableGAN",
    "UniformPrior",
    "critic_loss",
    "game_value",
    "non_saturating_loss",
    "rescale",
    "saturating_loss",
    "zero_centred_penalty",
]
