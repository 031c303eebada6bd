"""The U-Net: an image to an image, with a short way across at each resolution."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.nn.attention import CausalSelfAttention, Sight
from ancestral.nn.cross_attention import CrossAttention
from ancestral.nn.group_norm import GroupNorm
from ancestral.nn.patches import grid
from ancestral.nn.time_embedding import TimeEmbedding
from ancestral.nn.zeroed import zeroed

_HEAD_WIDTH = 32
_GROUPS = 8


class UNet(nn.Module):
    """Blocks at falling resolutions, then at rising ones, each beside its homologue's output.

    The side is halved between the widths, rounded up, so that images of any size pass. The last
    convolution starts at zero, and so does what each block and each attention adds to its input.

    Source: Ronneberger, Fischer & Brox 2015, U-Net, arXiv:1505.04597; residual blocks, attention
    and conditions: Ho, Jain & Abbeel 2020, arXiv:2006.11239, app. B, and Dhariwal & Nichol 2021,
    arXiv:2105.05233, sec. 3.

    Args:
        channels: Channels C of the input.
        outputs: Channels O of the output.
        widths: Channels at each resolution, from the finest; one less than these are the halvings.
        blocks: Residual blocks at each resolution, at least 1.
        attention: Resolutions, 0 the finest, at which all places look at each other.
        features: Width F of the vector that modulates the blocks; 0 without one.
        context: Features E of the tokens that the places with attention also look at; 0 for none.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> network = UNet(3, outputs=2, widths=(16, 32, 64))
        >>> network(torch.zeros(5, 3, 30, 45)).shape
        torch.Size([5, 2, 30, 45])
    """

    def __init__(
        self,
        channels: int,
        *,
        outputs: int,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        attention: Sequence[int] = (),
        features: int = 0,
        context: int = 0,
    ) -> None:
        super().__init__()
        check_unet(channels, outputs, widths, attention)
        if blocks < 1:
            raise ValueError(f"blocks must be at least 1, got {blocks}")
        if context and not attention:
            raise ValueError(f"a context of {context} features needs attention, got none")

        def level(before: int, i: int) -> nn.ModuleList:
            inputs = [before] + [widths[i]] * (blocks - 1)
            layers: list[nn.Module] = []
            for each in inputs:
                layers.append(ResidualBlock(each, widths[i], features=features))
                if i in attention:
                    layers.append(ImageAttention(widths[i], context=context))
            return nn.ModuleList(layers)

        steps = list(enumerate(pairwise(widths)))
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList([level(width, i) for i, width in enumerate(widths)])
        self.halving = nn.ModuleList([nn.Conv2d(a, b, 3, 2, padding=1) for _, (a, b) in steps])
        self.doubling = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, 2) for _, (a, b) in steps])
        self.up = nn.ModuleList([level(2 * width, i) for i, (width, _) in steps])
        self.norm = GroupNorm(math.gcd(_GROUPS, widths[0]), widths[0])
        self.out = zeroed(nn.Conv2d(widths[0], outputs, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, x: Tensor, features: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Map x [B, C, H, W] to [B, O, H, W].

        Args:
            x: Images of any size.
            features: What modulates the blocks, [B, F], where the network has such features.
            context: Tokens [B, T, E], where it has a context.
        """
        x = self.first(x.contiguous(memory_format=torch.channels_last))
        skips: list[Tensor] = []
        for level, halve in zip(self.down, self.halving, strict=False):
            skips.append(_through(level, x, features, context))
            x = halve(skips[-1])
        x = _through(self.down[-1], x, features, context)
        for level, double in zip(reversed(self.up), reversed(self.doubling), strict=True):
            skip = skips.pop()
            x = double(x)[..., : skip.shape[-2], : skip.shape[-1]]
            x = _through(level, torch.cat((x, skip), dim=1), features, context)
        return self.out(functional.silu(self.norm(x)))


class TimedUNet(nn.Module):
    """A U-Net whose blocks are modulated by a time, and by a label where there are classes.

    Args:
        channels: Channels C of the images.
        classes: Number K of labels; index K is "no label"; 0 for none.
        widths: Channels at each resolution, from the finest.
        blocks: Residual blocks at each resolution, at least 1.
        attention: Resolutions, 0 the finest, at which all places look at each other.
        features: Width of the embedding of time and label.
        patch: Side P of the squares of pixels that are one place of the body, so that the finest
            resolution is that of patches.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> network = TimedUNet(1, classes=10, widths=(16, 32))
        >>> network(torch.zeros(5, 1, 28, 28), torch.rand(5), torch.arange(5)).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        channels: int,
        *,
        classes: int = 0,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        attention: Sequence[int] = (),
        features: int = 128,
        patch: int = 1,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.embedding = TimeEmbedding(features, classes=classes)
        self.body = UNet(
            channels * patch**2,
            outputs=channels * patch**2,
            widths=widths,
            blocks=blocks,
            attention=attention,
            features=features,
        )

    def forward(self, z: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, C, H, W], time [B] and label [B] int64 to [B, C, H, W]."""
        height, width = z.shape[-2:]
        rows, columns = grid((height, width), self.patch)
        x = functional.pad(z, (0, columns * self.patch - width, 0, rows * self.patch - height))
        x = self.body(functional.pixel_unshuffle(x, self.patch), self.embedding(time, label))
        return functional.pixel_shuffle(x, self.patch)[..., :height, :width]


