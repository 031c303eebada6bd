import pytest
import torch
from torch import Generator

from ancestral.evaluation.measures import calibration_error


def said(n: int, seed: int, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidences, and answers that are right less often than said by ``shift``."""
    generator = Generator().manual_seed(seed)
    confidence = 0.6 + 0.3 * torch.rand(n, generator=generator, dtype=torch.float64)
    return confidence, torch.rand(n, generator=generator) < confidence - shift


def test_it_is_the_mean_distance_over_bins_of_equal_size() -> None:
    confidence = torch.tensor([0.9, 0.6, 0.8, 0.7])
    right = torch.tensor([True, False, True, True])
    # Two bins: (0.6, 0.7) with one right of two, (0.8, 0.9) with two of two.
    found, _ = calibration_error(confidence, right, bins=2)
    assert found.value == pytest.approx(0.5 * abs(0.5 - 0.65) + 0.5 * abs(1 - 0.85), abs=1e-7)
    whole, _ = calibration_error(confidence, right, bins=1)
    assert whole.value == pytest.approx(0.0, abs=1e-7)


def test_who_is_calibrated_reaches_the_floor_and_keeps_the_level() -> None:
    p_values = []
    for seed in range(100):
        found, floor = calibration_error(*said(300, seed), draws=99)
        p_values.append(found.p_value)
        assert 0 < floor < 0.1
    low = sum(p <= 0.1 for p in p_values)
    # Binomial(100, 0.1): 25 or more happen once in 100,000.
    assert low < 25
    assert sum(p_values) / 100 == pytest.approx(0.5, abs=5 * 0.029)


def test_who_is_too_sure_is_found_out() -> None:
    found, floor = calibration_error(*said(2000, 0, shift=0.15))
    # The gap is 0.15 in every bin; its standard error is sqrt(0.25 / 2000) = 0.011.
    assert found.value == pytest.approx(0.15, abs=0.055)
    assert found.p_value == pytest.approx(1 / 201)
    assert floor < found.value


def test_shapes_that_differ_and_single_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="confidence and right"):
        calibration_error(torch.ones(3), torch.ones(4, dtype=torch.bool))
    with pytest.raises(ValueError, match="at least 2"):
        calibration_error(torch.ones(1), torch.ones(1, dtype=torch.bool))
