"""A critic of patches: whether each part of an image looks real, whatever the image's size."""

from itertools import pairwise

from torch import Tensor, nn

_MOST = 8
"""Channels grow to so many times those after the first halving."""


class PatchCritic(nn.Module):
    """An image to logits, one for each of many overlapping patches.

    Convolutions of kernel 4 that halve the side, then two that do not: with 1, 2 and 3 halvings a
    logit sees a square of 16, 34 and 70 pixels. There are no norms, so that examples do not see
    each other.

    Source: Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
    arXiv:1611.07004, sec. 3.2.2 and app. 6.1.2.

    Args:
        channels: Channels C of an image, or of a pair of images.
        width: Channels after the first halving, doubled at each further one up to 8 times.
        halvings: At least 1.

    Raises:
        ValueError: If an argument is below 1.

    Example:
        >>> import torch
        >>> PatchCritic(3, width=8, halvings=1)(torch.zeros(5, 3, 28, 20)).shape
        torch.Size([5, 96, 1])
    """

    def __init__(self, channels: int, *, width: int, halvings: int = 3) -> None:
        super().__init__()
        if min(channels, width, halvings) < 1:
            raise ValueError(
                "channels, width and halvings must be at least 1, "
                f"got {channels}, {width} and {halvings}"
            )
        self.halvings = halvings
        widths = [width * min(2**i, _MOST) for i in range(halvings + 1)]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise([channels, *widths])):
            layers += [nn.Conv2d(before, after, 4, 2 if i < halvings else 1, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, *images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to the logits of P patches, [B, P, 1].

        Raises ValueError if they are smaller than a patch needs.
        """
        (x,) = images
        if min(x.shape[2:]) < (least := 3 << self.halvings):
            raise ValueError(f"sides of images must be at least {least}, got {list(x.shape[2:])}")
        return self.layers(x).flatten(start_dim=1)[..., None]
