import numpy as np
import pytest
import torch
from torch import Tensor

from ancestral.evaluation.measures.memorisation import memorisation


def law(n: int, dimension: int = 2) -> Tensor:
    return torch.randn(n, dimension, dtype=torch.float64)


@pytest.mark.parametrize("dimension", [2, 16])
def test_copies_are_caught(dimension: int) -> None:
    train, held_out = law(1000, dimension), law(300, dimension)
    found = memorisation(train[:500], train, held_out)
    assert found.value > 0.999
    assert found.p_value is not None
    assert found.p_value < 1e-6


@pytest.mark.parametrize(("dimension", "noise"), [(2, 0.003), (16, 0.3)])
def test_copies_with_a_little_noise_are_caught(dimension: int, noise: float) -> None:
    train, held_out = law(1000, dimension), law(500, dimension)
    samples = train + noise * torch.randn_like(train)
    found = memorisation(samples, train, held_out)
    assert found.value > 0.6
    assert found.p_value is not None
    assert found.p_value < 1e-4


def test_fresh_draws_are_not_flagged() -> None:
    found = [memorisation(law(400), law(600), law(300)) for _ in range(200)]
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(0.5, abs=5 * values.std() / np.sqrt(200))
    # P(p < 0.05) is at most about 0.05; five standard errors of a share of 200 are 0.077.
    assert np.mean([one.p_value < 0.05 for one in found if one.p_value is not None]) < 0.127
    # The error may be on the safe side, not below the spread.
    assert 0.85 < np.mean([one.se for one in found]) / values.std() < 1.6


@pytest.mark.parametrize("scale", [0.5, 1e-3])
def test_models_that_make_only_the_middle_of_the_data_are_not_flagged(scale: float) -> None:
    # A plain comparison of distances to the training set calls every one of these a copier.
    found = [memorisation(scale * law(400, 8), law(600, 8), law(300, 8)) for _ in range(40)]
    assert min(one.p_value for one in found if one.p_value is not None) > 0.001


def test_memory_of_a_few_examples_only_is_caught() -> None:
    train, held_out = law(1000), law(1000)
    half = torch.cat((train[torch.randint(1000, (500,))], law(500)))
    found = memorisation(half, train, held_out)
    assert found.value == pytest.approx(0.75, abs=5 * found.se)
    assert found.p_value is not None
    assert found.p_value < 1e-6


def test_points_in_both_sets_count_half() -> None:
    same = torch.zeros(10, 2, dtype=torch.float64)
    found = memorisation(same, same, same)
    assert found.value == 0.5


def test_scale_does_not_matter() -> None:
    samples, train, held_out = law(100), law(200), law(100)
    found = memorisation(samples, train, held_out)
    scaled = memorisation(1000 * samples, 1000 * train, 1000 * held_out)
    assert scaled.value == pytest.approx(found.value)
