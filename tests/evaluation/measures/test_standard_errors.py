"""The standard error of every measure is the spread of its value over fresh draws."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from ancestral.evaluation.measures import (
    Estimate,
    calibration_error,
    classifier_accuracy,
    frechet,
    memorisation,
    off_manifold,
    precision_recall,
    sliced_wasserstein,
    squared_mmd,
)

N, DRAWS = 400, 120
# The spread of 120 draws is known to 6.5%, and the mean error to less.


def normal() -> Tensor:
    return torch.randn(N, 2, dtype=torch.float64)


def other() -> Tensor:
    return 1.2 * normal() + 0.3


def answers(shift: float) -> Estimate:
    confidence = 0.6 + 0.3 * torch.rand(N, dtype=torch.float64)
    return calibration_error(confidence, torch.rand(N) < confidence - shift)[0]


LINE = torch.stack((torch.linspace(-3, 3, 10_000), torch.zeros(10_000)), dim=1).double()

MEASURES: dict[str, Callable[[], Mapping[str, Estimate]]] = {
    "precision, recall": lambda: precision_recall(normal(), other()),
    "recall, precision": lambda: precision_recall(other(), normal()),
    "equal precision": lambda: precision_recall(normal(), normal()),
    "classifier": lambda: {"classifier": classifier_accuracy(normal(), other())},
    "equal classifier": lambda: {"classifier": classifier_accuracy(normal(), normal())},
    "far classifier": lambda: {"classifier": classifier_accuracy(normal(), normal() + 1)},
    "sliced": lambda: {"sliced": sliced_wasserstein(normal(), other(), projections=16)},
    "mmd": lambda: {"mmd": squared_mmd(normal(), other(), permutations=1)},
    "frechet": lambda: {"frechet": frechet(normal(), other())},
    "memorisation": lambda: {"memorisation": memorisation(other(), normal(), normal())},
    "off": lambda: {"off": off_manifold(other(), LINE, distance=0.5)},
    "calibration": lambda: {"calibration": answers(0.0)},
    "bad calibration": lambda: {"calibration": answers(0.15)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURES)
def test_it_is_the_spread_over_fresh_draws(name: str) -> None:
    found = [MEASURES[name]() for _ in range(DRAWS)]
    for figure in found[0]:
        spread = torch.tensor([one[figure].value for one in found]).std().item()
        error = sum(one[figure].se for one in found) / DRAWS
        assert 0.8 < error / spread < 1.3, (figure, error, spread)
