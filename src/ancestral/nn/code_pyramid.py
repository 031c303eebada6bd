"""Convolutional networks between images and a grid of vectors, a quarter of the side."""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional

_CELL = 4
"""Pixels of the side of an image that one vector stands for."""

_SILU = partial(nn.SiLU, inplace=True)


def code_side(size: int) -> int:
    """Return the side of the grid of an image of a side: a quarter, rounded up.

    Example:
        >>> code_side(28), code_side(30)
        (7, 8)
    """
    return -(-size // _CELL)


class _Residual(nn.Module):
    """``x + f(x)``, f a small network of convolutions that keep the side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, width, 3, 1, 1), _SILU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class CodeEncoder(nn.Module):
    """An image to a grid of vectors: two halvings, then two residual blocks.

    Args:
        channels: Channels C of the image.
        features: Numbers D of a vector.
        size: Side S of the image; it is padded to a multiple of 4.
        width: Channels at half of the side; twice as many at a quarter.

    Example:
        >>> import torch
        >>> CodeEncoder(1, 4, size=28, width=8)(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5, 49, 4])
    """

    def __init__(self, channels: int, features: int, *, size: int, width: int) -> None:
        super().__init__()
        more = code_side(size) * _CELL - size
        self.border = (more // 2, more - more // 2)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 4, 2, 1),
            _SILU(),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            _Residual(2 * width),
            _Residual(2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, features, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, S, S] to vectors [B, M, D], row by row."""
        if any(self.border):
            x = functional.pad(x, self.border * 2)
        return self.layers(x).flatten(2).transpose(1, 2)


class CodeDecoder(nn.Module):
    """A grid of vectors to an image: two residual blocks, then two doublings.

    Args:
        features: Numbers D of a vector.
        outputs: Numbers a pixel.
        size: Side S of the image.
        width: Channels at half of the side; twice as many at a quarter.

    Example:
        >>> import torch
        >>> CodeDecoder(4, 2, size=28, width=8)(torch.zeros(5, 49, 4)).shape
        torch.Size([5, 2, 28, 28])
    """

    def __init__(self, features: int, outputs: int, *, size: int, width: int) -> None:
        super().__init__()
        self.size, self.side = size, code_side(size)
        self.layers = nn.Sequential(
            nn.Conv2d(features, 2 * width, 3, 1, 1),
            _Residual(2 * width),
            _Residual(2 * width),
            nn.SiLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
            _SILU(),
            nn.ConvTranspose2d(width, outputs, 4, 2, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map vectors [*B, M, D] to [*B, O, S, S]."""
        lead = z.shape[:-2]
        grid = z.reshape(-1, *z.shape[-2:]).transpose(1, 2).unflatten(2, (self.side, self.side))
        y = self.layers(grid)
        start = (y.shape[-1] - self.size) // 2
        y = y[..., start : start + self.size, start : start + self.size]
        return y.reshape(*lead, *y.shape[1:])
