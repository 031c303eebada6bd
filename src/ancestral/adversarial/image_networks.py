"""Convolutional players of a game on square images: they double and halve the side."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ancestral.nn.narrow_transpose import NarrowConvTranspose2d
from ancestral.nn.pixel_attention import PixelAttention
from ancestral.nn.pyramid import halvings
from ancestral.nn.zeroed import zeroed

Norm: TypeAlias = Literal["none", "batch", "group"]
"""Between the convolutions: nothing, batch norm as in DCGAN, or norms of groups of channels."""

SMALLEST, LARGEST, _BASES = 8, 256, range(4, 8)
_WIDEST = 8
"""Channels grow to so many times those of the finest resolution."""

_GROUPS = 8


def image_widths(size: int, width: int) -> tuple[int, ...]:
    """Return the channels after each halving of a side: doubled each time, up to 8 times the first.

    Raises:
        ValueError: If the side is not 4, 5, 6 or 7 times a power of two, from 8 to 256.

    Example:
        >>> image_widths(28, 32), image_widths(256, 16)
        ((32, 64), (16, 32, 64, 128, 128, 128))
    """
    count = halvings(size)
    if not SMALLEST <= size <= LARGEST or size >> count not in _BASES or size % 2**count:
        raise ValueError(
            f"images must have a side of {SMALLEST} to {LARGEST} that is 4, 5, 6 or 7 times a "
            f"power of two, such as 28, 32 or 64, got {size}; set size=32"
        )
    return tuple(width * min(2**i, _WIDEST) for i in range(count))


def inner_sides(size: int) -> tuple[int, ...]:
    """Return the sides of the maps inside, from the smallest to half of the image's.

    Example:
        >>> inner_sides(28), inner_sides(64)
        ((7, 14), (4, 8, 16, 32))
    """
    return tuple(size >> i for i in range(halvings(size), 0, -1))


def square(event_shape: Sequence[int]) -> tuple[int, int]:
    """Return channels and side of images [C, S, S]; ValueError if they are not square."""
    channels, height, width = event_shape
    if height != width:
        raise ValueError(f"images must be square, got {height} x {width}; set size=32")
    return channels, height


class ImageGenerator(nn.Module):
    """Latents to an image: one linear layer, then transposed convolutions that double the side.

    A label is a one-hot vector beside the latents. The last layer has a tanh: images in [-1, 1].

    Source: Radford, Metz & Chintala 2016, DCGAN, arXiv:1511.06434, sec. 3.

    Args:
        latent: Latent dimensions L.
        event_shape: Shape [C, S, S] of an image.
        width: Channels at the finest resolution inside.
        classes: Number of classes K; 0 for none.
        norm: After each layer but the last.
        attention: Side of the inner map whose places see each other; 0 for none.

    Raises:
        ValueError: If the images have a side that cannot be doubled to, or there is no such map.

    Example:
        >>> network = ImageGenerator(16, (3, 32, 32), width=8, classes=10)
        >>> network(torch.zeros(5, 16), torch.arange(5)).shape
        torch.Size([5, 3, 32, 32])
    """

    def __init__(
        self,
        latent: int,
        event_shape: Sequence[int],
        *,
        width: int,
        classes: int = 0,
        norm: Norm = "none",
        attention: int = 0,
    ) -> None:
        super().__init__()
        channels, size = square(event_shape)
        widths, sides = image_widths(size, width)[::-1], inner_sides(size)
        attends = _attends(attention, sides)
        self.classes, base = classes, sides[0]
        self.linear = nn.Linear(latent + classes, widths[0] * base**2)
        layers: list[nn.Module] = [nn.Unflatten(1, (widths[0], base, base))]
        layers += [*_norm(norm, widths[0]), _RELU(), *attends(base, widths[0])]
        for (before, after), side in zip(pairwise(widths), sides[1:], strict=True):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), *_norm(norm, after), _RELU()]
            layers += attends(side, after)
        last = NarrowConvTranspose2d(widths[-1], channels, kernel_size=4, padding=1)
        self.layers = nn.Sequential(*layers, last, nn.Tanh())

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, L] and label [B] to images [B, C, S, S].

        Raises ValueError if there are classes and no label.
        """
        if self.classes:
            z = torch.cat((z, one_hot(known(label, self.classes), self.classes).to(z)), dim=1)
        return self.layers(self.linear(z))


