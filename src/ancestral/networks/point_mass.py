"""The law that has all its probability in one point."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution


class PointMass(Distribution):
    """All probability in one point: the latents of a model whose encoder adds nothing.

    Args:
        point: [*batch, *event].
        event_dims: Dimensions of an event.

    Example:
        >>> PointMass(torch.zeros(5, 2), event_dims=1).mean.shape
        torch.Size([5, 2])
    """

    arg_constraints = {}  # noqa: RUF012 # pyright: ignore - torch's own
    has_rsample = True

    def __init__(self, point: Tensor, *, event_dims: int) -> None:
        self.point, at = point, point.ndim - event_dims
        super().__init__(point.shape[:at], point.shape[at:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The point."""
        return self.point

    @property
    def variance(self) -> Tensor:
        """Zero."""
        return torch.zeros_like(self.point)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return the point, [*sample_shape, *batch, *event]."""
        return self.point.expand(*sample_shape, *self.point.shape)
