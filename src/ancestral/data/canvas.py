"""Images of many sizes in one tensor: each in the top left corner of a canvas that fits all."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

OUTSIDE = 255
"""The level of a mask where its image does not reach; images are 0 there."""


def extent(mask: Tensor) -> tuple[int, int]:
    """Return the height and the width of the image of a mask [..., H, W] on a canvas.

    Example:
        >>> mask = torch.full((1, 4, 6), OUTSIDE, dtype=torch.uint8)
        >>> mask[:, :3, :5] = 0
        >>> extent(mask)
        (3, 5)
    """
    inside = mask != OUTSIDE
    return int(inside[..., :, 0].sum(-1).max()), int(inside[..., 0, :].sum(-1).max())


def by_extent(masks: Tensor) -> Iterator[tuple[Tensor, tuple[int, int]]]:
    """Yield the places in masks [B, 1, H, W] of those of one size, and that height and width."""
    sizes = [extent(mask) for mask in masks]
    for size in sorted(set(sizes)):
        yield torch.tensor([i for i, own in enumerate(sizes) if own == size]), size


def on_canvas(images: Iterable[Tensor], fill: int) -> Tensor:
    """Return images [C, H, W] of any sizes as one tensor [N, C, H, W] as large as the largest.

    Args:
        images: One or more, of the same number of channels.
        fill: What is outside of each.

    Example:
        >>> on_canvas([torch.zeros(1, 2, 5), torch.zeros(1, 3, 4)], 1).shape
        torch.Size([2, 1, 3, 5])
    """
    images = list(images)
    sides = [max(image.shape[axis] for image in images) for axis in (1, 2)]
    canvas = images[0].new_full((len(images), len(images[0]), *sides), fill)
    for place, image in zip(canvas, images, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image
    return canvas
