"""Convolutional networks between square images and vectors, by halving and doubling the side."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.nn.label_planes import LabelPlanesConv2d
from ancestral.nn.narrow_transpose import NarrowConvTranspose2d

Upsampling: TypeAlias = Literal["transposed", "resize", "book"]
"""How a decoder doubles the side: ``transposed`` (kernel 4, stride 2), ``resize`` (nearest
neighbour, then kernel 3), or ``book`` (transposed with kernel 3 and stride 2, whose uneven overlap
draws a checkerboard)."""


class ConvEncoder(nn.Module):
    """An image to a vector: convolutions of stride 2, then one linear layer.

    Args:
        channels: Channels C of the image.
        outputs: Width O of the vector.
        size: Side S of the image; inside it is a multiple of ``2 ** len(widths)``, S or above.
        widths: Channels after each halving.
        classes: Classes K that the network is conditional on; 0 for none.
        kernel_size: 3 or 4.
        activation: Builds the non-linearity.

    Example:
        >>> network = ConvEncoder(1, 256, size=32, widths=(16, 32, 64), classes=10)
        >>> network(torch.zeros(5, 1, 32, 32), torch.arange(5)).shape
        torch.Size([5, 256])
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        *,
        size: int,
        widths: Sequence[int],
        classes: int = 0,
        kernel_size: int = 3,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        base = _base(size, widths)
        self.border = _border(size, widths)
        self.first = LabelPlanesConv2d(
            channels, widths[0], classes=classes, kernel_size=kernel_size, stride=2, padding=1
        )
        layers: list[nn.Module] = [activation()]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, kernel_size, 2, 1), activation()]
        self.rest = nn.Sequential(*layers, nn.Flatten())
        self.linear = nn.Linear(widths[-1] * base**2, outputs)
        _channels_last(self)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Map x [B, C, S, S] and label [B] int64 to [B, O]."""
        if any(self.border):
            x = functional.pad(x, self.border * 2)
        x = x.contiguous(memory_format=torch.channels_last)
        return self.linear(self.rest(self.first(x, label)))


class ConvDecoder(nn.Module):
    """A vector to an image: one linear layer, then a doubling of the side per width.

    Args:
        inputs: Width L of the vector.
        channels: Channels C of the output (parameters per pixel).
        size: Side S of the image; inside it is a multiple of ``2 ** len(widths)``, S or above.
        widths: Channels before each doubling.
        classes: Classes K that the network is conditional on; 0 for none.
        upsampling: How the side is doubled.
        activation: Builds the non-linearity.

    Example:
        >>> network = ConvDecoder(128, 1, size=32, widths=(64, 32, 16), classes=10)
        >>> network(torch.zeros(5, 128), torch.arange(5)).shape
        torch.Size([5, 1, 32, 32])
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        *,
        size: int,
        widths: Sequence[int],
        classes: int = 0,
        upsampling: Upsampling = "transposed",
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.size, self.base, self.classes = size, _base(size, widths), classes
        self.border = _border(size, widths)
        self.linear = nn.Linear(inputs + classes, widths[0] * self.base**2)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [_doubling(before, after, upsampling), activation()]
        self.doublings = nn.Sequential(*layers, _last_doubling(widths[-1], channels, upsampling))
        _channels_last(self)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [*B, L] and label [*B] int64 to [*B, C, S, S].

        Raises:
            ValueError: If there are classes and no label.
        """
        if self.classes:
            if label is None:
                raise ValueError(f"a label of {self.classes} classes is needed, got None")
            z = torch.cat((z, functional.one_hot(label, self.classes).to(z.dtype)), dim=-1)
        batch = z.shape[:-1]
        h = self.linear(z.reshape(-1, z.shape[-1])).unflatten(1, (-1, self.base, self.base))
        y = self.doublings(h.contiguous(memory_format=torch.channels_last))
        if y.shape[-1] > self.size:
            kept = slice(self.border[0], self.border[0] + self.size)
            y = y[..., kept, kept]
        return y.reshape(*batch, *y.shape[1:]) if len(batch) != 1 else y


def halvings(size: int) -> int:
    """Return how often an image of side ``size`` is halved: to a side of 4 to 7, or an odd one."""
    count = 0
    while size % 2 == 0 and size >= 8:
        size, count = size // 2, count + 1
    return count


def _base(size: int, widths: Sequence[int]) -> int:
    if not widths or size < 1:
        raise ValueError(f"size must be at least 1, with a width or more, got {size} and {widths}")
    return -(-size // 2 ** len(widths))


def _border(size: int, widths: Sequence[int]) -> tuple[int, int]:
    """Return the pixels by which an image is wider inside, on the one side and on the other."""
    more = _base(size, widths) * 2 ** len(widths) - size
    return more // 2, more - more // 2


def _doubling(before: int, after: int, upsampling: Upsampling) -> nn.Module:
    if upsampling == "transposed":
        return nn.ConvTranspose2d(before, after, 4, 2, 1)
    if upsampling == "book":
        return nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1)
    if upsampling == "resize":
        return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, 1, 1))
    raise ValueError(f"decoder must be 'transposed', 'resize' or 'book', got {upsampling!r}")


def _last_doubling(before: int, after: int, upsampling: Upsampling) -> nn.Module:
    """Return the same as :func:`_doubling`, fast for the few channels of an image."""
    if upsampling == "transposed":
        return NarrowConvTranspose2d(before, after, kernel_size=4, padding=1)
    if upsampling == "book":
        return NarrowConvTranspose2d(before, after, kernel_size=3, padding=1, output_padding=1)
    return _doubling(before, after, upsampling)


@torch.no_grad()
def _channels_last(module: nn.Module) -> None:
    """Lay the kernels out as the convolutions of channels-last images want them."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
