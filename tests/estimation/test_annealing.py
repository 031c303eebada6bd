import math

import pytest
import torch
from torch import Generator, Tensor
from torch.distributions import Normal

from ancestral.estimation import (
    annealed_importance,
    log_mean_weight,
    metropolis_hastings,
    random_walk,
    tempered,
)

pytestmark = pytest.mark.usefixtures("float64")

SHARES = [level / 20 for level in range(21)]


def path(x: Tensor, share: float) -> Tensor:
    """From Normal(0, 1) to exp(-2 (x - 1)^2) and its mirror image, a third as heavy."""
    right, left = -2 * (x - 1.5).square(), -2 * (x + 1.5).square() - math.log(3)
    return (1 - share) * -x.square() / 2 + share * torch.logaddexp(right, left)


LOG_RATIO = math.log(4 / 3 * math.sqrt(math.pi / 2)) - math.log(2 * math.pi) / 2


def move(x: Tensor, share: float, generator: Generator | None) -> Tensor:
    return metropolis_hastings(
        lambda at: path(at, share), x, random_walk(1.0), steps=1, generator=generator
    ).draws[0]


def test_the_mean_weight_is_the_ratio_of_the_normalisers(generator: Generator) -> None:
    start = torch.randn(4000, generator=generator)
    states, log_weights = annealed_importance(path, start, move, shares=SHARES, generator=generator)
    found = log_mean_weight(log_weights)
    assert found.kind == "estimate"
    assert float(found.se) < 0.05
    assert abs(float(found) - LOG_RATIO) < 5 * float(found.se)
    # By the weights the states have the law at the end: three quarters on the right.
    weights = log_weights.softmax(dim=0)
    right = float(weights @ (states > 0).double())
    error = float((weights.square() @ ((states > 0).double() - right).square()).sqrt())
    assert abs(right - 0.75) < 5 * error


def test_without_a_move_it_is_importance_sampling(generator: Generator) -> None:
    start = torch.randn(1000, generator=generator)
    _, log_weights = annealed_importance(path, start, lambda x, _b, _g: x, shares=SHARES)
    torch.testing.assert_close(log_weights, path(start, 1.0) - path(start, 0.0))


def test_the_logarithm_of_a_mean_and_its_error(generator: Generator) -> None:
    weights = Normal(0.0, 0.5).log_prob(torch.randn(2000, generator=generator)).exp()
    found = log_mean_weight(weights.log())
    assert float(found) == pytest.approx(math.log(weights.mean()))
    assert float(found.se) == pytest.approx(float(weights.std() / weights.mean()) / 2000**0.5)


@pytest.mark.parametrize("size", [500, 2000])
def test_a_population_has_the_law_at_the_end_and_its_normaliser(
    size: int, generator: Generator
) -> None:
    shares, ratios = [], []
    for _ in range(20):
        start = torch.randn(size, generator=generator)
        found = tempered(path, start, shares=SHARES, draws=500, moves=2, generator=generator)
        assert found.draws.shape == (500,)
        shares.append(float((found.draws > 0).double().mean()))
        ratios.append(float(found.log_ratio))
    for values, wanted in ((shares, 0.75), (ratios, LOG_RATIO)):
        each = torch.tensor(values)
        assert abs(float(each.mean()) - wanted) < 5 * float(each.std()) / math.sqrt(20)
        assert float(each.std()) < 0.1
    near = found.draws[found.draws > 0]
    # Within a mode: mean 1.5 and deviation 1/2.
    assert float(near.mean()) == pytest.approx(1.5, abs=5 * 0.5 / math.sqrt(300))


def test_mistakes_are_named() -> None:
    start = torch.zeros(2)
    for shares in ([0.0], [0.0, 0.5, 0.5, 1.0], [0.1, 1.0], [0.0, 0.9]):
        with pytest.raises(ValueError, match="shares must rise from 0 to 1"):
            tempered(path, start, shares=shares)
    with pytest.raises(ValueError, match="moves must be at least 1, got 0"):
        tempered(path, start, shares=[0.0, 1.0], moves=0)
    with pytest.raises(ValueError, match="draws must be at least 2, got 1"):
        log_mean_weight(torch.zeros(1))