class ImageCritic(nn.Module):
    """An image to a logit: convolutions that halve the side, then a product with all of them.

    The label is judged by projection: the logit is ``(w + v_label) . features(x) + b``.

    Source: Radford et al. 2016, arXiv:1511.06434, sec. 3; Miyato & Koyama 2018, cGANs with
    Projection Discriminator, arXiv:1802.05637, eq. 3.

    Args:
        event_shape: Shape [C, S, S] of an image.
        width: Channels after the first halving.
        classes: Number of classes K; 0 for none.
        norm: After each layer but the first and the last.
        compare: Let the last layer see how much the examples of a batch differ.
        attention: Side of the inner map whose places see each other; 0 for none.

    Raises:
        ValueError: If the images have a side that cannot be halved so, or there is no such map.

    Example:
        >>> critic = ImageCritic((1, 28, 28), width=8, classes=10)
        >>> critic(torch.zeros(5, 1, 28, 28), torch.arange(5)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        width: int,
        classes: int = 0,
        norm: Norm = "none",
        compare: bool = False,
        attention: int = 0,
    ) -> None:
        super().__init__()
        channels, size = square(event_shape)
        widths, sides = image_widths(size, width), inner_sides(size)[::-1]
        attends = _attends(attention, sides)
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, 2, 1), _LEAKY()]
        layers += attends(sides[0], widths[0])
        for (before, after), side in zip(pairwise(widths), sides[1:], strict=True):
            layers += [nn.Conv2d(before, after, 4, 2, 1), *_norm(norm, after), _LEAKY()]
            layers += attends(side, after)
        layers += [MinibatchDeviation()] if compare else []
        self.features = nn.Sequential(*layers, nn.Flatten())
        count = (widths[-1] + compare) * (size >> len(widths)) ** 2
        self.linear = nn.Linear(count, 1)
        self.projection = zeroed(nn.Embedding(classes, count)) if classes else None

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Map images [B, C, S, S] and label [B] to logits [B, 1].

        Raises ValueError if there are classes and no label.
        """
        features = self.features(x)
        logit = self.linear(features)
        if self.projection is None:
            return logit
        of_label = self.projection(known(label, self.projection.num_embeddings))
        return logit + (features * of_label).sum(dim=1, keepdim=True)


class MinibatchDeviation(nn.Module):
    """One more channel: how much the examples of a batch differ, the same number everywhere.

    The mean over channels and places of the standard deviation over the batch. A generator whose
    examples are too much alike is seen by it.

    Source: Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, sec. 3.

    Example:
        >>> MinibatchDeviation()(torch.zeros(5, 8, 4, 4)).shape
        torch.Size([5, 9, 4, 4])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, H, W] to [B, C + 1, H, W]."""
        deviation = (x.var(dim=0, correction=0) + _SMALLEST).sqrt().mean()
        return torch.cat((x, deviation.expand(len(x), 1, *x.shape[2:])), dim=1)


_SMALLEST = 1e-8
"""Added to a variance: the slope of a root at 0 is infinite."""


def known(label: Tensor | None, classes: int) -> Tensor:
    """Return the label, int64 [B]; ValueError if there is none."""
    if label is None:
        raise ValueError(f"a label of {classes} classes is needed, got None")
    return label.long()


# In place: a convolution's gradient does not need its output, and a pass over memory is spared.
_RELU = partial(nn.ReLU, inplace=True)
_LEAKY = partial(nn.LeakyReLU, 0.2, inplace=True)

_NORMS: dict[Norm, Callable[[int], list[nn.Module]]] = {
    "none": lambda _: [],
    "batch": lambda channels: [nn.BatchNorm2d(channels)],
    "group": lambda channels: [nn.GroupNorm(min(_GROUPS, channels), channels)],
}


def _norm(norm: Norm, channels: int) -> list[nn.Module]:
    return _NORMS[norm](channels)


def _attends(attention: int, sides: Sequence[int]) -> Callable[[int, int], list[nn.Module]]:
    """Return what gives the attention, if there is one, at a map of a side and of channels."""
    if attention and attention not in sides:
        rule = ", ".join(map(str, sorted(sides)))
        raise ValueError(
            f"attention must be 0 or the side of a map inside, {rule}, got {attention}"
        )
    return lambda side, channels: [PixelAttention(channels)] if side == attention else []
