import subprocess
import sys

import pytest
import torch
from torch import Tensor

from ancestral.evaluation.measures.neighbours import (
    balls_around,
    nearest,
    squared_distances,
)


def brute_force(x: Tensor, y: Tensor) -> Tensor:
    return (x[:, None] - y[None]).square().sum(dim=2).sqrt()


@pytest.mark.parametrize("dimension", [2, 20])  # A tree and a matrix product.
def test_nearest_is_brute_force(dimension: int, float64: None) -> None:
    queries, points = torch.randn(40, dimension), torch.randn(60, dimension)
    distances, indices = nearest(queries, points, 3)
    expected, expected_indices = brute_force(queries, points).topk(3, largest=False)
    torch.testing.assert_close(distances, expected)
    assert torch.equal(indices, expected_indices)


def radii(points: Tensor, k: int) -> Tensor:
    return nearest(points, points, k, leave_one_out=True)[0][:, -1]


@pytest.mark.parametrize("dimension", [2, 20])
def test_no_point_is_its_own_neighbour(dimension: int, float64: None) -> None:
    points = torch.randn(50, dimension)
    distances = brute_force(points, points).fill_diagonal_(torch.inf)
    torch.testing.assert_close(radii(points, 4), distances.sort(dim=1).values[:, 3])


@pytest.mark.parametrize("dimension", [2, 20])
def test_copies_are_at_distance_zero_far_from_the_origin(dimension: int, float64: None) -> None:
    points = torch.randn(30, dimension) + 1e6
    assert nearest(points, points)[0].max() == 0
    doubled = points.repeat(4, 1)
    # Each has three copies, and only its own place in the list is left out.
    assert radii(doubled, 3).max() == 0
    assert radii(doubled, 4).min() > 0


def test_distances_survive_an_offset(float64: None) -> None:
    x, y = torch.randn(20, 5), torch.randn(30, 5)
    far = squared_distances(x + 1e6, y + 1e6)
    torch.testing.assert_close(far, brute_force(x, y).square(), atol=1e-7, rtol=1e-7)


@pytest.mark.bits
def test_counts_of_balls_around_points(float64: None) -> None:
    centres, points = torch.randn(25, 3), torch.randn(35, 3)
    radius = torch.rand(25)
    inside = brute_force(centres, points) <= radius[:, None]
    assert torch.equal(balls_around(points, centres, radius), inside.sum(dim=0))


def test_more_neighbours_than_points_are_refused() -> None:
    points = torch.zeros(5, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match="k must be at most 4, got 5"):
        nearest(points, points, 5, leave_one_out=True)


def test_many_zeros_are_no_end_of_recursion_where_denormals_are_flushed() -> None:
    code = """
import torch
from ancestral.evaluation.measures.neighbours import nearest
torch.set_flush_denormal(True)
points = torch.eye(2, dtype=torch.float64).repeat(40, 1)
print(nearest(points[:2], points, 1)[0].tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[[0.0], [0.0]]\n"
