from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

from ancestral.classic.families import (
    Bernoullis,
    Categoricals,
    DiagonalGaussians,
    Family,
    Multinomials,
    log_product,
)
from ancestral.errors import DataError

STATES, FEATURES = 3, 4


def gaussian(n: int) -> Tensor:
    return torch.randn(n, FEATURES, dtype=torch.float64) * 3 + 1


def bits(n: int) -> Tensor:
    return torch.randint(2, (n, FEATURES)).double()


def categories(n: int) -> Tensor:
    return torch.stack([torch.randint(size, (n,)) for size in (2, 5, 3, 4)], dim=1)


def counts(n: int) -> Tensor:
    return torch.randint(6, (n, FEATURES)).double()


FAMILIES = pytest.mark.parametrize(
    ("build", "data"),
    [
        (lambda: DiagonalGaussians(STATES, FEATURES), gaussian),
        (lambda: Bernoullis(STATES, FEATURES), bits),
        (lambda: Categoricals(STATES, (2, 5, 3, 4)), categories),
        (lambda: Multinomials(STATES, FEATURES), counts),
    ],
    ids=["gaussian", "bernoulli", "categorical", "multinomial"],
)


def fitted(build: Callable[[], Family], data: Callable[[int], Tensor]) -> tuple[Family, Tensor]:
    family, x = build(), data(60)
    family.estimate(x, torch.rand(60, STATES).softmax(dim=1).double())
    return family, x


@FAMILIES
def test_log_prob_is_that_of_the_distribution(build: Callable, data: Callable) -> None:
    family, x = fitted(build, data)
    got = family.log_prob(x)
    for z in range(STATES):
        distribution = family(torch.full((len(x),), z))
        assert isinstance(distribution, Distribution)
        torch.testing.assert_close(got[:, z], distribution.log_prob(x), rtol=0, atol=1e-10)


@FAMILIES
def test_the_nodes_are_the_factors(build: Callable, data: Callable) -> None:
    family, x = fitted(build, data)
    total = torch.zeros(len(x), STATES, dtype=torch.float64)
    for node in family.nodes("z"):
        values = x if node.event_shape else x[:, int(node.name[1:])]
        for z in range(STATES):
            parents = [torch.full((len(x),), z)]
            total[:, z] += node.distribution(parents).log_prob(values)
    torch.testing.assert_close(family.log_prob(x), total, rtol=0, atol=1e-10)


@FAMILIES
def test_weights_of_zero_and_one_are_the_subset(build: Callable, data: Callable) -> None:
    x = data(60)
    z = torch.arange(60) % STATES
    whole, part = build(), build()
    whole.estimate(x, torch.nn.functional.one_hot(z).double())
    part.smoothing = whole.smoothing if not isinstance(part, DiagonalGaussians) else 0.0
    part.estimate(x[z == 1], torch.ones(20, STATES))
    # The Gaussians' floor is 1e-9 of a variance of the whole.
    torch.testing.assert_close(whole.log_prob(x)[:, 1], part.log_prob(x)[:, 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "family",
    [
        Bernoullis(2, 3, smoothing=0),
        Categoricals(2, (2, 2, 2), smoothing=0),
        Multinomials(2, 3, smoothing=0),
    ],
    ids=lambda family: type(family).__name__,
)
def test_without_smoothing_the_unseen_is_impossible_and_not_nan(family: Family) -> None:
    x = torch.tensor([[1.0, 0.0, 1.0]] * 4)
    family.estimate(x, torch.tensor([[1.0, 0.0]] * 4))  # The second state has no weight.
    got = family.log_prob(torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]]))
    assert got[0, 0] == -torch.inf
    assert got[1].isfinite().all()
    if not isinstance(family, Multinomials):
        assert got[1, 0] == 0.0  # ML-08: all ones give probability 1.


def test_zero_times_the_log_of_zero_is_zero() -> None:
    table = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    got = log_product(torch.tensor([[0.0, 2.0], [1.0, 0.0]]), table)
    assert got[0].tolist() == [0.0, 2 * torch.tensor(0.5).log().item()]
    assert got[1, 0] == -torch.inf


def test_a_shift_of_the_columns_changes_no_density() -> None:
    x = gaussian(50)
    near, far = DiagonalGaussians(1, FEATURES), DiagonalGaussians(1, FEATURES)
    near.estimate(x, torch.ones(50, 1))
    far.estimate(x + 1e6, torch.ones(50, 1))
    # The data themselves are rounded to 1e-10 there.
    torch.testing.assert_close(far.log_prob(x + 1e6), near.log_prob(x), rtol=0, atol=1e-7)


def test_values_outside_the_family_are_named() -> None:
    with pytest.raises(DataError, match="every value must be 0 or 1, got 2"):
        Bernoullis(2, 2).log_prob(torch.tensor([[1.0, 2.0]]))
    with pytest.raises(DataError, match="column 1 must hold whole numbers from 0 to 2, got 3"):
        Categoricals(2, (2, 3)).log_prob(torch.tensor([[1, 3]]))
    with pytest.raises(DataError, match="every count must be at least 0, got -1"):
        Multinomials(2, 2).log_prob(torch.tensor([[1.0, -1.0]]))
    with pytest.raises(ValueError, match=r"x must have shape \[B, 2\], got \[1, 3\]"):
        DiagonalGaussians(2, 2).log_prob(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="smoothing must be at least 0, got -1"):
        Bernoullis(2, 2, smoothing=-1)
    with pytest.raises(ValueError, match="states must be at least 1, got 0"):
        Multinomials(0, 2)
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        Categoricals(2, (0, 3))
    with pytest.raises(DataError, match="constant within a label"):
        DiagonalGaussians(1, 1, smoothing=0).estimate(torch.ones(5, 1), torch.ones(5, 1))
