from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.data import intrinsic_dimension, load
from ancestral.data.toys import swiss_roll_3d


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_a_flat_subspace(dimension: int) -> None:
    x = torch.rand(4000, dimension) @ torch.randn(dimension, 12)
    # The estimate of 4,000 points has a deviation of d / sqrt(4,000 * 9) = d / 190; the edges of
    # the cube lower it by a few per cent.
    assert intrinsic_dimension(x) == pytest.approx(dimension, rel=0.12)


def test_the_swiss_roll_is_a_surface() -> None:
    # GP-11: about 2 in three dimensions, seen past the noise of 0.1.
    x = torch.from_numpy(swiss_roll_3d(5000, np.random.default_rng(0)))
    assert intrinsic_dimension(x) == pytest.approx(2, abs=0.25)


def test_mnist_fills_about_twelve_dimensions(real_data: Path) -> None:
    # GP-11: 12 +- 4 of 784.
    x = load(str(real_data / "mnist")).train.x[:4000]
    assert intrinsic_dimension(x) == pytest.approx(12, abs=4)


def test_copies_do_not_count() -> None:
    x = torch.rand(500, 2, dtype=torch.float64)
    assert intrinsic_dimension(x.repeat(3, 1)) == intrinsic_dimension(x)


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="neighbours must be from 2 to the 1 distinct points"):
        intrinsic_dimension(torch.zeros(50, 2))
