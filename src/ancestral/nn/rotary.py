"""Rotary positions: a query and a key meet at their distance, not at their places."""

import torch
from torch import Tensor


def rotary_tables(length: int, width: int, *, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of the angle of each place and pair of features.

    Pair i turns by ``base^(-2i/P)`` radians a place; features i and i + P/2 are a pair.

    Source: Su et al. 2021, RoFormer, arXiv:2104.09864, eq. 34 (pairs split in halves as in Llama).

    Args:
        length: Number T of places.
        width: Features P of a head, even.
        base: Sets the slowest turn, above 1.

    Returns:
        Two float32 tables [T, P].

    Raises:
        ValueError: If ``width`` is odd.

    Example:
        >>> cosine, sine = rotary_tables(256, 64)
        >>> cosine.shape
        torch.Size([256, 64])
    """
    if width % 2:
        raise ValueError(f"rotary positions need an even width of a head, got {width}")
    rates = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn x [B, H, T, P] by the angles [B or 1, 1, T, P]; lengths stay as they are."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return x * cosine.to(x.dtype) + turned * sine.to(x.dtype)
