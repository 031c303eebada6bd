"""The latents that nearly make given examples, of a model that has a decoder and no encoder."""

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Decodes, Given

_STARTS, _STEPS, _LEARNING_RATE = 64, 200, 0.05


def invert(
    model: Decodes,
    x: Tensor,
    *,
    given: Given | None = None,
    starts: int = _STARTS,
    steps: int = _STEPS,
    prior: float = 0.01,
    generator: Generator | None = None,
) -> Tensor:
    """Return latents of which the model makes nearly x, [B, *latent].

    From the nearest of several draws of the prior, Adam lowers the mean squared error of an example
    plus ``prior`` times the mean square of its latents, which keeps them where the model was
    trained. Model units throughout.

    Source: Creswell & Bharath 2016, Inverting the Generator of a GAN, arXiv:1611.05644.

    Args:
        model: Makes x of z.
        x: Examples, [B, *event].
        given: What else they are made of, [B] each.
        starts: Draws tried for each example, at least 1.
        steps: Of Adam, at least 0.
        prior: Weight of the latents' size, at least 0.
        generator: Of the draws; torch's global one if None.

    Raises:
        ValueError: If a number is below its range.
    """
    if starts < 1 or steps < 0 or not prior >= 0:
        raise ValueError(
            "starts must be at least 1, steps and prior at least 0, "
            f"got {starts}, {steps} and {prior}"
        )
    with torch.no_grad():
        best = model.draw_latents(len(x), generator=generator)
        least = _error(model, best, x, given)
        for _ in range(starts - 1):
            z = model.draw_latents(len(x), generator=generator)
            error = _error(model, z, x, given)
            nearer = (error < least).reshape(-1, *[1] * (z.ndim - 1))
            best, least = torch.where(nearer, z, best), torch.minimum(error, least)
    z = best.clone().requires_grad_()
    adam = torch.optim.Adam([z], lr=_LEARNING_RATE)
    with torch.enable_grad():
        for _ in range(steps):
            size = z.flatten(1).square().mean(1)
            (slope,) = torch.autograd.grad((_error(model, z, x, given) + prior * size).sum(), z)
            z.grad = slope
            adam.step()
    return z.detach()


def _error(model: Decodes, z: Tensor, x: Tensor, given: Given | None) -> Tensor:
    return (model.decode(z, given=given) - x).flatten(1).square().mean(1)
