"""Images as rows of square patches, and back."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def patchify(x: Tensor, patch: int) -> Tensor:
    """Cut images into squares, row by row; zeros fill up a side that is no multiple of ``patch``.

    Source: Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, arXiv:2010.11929, sec. 3.1.

    Args:
        x: Images, [B, C, H, W].
        patch: Side P of a square, at least 1.

    Returns:
        Patches, [B, N, C P P], N = ceil(H / P) ceil(W / P).

    Raises:
        ValueError: If patch < 1.

    Example:
        >>> import torch
        >>> patchify(torch.zeros(5, 3, 28, 28), 4).shape
        torch.Size([5, 49, 48])
    """
    rows, columns = grid(x.shape[-2:], patch)
    x = functional.pad(x, (0, columns * patch - x.shape[-1], 0, rows * patch - x.shape[-2]))
    squares = x.unflatten(3, (columns, patch)).unflatten(2, (rows, patch))  # [B, C, R, P, S, P]
    return squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpatchify(patches: Tensor, patch: int, size: tuple[int, int]) -> Tensor:
    """Put the squares of :func:`patchify` back; what had filled up the sides is cut off.

    Args:
        patches: [B, N, C P P].
        patch: Side P of a square.
        size: Height H and width W of the images.

    Returns:
        Images, [B, C, H, W].

    Raises:
        ValueError: If the images have another number of patches.
    """
    rows, columns = grid(size, patch)
    if patches.shape[1] != rows * columns:
        raise ValueError(
            f"images of {size[0]} x {size[1]} have {rows * columns} patches of side {patch}, "
            f"got {patches.shape[1]}"
        )
    squares = patches.unflatten(2, (-1, patch, patch)).unflatten(1, (rows, columns))
    x = squares.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
    return x[..., : size[0], : size[1]]


def grid(size: Sequence[int], patch: int) -> tuple[int, int]:
    """Return how many patches stand below and beside each other.

    Raises:
        ValueError: If patch < 1.
    """
    if patch < 1:
        raise ValueError(f"patch must be at least 1, got {patch}")
    return -(-size[0] // patch), -(-size[1] // patch)
