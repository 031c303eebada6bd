import pytest
import torch
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Exponential,
    Gamma,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from ancestral.networks import draw
from ancestral.networks.sampling import even_uniform

CASES = [
    Normal(torch.tensor([1.0, -2.0]), torch.tensor([0.5, 2.0])),
    Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 1),
    MultivariateNormal(torch.tensor([1.0, 2.0]), torch.tensor([[3.0, 1.0], [1.0, 1.0]])),
    Bernoulli(torch.tensor([0.1, 0.7])),
    Categorical(torch.tensor([[0.2, 0.3, 0.5], [0.9, 0.1, 0.0]])),
    Categorical(torch.tensor([0.2, 0.8])),
    Gamma(torch.tensor([2.0, 3.0]), torch.tensor(1.5)),
    Exponential(torch.tensor(2.0)),
    MixtureSameFamily(
        Categorical(torch.tensor([0.5, 0.5])), Normal(torch.tensor([-1.0, 1.0]), torch.ones(2))
    ),
]
NAMES = [f"{type(case).__name__}{i}" for i, case in enumerate(CASES)]


@pytest.mark.parametrize("distribution", CASES, ids=NAMES)
def test_shapes_seeds_and_moments(distribution: Distribution) -> None:
    n = 50_000
    before = torch.get_rng_state()
    first = draw(distribution, (n,), torch.Generator().manual_seed(3))
    again = draw(distribution, (n,), torch.Generator().manual_seed(3))
    assert torch.equal(before, torch.get_rng_state())  # The global state is left alone.
    assert torch.equal(first, again)
    assert first.shape == distribution.sample((n,)).shape
    reference = distribution.sample((n,))
    spread = reference.double().std(0).clamp_min(1e-3)
    # Two means of n draws differ by less than 5 * sqrt(2 / n) deviations.
    difference = (first.double().mean(0) - reference.double().mean(0)).abs()
    assert (difference <= 5 * (2 / n) ** 0.5 * spread).all()


def test_covariance_of_the_multivariate_normal(generator: torch.Generator) -> None:
    covariance = torch.tensor([[3.0, 1.0], [1.0, 1.0]])
    draws = draw(MultivariateNormal(torch.zeros(2), covariance), (200_000,), generator)
    torch.testing.assert_close(draws.T.cov(), covariance, atol=0.05, rtol=0)


@pytest.mark.parametrize("index", [0, 1, 6])
def test_reparametrised_draws_carry_gradients(index: int) -> None:
    loc = torch.ones(2, 3, requires_grad=True)
    families = {
        0: lambda: Normal(loc, 1.0),
        1: lambda: Independent(Normal(loc, 1.0), 1),
        6: lambda: Gamma(loc, 1.0),
    }
    value = draw(families[index](), (), torch.Generator().manual_seed(0), reparametrised=True)
    value.sum().backward()
    assert loc.grad is not None
    assert not draw(families[index]()).requires_grad


def test_discrete_families_have_no_reparametrised_draw() -> None:
    with pytest.raises(ValueError, match="Categorical has no reparametrised draw"):
        draw(Categorical(torch.ones(3)), reparametrised=True)


def test_zero_probability_states_are_never_drawn(generator: torch.Generator) -> None:
    draws = draw(Categorical(torch.tensor([0.5, 0.0, 0.5])), (100_000,), generator)
    assert not (draws == 1).any()


def test_even_draws_stay_below_one_where_their_sum_rounds_up() -> None:
    generator = torch.Generator().manual_seed(0)
    like = torch.zeros((), dtype=torch.float16)  # The last of 500 often rounds to 1.
    drawn = torch.stack([even_uniform(500, like, generator) for _ in range(50)])
    assert bool((drawn < 1).all())
    assert bool((drawn.diff(dim=1) >= 0).all())


def test_even_draws_are_uniform_and_one_in_each_part() -> None:
    generator = torch.Generator().manual_seed(0)
    like = torch.zeros((), dtype=torch.float64)
    drawn = torch.stack([even_uniform(8, like, generator) for _ in range(4_000)])
    assert torch.equal((drawn * 8).long(), torch.arange(8).expand(4_000, 8))
    # Of a uniform place in a part of width 1/8 the mean has the error 1/8 / sqrt(12 n).
    middle = (torch.arange(8, dtype=torch.float64) + 0.5) / 8
    assert torch.allclose(drawn.mean(0), middle, atol=5 / 8 / (12 * 4_000) ** 0.5)
