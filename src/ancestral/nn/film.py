"""Feature-wise modulation: a condition scales and moves every feature of another network."""

import torch
from torch import Tensor


def film(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return ``(1 + scale) * x + shift``: scale 0 and shift 0 leave x as it is.

    Source: Perez et al. 2018, FiLM: Visual Reasoning with a General Conditioning Layer,
    arXiv:1709.07871, eq. 2 (there the factor itself is predicted).

    Args:
        x: Features.
        scale: Broadcasts to x.
        shift: Broadcasts to x.

    Example:
        >>> film(torch.ones(2, 3), torch.zeros(2, 1), torch.zeros(3)).shape
        torch.Size([2, 3])
    """
    return torch.addcmul(shift, x, 1 + scale)
