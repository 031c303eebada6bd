"""Pairs of networks for an autoencoder: x to codes, and codes to x."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.autoencoders.image_networks import Architecture
from ancestral.nn.mlp import MLP
from ancestral.nn.pyramid import ConvEncoder


class TransposedMLP(nn.Module):
    """The layers of another MLP backwards, their weights transposed: only the biases are its own.

    Source: Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11, sec. 2.2 (tied weights).

    Args:
        mlp: Whose weights they are; it must have ReLU between its layers.

    Example:
        >>> TransposedMLP(MLP(784, 8, hidden=(32,)))(torch.zeros(5, 8)).shape
        torch.Size([5, 784])
    """

    def __init__(self, mlp: MLP) -> None:
        super().__init__()
        # In a tuple, so that the weights are parameters of the other network alone.
        linear = [layer for layer in mlp.layers if isinstance(layer, nn.Linear)]
        self._linear = (*reversed(linear),)
        widths = [layer.in_features for layer in self._linear]
        self.biases = nn.ParameterList([torch.zeros(width) for width in widths])

    def forward(self, z: Tensor) -> Tensor:
        """Map z [*B, L] to [*B, D]."""
        for depth, (layer, bias) in enumerate(zip(self._linear, self.biases, strict=True)):
            z = functional.linear(functional.relu(z) if depth else z, layer.weight.T, bias)
        return z


def dense_networks(
    event_shape: Sequence[int], latent: int, *, hidden: Sequence[int], tied: bool = False
) -> tuple[nn.Module, nn.Module]:
    """Return an encoder and a decoder of fully connected layers, ReLU between them.

    Of images what is decoded lies in (0, 1). Without hidden layers both are affine: of the rows of
    a table such an autoencoder finds the space of the first L principal axes.

    Source: Baldi & Hornik 1989, Neural networks and principal component analysis.

    Args:
        event_shape: [D] of rows, [C, H, W] of images.
        latent: Dimension L of the codes, at least 1.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        tied: Whether the decoder's weights are the encoder's, transposed.

    Raises:
        ValueError: If a width is below 1.

    Example:
        >>> encoder, decoder = dense_networks((2,), 16, hidden=(128, 64, 32))
        >>> [sum(p.numel() for p in network.parameters()) for network in (encoder, decoder)]
        [11248, 11234]
    """
    features = math.prod(event_shape)
    encoder = MLP(features, latent, hidden=hidden)
    backwards = tuple(hidden)[::-1]
    decoder = TransposedMLP(encoder) if tied else MLP(latent, features, hidden=backwards)
    if len(event_shape) == 1:
        return encoder, decoder
    pixels = nn.Sequential(decoder, nn.Sigmoid(), nn.Unflatten(-1, tuple(event_shape)))
    return nn.Sequential(nn.Flatten(), encoder), pixels


def image_networks(
    event_shape: Sequence[int], latent: int, *, width: int
) -> tuple[nn.Module, nn.Module]:
    """Return an encoder and a decoder of convolutions; what is decoded lies in (0, 1).

    Args:
        event_shape: [C, S, S]; inside the networks a side that is no multiple of 4 has a border.
        latent: Dimension L of the codes, at least 1.
        width: Channels at the finest resolution; they double with every halving.

    Raises:
        ValueError: If the images are not square, or a size is below 1.

    Example:
        >>> encoder, decoder = image_networks((1, 25, 25), 8, width=4)
        >>> decoder(encoder(torch.zeros(5, 1, 25, 25))).shape
        torch.Size([5, 1, 25, 25])
    """
    channels, height, side = event_shape
    if height != side:
        raise ValueError(f"images must be square, got {height} x {side}; set size=32")
    sizes = Architecture(channels, side, 0, latent, width, "transposed")
    encoder = ConvEncoder(
        channels, latent, size=side, widths=sizes.widths, kernel_size=4, activation=nn.SiLU
    )
    return encoder, nn.Sequential(sizes.decoder_network(1), nn.Sigmoid())
