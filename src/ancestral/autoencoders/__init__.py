"""Autoencoders: models that learn an encoder beside their decoder."""

from ancestral.autoencoders.conditionals import (
    BernoulliDecoder,
    CategoricalDecoder,
    DiagonalNormal,
    GaussianDecoder,
    GaussianEncoder,
)
from ancestral.autoencoders.hierarchical import HierarchicalVAE
from ancestral.autoencoders.image_vae import CrossEntropyImageVAE, ImageVAE
from ancestral.autoencoders.likelihoods import Bits, Categoricals, DiscretisedLogistic
from ancestral.autoencoders.objectives import ImportanceWeightedBound, WeighedBound
from ancestral.autoencoders.priors import GaussianMixturePrior
from ancestral.autoencoders.table_vae import TableVAE
from ancestral.autoencoders.vae import VAE, BinaryVAE

__all__ = [
    "VAE",
    "BernoulliDecoder",
    "BinaryVAE",
    "Bits",
    "CategoricalDecoder",
    "Categoricals",
    "CrossEntropyImageVAE",
    "DiagonalNormal",
    "DiscretisedLogistic",
    "GaussianDecoder",
    "GaussianEncoder",
    "GaussianMixturePrior",
    "HierarchicalVAE",
    "ImageVAE",
    "ImportanceWeightedBound",
    "TableVAE",
    "WeighedBound",
]
