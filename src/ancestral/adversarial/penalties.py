"""Penalties that keep a critic smooth, so that the game settles instead of circling."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor


def zero_centred_penalty(logits: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return half the squared norm of the critic's gradient at each example, [B].

    On real examples this is R1: at the solution, where real and generated examples are alike, the
    critic must be flat, and the game then converges locally, also for data on a thin manifold.

    Source: Mescheder, Geiger & Nowozin 2018, Which Training Methods for GANs do actually
    Converge?, arXiv:1801.04406, eq. 9.

    Args:
        logits: Maps x [B, *event] to logits [B]; no example may see another.
        x: Where the slope is measured, [B, *event].

    Returns:
        Squared logits per squared unit of x, differentiable in the critic's parameters.
    """
    slope = _slope(logits, x)
    return 0.5 * slope.square().flatten(start_dim=1).sum(dim=1)


def unit_slope_penalty(
    logits: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: Generator | None = None,
) -> Tensor:
    """Return ``(|slope| - 1)^2`` at a random point between each real and generated example, [B].

    The best critic of the Wasserstein game has slope 1 on such lines. (WGAN-GP.)

    Source: Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv:1704.00028, eq. 3.

    Args:
        logits: Maps x [B, *event] to numbers [B]; no example may see another.
        real: Real examples, [B, *event].
        fake: Generated examples, [B, *event].
        generator: Source of the points.
    """
    shape = (len(real), *[1] * (real.ndim - 1))
    share = torch.rand(shape, generator=generator, device=real.device, dtype=real.dtype)
    slope = _slope(logits, torch.lerp(real, fake.to(real.dtype), share))  # Mixed precision: bf16.
    return (slope.flatten(start_dim=1).norm(dim=1) - 1).square()


def _slope(logits: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the gradient of each output in its own example, [B, *event], to be differentiated."""
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(logits(x).sum(), x, create_graph=True)
    return slope
