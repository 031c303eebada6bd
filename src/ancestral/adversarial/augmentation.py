"""Augmentation that generated images pass, too, so that few real ones are not learned by heart."""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

Augmentation: TypeAlias = Literal["none", "shift", "shift-cut", "colour-shift-cut"]
"""What is done to images: moved, with a square cut out, with other colours."""

_SHIFT, _CUT = 1 / 8, 1 / 2
"""The largest shift and the side of the square, in sides of the image."""


def augment(x: Tensor, policy: Augmentation, generator: Generator | None = None) -> Tensor:
    """Return images [B, C, H, W] in [-1, 1], each changed at random, differentiably.

    The critic sees real and generated images through the same policy, and the generator's gradient
    passes it: so the game's solution stays the data, not the changed data.

    Source: Zhao et al. 2020, Differentiable Augmentation for Data-Efficient GAN Training,
    arXiv:2006.10738, eq. 4 to 6.

    Args:
        x: The images.
        policy: What is done.
        generator: Source of the draws.

    Raises:
        ValueError: If the policy is unknown, or x is not of images.

    Example:
        >>> augment(torch.zeros(5, 3, 8, 8), "colour-shift-cut").shape
        torch.Size([5, 3, 8, 8])
    """
    if policy not in get_args(Augmentation):
        names = ", ".join(get_args(Augmentation))
        raise ValueError(f"augment must be one of {names}, got {policy!r}")
    if policy != "none" and x.ndim != 4:
        raise ValueError(f"augment must be none but for images, got {policy!r}")
    for name in policy.split("-"):
        x = _STEPS[name](x, generator)
    return x


def _uniform(x: Tensor, generator: Generator | None) -> Tensor:
    """Return a number in [0, 1) for each image, [B, 1, 1, 1]."""
    return torch.rand((len(x), 1, 1, 1), generator=generator, device=x.device, dtype=x.dtype)


def _colour(x: Tensor, generator: Generator | None) -> Tensor:
    """Change brightness by up to 1/2, saturation by a factor of 0 to 2, contrast of 1/2 to 3/2."""
    x = x + _uniform(x, generator) - 0.5
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * 2 * _uniform(x, generator)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (x - mean) * (0.5 + _uniform(x, generator))


def _shift(x: Tensor, generator: Generator | None) -> Tensor:
    """Move each image by up to an eighth of its side; what comes in is 0, the middle grey."""
    height, width = x.shape[2:]
    down, right = int(height * _SHIFT + 0.5), int(width * _SHIFT + 0.5)
    rows = _places(x, height, down, generator)[:, None, :, None]
    columns = _places(x, width, right, generator)[:, None, None, :]
    padded = pad(x, (right, right, down, down))
    batch = torch.arange(len(x), device=x.device)[:, None, None, None]
    channel = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
    return padded[batch, channel, rows, columns]


def _places(x: Tensor, size: int, most: int, generator: Generator | None) -> Tensor:
    """Return the places in the padded image that each image shows, [B, size]."""
    first = torch.randint(2 * most + 1, (len(x), 1), generator=generator, device=x.device)
    return first + torch.arange(size, device=x.device)


def _cut(x: Tensor, generator: Generator | None) -> Tensor:
    """Put 0 into a square of half the side, whose middle is anywhere."""
    height, width = x.shape[2:]
    rows = _inside(x, height, generator)[:, None, :, None]
    columns = _inside(x, width, generator)[:, None, None, :]
    return x.masked_fill(rows & columns, 0.0)


def _inside(x: Tensor, size: int, generator: Generator | None) -> Tensor:
    """Return which places of one direction lie within the square, [B, size]."""
    middle = torch.randint(size + 1, (len(x), 1), generator=generator, device=x.device)
    gap = torch.arange(size, device=x.device) + 0.5 - middle
    return gap.abs() < size * _CUT / 2


_STEPS: dict[str, Callable[[Tensor, Generator | None], Tensor]] = {
    "none": lambda x, _: x,
    "colour": _colour,
    "shift": _shift,
    "cut": _cut,
}
