import math

import pytest
import torch
from torch import Generator

from ancestral.evaluation.tables.roc import area


def test_equal_and_separate_scores() -> None:
    x = torch.arange(100.0)
    assert area(x, x).value == 0.5
    assert area(x + 1000, x).value == 1
    assert area(x, x + 1000).value == 0
    assert area(x + 1000, x).se == pytest.approx(1 / 102)  # Not known without error.


def test_the_area_between_two_gaussians() -> None:
    generator = Generator().manual_seed(0)
    high, low = torch.randn(2, 20_000, generator=generator, dtype=torch.float64)
    found = area(high + 1, low)
    assert found.value == pytest.approx(0.5 * (1 + math.erf(0.5)), abs=5 * found.se)


def test_infinite_scores_have_an_order_and_nan_has_none() -> None:
    low = torch.tensor([-math.inf, -math.inf, 0.0])
    assert area(torch.tensor([1.0, 2.0]), low).value == 1
    with pytest.raises(ValueError, match="none NaN"):
        area(torch.tensor([1.0, math.nan]), low)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_standard_error_is_the_spread_over_fresh_draws(shift: float) -> None:
    generator = Generator().manual_seed(1)
    found = [
        area(torch.randn(80, generator=generator) + shift, torch.randn(120, generator=generator))
        for _ in range(300)
    ]
    spread = torch.tensor([one.value for one in found]).std().item()
    assert 0.8 < sum(one.se for one in found) / len(found) / spread < 1.25
