"""A config and the shape of the data become a model and the transform it is fitted under."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from torch import Generator, Tensor, nn

from ancestral.adversarial import GAN
from ancestral.autoencoders import VAE, CrossEntropyImageVAE, ImageVAE
from ancestral.classic import (
    KDE,
    Classifier,
    DiagonalGaussians,
    DiscreteNetwork,
    Empirical,
    GaussianMixture,
    LogisticRegression,
    NaiveBayes,
    best_components,
)
from ancestral.classic.arguments import check_components
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.data.transforms import (
    Compose,
    Flatten,
    States,
    Transform,
    dequantise,
    standardise,
    unit_interval,
)
from ancestral.errors import ConfigError
from ancestral.networks.learning import chow_liu, hill_climb
from ancestral.nn.pyramid import Upsampling
from ancestral.recipes.configs import (
    BayesNetConfig,
    ClassifierConfig,
    EmpiricalConfig,
    GANConfig,
    GMMConfig,
    ImageVAEConfig,
    KDEConfig,
    NaiveBayesConfig,
    VAEConfig,
)
from ancestral.training.options import Options

_COMPONENTS: dict[bool, Sequence[int]] = {
    False: (1, 2, 4, 8, 16, 32, 64),
    True: (1, 2, 5, 10, 20),  # Of many features: a covariance needs examples for each.
}
_MANY_FEATURES = 16

CLASSIFIER_OPTIONS = Options(batch_size=128, learning_rate=3e-3, validate_every=100, patience=10)
"""Of the training of classifiers."""


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


def noiseless(data: Dataset) -> Transform:
    """Return the transform for models that only read x: as :func:`flat`, nothing added."""
    if data.kind == "vectors":
        return standardise(data.train)
    return Compose([unit_interval(data.levels), Flatten(tuple(data.event_shape))])


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


def enough_for_components(config: GMMConfig, data: Dataset) -> None:
    """Refuse more components than examples.

    Raises:
        ConfigError: If there are.
    """
    if config.components is not None:
        check_components(config.components, len(data.train))


def enough_for_a_distance(config: GANConfig, data: Dataset) -> None:
    """Refuse a validation split too small for the distance that chooses the weights.

    Raises:
        ConfigError: If it has fewer than two examples.
    """
    del config
    if len(data.validation) < 2:
        raise ConfigError(
            "gan is chosen by a distance to the validation split, which must have at least 2 "
            f"examples, got {len(data.validation)}: give more data, or leave gan out"
        )


def naive_bayes(config: NaiveBayesConfig, shape: Shape) -> nn.Module:
    """Return Gaussian naive Bayes, not fitted yet; without labels, of one label."""
    states = max(1, len(shape.labels))
    return NaiveBayes(DiagonalGaussians(states, shape.features, smoothing=config.smoothing))


def classifier(config: ClassifierConfig, shape: Shape) -> nn.Module:
    """Return logistic regression, not fitted yet, or a network of logits."""
    config = config.resolved(shape)
    if config.closed:
        return LogisticRegression(shape.features, len(shape.labels), penalty=config.penalty or 0.0)
    return Classifier((shape.features,), len(shape.labels), hidden=config.hidden or ())


def enough_labels(config: ClassifierConfig, data: Dataset) -> None:
    """Refuse data without labels to tell apart.

    Raises:
        ConfigError: If there are fewer than two.
    """
    del config
    if len(data.labels) < 2:
        hint = "set a column apart with --set label=COLUMN"
        if data.kind == "images":
            hint = "give a folder with one subfolder for each label"
        raise ConfigError(
            f"classifier needs at least 2 labels, {data.name} has {len(data.labels)}: {hint}"
        )


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
    channels, height, width = shape.event_shape
    if height != width:
        raise ValueError(f"images must be square, got {height} x {width}; set size=32")
    sizes = Sizes(
        channels=channels,
        size=height,
        classes=len(shape.labels) if config.conditional else 0,
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


def states(data: Dataset) -> Transform:
    """Return the transform of tables: states stay as they are."""
    del data  # There is nothing to fit.
    return States()


def bayes_net(config: BayesNetConfig, shape: Shape) -> nn.Module:
    """Return a discrete Bayesian network over the columns, not fitted yet."""
    edges = config.edges or ()
    return DiscreteNetwork(
        shape.states,
        edges=list(zip(edges[::2], edges[1::2], strict=True)),
        names=shape.columns,
        pseudo_count=config.pseudo_count,
        latent=dict(zip(config.latent, config.latent_states, strict=True)),
        starts=config.starts,
    )


def enough_cells(config: BayesNetConfig, data: Dataset) -> None:
    """Refuse missing cells that nothing fills, and columns without a state.

    Raises:
        ConfigError: If there are any, or a search for a structure finds no whole row.
    """
    if empty := [n for n, of in zip(data.columns, data.states, strict=True) if not of]:
        raise ConfigError(
            f"column {empty[0]!r} of {data.name} has no cell that says anything: leave it out; "
            "a structure file may have it as a latent node"
        )
    whole = (data.train.x >= 0).all(dim=1)
    if config.missing == "refuse" and not bool(whole.all()):
        raise ConfigError(f"{data.name} has missing cells: set missing=em")
    if config.edges is None and not bool(whole.any()):
        raise ConfigError(
            f"structure must be a network file where every row has a missing cell, "
            f"got {config.structure}, which learns from whole rows"
        )


def choose_edges(config: BayesNetConfig, y: Tensor, generator: Generator) -> BayesNetConfig:
    """Return the config with the edges that the training split tells.

    Args:
        config: Resolved.
        y: The training split, states [N, D]; rows with a missing cell are passed over.
        generator: Not used: both searches are deterministic.
    """
    del generator
    if config.edges is not None:
        return config
    y = y[(y >= 0).all(dim=1)]
    columns = {str(index): column.numpy() for index, column in enumerate(y.T.contiguous())}
    found = (
        chow_liu(columns)
        if config.structure == "chow-liu"
        else hill_climb(columns, max_parents=config.max_parents)
    )
    pairs = [(int(p), int(n)) for n, of in found.structure.parents.items() for p in of]
    return replace(config, edges=tuple(number for pair in sorted(pairs) for number in pair))
