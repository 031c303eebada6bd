"""Affine maps: the one that a network steers, element by element, and the one that is learned."""

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ancestral.flows.bijection import Bijection
from ancestral.nn.masked_mlp import Saved


class Affine:
    """``y = exp(s) x + b`` with the two parameters of each element; at parameters 0 the identity.

    Source: Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP,
    arXiv:1605.08803, eq. 4; Papamakarios, Pavlakou & Murray 2017, Masked Autoregressive Flow for
    Density Estimation, arXiv:1705.07057.

    Args:
        steepest: Bound of the logarithm s of the slope, above 0.

    Raises:
        ValueError: If it is not.

    Example:
        >>> y, log_slope = Affine().forward_and_log_det(torch.ones(5), torch.ones(2, 5))
        >>> y.shape, log_slope.shape
        (torch.Size([5]), torch.Size([5]))
    """

    parameters = 2

    def __init__(self, *, steepest: float = 7.0) -> None:
        if not steepest > 0:
            raise ValueError(f"steepest must be above 0, got {steepest}")
        self.steepest = steepest

    def forward_and_log_det(self, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return y and log dy/dx, both [*N], for x [*N] and parameters [2, *N]."""
        return _Affine.apply(x, theta, self.steepest)

    def inverse_and_log_det(self, y: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and log dx/dy, both [*N], for y [*N] and parameters [2, *N]."""
        free, shift = theta.unbind()
        log_slope = -free / (1 + free.abs() / self.steepest)
        return (y - shift) * log_slope.exp(), log_slope

    def __repr__(self) -> str:
        return f"Affine(steepest={self.steepest:g})"


class _Affine(Function):
    """The map and the logarithm of its slope, with gradients in three passes."""

    @staticmethod
    def forward(ctx: Saved, x: Tensor, theta: Tensor, steepest: float) -> tuple[Tensor, Tensor]:
        free, shift = theta.unbind()
        shrink = (free.abs() / steepest).add_(1).reciprocal_()
        log_slope = free * shrink
        slope = log_slope.exp()
        ctx.save_for_backward(x, slope, shrink)
        return torch.addcmul(shift, x, slope), log_slope

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides ctx
        ctx: Saved, grad: Tensor, grad_log: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, slope, shrink = ctx.saved_tensors
        to_x = grad * slope
        to_theta = grad.new_empty(2, *grad.shape)
        torch.addcmul(grad_log, to_x, x, out=to_theta[0]).mul_(shrink).mul_(shrink)
        to_theta[1] = grad
        return to_x, to_theta, None


class ElementwiseAffine(Bijection):
    """``x = exp(s) z + b`` with a slope and a shift of each feature or channel: Glow's actnorm.

    It begins as the identity: the data come standardised, and what stands between keeps their
    scale at first.

    Source: Kingma & Dhariwal 2018, Glow, arXiv:1807.03039, sec. 3.1.

    Args:
        features: Features, or channels of images, at least 1.

    Example:
        >>> ElementwiseAffine(3)(torch.zeros(5, 3, 8, 8)).shape
        torch.Size([5, 3, 8, 8])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"features must be at least 1, got {features}")
        self.log_slope = nn.Parameter(torch.zeros(features))
        self.shift = nn.Parameter(torch.zeros(features))

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, C, *S] and its log-determinant [B], for z [B, C, *S]."""
        del context  # The same for all.
        log_slope, shift = self._spread(z)
        return torch.addcmul(shift, z, log_slope.exp()), self._log_det(z)

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, C, *S] and its log-determinant [B], for x [B, C, *S]."""
        del context  # The same for all.
        log_slope, shift = self._spread(x)
        return (x - shift) * (-log_slope).exp(), -self._log_det(x)

    def _spread(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, *[1] * (x.ndim - 2))
        return self.log_slope.view(shape), self.shift.view(shape)

    def _log_det(self, x: Tensor) -> Tensor:
        places = x[0, 0].numel()
        return (places * self.log_slope.sum()).expand(len(x))
