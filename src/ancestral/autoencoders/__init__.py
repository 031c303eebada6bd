"""Autoencoders: models that learn an encoder beside their decoder."""

from ancestral.autoencoders.conditionals import (
    CategoricalDecoder,
    DiagonalNormal,
    GaussianDecoder,
    GaussianEncoder,
)
from ancestral.autoencoders.image_vae import CrossEntropyImageVAE, ImageVAE
from ancestral.autoencoders.likelihoods import Categoricals, DiscretisedLogistic
from ancestral.autoencoders.priors import GaussianMixturePrior
from ancestral.autoencoders.table_vae import TableVAE
from ancestral.autoencoders.vae import VAE

__all__ = [
    "VAE",
    "CategoricalDecoder",
    "Categoricals",
    "CrossEntropyImageVAE",
    "DiagonalNormal",
    "DiscretisedLogistic",
    "GaussianDecoder",
    "GaussianEncoder",
    "GaussianMixturePrior",
    "ImageVAE",
    "TableVAE",
]
