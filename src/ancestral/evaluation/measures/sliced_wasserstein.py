"""Sliced Wasserstein-2 distance: optimal transport along many fixed lines."""

import math

import torch
from torch import Generator, Tensor

from ancestral.evaluation.measures.estimate import Estimate, require_pair


def sliced_wasserstein(x: Tensor, y: Tensor, *, projections: int = 256, seed: int = 0) -> Estimate:
    """Sliced Wasserstein-2 distance between two samples, in the units of the points.

    The square root of the mean, over directions on the unit sphere, of the squared W2 distance
    between the projected samples. On a line W2 is exact, also for unequal sizes: the two quantile
    functions are compared on the union of their steps. Directions come in orthonormal blocks
    drawn from ``seed``: a shift by mu gives exactly |mu| / sqrt(D) where D divides their number.

    The standard error is that of the central limit theorem for transport costs: the variance of
    the mean Kantorovich potential at the points of each sample, carried through the root.
    It leaves out the upward bias of finite samples, which the real-against-real floor shows.

    Source: Rabin et al. 2011, Wasserstein barycenter and its application to texture mixing;
    directions: Rowland et al. 2019, Orthogonal estimation of Wasserstein distances,
    arXiv:1903.03784; error: del Barrio & Loubes 2019, arXiv:1705.01299, theorem 4.1.

    Args:
        x: Points [N, D].
        y: Points [M, D].
        projections: Number of directions.
        seed: Of the directions.

    Returns:
        The distance, at least 0, and its standard error.

    Raises:
        ValueError: If a sample has fewer than 2 rows, is not finite, or the columns differ.
    """
    require_pair(x, y, least=2)
    return Projected(y, projections=projections, seed=seed).distance(x)


class Projected:
    """Points [M, D] sorted along fixed lines, to measure many samples against."""

    def __init__(self, points: Tensor, *, projections: int = 256, seed: int = 0) -> None:
        self.points = points.to(torch.float64)
        # Blocks bound the memory at about 64 (N + M) numbers for a sample of N.
        self._lines = directions(points.shape[1], projections, seed=seed).split(64, dim=1)
        self._sorted = [(block.T @ self.points.T).sort(dim=1) for block in self._lines]

    def distance(self, x: Tensor) -> Estimate:
        """Return the distance of points x [N, D], as :func:`sliced_wasserstein` does.

        Raises:
            ValueError: As there.
        """
        require_pair(x, self.points, least=2)
        x, y = x.to(torch.float64), self.points
        first, second, weight = _steps(len(x), len(y))
        cost = torch.zeros((), dtype=torch.float64)
        potential_x, potential_y = torch.zeros(len(x)).double(), torch.zeros(len(y)).double()
        for block, (v, order_v) in zip(self._lines, self._sorted, strict=True):
            u, order_u = (block.T @ x.T).sort(dim=1)
            gap = u[:, first] - v[:, second]
            cost += gap.square().sum(dim=0) @ weight
            _add_potential(potential_x, u, order_u, gap * weight, first)
            _add_potential(potential_y, v, order_v, -gap * weight, second)
        projections = sum(block.shape[1] for block in self._lines)
        squared = cost.item() / projections
        variance = sum((p / projections).var().item() / len(p) for p in (potential_x, potential_y))
        value, squared_error = math.sqrt(squared), math.sqrt(variance)
        # The delta method divides by the value; near 0, where it fails, the root is no further off
        # than the root of the square's error.
        error = min(squared_error / (2 * value), math.sqrt(squared_error)) if value > 0 else 0.0
        return Estimate(value, error)


def directions(dimension: int, count: int, *, seed: int) -> Tensor:
    """Return ``count`` unit vectors [D, count], orthonormal within each block of D."""
    generator = Generator().manual_seed(seed)
    blocks = []
    for _ in range(-(-count // dimension)):
        gaussian = torch.randn(dimension, min(dimension, count), generator=generator).double()
        q, r = torch.linalg.qr(gaussian)
        blocks.append(q * r.diagonal().sign())  # The signs make the rotation uniform (Haar).
    return torch.cat(blocks, dim=1)[:, :count]


def _steps(n: int, m: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the common steps of two quantile functions: an index into each, and the width."""
    # Edges of both in steps of 1 / (n m): whole numbers, so that equal edges are found equal.
    edges = torch.cat((torch.arange(n + 1) * m, torch.arange(m + 1) * n)).unique()
    return edges[:-1] // m, edges[:-1] // n, edges.diff().double() / (n * m)


def _add_potential(total: Tensor, u: Tensor, order: Tensor, moved: Tensor, index: Tensor) -> None:
    """Add the Kantorovich potentials of sorted points ``u`` [P, N], summed over P, to ``total``.

    The potential's slope at a point is twice the way from it to the mean of its targets; the
    trapezoid rule between sorted points integrates it.
    """
    slope = torch.zeros_like(u).index_add_(1, index, moved) * (2 * u.shape[1])
    potential = torch.zeros_like(u)
    potential[:, 1:] = ((slope[:, 1:] + slope[:, :-1]) / 2 * u.diff(dim=1)).cumsum(dim=1)
    total.index_add_(0, order.flatten(), potential.flatten())
