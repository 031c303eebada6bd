"""Latents of examples, paths between them and directions: over any ``encode`` or ``decode``."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Encodes, Given
from ancestral.data.dataset import Examples
from ancestral.networks.units import InDataUnits

_CHUNK = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """The latents of each example.

    Args:
        mean: Of q(z | x), [N, L]; of a model without an encoder the latents that nearly make x.
        std: Of q(z | x), [N, L]; None without an encoder.
    """

    mean: Tensor
    std: Tensor | None = None


@torch.no_grad()
def encode(model: InDataUnits, examples: Examples, *, device: str = "cpu") -> Latents:
    """Return the latents of examples, under what the model takes as given of them.

    Of a model that has no encoder they are found by :func:`~ancestral.networks.inversion.invert`.
    """
    starts = range(0, len(examples), _CHUNK)
    chunks = [examples[at : at + _CHUNK] for at in starts]
    if not model.can(Encodes):
        noise = Generator(device).manual_seed(0)  # The same latents each time.
        found = [
            model.invert(part.x.to(device), given=_given(model, part, device), generator=noise)
            for part in chunks
        ]
        return Latents(mean=torch.cat(found).cpu())
    parts = [model.encode(part.x.to(device), given=_given(model, part, device)) for part in chunks]
    return Latents(
        mean=torch.cat([q.mean.cpu() for q in parts]),
        std=torch.cat([q.stddev.cpu() for q in parts]),
    )


@torch.no_grad()
def reconstruct(model: InDataUnits, examples: Examples, *, device: str = "cpu") -> Tensor:
    """Return what the model makes of the latents of each example, [N, *event] in user units."""
    found = []
    for at in range(0, len(examples), _CHUNK):
        part = examples[at : at + _CHUNK]
        z = encode(model, part, device=device).mean.to(device)
        found.append(model.decode(z, given=_given(model, part, device)).cpu())
    return torch.cat(found)


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
    first, last = (encode(model, end, device=device).mean[0] for end in (a, b))
    way = (slerp if spherical else interpolate)(first, last, steps)
    half = (steps + 1) // 2
    given = {
        name: torch.cat([value] * half + [b.given[name]] * (steps - half)).to(device)
        for name, value in (model.taken(a.given) or {}).items()
    }
    return model.decode(way.to(device), given=given or None).cpu()


@torch.no_grad()
def grid(model: InDataUnits, corners: Examples, steps: int, *, device: str = "cpu") -> Tensor:
    """Return what lies between four examples, row by row, [steps * steps, *event].

    The latents are mixed linearly, down from the first two corners to the last two; what is given
    is that of the nearest corner.

    Args:
        model: Encodes or decodes.
        corners: Top left, top right, bottom left, bottom right.
        steps: Of each side, at least 2.
        device: Where the model is.
    """
    z = encode(model, corners, device=device).mean
    left, right = interpolate(z[0], z[2], steps), interpolate(z[1], z[3], steps)
    way = torch.cat([interpolate(a, b, steps) for a, b in zip(left, right, strict=True)])
    late = torch.arange(steps) >= (steps + 1) // 2
    nearest = (2 * late[:, None] + late[None, :].long()).flatten()
    given = {name: value[nearest].to(device) for name, value in corners.given.items()}
    return model.decode(way.to(device), given=model.taken(given)).cpu()


@torch.no_grad()
def shifted(
    model: InDataUnits,
    example: Examples,
    direction: Tensor,
    strengths: Sequence[float],
    *,
    device: str = "cpu",
) -> Tensor:
    """Return an example moved along a direction of the latents, [len(strengths), *event].

    With :func:`difference` the direction of an attribute: 0 is the reconstruction, 1 goes as far
    as the mean with it is from the mean without.

    Source: Larsen et al. 2016, Autoencoding beyond pixels, arXiv:1512.09300, sec. 4.2.

    Args:
        model: Encodes or decodes.
        example: One example.
        direction: [*latent].
        strengths: How far, in units of the direction.
        device: Where the model is.
    """
    z = encode(model, example, device=device).mean
    far = torch.tensor(strengths, dtype=z.dtype).reshape(-1, *[1] * direction.ndim)
    given = {name: value.expand(len(far)) for name, value in example.given.items()}
    moved = (z + far * direction).to(device)
    return model.decode(moved, given=_given(model, Examples(moved, given), device)).cpu()


def difference(model: InDataUnits, with_: Examples, without: Examples, **how: str) -> Tensor:
    """Return the mean latents of some examples less those of others, [*latent]."""
    return encode(model, with_, **how).mean.mean(0) - encode(model, without, **how).mean.mean(0)


def _given(model: InDataUnits, examples: Examples, device: str) -> Given | None:
    return model.taken({name: value.to(device) for name, value in examples.given.items()})


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
