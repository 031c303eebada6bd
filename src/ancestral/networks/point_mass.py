"""A distribution that is a single point."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor
from torch.distributions import Distribution


class PointMass(Distribution):
    """All probability in one point: the latents of a model whose encoder adds nothing.

    Its ``log_prob`` is that of states: 0 at the point, and -inf anywhere else.

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

    def expand(self, batch_shape: Sequence[int], _instance: Distribution | None = None) -> Self:
        """Return the same for more rows."""
        shape = (*batch_shape, *self.event_shape)
        return type(self)(self.point.expand(shape), event_dims=len(self.event_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return 0 where a value is the point, else -inf, nats, [*sample, *batch]."""
        same = value == self.point
        same = same.flatten(same.ndim - len(self.event_shape)).all(-1) if self.event_shape else same
        return torch.zeros(same.shape, device=same.device).masked_fill(~same, -torch.inf)
