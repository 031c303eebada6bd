"""What a network says of an image too large for it: tile by tile, blended where tiles overlap."""

from collections.abc import Callable

import torch
from torch import Tensor


def tiled(
    network: Callable[[Tensor], Tensor],
    image: Tensor,
    *,
    tile: int,
    overlap: int,
    step: int = 16,
) -> Tensor:
    """Return what a network makes of an image, [B, K, H, W], from overlapping tiles of it.

    A quarter of the overlap at each edge of a tile inside the image counts for nothing: there the
    network sees the edge. Over the half in the middle the one tile fades into the other. What a
    network without normalisation over an image sees of a pixel's surroundings within a quarter of
    the overlap is then the same as in the whole image, and so is what it returns.

    Source: Ronneberger, Fischer & Brox 2015, U-Net, arXiv:1505.04597, sec. 2 (overlap-tile
    strategy).

    Args:
        network: Maps [B, C, h, w] to [B, K, h, w], of any h and w.
        image: [B, C, H, W].
        tile: Side of a tile in pixels, a multiple of ``step``, above twice the overlap.
        overlap: Pixels that neighbours share, at least; a multiple of ``step``.
        step: Tiles begin at its multiples, so that a network that halves meets the same pixels.

    Raises:
        ValueError: If tile or overlap is out of its range.

    Example:
        >>> tiled(lambda x: 2 * x, torch.ones(1, 3, 70, 50), tile=48, overlap=16).mean()
        tensor(2.)
    """
    if tile % step or overlap % step or overlap < step or tile <= 2 * overlap:
        raise ValueError(
            f"tile and overlap must be multiples of {step}, and tile more than twice overlap, "
            f"got {tile} and {overlap}"
        )
    total, weights = None, None
    height, width = image.shape[-2:]
    for top in _starts(height, tile, overlap, step):
        for left in _starts(width, tile, overlap, step):
            part = image[..., top : top + tile, left : left + tile]
            found = network(part)
            rows, columns = (
                _fade(start, length, side, overlap).to(found)
                for start, length, side in (
                    (top, part.shape[-2], height),
                    (left, part.shape[-1], width),
                )
            )
            weight = rows[:, None] * columns
            if total is None or weights is None:
                total = found.new_zeros(*found.shape[:2], height, width)
                weights = found.new_zeros(height, width)
            here = (..., slice(top, top + part.shape[-2]), slice(left, left + part.shape[-1]))
            total[here] += weight * found
            weights[here] += weight
    if total is None or weights is None:
        raise ValueError(f"image must have pixels, got {list(image.shape)}")
    return total / weights


def _starts(side: int, tile: int, overlap: int, step: int) -> list[int]:
    """Return where tiles begin along a side, the last one at its end."""
    last = -(-max(0, side - tile) // step) * step
    return [*range(0, last, tile - overlap), last]


def _fade(start: int, length: int, side: int, overlap: int) -> Tensor:
    """Return the weights along a tile: 1, falling to 0 towards edges inside the image, [length]."""
    middle, weight = torch.arange(length) + 0.5, torch.ones(length)
    quarter = overlap / 4
    if start > 0:
        weight = ((middle - quarter) / (2 * quarter)).clamp(0, 1)
    if start + length < side:
        weight = torch.minimum(weight, ((length - middle - quarter) / (2 * quarter)).clamp(0, 1))
    return weight
