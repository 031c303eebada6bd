"""The first U-Net: two convolutions at each resolution, halved by maxima, joined by channels."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.nn.group_norm import GroupNorm
from ancestral.nn.unet import ImageAttention, check_unet
from ancestral.nn.winograd import WinogradConv2d

Norm: TypeAlias = Literal["none", "batch", "group"]
"""What stands between a convolution and its ReLU."""

_GROUPS = 8


class PlainUNet(nn.Module):
    """Pairs of convolutions at falling resolutions, then at rising ones, each beside its homologue.

    Each resolution is two convolutions of kernel 3 and ReLU; the side is halved by the largest of
    2x2 pixels and doubled by a transposed convolution of kernel and stride 2. What a resolution has
    on its way down is set beside what comes up. Images whose sides are no multiples of
    ``2 ** (len(widths) - 1)`` are continued by their last row and column, and cut off again.
    With the default widths, three channels and three outputs it has 31,031,875 parameters.

    Source: Ronneberger, Fischer & Brox 2015, U-Net, arXiv:1505.04597, with padding; the attention:
    Zhang et al. 2019, SAGAN, arXiv:1805.08318.

    Args:
        channels: Channels C of the input.
        outputs: Channels O of the output.
        widths: Channels at each resolution, from the finest; one less than these are the halvings.
        norm: Before each ReLU: none, of the batch, or of groups of eight channels or fewer.
        attention: Resolutions, 0 the finest, at which all places look at each other. What they add
            starts at zero.
        upsampling: How the side is doubled: ``transposed``, or ``resize``, the nearest pixel and a
            convolution of kernel 3.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> network = PlainUNet(3, outputs=2, widths=(16, 32, 64))
        >>> network(torch.zeros(5, 3, 30, 45)).shape
        torch.Size([5, 2, 30, 45])
    """

    def __init__(
        self,
        channels: int,
        *,
        outputs: int,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        norm: Norm = "none",
        attention: Sequence[int] = (),
        upsampling: Literal["transposed", "resize"] = "transposed",
    ) -> None:
        super().__init__()
        check_unet(channels, outputs, widths, attention)
        pairs = list(enumerate(pairwise(widths)))
        self.down = nn.ModuleList(
            [
                _level(before, width, norm, attentive=i in attention)
                for i, (before, width) in enumerate(pairwise((channels, *widths)))
            ]
        )
        self.doubling = nn.ModuleList([_doubling(b, a, upsampling) for _, (a, b) in pairs])
        self.up = nn.ModuleList(
            [_level(2 * a, a, norm, attentive=i in attention) for i, (a, _) in pairs]
        )
        self.out = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, H, W] to [B, O, H, W]."""
        height, width = x.shape[-2:]
        step = 2 ** len(self.doubling)
        if height % step or width % step:
            x = functional.pad(x, (0, -width % step, 0, -height % step), mode="replicate")
        skips: list[Tensor] = []
        for level in self.down[:-1]:
            skips.append(level(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.down[-1](x)
        for level, double in zip(reversed(self.up), reversed(self.doubling), strict=True):
            x = level(torch.cat((double(x), skips.pop()), dim=1))
        return self.out(x)[..., :height, :width]


def _level(before: int, width: int, norm: Norm, *, attentive: bool) -> nn.Sequential:
    """Return two convolutions, each with its norm and a ReLU, and attention if asked for."""
    layers: list[nn.Module] = []
    for each in (before, width):
        layers += [WinogradConv2d(each, width), *_norm(norm, width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, *([ImageAttention(width)] if attentive else []))


def _norm(norm: Norm, width: int) -> list[nn.Module]:
    if norm == "batch":
        return [nn.BatchNorm2d(width)]
    if norm == "group":
        return [GroupNorm(math.gcd(_GROUPS, width), width)]
    if norm == "none":
        return []
    raise ValueError(f"norm must be 'none', 'batch' or 'group', got {norm!r}")


def _doubling(before: int, after: int, upsampling: str) -> nn.Module:
    if upsampling == "transposed":
        return nn.ConvTranspose2d(before, after, 2, 2)
    if upsampling == "resize":
        return nn.Sequential(nn.Upsample(scale_factor=2), WinogradConv2d(before, after))
    raise ValueError(f"upsampling must be 'transposed' or 'resize', got {upsampling!r}")
