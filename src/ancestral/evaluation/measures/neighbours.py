"""Nearest neighbours and pairwise distances, in float64, within bounded memory."""

import math
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

TREE_DIMENSIONS = 8
"""Up to here a k-d tree beats the matrix product; it visits nearly every point beyond."""

TILE = 16_000_000
"""Entries of one tile of the distance matrix: 128 MB."""

BALLS = 1_000
"""Balls whose points are listed at a time."""


class Index:
    """Points [M, D] among which neighbours are looked up again and again; kept in float64."""

    def __init__(self, points: Tensor) -> None:
        self.points = points.double()

    @cached_property
    def tree(self) -> KDTree | None:
        """Their k-d tree; None of points with many columns."""
        # A balanced tree splits at the float after the median: where denormals are flushed that is
        # 0 again if many values are 0, and SciPy recurses until the stack overflows.
        few = self.points.shape[1] <= TREE_DIMENSIONS
        return KDTree(self.points.numpy(), balanced_tree=False) if few else None


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return squared Euclidean distances [N, M] between ``x`` [N, D] and ``y`` [M, D].

    |x|^2 + |y|^2 - 2 x.y loses digits when the points lie far from the origin, so both are
    centred first; the result is clamped at 0.
    """
    centre = y.mean(dim=0)
    x, y = x - centre, y - centre
    squared = torch.addmm(y.square().sum(dim=1)[None, :], x, y.T, alpha=-2)
    return squared.add_(x.square().sum(dim=1)[:, None]).clamp_(min=0)


def nearest(
    queries: Tensor, points: Tensor | Index, k: int = 1, *, leave_one_out: bool = False
) -> tuple[Tensor, Tensor]:
    """Return distances and indices [N, k] of the k points nearest to each query, nearest first.

    Distances of the chosen points are computed again as differences, so copies are at exactly 0.

    Args:
        queries: [N, D].
        points: [M, D], or their index where it is used again.
        k: Neighbours wanted.
        leave_one_out: The queries ARE the points, and none is its own neighbour.

    Raises:
        ValueError: If there are fewer than k points to choose from.
    """
    index = points if isinstance(points, Index) else Index(points)
    queries, points, tree = queries.double(), index.points, index.tree
    wanted = k + int(leave_one_out)
    if wanted > len(points):
        raise ValueError(f"k must be at most {len(points) - int(leave_one_out)}, got {k}")
    if tree is not None:
        found = tree.query(queries.numpy(), k=wanted)[1]
        indices = torch.as_tensor(found).reshape(len(queries), wanted)
    else:
        indices = _by_products(queries, points, wanted)
    if leave_one_out:
        indices = _without_self(indices)
    gaps = torch.stack([queries - points[column] for column in indices.T], dim=1)
    return torch.linalg.vector_norm(gaps, dim=2), indices


def balls_around(points: Tensor, centres: Tensor, radius: Tensor) -> Tensor:
    """Return how many balls hold each point, [M].

    Args:
        points: [M, D].
        centres: [N, D].
        radius: Of each ball [N]; its boundary belongs to it.
    """
    around = torch.zeros(len(points), dtype=torch.int64)
    if (tree := Index(points).tree) is not None:
        # A little wider: the square of a rounded root may fall short of what it is the root of.
        reach = (radius * (1 + 1e-15)).numpy()
        for start in range(0, len(centres), BALLS):
            some = slice(start, start + BALLS)
            balls = tree.query_ball_point(centres[some].numpy(), reach[some], return_sorted=False)
            inside = torch.from_numpy(np.concatenate(balls).astype(np.int64))
            around += inside.bincount(minlength=len(points))
        return around
    limit = radius.square()[:, None]
    size = max(1, TILE // len(centres))
    for start in range(0, len(points), size):
        inside = squared_distances(centres, points[start : start + size]) <= limit
        around[start : start + size] = inside.sum(dim=0)
    return around


def _by_products(queries: Tensor, points: Tensor, k: int) -> Tensor:
    rows = max(1, TILE // len(points))
    tiles = [
        squared_distances(tile, points).topk(k, dim=1, largest=False).indices
        for tile in queries.split(rows)
    ]
    return torch.cat(tiles)


def _without_self(indices: Tensor) -> Tensor:
    """Drop each row's own number; among many copies of a point it may be missing: drop the last."""
    n, wanted = indices.shape
    is_self = indices == torch.arange(n)[:, None]
    is_self[:, -1] |= ~is_self.any(dim=1)
    return indices[~is_self].reshape(n, wanted - 1)


def median_distance(points: Tensor) -> float:
    """Return the median distance between different rows of ``points`` [N, D]."""
    squared = squared_distances(points, points)
    rows, columns = torch.triu_indices(len(points), len(points), offset=1)
    return math.sqrt(squared[rows, columns].median().item())
