"""Sizes of images: a centre crop to a square, then a resize."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

LARGEST_KEPT = 64
"""Square images of one size up to this many pixels a side are left as they are."""

DEFAULT_SIZE = 32


@dataclass(frozen=True, slots=True)
class Target:
    """The shape that images get: squares of a side, or a canvas on which each keeps its own size.

    Args:
        height: In pixels.
        width: In pixels.
        canvas: Whether it is a canvas.
    """

    height: int
    width: int
    canvas: bool = False

    @classmethod
    def canvas_of(cls, shapes: Sequence[tuple[int, int]]) -> tuple["Target", list[str]]:
        """Return the canvas of images of some heights and widths, and what is said of it."""
        heights, widths = zip(*shapes, strict=True)
        (height, width), sizes = (max(heights), max(widths)), len({*shapes})
        said = [f"images of {sizes} sizes, up to {width}x{height}, keep them"] if sizes > 1 else []
        return cls(height, width, canvas=True), said

    @property
    def side(self) -> int | None:
        """To which side images are cropped and resized; None: they keep their size."""
        return None if self.canvas else self.width

    @property
    def how(self) -> object:
        """What decides how images are decoded."""
        return ("canvas", self.height, self.width) if self.canvas else self.width


def choose_size(shapes: Iterable[tuple[int, int]], asked: int | None) -> int | None:
    """Return the side that images are brought to; None if they stay as they are.

    Args:
        shapes: Height and width of each image, or of each distinct one.
        asked: The user's size, if any.
    """
    distinct = set(shapes)
    if asked is not None:
        return None if distinct == {(asked, asked)} else asked
    if len(distinct) == 1:
        height, width = next(iter(distinct))
        if height == width <= LARGEST_KEPT:
            return None
    return DEFAULT_SIZE


def square(image: Image.Image, size: int, *, smooth: bool = True) -> Image.Image:
    """Crop the largest centred square and bring it to ``size`` pixels a side.

    Bilinear; where not ``smooth``, each pixel is the nearest one, so that no value is new.
    """
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    # Pillow widens the bilinear filter when it shrinks, so that nothing is skipped.
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return image.resize((size, size), how, box=box)


def resized_note(shapes: Iterable[tuple[int, int]], size: int) -> str:
    """Say what was done to the images."""
    distinct = set(shapes)
    if len(distinct) > 1:
        before = f"{len(distinct)} sizes"
    else:
        height, width = next(iter(distinct))
        before = f"{width}x{height}"
    return f"images of {before} cropped to their central square and resized to {size}x{size}"


def fit_size(x: Tensor, asked: int | None) -> tuple[Tensor, tuple[str, ...]]:
    """Bring an array of images to the size asked for, or to the one chosen for them.

    Args:
        x: uint8 [N, C, H, W] with 1 or 3 channels.
        asked: The user's size; None for the rule of ``choose_size``.

    Returns:
        Images uint8 [N, C, S, S] and what was done, in words.
    """
    shape = (x.shape[2], x.shape[3])
    size = choose_size([shape], asked)
    if size is None or len(x) == 0:
        return x, ()
    pixels = x.permute(0, 2, 3, 1).contiguous().numpy()
    result = np.empty((len(x), size, size, x.shape[1]), dtype=np.uint8)
    for index, image in enumerate(pixels):
        flat = image[:, :, 0] if x.shape[1] == 1 else image
        result[index] = np.asarray(square(Image.fromarray(flat), size)).reshape(result.shape[1:])
    fitted = torch.from_numpy(result).permute(0, 3, 1, 2).contiguous()
    return fitted, (resized_note([shape], size),)
