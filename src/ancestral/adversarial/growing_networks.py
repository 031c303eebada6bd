"""Convolutional players that grow: they begin at the smallest images, and double the side."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, one_hot

from ancestral.adversarial.image_networks import (
    MinibatchDeviation,
    image_widths,
    known,
    square,
)
from ancestral.nn.pyramid import halvings
from ancestral.nn.zeroed import zeroed

_GROWN_AT = 0.5
"""The share of a training after which the networks are whole."""


class Growth(nn.Module):
    """How far networks have grown: a level from 0, and what share of it is faded in.

    The first half of a training is cut into equal parts: the first level alone, then for each other
    one a fade, in which alpha rises linearly, and a rest at alpha 1.

    Args:
        levels: The last level L.

    Example:
        >>> growth = Growth(2)
        >>> growth.at(0.15)
        >>> growth.level.item(), round(growth.alpha.item(), 2)
        (1, 0.5)
    """

    level: Tensor
    alpha: Tensor

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("level", torch.tensor(levels))
        self.register_buffer("alpha", torch.tensor(1.0, dtype=torch.float64))

    def at(self, progress: float) -> None:
        """Take the form of this share of a training, in [0, 1]."""
        parts = min(progress / _GROWN_AT, 1.0) * (2 * self.levels + 1)
        level = min(int((parts + 1) / 2), self.levels)
        self.level.fill_(level)
        self.alpha.fill_(min(1.0, parts - (2 * level - 1)) if level else 1.0)

    @property
    def whole(self) -> bool:
        """Whether the last level is wholly faded in."""
        return int(self.level) == self.levels and float(self.alpha) == 1.0


def level_widths(size: int, width: int) -> tuple[int, ...]:
    """Return the channels of each level, from the smallest side to the whole one.

    Example:
        >>> level_widths(28, 16)
        (32, 16, 16)
    """
    return (*image_widths(size, width)[::-1], width)


def doubled(x: Tensor) -> Tensor:
    """Return x [B, C, H, W] with each place repeated, [B, C, 2 H, 2 W]."""
    return interpolate(x, scale_factor=2, mode="nearest")


class PixelNorm(nn.Module):
    """Divide each vector of channels by its root mean square.

    Source: Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, sec. 4.2.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, *places] to the same shape."""
        return x * (x.square().mean(dim=1, keepdim=True) + _SMALLEST).rsqrt()


_SMALLEST = 1e-8


class GrowingGenerator(nn.Module):
    """Latents to an image by levels, each of which doubles the side.

    While level r is faded in, the image is ``(1 - alpha) Up(toRGB_{r-1}(h)) + alpha
    toRGB_r(block_r(Up(h)))``: each side of the mix has its own layer to colours. Then comes a tanh.

    Source: Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, sec. 2, app. A.

    Args:
        latent: Latent dimensions L.
        event_shape: Shape [C, S, S] of an image.
        width: Channels at the finest resolution.
        classes: Number of classes K; 0 for none.

    Raises:
        ValueError: If the images have a side that cannot be doubled to.

    Example:
        >>> network = GrowingGenerator(16, (3, 32, 32), width=8, classes=10)
        >>> z, label = torch.zeros(5, 16), torch.arange(5)
        >>> network.growth.at(0.0)
        >>> network(z, label).shape, network.native(z, label).shape
        (torch.Size([5, 3, 32, 32]), torch.Size([5, 3, 4, 4]))
    """

    def __init__(
        self, latent: int, event_shape: Sequence[int], *, width: int, classes: int = 0
    ) -> None:
        super().__init__()
        channels, self.size = square(event_shape)
        widths = level_widths(self.size, width)
        self.classes, base = classes, self.size >> halvings(self.size)
        self.growth = Growth(len(widths) - 1)
        self.first = nn.Sequential(
            PixelNorm(),
            nn.Linear(latent + classes, widths[0] * base**2),
            nn.Unflatten(1, (widths[0], base, base)),
            nn.LeakyReLU(0.2),
            PixelNorm(),
            *_block(widths[0], widths[0]),
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*_block(before, after), *_block(after, after))
            for before, after in pairwise(widths)
        )
        self.to_image = nn.ModuleList(nn.Conv2d(count, channels, 1) for count in widths)

    def native(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, L] and label [B] to images [B, C, s, s] of the side s of the level."""
        if self.classes:
            z = torch.cat((z, one_hot(known(label, self.classes), self.classes).to(z)), dim=1)
        h, level, alpha = self.first(z), int(self.growth.level), float(self.growth.alpha)
        old = h
        for block in self.blocks[:level]:
            old, h = h, block(doubled(h))
        image = self.to_image[level](h)
        if alpha < 1:
            image = torch.lerp(doubled(self.to_image[level - 1](old)), image, alpha)
        return image.tanh()

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, L] and label [B] to images [B, C, S, S]: smaller ones with places repeated.

        Raises ValueError if there are classes and no label.
        """
        return interpolate(self.native(z, label), size=(self.size, self.size), mode="nearest")


class GrowingCritic(nn.Module):
    """An image to a logit by levels, each of which halves the side.

    While level r is faded in, what enters level r - 1 is ``(1 - alpha) fromRGB_{r-1}(Down(x)) +
    alpha Down(block_r(fromRGB_r(x)))``. The label is judged by projection.

    Source: Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, sec. 2, app. A.

    Args:
        event_shape: Shape [C, S, S] of an image.
        width: Channels at the finest resolution.
        classes: Number of classes K; 0 for none.

    Raises:
        ValueError: If the images have a side that cannot be halved so.

    Example:
        >>> critic = GrowingCritic((1, 28, 28), width=8, classes=10)
        >>> critic(torch.zeros(5, 1, 28, 28), torch.arange(5)).shape
        torch.Size([5, 1])
    """

    def __init__(self, event_shape: Sequence[int], *, width: int, classes: int = 0) -> None:
        super().__init__()
        channels, size = square(event_shape)
        widths = level_widths(size, width)
        base = size >> halvings(size)
        self.base, self.growth = base, Growth(len(widths) - 1)
        self.from_image = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, count, 1), nn.LeakyReLU(0.2)) for count in widths
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*_layer(fine, fine), *_layer(fine, coarse), nn.AvgPool2d(2))
            for coarse, fine in pairwise(widths)
        )
        count = widths[0]
        self.last = nn.Sequential(
            MinibatchDeviation(),
            *_layer(count + 1, count),
            nn.Flatten(),
            nn.Linear(count * base**2, count),
            nn.LeakyReLU(0.2),
        )
        self.projection = zeroed(nn.Embedding(classes, count)) if classes else None
        self.linear = nn.Linear(count, 1)

    def seen(self, x: Tensor) -> Tensor:
        """Return images [B, C, S, S] as a real one of the level is seen, faded like a made one."""
        level, alpha = int(self.growth.level), float(self.growth.alpha)
        x = avg_pool2d(x, x.shape[-1] // (self.base << level))
        return torch.lerp(doubled(avg_pool2d(x, 2)), x, alpha) if alpha < 1 else x

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Map images [B, C, s, s] of the side of the level, or larger, to logits [B, 1].

        Raises ValueError if there are classes and no label.
        """
        level, alpha = int(self.growth.level), float(self.growth.alpha)
        x = avg_pool2d(x, x.shape[-1] // (self.base << level))
        h = self.from_image[level](x)
        for at in range(level, 0, -1):
            h = self.blocks[at - 1](h)
            if at == level and alpha < 1:
                h = torch.lerp(self.from_image[at - 1](avg_pool2d(x, 2)), h, alpha)
        features = self.last(h)
        logit = self.linear(features)
        if self.projection is None:
            return logit
        of_label = self.projection(known(label, self.projection.num_embeddings))
        return logit + (features * of_label).sum(dim=1, keepdim=True)


def _layer(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(0.2)]


def _block(before: int, after: int) -> list[nn.Module]:
    return [*_layer(before, after), PixelNorm()]
