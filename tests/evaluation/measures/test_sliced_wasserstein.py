import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from ancestral.evaluation.measures.sliced_wasserstein import directions, sliced_wasserstein


def test_a_shift_has_a_closed_form(float64: None) -> None:
    x, shift = torch.randn(500, 4), torch.tensor([1.0, -2.0, 0.5, 0.0])
    # Every projection moves by shift . direction; orthonormal blocks make the mean exact.
    found = sliced_wasserstein(x, x + shift)
    assert found.value == pytest.approx(shift.norm().item() / math.sqrt(4), rel=1e-12)


def test_two_gaussians(float64: None) -> None:
    x, y = torch.randn(5000, 2), 2 * torch.randn(5000, 2)
    # W2 between N(0, 1) and N(0, 4) on a line is |2 - 1|; the error is about 0.016.
    found = sliced_wasserstein(x, y)
    assert found.value == pytest.approx(1.0, abs=5 * found.se)
    assert 0.008 < found.se < 0.03


def test_standard_error_is_the_spread_over_repetitions(float64: None) -> None:
    found = [
        sliced_wasserstein(torch.randn(300, 2), torch.randn(400, 2) + 1.0, projections=16)
        for _ in range(200)
    ]
    spread = np.std([one.value for one in found])
    # The spread of 200 repetitions is known to 1 / sqrt(2 * 200) = 5%; five of them are 25%.
    assert np.mean([one.se for one in found]) == pytest.approx(spread, rel=0.25)


def test_unequal_sizes_are_exact_on_a_line(float64: None) -> None:
    x, y = torch.randn(30, 1), torch.randn(12, 1) + 0.5
    # Repeating every point changes no distribution: 60 points of each allow plain sorting.
    sorted_x, sorted_y = x.repeat(2, 1).sort(dim=0).values, y.repeat(5, 1).sort(dim=0).values
    expected = (sorted_x - sorted_y).square().mean().sqrt().item()
    assert sliced_wasserstein(x, y).value == pytest.approx(expected, rel=1e-12)
    # W1 is never above W2, and scipy knows W1.
    assert wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy()) <= expected


def test_identical_samples_have_distance_zero(float64: None) -> None:
    x = torch.randn(50, 3)
    found = sliced_wasserstein(x, x[torch.randperm(50)])
    assert found.value < 1e-12  # Rounding of the projections is all that is left.
    assert found.se < 1e-6


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 5), st.integers(0, 1000))
def test_symmetry_translation_and_scale(n: int, m: int, dimension: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dimension, generator=generator, dtype=torch.float64)
    y = torch.randn(m, dimension, generator=generator, dtype=torch.float64)
    found = sliced_wasserstein(x, y, projections=8)
    for other in (
        sliced_wasserstein(y, x, projections=8),
        sliced_wasserstein(x + 3, y + 3, projections=8),
    ):
        assert other.value == pytest.approx(found.value, rel=1e-9)
        assert other.se == pytest.approx(found.se, rel=1e-6)
    tripled = sliced_wasserstein(3 * x, 3 * y, projections=8)
    assert tripled.value == pytest.approx(3 * found.value, rel=1e-9)


@pytest.mark.parametrize(("dimension", "count"), [(2, 7), (5, 5), (10, 4)])
def test_directions_are_orthonormal_in_blocks(dimension: int, count: int) -> None:
    lines = directions(dimension, count, seed=0)
    assert lines.shape == (dimension, count)
    block = lines[:, : min(dimension, count)]
    torch.testing.assert_close(block.T @ block, torch.eye(block.shape[1], dtype=torch.float64))
    assert torch.equal(lines, directions(dimension, count, seed=0))
