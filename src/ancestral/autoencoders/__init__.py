"""Autoencoders: models that learn an encoder beside their decoder."""

from ancestral.autoencoders.conditionals import GaussianDecoder, GaussianEncoder, LogScaleNormal
from ancestral.autoencoders.vae import VAE

__all__ = ["VAE", "GaussianDecoder", "GaussianEncoder", "LogScaleNormal"]
