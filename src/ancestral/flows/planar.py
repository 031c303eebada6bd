"""Planar flows: space is pushed along one direction, by how far it lies from a plane."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ancestral.flows.bijection import Bijection

_HALVINGS = 60


class Planar(Bijection):
    """``x = z + u tanh(w . z + b)``: the plane ``w . z + b = 0`` is pushed along u.

    u is moved along w so that w . u > -1, and the map can be undone. Its inverse is that of a
    rising function of one number, found by halving an interval and a step of Newton's, through
    which gradients flow. For maximum likelihood take it the other way round, as
    :class:`~ancestral.flows.Inverted`.

    Source: Rezende & Mohamed 2015, Variational Inference with Normalizing Flows, arXiv:1505.05770,
    sec. 4.1 and app. A.1.

    Args:
        features: Dimension D, at least 1.

    Raises:
        ValueError: If it is not.

    Example:
        >>> Planar(2)(torch.zeros(5, 2)).shape
        torch.Size([5, 2])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"features must be at least 1, got {features}")
        self.push = nn.Parameter(0.1 * torch.randn(features))
        self.normal = nn.Parameter(torch.randn(features) / features**0.5)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, D] and log |dx/dz| [B], for z [B, D]."""
        del context  # The same for all.
        u, along = self._allowed()
        bent = torch.tanh(z @ self.normal + self.offset)
        return z + bent[:, None] * u, torch.log1p(along * (1 - bent.square()))

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, D] and log |dz/dx| [B], for x [B, D]."""
        del context  # The same for all.
        u, along = self._allowed()
        target = x @ self.normal
        with torch.no_grad():
            low, high = target - along.abs(), target + along.abs()
            for _ in range(_HALVINGS):
                middle = (low + high) / 2
                above = middle + along * torch.tanh(middle + self.offset) > target
                low, high = torch.where(above, low, middle), torch.where(above, middle, high)
            start = (low + high) / 2
            slope = 1 + along * (1 - torch.tanh(start + self.offset).square())
        reached = start + along * torch.tanh(start + self.offset)
        bent = torch.tanh(start - (reached - target) / slope + self.offset)
        return x - bent[:, None] * u, -torch.log1p(along * (1 - bent.square()))

    def _allowed(self) -> tuple[Tensor, Tensor]:
        """Return u, moved so that the map can be undone, and w . u, above -1."""
        along = self.normal @ self.push
        allowed = softplus(along) - 1
        w = self.normal
        return self.push + (allowed - along) * w / w.square().sum(), allowed
