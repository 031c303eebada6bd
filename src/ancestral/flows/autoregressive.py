"""Flows whose features are transformed one after the other, each by what came before."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ancestral.flows.bijection import Bijection
from ancestral.nn.masked_mlp import MaskedMLP
from ancestral.nn.zeroed import zeroed


class Elementwise(Protocol):
    """A monotone map of single numbers, steered by parameters [P, *N] of each."""

    @property
    def parameters(self) -> int:
        """Return P."""
        ...

    def forward_and_log_det(self, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return y and log dy/dx, both [*N], for x [*N]."""
        ...

    def inverse_and_log_det(self, y: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and log dx/dy, both [*N], for y [*N]."""
        ...


class Autoregressive(Bijection):
    """Each feature is mapped by a function whose parameters come from the features before it.

    From data to noise all features are mapped at once; from noise to data one group of features
    after the other. A group a feature makes a masked autoregressive flow, two groups a coupling,
    whose first group is mapped by a learned function that does not depend on x.

    Source: Papamakarios, Pavlakou & Murray 2017, Masked Autoregressive Flow for Density Estimation,
    arXiv:1705.07057; Dinh, Sohl-Dickstein & Bengio 2017, arXiv:1605.08803 (two groups).

    Args:
        groups: When each of the D features is reached, from 0 without a gap.
        elementwise: The map of each number, from data to noise.
        hidden: Widths of the hidden layers of the network.
        context: Numbers C of the context, at least 0.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.flows import RationalQuadratic
        >>> layer = Autoregressive([1, 0], RationalQuadratic(bins=8), hidden=(32, 32))
        >>> layer(torch.zeros(5, 2)).shape
        torch.Size([5, 2])
    """

    members: Tensor
    """The features in the order in which they are reached, int64 [D]."""

    def __init__(
        self,
        groups: Sequence[int],
        elementwise: Elementwise,
        *,
        hidden: Sequence[int],
        context: int = 0,
    ) -> None:
        super().__init__()
        self.network = MaskedMLP(
            groups, outputs=elementwise.parameters, hidden=hidden, context=context
        )
        self.elementwise = elementwise
        zeroed(self.network.layers[-1])  # It begins as the identity.
        order = torch.tensor(groups)
        self.sizes = order.bincount().tolist()
        self.register_buffer("members", order.argsort(stable=True), persistent=False)

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, D] and log |dx/dz| [B], in a pass a group."""
        x, log_det = torch.zeros_like(z), z.new_zeros(len(z))
        for here in self.members.split(self.sizes):
            theta = self.network(x, context, features=here)
            found, log_slopes = self.elementwise.inverse_and_log_det(z.mT[here], theta)
            x = x.index_copy(1, here, found.mT)
            log_det = log_det + log_slopes.sum(dim=0)
        return x, log_det

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, D] and log |dz/dx| [B], in one pass."""
        theta = self.network(x, context)
        z, log_slopes = self.elementwise.forward_and_log_det(x.mT, theta)
        return z.mT, log_slopes.sum(dim=0)

    def extra_repr(self) -> str:
        """Tell the map in ``repr``."""
        return f"elementwise={self.elementwise}"
