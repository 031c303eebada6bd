"""Residual flows: the identity and a contraction, with the exact log-determinant of a few features.

For many features the determinant is estimated (Chen et al. 2019); here it is computed.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ancestral.flows.bijection import Bijection


class Residual(Bijection):
    """``z = x + g(x)`` with a network g whose Lipschitz constant is below 1; no structure else.

    Every layer is divided by its spectral norm where that is too large. The Jacobian is carried
    along through the layers, D tangents for D features, and its determinant is exact: a step costs
    about D + 1 passes. x is found from z by the fixed point ``x = z - g(x)``, then a step of
    Newton's, through which gradients flow.

    Source: Behrmann et al. 2019, Invertible Residual Networks, arXiv:1811.00995, sec. 2 and 3; Chen
    et al. 2019, Residual Flows for Invertible Generative Modeling, arXiv:1906.02735.

    Args:
        features: Dimension D, at least 1.
        hidden: Widths of the layers of g, at least one.
        lipschitz: Bound of g's Lipschitz constant, in (0, 1).

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> layer = Residual(2, hidden=(16, 16))
        >>> z, log_det = layer.inverse_and_log_det(torch.randn(5, 2))
        >>> z.shape, log_det.shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(
        self, features: int, *, hidden: Sequence[int] = (32, 32), lipschitz: float = 0.9
    ) -> None:
        super().__init__()
        widths = (features, *hidden, features)
        if min(widths) < 1 or not hidden:
            raise ValueError(f"features and the widths of hidden must be at least 1, got {widths}")
        if not 0 < lipschitz < 1:
            raise ValueError(f"lipschitz must lie in (0, 1), got {lipschitz}")
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.lipschitz = lipschitz

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, D] and log |dx/dz| [B], for z [B, D]."""
        del context  # The same for all.
        with torch.no_grad():
            x, weights = z, self._contracting()
            # After so many steps what is left is below the precision of the numbers.
            for _ in range(
                math.ceil(math.log(torch.finfo(z.dtype).eps) / math.log(self.lipschitz))
            ):
                x = z - self._through(x, weights)[0]
            slopes = self._through(x, weights, tangents=True)[1]
        reached = x + self._through(x, self._contracting())[0]
        x = x - torch.linalg.solve(slopes, (reached - z)[:, :, None])[:, :, 0]
        return x, -self.inverse_and_log_det(x)[1]

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, D] and log |dz/dx| [B], for x [B, D]."""
        del context  # The same for all.
        added, slopes = self._through(x, self._contracting(), tangents=True)
        return x + added, torch.linalg.slogdet(slopes)[1]

    def _contracting(self) -> list[Tensor]:
        """Return the weights, so that the product of their spectral norms is bounded."""
        most = self.lipschitz ** (1 / len(self.layers))
        norms = [torch.linalg.matrix_norm(layer.weight, 2) for layer in self.layers]
        return [
            layer.weight * (most / norm.clamp_min(most))
            for layer, norm in zip(self.layers, norms, strict=True)
        ]

    def _through(
        self, x: Tensor, weights: Sequence[Tensor], *, tangents: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return g(x) [B, D], and where asked for the Jacobian of x + g(x), [B, D, D]."""
        eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        carried = eye  # Of the first layer: rows are the directions of x.
        for number, (layer, weight) in enumerate(zip(self.layers, weights, strict=True)):
            x = linear(x, weight, layer.bias if isinstance(layer, nn.Linear) else None)
            carried = linear(carried, weight) if tangents else carried
            if number < len(weights) - 1:
                x = torch.tanh(x)
                carried = carried * (1 - x.square())[:, None] if tangents else carried
        return x, eye + carried.mT if tangents else eye
