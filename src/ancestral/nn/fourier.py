"""Fourier features: sines and cosines of learned directions, beside the input."""

import torch
from torch import Tensor, nn


class FourierFeatures(nn.Module):
    """``x`` becomes ``[x, sin(W x), cos(W x)]``, so that a small network can bend quickly.

    Fully connected networks learn slow functions of their input first; sines of random directions
    hand them fast ones. The directions start Gaussian and are trained.

    Source: Tancik et al. 2020, Fourier Features Let Networks Learn High Frequency Functions in Low
    Dimensional Domains, arXiv:2006.10739, sec. 5 (there the directions are fixed).

    Args:
        features_in: Width D of x, at least 1.
        frequencies: Number F of directions, at least 1.
        scale: Standard deviation of ``w . x`` for x of unit variance in each coordinate, in
            radians.

    Raises:
        ValueError: If frequencies < 1.

    Example:
        >>> FourierFeatures(2, frequencies=32)(torch.zeros(5, 2)).shape
        torch.Size([5, 66])
    """

    def __init__(self, features_in: int, *, frequencies: int, scale: float = 1.4) -> None:
        super().__init__()
        if frequencies < 1:
            raise ValueError(f"frequencies must be at least 1, got {frequencies}")
        directions = torch.randn(frequencies, features_in) * (scale / features_in**0.5)
        self.directions = nn.Parameter(directions)

    @property
    def features_out(self) -> int:
        """Width of the output, D + 2 F."""
        frequencies, features_in = self.directions.shape
        return features_in + 2 * frequencies

    def forward(self, x: Tensor) -> Tensor:
        """Map x [*B, D] to [*B, D + 2 F]."""
        phase = nn.functional.linear(x, self.directions)
        return torch.cat((x, phase.sin(), phase.cos()), dim=-1)
