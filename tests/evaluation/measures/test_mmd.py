import numpy as np
import pytest
import torch

from ancestral.evaluation.measures.mmd import squared_mmd


def closed_form(shift: float, dimension: int, bandwidth: float) -> float:
    """Squared MMD between N(0, I) and N(shift e_1, I), mean over the four kernels.

    E exp(-|a - b|^2 / 2 s^2) with a - b ~ N(m, 2 I) is (s^2 / (s^2 + 2))^(D/2)
    exp(-|m|^2 / (2 (s^2 + 2))).
    """
    total = 0.0
    for factor in (2, 1, 0.5, 0.25):
        s = (factor * bandwidth) ** 2
        same = (s / (s + 2)) ** (dimension / 2)
        total += 2 * same * (1 - np.exp(-(shift**2) / (2 * (s + 2))))
    return total / 4


def test_two_gaussians(float64: None) -> None:
    x, y = torch.randn(2000, 2), torch.randn(1500, 2)
    y[:, 0] += 0.7
    found = squared_mmd(x, y, bandwidth=1.0, permutations=50)
    assert found.value == pytest.approx(closed_form(0.7, 2, 1.0), abs=5 * found.se)
    assert found.se < 0.15 * found.value
    assert found.p_value == pytest.approx(1 / 51)


def test_unbiased_with_an_honest_error_and_a_level_p_value(float64: None) -> None:
    found = [
        squared_mmd(torch.randn(40, 2), torch.randn(60, 2), permutations=19) for _ in range(300)
    ]
    values = np.array([one.value for one in found])
    # Unbiased: the mean of 300 is within five standard errors of 0, and negatives occur.
    assert abs(values.mean()) < 5 * values.std() / np.sqrt(300)
    assert values.min() < 0
    # P(p <= 0.05) = 0.05 exactly under the null; five standard errors are 0.063.
    assert np.mean([one.p_value <= 0.05 for one in found]) < 0.05 + 0.063
    # Under the null the first-order error is above the spread, within a factor of two.
    assert values.std() < np.mean([one.se for one in found]) < 2 * values.std()


def test_error_is_the_spread_over_repetitions_away_from_the_null(float64: None) -> None:
    found = [
        squared_mmd(torch.randn(100, 2), torch.randn(150, 2) + 1, bandwidth=1.0, permutations=1)
        for _ in range(200)
    ]
    # The spread of 200 repetitions is known to 5%; five of them are 25%.
    spread = np.std([one.value for one in found])
    assert np.mean([one.se for one in found]) == pytest.approx(spread, rel=0.25)


def test_symmetry_and_translation(float64: None) -> None:
    x, y = torch.randn(60, 3), torch.rand(60, 3)
    found = squared_mmd(x, y, bandwidth=1.0)
    assert squared_mmd(y, x, bandwidth=1.0).value == pytest.approx(found.value, abs=1e-12)
    assert squared_mmd(x + 100, y + 100, bandwidth=1.0).value == pytest.approx(
        found.value, abs=1e-9
    )


def test_points_that_all_coincide(float64: None) -> None:
    found = squared_mmd(torch.ones(10, 2), torch.ones(10, 2))
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert found.p_value == 1.0
