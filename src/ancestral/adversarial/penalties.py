"""Penalties that keep a critic smooth, so that the game settles instead of circling."""

from collections.abc import Callable

import torch
from torch import Tensor


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
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(logits(x).sum(), x, create_graph=True)
    return 0.5 * slope.square().flatten(start_dim=1).sum(dim=1)
