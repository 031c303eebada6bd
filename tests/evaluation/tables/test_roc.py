import math

import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Generator

from ancestral.evaluation.tables.roc import area, average_precision


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


def test_the_mean_precision_is_that_of_scikit_learn() -> None:
    generator = Generator().manual_seed(0)
    high = torch.randint(5, 20, (40,), generator=generator).double()  # Ties among them all.
    low = torch.randint(0, 15, (100,), generator=generator).double()
    truth = torch.cat((torch.ones(40), torch.zeros(100)))
    wanted = average_precision_score(truth, torch.cat((high, low)))
    assert average_precision(high, low) == pytest.approx(wanted, abs=1e-12)
    with pytest.raises(ValueError, match="none NaN, got 0 and 100"):
        average_precision(high[:0], low)
