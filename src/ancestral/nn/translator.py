"""Images to images by residual blocks at a coarser resolution, without a way around them."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from ancestral.nn.group_norm import GroupNorm
from ancestral.nn.unet import ResidualBlock, check_unet

_GROUPS = 8


class Translator(nn.Module):
    """Convolutions that halve the side, residual blocks, and transposed ones that double it.

    Unlike a U-Net it has no way across that passes the input on as it is. Images of any size.

    Source: Johnson, Alahi & Fei-Fei 2016, Perceptual Losses for Real-Time Style Transfer,
    arXiv:1603.08155; as the generator of Zhu et al. 2017, arXiv:1703.10593, app. 7.2, with norms of
    groups of channels.

    Args:
        channels: Channels C of the input.
        outputs: Channels O of the output.
        widths: Channels at each resolution, from the finest; one less than these are the halvings.
        blocks: Residual blocks at the coarsest resolution.

    Raises:
        ValueError: If a number is below 1.

    Example:
        >>> import torch
        >>> Translator(1, outputs=3, widths=(8, 16))(torch.zeros(5, 1, 21, 30)).shape
        torch.Size([5, 3, 21, 30])
    """

    def __init__(
        self,
        channels: int,
        *,
        outputs: int,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 4,
    ) -> None:
        super().__init__()
        check_unet(channels, outputs, widths, ())
        steps = [*pairwise(widths)]
        self.first = nn.Conv2d(channels, widths[0], 7, padding=3, padding_mode="reflect")
        self.down = nn.ModuleList([_step(nn.Conv2d(a, b, 3, 2, 1), a) for a, b in steps])
        self.blocks = nn.Sequential(*(ResidualBlock(widths[-1], widths[-1]) for _ in range(blocks)))
        self.up = nn.ModuleList(
            [_step(nn.ConvTranspose2d(b, a, 4, 2, 1), b) for a, b in reversed(steps)]
        )
        self.norm = GroupNorm(math.gcd(_GROUPS, widths[0]), widths[0])
        self.out = nn.Conv2d(widths[0], outputs, 7, padding=3, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, H, W] to [B, O, H, W]."""
        x, sizes = self.first(x), []
        for down in self.down:
            sizes.append(x.shape[-2:])
            x = down(x)
        x = self.blocks(x)
        for up, (height, width) in zip(self.up, reversed(sizes), strict=True):
            x = up(x)[..., :height, :width]
        return self.out(functional.silu(self.norm(x)))


def _step(convolution: nn.Module, before: int) -> nn.Sequential:
    return nn.Sequential(GroupNorm(math.gcd(_GROUPS, before), before), nn.SiLU(), convolution)
