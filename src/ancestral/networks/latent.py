"""Latents of examples, and paths between them: functions over any ``encode`` and ``decode``."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from ancestral.data.dataset import Examples
from ancestral.networks.units import InDataUnits

_CHUNK = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """The posterior of each example.

    Args:
        mean: Of q(z | x), [N, L].
        std: Of q(z | x), [N, L].
    """

    mean: Tensor
    std: Tensor


@torch.no_grad()
def encode(model: InDataUnits, examples: Examples, *, device: str = "cpu") -> Latents:
    """Return the latents of examples, under what the model takes as given of them."""
    starts = range(0, len(examples), _CHUNK)
    parts = [_posterior(model, examples[at : at + _CHUNK], device) for at in starts]
    return Latents(
        mean=torch.cat([q.mean.cpu() for q in parts]),
        std=torch.cat([q.stddev.cpu() for q in parts]),
    )


@torch.no_grad()
def walk(
    model: InDataUnits,
    a: Examples,
    b: Examples,
    steps: int,
    *,
    spherical: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Return the way from one example to another through the latents, [steps, *event].

    What is given on the way is that of the nearer end. See :func:`interpolate` and :func:`slerp`.
    """
    first, last = (_posterior(model, end, device).mean[0] for end in (a, b))
    way = (slerp if spherical else interpolate)(first, last, steps)
    half = (steps + 1) // 2
    given = {
        name: torch.cat([value] * half + [b.given[name]] * (steps - half)).to(device)
        for name, value in (model.taken(a.given) or {}).items()
    }
    return model.decode(way, given=given or None).cpu()


def _posterior(model: InDataUnits, examples: Examples, device: str) -> Distribution:
    given = {name: value.to(device) for name, value in examples.given.items()}
    return model.encode(examples.x.to(device), given=model.taken(given))


def interpolate(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Return the straight path from a to b, ends included, [steps, *shape].

    Args:
        a: Start, [*shape].
        b: End, [*shape].
        steps: Number of points, at least 2.

    Example:
        >>> interpolate(torch.zeros(2), torch.ones(2), 3)[1]
        tensor([0.5000, 0.5000])
    """
    return torch.lerp(a[None], b[None], _times(a, b, steps))


def slerp(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Return the path along the great circle from a to b, ends included, [steps, *shape].

    The norm moves linearly from that of a to that of b, so draws of a Gaussian prior pass through
    typical points. Parallel vectors get the straight path.

    Source: Shoemake 1985, Animating rotation with quaternion curves; White 2016, arXiv:1609.04468.

    Args:
        a: Start, [*shape], not zero.
        b: End, [*shape], not zero.
        steps: Number of points, at least 2.
    """
    t = _times(a, b, steps)
    norm_a, norm_b = a.norm(), b.norm()
    cosine = ((a / norm_a) * (b / norm_b)).sum().clamp(-1, 1)
    angle = torch.arccos(cosine)
    if not torch.isfinite(angle) or angle.sin().abs() < 1e-6:
        return interpolate(a, b, steps)
    direction = (
        torch.sin((1 - t) * angle) * (a / norm_a) + torch.sin(t * angle) * (b / norm_b)
    ) / angle.sin()
    return direction * torch.lerp(norm_a, norm_b, t)


def _times(a: Tensor, b: Tensor, steps: int) -> Tensor:
    if steps < 2:
        raise ValueError(f"steps must be at least 2, got {steps}")
    if a.shape != b.shape:
        raise ValueError(f"both ends must have one shape, got {tuple(a.shape)}, {tuple(b.shape)}")
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)
    return t.reshape(-1, *[1] * a.ndim)
