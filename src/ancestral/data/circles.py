"""Black circles on white: a world of three latents that a function renders without any noise."""

import math

import torch
from torch import Tensor


def render_circles(z: Tensor, *, side: int = 256) -> Tensor:
    """Draw a filled circle for each z; as a deterministic node it makes p(x | z) of a network.

    The pixel in row i and column j is black where ``(i - k)^2 + (j - h)^2 <= r^2``, so the
    65,536 numbers of an image lie on a manifold of three dimensions.

    Args:
        z: Radius r, column h and row k of the centre, in pixels, [*B, 3].
        side: Pixels a side, at least 1.

    Returns:
        Images [*B, 1, side, side] in the type of z: 0 is black, 1 white.

    Raises:
        ValueError: If z does not end in 3, or the side is below 1.

    Example:
        >>> x = render_circles(torch.tensor([[1.0, 2.0, 1.0]]), side=4)
        >>> x[0, 0].int().tolist()
        [[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 0, 1], [1, 1, 1, 1]]
    """
    if z.shape[-1:] != (3,):
        raise ValueError(f"z must end in radius, column and row, got shape {list(z.shape)}")
    if side < 1:
        raise ValueError(f"side must be at least 1, got {side}")
    radius, column, row = z[..., None, None, None, :].unbind(dim=-1)
    place = torch.arange(side, device=z.device, dtype=z.dtype)
    squares = (place[:, None] - row).square() + (place - column).square()
    return (squares > radius.square()).to(z.dtype)


def locate_circles(x: Tensor) -> Tensor:
    """Return the radius, column and row of the one circle in each image: the way back.

    The centre is the mean place of the black pixels, the radius that of a disc of their area. It
    is right within a pixel for a circle that lies inside the image; no pixel has radius 0.

    Args:
        x: Images [*B, 1, S, S]; below 0.5 is black.

    Returns:
        The latents z, [*B, 3], in pixels.

    Raises:
        ValueError: If x does not end in one square channel.

    Example:
        >>> z = torch.tensor([[20.0, 100.0, 150.0]])
        >>> bool(((locate_circles(render_circles(z)) - z).abs() < 1).all())
        True
    """
    if x.ndim < 3 or x.shape[-3] != 1 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"x must have shape [*B, 1, S, S], got {list(x.shape)}")
    black = (x[..., 0, :, :] < 0.5).to(x.dtype)
    area = black.sum(dim=(-2, -1))
    place = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
    some = area.clamp_min(1)
    column = (black.sum(dim=-2) * place).sum(dim=-1) / some
    row = (black.sum(dim=-1) * place).sum(dim=-1) / some
    return torch.stack(((area / math.pi).sqrt(), column, row), dim=-1)
