"""Variational autoencoders of rows of numbers, and of rows of zeros and ones."""

from collections.abc import Sequence

from torch import nn

from ancestral.autoencoders.conditionals import (
    BernoulliDecoder,
    GaussianDecoder,
    GaussianEncoder,
)
from ancestral.autoencoders.priors import PosteriorMixture
from ancestral.autoencoders.variational import WithBound, WithMeans
from ancestral.networks.nodes import Node, StandardNormal
from ancestral.nn.fourier import FourierFeatures
from ancestral.nn.mlp import MLP
from ancestral.nn.with_label import WithLabel


def row_nodes(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    features: int,
    latent: int,
    classes: int,
    prior: nn.Module | None,
) -> tuple[list[Node], list[Node]]:
    """Return the nodes of p and of q of a VAE of rows; the prior is Normal(0, I) if None."""
    z, x, label = (latent,), (features,), ("label",) if classes else ()
    posterior = GaussianEncoder(encoder)
    if isinstance(prior, PosteriorMixture):
        prior.read_by(posterior)
    above = StandardNormal(z) if prior is None else prior
    p = [
        Node("z", above, event_shape=z),
        Node("x", decoder, ("z", *label), event_shape=x),
    ]
    return p, [Node("z", posterior, ("x", *label), event_shape=z)]


def reader(
    seen: int,
    outputs: int,
    hidden: Sequence[int],
    *,
    classes: int = 0,
    before: nn.Module | None = None,
) -> nn.Module:
    """Return a network of rows of which it sees so many features, and of their labels."""
    network = MLP(seen + classes, outputs, hidden=hidden)
    if classes:
        return WithLabel(network, classes=classes, before=before)
    return network if before is None else nn.Sequential(before, network)


class VAE(WithMeans, WithBound):
    """A variational autoencoder of vectors: ``p = {z, x | z}`` and ``q = {z | x}``.

    Prior z ~ Normal(0, I) or any other, Gaussian encoder and decoder by fully connected networks,
    conditional on a label where there are classes. The bound keeps every constant, so it is one,
    in nats.

    Source: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114.

    Args:
        features: Dimension D of x, at least 1.
        latent: Dimension L of z, at least 1.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        decoder_std: Standard deviation of p(x | z) in model units; None to learn one a coordinate.
        frequencies: Fourier features of x that the encoder sees beside x; 0 for none.
        classes: Number K of labels; 0 for an unconditional model.
        prior: The conditional p(z), called with nothing; Normal(0, I) if None.

    Raises:
        ValueError: If a width or decoder_std is not positive, or another count is negative.

    Example:
        >>> import torch
        >>> model = VAE(2, latent=4, hidden=(32,))
        >>> model.sample(3).shape, model.elbo(torch.zeros(5, 2)).shape
        (torch.Size([3, 2]), torch.Size([5]))
    """

    def __init__(
        self,
        features: int,
        *,
        latent: int = 16,
        hidden: Sequence[int] = (128, 64, 32),
        decoder_std: float | None = None,
        frequencies: int = 0,
        classes: int = 0,
        prior: nn.Module | None = None,
    ) -> None:
        if frequencies < 0:
            raise ValueError(f"frequencies must be at least 0, got {frequencies}")
        waves = FourierFeatures(features, frequencies=frequencies) if frequencies else None
        seen = waves.features_out if waves else features
        encoder = reader(seen, 2 * latent, hidden, classes=classes, before=waves)
        means = reader(latent, features, tuple(hidden)[::-1], classes=classes)
        decoder = GaussianDecoder(means, features, std=decoder_std)
        sizes = {"features": features, "latent": latent, "classes": classes}
        super().__init__(*row_nodes(encoder, decoder, prior=prior, **sizes), classes=classes)


class BinaryVAE(WithMeans, WithBound):
    """A variational autoencoder of rows of zeros and ones, such as black-and-white pixels.

    As :class:`VAE` with a Bernoulli for each feature: a probability, so that the bound is one.

    Source: Kingma & Welling 2014, arXiv:1312.6114, app. C.1.

    Args:
        features: Dimension D of x, at least 1.
        latent: Dimension L of z, at least 1.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        classes: Number K of labels; 0 for an unconditional model.
        prior: The conditional p(z), called with nothing; Normal(0, I) if None.

    Raises:
        ValueError: If a width is not positive; at a call, if x holds anything but 0 and 1.

    Example:
        >>> model = BinaryVAE(6, latent=2, hidden=(32,))
        >>> model.elbo(model.sample(3)).shape
        torch.Size([3])
    """

    def __init__(
        self,
        features: int,
        *,
        latent: int = 16,
        hidden: Sequence[int] = (128, 64, 32),
        classes: int = 0,
        prior: nn.Module | None = None,
    ) -> None:
        encoder = reader(features, 2 * latent, hidden, classes=classes)
        logits = reader(latent, features, tuple(hidden)[::-1], classes=classes)
        decoder = BernoulliDecoder(logits, event_dims=1)
        sizes = {"features": features, "latent": latent, "classes": classes}
        super().__init__(*row_nodes(encoder, decoder, prior=prior, **sizes), classes=classes)
