"""Convolutional variational autoencoders of images, conditional on a label where there is one."""

from collections.abc import Sequence

from torch import nn

from ancestral.autoencoders.conditionals import BernoulliDecoder, GaussianEncoder
from ancestral.autoencoders.hierarchical import latent_layers
from ancestral.autoencoders.image_networks import (
    Architecture,
    ContinuousBernoulliDecoder,
    DiscretisedLogisticDecoder,
)
from ancestral.autoencoders.variational import WithBound, WithMeans
from ancestral.networks.nodes import Node
from ancestral.nn.pyramid import Upsampling


def _nodes(
    sizes: Architecture, latent: int | Sequence[int], decoder: nn.Module
) -> tuple[list[Node], list[Node]]:
    """Return the nodes of ``p = {..., z, x | z, label}`` and of ``q = {z | x, label, ...}``."""
    x = (sizes.channels, sizes.size, sizes.size)
    label = ("label",) if sizes.classes else ()
    encoder = GaussianEncoder(sizes.encoder_network())
    above, below = latent_layers(_layers(latent), hidden=(2 * sizes.latent,))
    p = [*above, Node("x", decoder, ("z", *label), event_shape=x)]
    return p, [Node("z", encoder, ("x", *label), event_shape=(sizes.latent,)), *below]


def _layers(latent: int | Sequence[int]) -> tuple[int, ...]:
    """Return the dimensions of the layers of latents, the one next to x first."""
    layers = (latent,) if isinstance(latent, int) else tuple(latent)
    if not layers or min(layers) < 1:
        raise ValueError(f"latent must be one or more numbers of at least 1, got {latent}")
    return layers


class ImageVAE(WithMeans, WithBound):
    """A convolutional VAE of images, conditional on ``label`` where there are classes.

    Pixels are grey levels ``level / (levels - 1)`` in [0, 1] with a discretised logistic each, so
    the bound is one on the probability of the image, in nats. Without a given label the bounds
    sum over the labels' own table p(label).

    Source: Kingma & Welling 2014, arXiv:1312.6114; Sohn, Lee & Yan 2015, Learning Structured
    Output Representation using Deep Conditional Generative Models (the condition on labels).

    Args:
        channels: Channels C of the images, 1 or 3.
        size: Side S in pixels, at least 1; the networks have a border where it is no multiple of 4.
        classes: Number K of labels; 0 for an unconditional model.
        levels: Number of grey levels, at least 2.
        latent: Dimension L of z; several: of layers of latents, the one next to x first.
        width: Channels at the finest resolution; they double with every halving.
        decoder: How the side is doubled; "book" gives the book's encoder and decoder.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> model = ImageVAE(size=8, classes=10, levels=17, latent=8, width=8)
        >>> model.sample(3, given={"label": torch.tensor(7)}).shape
        torch.Size([3, 1, 8, 8])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: int = 32,
        classes: int = 0,
        levels: int = 256,
        latent: int | Sequence[int] = 128,
        width: int = 16,
        decoder: Upsampling = "transposed",
    ) -> None:
        sizes = Architecture(channels, size, classes, _layers(latent)[0], width, decoder)
        decoder_ = DiscretisedLogisticDecoder(sizes.decoder_network(2), levels=levels)
        super().__init__(*_nodes(sizes, latent, decoder_), classes=classes)


class ContinuousBernoulliImageVAE(WithMeans, WithBound):
    """The image VAE with a continuous Bernoulli a pixel, of which each grey level has its share.

    What the book's cross-entropy lacks is the constant that makes it a density on [0, 1]; its mass
    on the share of a grey level is a probability, so the bound is one on that of the image, in
    nats, and compares with that of :class:`ImageVAE`, whose arguments it has.

    Source: Loaiza-Ganem & Cunningham 2019, The continuous Bernoulli: fixing a pervasive error in
    variational autoencoders, arXiv:1907.06845.

    Example:
        >>> import torch
        >>> model = ContinuousBernoulliImageVAE(size=8, levels=17, latent=8, width=8)
        >>> model.elbo(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: int = 32,
        classes: int = 0,
        levels: int = 256,
        latent: int | Sequence[int] = 128,
        width: int = 16,
        decoder: Upsampling = "transposed",
    ) -> None:
        sizes = Architecture(channels, size, classes, _layers(latent)[0], width, decoder)
        decoder_ = ContinuousBernoulliDecoder(sizes.decoder_network(1), levels=levels)
        super().__init__(*_nodes(sizes, latent, decoder_), classes=classes)


class CrossEntropyImageVAE(WithMeans):
    """The image VAE with the book's cross-entropy on grey pixels: a loss, so it has no bound.

    A Bernoulli lives on {0, 1}; on grey levels its expression is not a density (it sums to less
    than 1), so this model offers neither ``elbo`` nor ``estimate_log_prob``. Its ``sample`` draws
    black or white pixels; ``sample_means`` gives the grey images that the book shows.

    Source: Kingma & Welling 2014, arXiv:1312.6114, app. C.1; Loaiza-Ganem & Cunningham 2019,
    The continuous Bernoulli, arXiv:1907.06845 (why it is no density).

    Args:
        channels: Channels C of the images, 1 or 3.
        size: Side S in pixels, at least 1; the networks have a border where it is no multiple of 4.
        classes: Number K of labels; 0 for an unconditional model.
        latent: Dimension L of z; several: of layers of latents, the one next to x first.
        width: Channels at the finest resolution; they double with every halving.
        decoder: How the side is doubled; "book" gives the book's encoder and decoder.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = CrossEntropyImageVAE(classes=10, decoder="book")
        >>> model.sample_means(3).shape, hasattr(model, "elbo")
        (torch.Size([3, 1, 32, 32]), False)
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: int = 32,
        classes: int = 0,
        latent: int | Sequence[int] = 128,
        width: int = 16,
        decoder: Upsampling = "transposed",
    ) -> None:
        sizes = Architecture(channels, size, classes, _layers(latent)[0], width, decoder)
        decoder_ = BernoulliDecoder(sizes.decoder_network(1), event_dims=3, grey=True)
        super().__init__(*_nodes(sizes, latent, decoder_), classes=classes)
