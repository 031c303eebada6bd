import math

import pytest
import torch

from ancestral.evaluation.measures.classifier import classifier_accuracy


def test_one_law_cannot_be_told_apart(float64: None) -> None:
    found = classifier_accuracy(torch.randn(1000, 2), torch.randn(1300, 2))
    assert found.value == pytest.approx(0.5, abs=5 * found.se)
    # 500 of each are judged: binomial with N = 1,000.
    assert found.se == pytest.approx(0.5 / math.sqrt(1000), rel=0.01)


@pytest.mark.parametrize("n", [10, 19, 38, 39, 41, 200])
def test_apart_laws_are_told_apart_at_any_size(n: int, float64: None) -> None:
    assert classifier_accuracy(torch.randn(n, 2), torch.randn(n, 2) + 100).value == 1.0


def test_best_accuracy_between_two_gaussians(float64: None) -> None:
    found = classifier_accuracy(torch.randn(4000, 1), torch.randn(4000, 1) + 2)
    # No classifier beats Phi(|shift| / 2) = Phi(1); trees come within three points.
    best = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    assert best - 0.03 < found.value < best + 5 * found.se


def test_the_same_seed_gives_the_same_figure(float64: None) -> None:
    x, y = torch.randn(100, 2), torch.randn(100, 2)
    assert classifier_accuracy(x, y, seed=3) == classifier_accuracy(x, y, seed=3)
