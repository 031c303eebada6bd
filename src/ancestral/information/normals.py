"""What is closed among Gaussians: marginals, conditionals, affine maps and sums."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal, Normal


def marginal_normal(p: MultivariateNormal, keep: Sequence[int]) -> MultivariateNormal:
    """Return the law of some coordinates: their means and their block of the covariance.

    Raises:
        ValueError: If ``keep`` is not a choice of different coordinates.
    """
    kept = _coordinates(p, keep)
    return MultivariateNormal(p.loc[..., kept], p.covariance_matrix[..., kept, :][..., kept])


def conditional_normal(
    p: MultivariateNormal, given: Sequence[int], values: Tensor
) -> MultivariateNormal:
    """Return the law of the other coordinates, in order, given the values [*B, G] of some.

    ``mean_a + S_ab S_bb^-1 (x_b - mean_b)`` with covariance ``S_aa - S_ab S_bb^-1 S_ba``.

    Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 2.81-2.82.

    Raises:
        ValueError: If ``given`` is not a choice of different coordinates, or all or none of them.
    """
    b = _coordinates(p, given)
    a = [axis for axis in range(p.event_shape[0]) if axis not in b]
    if not a or not b:
        raise ValueError(f"given must be some of the coordinates but not all, got {list(given)}")
    if values.shape[-1:] != (len(b),):
        raise ValueError(f"values must be [*B, {len(b)}], got {list(values.shape)}")
    covariance = p.covariance_matrix
    across = covariance[..., b, :][..., a]  # [*B, G, A]
    factor = torch.linalg.cholesky(covariance[..., b, :][..., b])
    gain = torch.cholesky_solve(across, factor)
    shift = ((values - p.loc[..., b])[..., None, :] @ gain)[..., 0, :]
    rest = covariance[..., a, :][..., a] - across.mT @ gain
    return MultivariateNormal(p.loc[..., a] + shift, (rest + rest.mT) / 2)


def affine_normal(
    p: MultivariateNormal, matrix: Tensor, shift: Tensor | float = 0.0
) -> MultivariateNormal:
    """Return the law of A x + b, A [E, D], b [E]: mean A m + b, covariance A S A'.

    Raises:
        ValueError: If the image has no density, because A has not full row rank.
    """
    mean = (matrix @ p.loc[..., None])[..., 0] + shift
    covariance = matrix @ p.covariance_matrix @ matrix.mT
    return MultivariateNormal(mean, (covariance + covariance.mT) / 2)


def sum_of_normals(p: Normal, q: Normal, *, covariance: Tensor | float = 0.0) -> Normal:
    """Return the law of x + y for JOINTLY normal x ~ p and y ~ q.

    The variances add up only if x and y are independent (E-M05): otherwise twice their covariance
    comes in. Normal margins alone are not enough; x + y then need not be normal at all.

    Raises:
        ValueError: If no jointly normal pair has this covariance, or the sum is constant.

    Example:
        >>> sum_of_normals(Normal(1.0, 3.0), Normal(2.0, 4.0)).scale.item()
        5.0
    """
    covariance = torch.as_tensor(covariance, dtype=p.scale.dtype)
    if bool((covariance.abs() > p.scale * q.scale).any()):
        bound = (p.scale * q.scale).min().item()
        raise ValueError(f"covariance must be within ±{bound:g}, got {covariance.tolist()}")
    spread = p.variance + q.variance + 2 * covariance
    if bool((spread <= 0).any()):
        raise ValueError("x + y is constant for y = -x: it has no density")
    return Normal(p.loc + q.loc, spread.sqrt())


def box_muller(
    n: int, *, generator: Generator | None = None, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Return n pairs of independent standard normals from n pairs of uniforms, [n, 2].

    ``sqrt(-2 log u_1) (cos 2 pi u_2, sin 2 pi u_2)``.

    Source: Box & Muller 1958, A note on the generation of random normal deviates.

    Raises:
        ValueError: If n < 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    u = torch.rand(2, n, generator=generator, dtype=dtype)
    radius = (-2 * torch.log1p(-u[0])).sqrt()  # 1 - u is in (0, 1]: no logarithm of 0.
    angle = 2 * math.pi * u[1]
    return torch.stack((radius * angle.cos(), radius * angle.sin()), dim=1)


def _coordinates(p: MultivariateNormal, axes: Sequence[int]) -> list[int]:
    dimension = p.event_shape[0]
    if len(set(axes)) < len(axes) or not set(axes) <= set(range(dimension)):
        raise ValueError(f"coordinates must differ and be below {dimension}, got {list(axes)}")
    return list(axes)
