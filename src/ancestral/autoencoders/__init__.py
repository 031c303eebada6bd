"""Autoencoders: models that learn an encoder beside their decoder."""

from ancestral.autoencoders.autoencoder import AE
from ancestral.autoencoders.code_prior import CodePrior
from ancestral.autoencoders.conditionals import (
    BernoulliDecoder,
    CategoricalDecoder,
    DiagonalNormal,
    GaussianDecoder,
    GaussianEncoder,
)
from ancestral.autoencoders.corruption import GaussianNoise, Masking, SaltAndPepper
from ancestral.autoencoders.hierarchical import HierarchicalVAE
from ancestral.autoencoders.image_vae import (
    ContinuousBernoulliImageVAE,
    CrossEntropyImageVAE,
    ImageVAE,
)
from ancestral.autoencoders.likelihoods import (
    Bits,
    Categoricals,
    ContinuousBernoulliLevels,
    DiscretisedLogistic,
)
from ancestral.autoencoders.networks import dense_networks, image_networks
from ancestral.autoencoders.objectives import ImportanceWeightedBound, WeighedBound
from ancestral.autoencoders.penalties import (
    Contraction,
    KeepLargest,
    Sparsity,
    squared_jacobian_norm,
)
from ancestral.autoencoders.priors import GaussianMixturePrior, PosteriorMixture
from ancestral.autoencoders.quantisers import FSQ, EMAQuantiser
from ancestral.autoencoders.table_vae import TableVAE
from ancestral.autoencoders.vae import VAE, BinaryVAE
from ancestral.autoencoders.vq_vae import VQVAE

__all__ = [
    "AE",
    "FSQ",
    "VAE",
    "VQVAE",
    "BernoulliDecoder",
    "BinaryVAE",
    "Bits",
    "CategoricalDecoder",
    "Categoricals",
    "CodePrior",
    "ContinuousBernoulliImageVAE",
    "ContinuousBernoulliLevels",
    "Contraction",
    "CrossEntropyImageVAE",
    "DiagonalNormal",
    "DiscretisedLogistic",
    "EMAQuantiser",
    "GaussianDecoder",
    "GaussianEncoder",
    "GaussianMixturePrior",
    "GaussianNoise",
    "HierarchicalVAE",
    "ImageVAE",
    "ImportanceWeightedBound",
    "KeepLargest",
    "Masking",
    "PosteriorMixture",
    "SaltAndPepper",
    "Sparsity",
    "TableVAE",
    "WeighedBound",
    "dense_networks",
    "image_networks",
    "squared_jacobian_norm",
]
