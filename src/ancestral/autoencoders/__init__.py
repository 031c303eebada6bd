"""Autoencoders: models that learn an encoder beside their decoder."""

from ancestral.autoencoders.conditionals import DiagonalNormal, GaussianDecoder, GaussianEncoder
from ancestral.autoencoders.image_vae import CrossEntropyImageVAE, ImageVAE
from ancestral.autoencoders.likelihoods import DiscretisedLogistic
from ancestral.autoencoders.priors import GaussianMixturePrior
from ancestral.autoencoders.vae import VAE

__all__ = [
    "VAE",
    "CrossEntropyImageVAE",
    "DiagonalNormal",
    "DiscretisedLogistic",
    "GaussianDecoder",
    "GaussianEncoder",
    "GaussianMixturePrior",
    "ImageVAE",
]
