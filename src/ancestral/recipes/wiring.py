"""A config and the shape of the data become a model and the transform it is fitted under."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from torch import Generator, Tensor, nn

from ancestral.adversarial import GAN
from ancestral.autoencoders import VAE, CrossEntropyImageVAE, ImageVAE
from ancestral.classic import (
    KDE,
    DiagonalGaussians,
    Empirical,
    GaussianMixture,
    NaiveBayes,
    best_components,
)
from ancestral.data.dataset import Dataset
from ancestral.data.transforms import (
    Compose,
    Flatten,
    Transform,
    dequantise,
    standardise,
    unit_interval,
)
from ancestral.nn.pyramid import Upsampling
from ancestral.recipes.configs import (
    EmpiricalConfig,
    GANConfig,
    GMMConfig,
    ImageVAEConfig,
    KDEConfig,
    NaiveBayesConfig,
    VAEConfig,
)
from ancestral.recipes.shape import Shape

_COMPONENTS: dict[bool, Sequence[int]] = {
    False: (1, 2, 4, 8, 16, 32, 64),
    True: (1, 2, 5, 10, 20),  # Of many features: a covariance needs examples for each.
}
_MANY_FEATURES = 16


class Sizes(TypedDict):
    """What both image autoencoders take."""

    channels: int
    size: int
    classes: int
    latent: int
    width: int
    decoder: Upsampling


def flat(data: Dataset) -> Transform:
    """Return the transform for models of vectors: standardised columns, or pixels in a row."""
    if data.kind == "vectors":
        return standardise(data.train)
    return Compose(
        [dequantise(data.train, data.levels, standard=True), Flatten(tuple(data.event_shape))]
    )


def grey(data: Dataset) -> Transform:
    """Return the transform for models that give mass to grey levels: onto [0, 1], no noise."""
    return unit_interval(data.levels)


def empirical(config: EmpiricalConfig, shape: Shape) -> nn.Module:
    """Return the training set as a model, not fitted yet."""
    del config  # There is nothing to set.
    return Empirical((shape.features,))


def kde(config: KDEConfig, shape: Shape) -> nn.Module:
    """Return a kernel density estimate, not fitted yet."""
    return KDE(shape.features, bandwidth=config.bandwidth, kernel=config.kernel)


def gmm(config: GMMConfig, shape: Shape) -> nn.Module:
    """Return a mixture of Gaussians, not fitted yet."""
    return GaussianMixture(
        shape.features,
        components=config.components or 1,
        covariance=config.covariance,
        least_variance=config.resolved(shape).least_variance or 1.0,
    )


def choose_components(config: GMMConfig, y: Tensor, generator: Generator) -> GMMConfig:
    """Return the config with the number of components that held-out examples like best.

    Args:
        config: Resolved.
        y: The training split in model units, [N, D].
        generator: Of the split and the starts.
    """
    if config.components is not None:
        return config
    found = best_components(
        y,
        _COMPONENTS[y.shape[1] >= _MANY_FEATURES],
        covariance=config.covariance,
        least_variance=config.least_variance or 1.0,
        generator=generator,
    )
    return replace(config, components=found)


def naive_bayes(config: NaiveBayesConfig, shape: Shape) -> nn.Module:
    """Return Gaussian naive Bayes, not fitted yet; without labels, of one label."""
    states = max(1, shape.labels)
    return NaiveBayes(DiagonalGaussians(states, shape.features, smoothing=config.smoothing))


def vae(config: VAEConfig, shape: Shape) -> nn.Module:
    """Return a variational autoencoder of vectors."""
    config = config.resolved(shape)
    return VAE(
        shape.features,
        latent=config.latent or 1,
        hidden=config.hidden or (),
        decoder_std=config.decoder_std,
        frequencies=config.frequencies,
        components=config.components if config.prior == "mixture" else 0,
    )


def image_vae(config: ImageVAEConfig, shape: Shape) -> nn.Module:
    """Return a variational autoencoder of images, conditional where there are labels.

    Raises:
        ValueError: If the images are not square.
    """
    config = config.resolved(shape)
    channels, height, width = shape.event
    if height != width:
        raise ValueError(f"images must be square, got {height} x {width}; set size=32")
    sizes = Sizes(
        channels=channels,
        size=height,
        classes=shape.labels if config.conditional else 0,
        latent=config.latent or 1,
        width=config.width or 1,
        decoder=config.decoder,
    )
    if config.likelihood == "cross-entropy":
        return CrossEntropyImageVAE(**sizes)
    return ImageVAE(levels=shape.levels, **sizes)


def count_labels(model: nn.Module, data: Dataset) -> None:
    """Fit p(label), a table, by counting the training split."""
    labels = data.train.given.get("label")
    if isinstance(model, ImageVAE | CrossEntropyImageVAE) and model.classes and labels is not None:
        model.fit_labels(labels.bincount(minlength=model.classes).double())


def gan(config: GANConfig, shape: Shape) -> nn.Module:
    """Return a generative adversarial network of fully connected layers."""
    config = config.resolved(shape)
    return GAN(
        shape.features,
        latent=config.latent or 1,
        hidden=config.hidden or (),
        loss=config.loss,
        prior=config.prior,
        penalty=config.penalty,
        updates=config.updates,
    )
