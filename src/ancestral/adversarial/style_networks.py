"""A generator whose layers are steered by styles, which a network makes of the latents."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ancestral.adversarial.growing_networks import PixelNorm, doubled, level_widths
from ancestral.adversarial.image_networks import known, square

_MAPPING = 4
"""Layers of the mapping network."""

_SMALLEST = 1e-8


class Leaky(nn.Module):
    """LeakyReLU that keeps the signal's power."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x to the same shape."""
        return leaky_relu(x, 0.2) * math.sqrt(2)


class ModulatedConv2d(nn.Module):
    """A convolution whose kernel is scaled, for each example by its own style.

    The kernel of an example is ``w'_oik = s_i w_oik``, with ``demodulate`` divided by its norm
    over i and k, so that the output keeps the input's power. Both are done outside of the one
    convolution of the batch: the input is scaled, and the output divided.

    Source: Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN,
    arXiv:1912.04958, eq. 1 to 3.

    Args:
        channels_in: Channels I of the input.
        channels_out: Channels O of the output.
        kernel_size: Odd; the side is kept.
        demodulate: Divide by the norm.

    Example:
        >>> layer = ModulatedConv2d(4, 8, kernel_size=3)
        >>> layer(torch.zeros(5, 4, 7, 7), torch.ones(5, 4)).shape
        torch.Size([5, 8, 7, 7])
    """

    def __init__(
        self, channels_in: int, channels_out: int, *, kernel_size: int, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.plain = nn.Conv2d(
            channels_in, channels_out, kernel_size, padding=kernel_size // 2, bias=False
        )
        self.demodulate = demodulate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map x [B, I, H, W] and style [B, I] to [B, O, H, W]."""
        y = self.plain(x * style[:, :, None, None])
        if not self.demodulate:
            return y
        power = style.square() @ self.plain.weight.square().sum(dim=(2, 3)).T
        return y * (power + _SMALLEST).rsqrt()[:, :, None, None]


class StyledLayer(nn.Module):
    """A modulated convolution, noise at every pixel, and a LeakyReLU."""

    def __init__(self, before: int, after: int, *, style: int) -> None:
        super().__init__()
        self.style = _style(style, before)
        self.convolution = ModulatedConv2d(before, after, kernel_size=3)
        self.gain = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(after))
        self.activation = Leaky()

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map x [B, I, H, W], w [B, W] and noise [B, H * W] to [B, O, H, W]."""
        x = self.convolution(x, self.style(w))
        if noise is not None:
            x = x + self.gain * noise.reshape(-1, 1, *x.shape[2:])
        return self.activation(x + self.bias[:, None, None])


class ToImage(nn.Module):
    """A modulated convolution of kernel 1 to the channels of an image."""

    def __init__(self, before: int, channels: int, *, style: int) -> None:
        super().__init__()
        self.style = _style(style, before)
        self.convolution = ModulatedConv2d(before, channels, kernel_size=1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map x [B, I, H, W] and w [B, W] to [B, C, H, W]."""
        return self.convolution(x, self.style(w)) + self.bias[:, None, None]


def _style(inputs: int, channels: int) -> nn.Linear:
    """Return the map from w to a style, which begins around 1."""
    layer = nn.Linear(inputs, channels)
    nn.init.ones_(layer.bias)
    return layer


class StyleMapping(nn.Module):
    """Latents, and the label, to w, the style that every layer reads.

    Args:
        latent: Latent dimensions L, and those of w.
        classes: Number of classes K; 0 for none.
    """

    def __init__(self, latent: int, *, classes: int = 0) -> None:
        super().__init__()
        self.label = nn.Embedding(classes, latent) if classes else None
        self.norm = PixelNorm()
        widths = [latent * (2 if classes else 1), *[latent] * _MAPPING]
        self.layers = nn.Sequential(
            *(part for sizes in pairwise(widths) for part in (nn.Linear(*sizes), Leaky()))
        )

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, L] and label [B] to w [B, L]; ValueError if a label is missing."""
        parts = [self.norm(z)]
        if self.label is not None:
            parts += [self.norm(self.label(known(label, self.label.num_embeddings)))]
        return self.layers(torch.cat(parts, dim=1))


class StyleGenerator(nn.Module):
    """Latents to an image: a constant map is doubled in side, and every layer has its style.

    The image is a sum over resolutions: each adds its own to the doubled one of the former. Then
    comes a tanh.

    Source: Karras et al. 2019, A Style-Based Generator Architecture for GANs, arXiv:1812.04948;
    Karras et al. 2020, arXiv:1912.04958, sec. 2 and 4.1 (skips).

    Args:
        latent: Latent dimensions L, and those of w.
        event_shape: Shape [C, S, S] of an image.
        width: Channels at the finest resolution.
        classes: Number of classes K; 0 for none.

    Raises:
        ValueError: If the images have a side that cannot be doubled to.

    Example:
        >>> network = StyleGenerator(16, (1, 28, 28), width=8, classes=10)
        >>> network(torch.zeros(5, 16), label=torch.arange(5)).shape
        torch.Size([5, 1, 28, 28])
        >>> network.sides, network.noise
        ((7, 14, 14, 28, 28), 2009)
    """

    def __init__(
        self, latent: int, event_shape: Sequence[int], *, width: int, classes: int = 0
    ) -> None:
        super().__init__()
        channels, size = square(event_shape)
        widths = level_widths(size, width)
        last = len(widths) - 1
        self.mapping = StyleMapping(latent, classes=classes)
        self.constant = nn.Parameter(torch.randn(widths[0], size >> last, size >> last))
        pairs = [(widths[0], widths[0])]
        pairs += [one for a, b in pairwise(widths) for one in ((a, b), (b, b))]
        self.sides = tuple(size >> (last - (i + 1) // 2) for i in range(len(pairs)))
        self.noise = sum(side**2 for side in self.sides)
        self.layers = nn.ModuleList(StyledLayer(*pair, style=latent) for pair in pairs)
        self.to_image = nn.ModuleList(ToImage(one, channels, style=latent) for one in widths)

    def forward(
        self, z: Tensor, noise: Tensor | None = None, label: Tensor | None = None
    ) -> Tensor:
        """Map z [B, L], noise [B, N], none if None, and label [B] to images [B, C, S, S].

        Raises ValueError if there are classes and no label.
        """
        return self.synthesise(self.same(self.mapping(z, label)), noise)

    def same(self, w: Tensor) -> Tensor:
        """Return the styles of all layers where each is w [B, L], [B, layers, L]."""
        return w[:, None].expand(-1, len(self.layers), -1)

    def synthesise(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        """Map a style for each layer [B, layers, L] and noise [B, N] to images [B, C, S, S]."""
        x, image = self.constant.expand(len(styles), -1, -1, -1), None
        planes = noise.split([side**2 for side in self.sides], dim=1) if noise is not None else None
        for i, layer in enumerate(self.layers):
            w = styles[:, i]
            x = layer(doubled(x) if i % 2 else x, w, planes and planes[i])
            if i % 2 == 0:  # The last layer of its resolution.
                own = self.to_image[i // 2](x, w)
                image = own if image is None else doubled(image) + own
        if image is None:
            raise TypeError("a generator has layers")
        return image.tanh()
