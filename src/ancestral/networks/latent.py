"""Paths between latents: functions over any ``encode`` and ``decode``."""

import torch
from torch import Tensor


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
