"""Pictures of masks: laid in colour over their images, true beside found, and where they differ."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ancestral.data.canvas import extent, on_canvas

COLOURS = {
    "orange": (230, 140, 0),
    "blue": (40, 120, 220),
    "green": (30, 170, 90),
    "red": (215, 50, 50),
    "purple": (150, 80, 200),
    "cyan": (0, 190, 200),
    "pink": (230, 110, 170),
    "olive": (150, 150, 30),
}
"""Of the classes but for the commonest, in turn."""

MISSED, WRONG = (230, 60, 60), (50, 130, 240)
"""Of pixels that are taken for the commonest class, and for another one than their own."""

_OPACITY, _LONGEST, _WHITE = 0.45, 256, 255


def coloured(names: Sequence[str], clear: int) -> dict[str, str]:
    """Return the colour of each class by its name, but for the clear one.

    Example:
        >>> coloured(["0", "1", "255"], clear=0)
        {'1': 'orange', '255': 'blue'}
    """
    others = [name for k, name in enumerate(names) if k != clear]
    words = [*COLOURS]
    return {name: words[i % len(words)] for i, name in enumerate(others)}


def overlay(image: Tensor, mask: Tensor, clear: int) -> Tensor:
    """Return an image with the classes of a mask in colour.

    Args:
        image: uint8 [1 or 3, H, W].
        mask: Classes, [1, H, W].
        clear: The class that is left clear.

    Returns:
        uint8 [3, H, W].
    """
    tones, rgb = [*COLOURS.values()], _rgb(image)
    for k in mask.unique().tolist():
        if k != clear:
            _paint(rgb, mask == k, tones[(k - (k > clear)) % len(tones)])
    return rgb.byte()


def differences(image: Tensor, found: Tensor, truth: Tensor, clear: int) -> Tensor:
    """Return an image with the pixels in colour whose class is wrong; arguments as of overlay."""
    rgb, wrong = _rgb(image), found != truth
    _paint(rgb, wrong & (found == clear), MISSED)
    _paint(rgb, wrong & (found != clear), WRONG)
    return rgb.byte()


def rows_of(
    images: Tensor, truth: Tensor, found: Tensor, clear: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images, true masks over them, those found, and where these differ, uint8 [N, 3, h, w].

    Large images are shown smaller; all are cut to their own size and laid on white.

    Args:
        images: On a canvas, uint8 [N, C, H, W].
        truth: Masks, [N, 1, H, W].
        found: Masks, likewise.
        clear: The class that is left clear.
    """
    rows: tuple[list[Tensor], ...] = ([], [], [], [])
    for image, own, mine in zip(images, truth, found, strict=True):
        height, width = extent(own)
        step = -(-max(height, width) // _LONGEST)
        seen = (..., slice(0, height, step), slice(0, width, step))
        image, own, mine = image[seen], own[seen], mine[seen]
        rows[0].append(_rgb(image).byte())
        rows[1].append(overlay(image, own, clear))
        rows[2].append(overlay(image, mine, clear))
        rows[3].append(differences(image, mine, own, clear))
    shown = [on_canvas(row, _WHITE) for row in rows]
    return shown[0], shown[1], shown[2], shown[3]


def _rgb(image: Tensor) -> Tensor:
    """Return an image as float [3, H, W], its grey levels spread where they are few."""
    x = image.expand(3, -1, -1).float()
    return x * (255 / x.max().clamp(min=1))


def _paint(rgb: Tensor, where: Tensor, colour: tuple[int, int, int]) -> None:
    tone = torch.tensor(colour, dtype=rgb.dtype)[:, None, None]
    rgb.copy_(torch.where(where, torch.lerp(rgb, tone, _OPACITY), rgb))