class ResidualBlock(nn.Module):
    """``x + conv(silu(film(norm(conv(silu(norm(x)))))))``; the last convolution starts at zero.

    Args:
        before: Channels of the input; another number than ``after`` passes by a product.
        after: Channels of the output.
        features: Width F of the vector that modulates the second norm; 0 without one.
    """

    def __init__(self, before: int, after: int, *, features: int = 0) -> None:
        super().__init__()
        self.norm = GroupNorm(math.gcd(_GROUPS, before), before)
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second_norm = GroupNorm(math.gcd(_GROUPS, after), after)
        self.modulation = nn.Linear(features, 2 * after) if features else None
        self.second = zeroed(nn.Conv2d(after, after, 3, padding=1))
        self.past = nn.Conv2d(before, after, 1) if before != after else None

    def forward(
        self, x: Tensor, features: Tensor | None = None, _context: Tensor | None = None
    ) -> Tensor:
        """Map x [B, C, H, W] and features [B, F] to [B, O, H, W].

        Raises ValueError if the block has features and gets none.
        """
        h, modulation = self.first(functional.silu(self.norm(x))), []
        if self.modulation is not None:
            if features is None:
                raise ValueError("features must be given, [B, F], got None")
            modulation = self.modulation(functional.silu(features)).chunk(2, dim=1)
        h = self.second(functional.silu(self.second_norm(h, *modulation)))
        return h + (x if self.past is None else self.past(x))


class ImageAttention(nn.Module):
    """Attention of all places of an image to each other, then to a context, added to the image.

    What is added starts at zero.

    Source: Zhang et al. 2019, SAGAN, arXiv:1805.08318, eq. 3.

    Args:
        width: Channels C.
        context: Features E of the tokens; 0 for none.
    """

    def __init__(self, width: int, *, context: int = 0) -> None:
        super().__init__()
        heads = -(-width // _HEAD_WIDTH)
        self.norm = GroupNorm(math.gcd(_GROUPS, width), width)
        self.attention = CausalSelfAttention(
            width, heads=heads, key_value_heads=heads, head_width=_HEAD_WIDTH
        )
        self.crossing = (
            CrossAttention(width, context=context, heads=heads, head_width=_HEAD_WIDTH)
            if context
            else None
        )
        self.crossing_norm = nn.LayerNorm(width) if context else None
        zeroed(self.attention.out)
        if self.crossing is not None:
            zeroed(self.crossing.out)

    def forward(
        self, x: Tensor, _features: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Map x [B, C, H, W] and context [B, T, E] to [B, C, H, W].

        Raises ValueError if the layer has a context and gets none.
        """
        shape = x.shape[-2:]
        tokens = x.flatten(2).mT
        normed = self.norm(x).flatten(2).mT
        tokens = tokens + self.attention(normed, Sight(causal=False))
        if self.crossing is not None and self.crossing_norm is not None:
            if context is None:
                raise ValueError("a context must be given, [B, T, E], got None")
            tokens = tokens + self.crossing(self.crossing_norm(tokens), context)
        return tokens.mT.unflatten(2, shape)


def _through(
    level: nn.Module, x: Tensor, features: Tensor | None, context: Tensor | None
) -> Tensor:
    for layer in level.children():
        x = layer(x, features, context)
    return x


def check_unet(
    channels: int, outputs: int, widths: Sequence[int], attention: Sequence[int]
) -> None:
    """Refuse a U-Net that cannot be built.

    Raises:
        ValueError: If a number of channels is below 1, or attention is at no resolution.
    """
    if min(channels, outputs) < 1:
        raise ValueError(f"channels and outputs must be at least 1, got {channels} and {outputs}")
    if not widths or min(widths) < 1:
        raise ValueError(f"widths must be one or more numbers of at least 1, got {widths}")
    if any(not 0 <= level < len(widths) for level in attention):
        raise ValueError(f"attention must lie between 0 and {len(widths) - 1}, got {attention}")
