"""Derivatives along a direction, by forward mode."""

from collections.abc import Callable

from torch import Tensor
from torch.func import jvp
from torch.nn.attention import SDPBackend, sdpa_kernel


def directional(
    function: Callable[..., Tensor], at: tuple[Tensor, ...], along: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Return a function's value and its derivative along a direction, both of its output's shape.

    Attention is computed by plain operations: its fused kernels have no forward mode.

    Args:
        function: Of as many tensors as ``at`` has.
        at: Where.
        along: The direction, of the same shapes.

    Example:
        >>> import torch
        >>> x = torch.tensor([3.0])
        >>> directional(torch.square, (x,), (torch.ones(1),))
        (tensor([9.]), tensor([6.]))
    """
    with sdpa_kernel(SDPBackend.MATH):
        value, slope = jvp(function, at, along)[:2]
    return value, slope
