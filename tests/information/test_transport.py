import math

import pytest
import torch
from scipy import stats
from torch.distributions import (
    Bernoulli,
    Beta,
    Binomial,
    Categorical,
    Cauchy,
    Distribution,
    Exponential,
    Gamma,
    MixtureSameFamily,
    Normal,
    StudentT,
    Uniform,
)

from ancestral.information import wasserstein, wasserstein_of_samples


def t(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (7, 11), (100, 37)])
def test_samples_equal_scipys(n: int, m: int) -> None:
    x, y = torch.randn(n, dtype=torch.float64), 2 * torch.randn(m, dtype=torch.float64) + 1
    u, v = torch.rand(n, dtype=torch.float64), torch.rand(m, dtype=torch.float64)
    u, v = u / u.sum(), v / v.sum()
    assert wasserstein_of_samples(x, y).item() == pytest.approx(
        stats.wasserstein_distance(x, y), abs=1e-12
    )
    got = wasserstein_of_samples(x, y, x_weights=u, y_weights=v)
    assert got.item() == pytest.approx(stats.wasserstein_distance(x, y, u, v), abs=1e-12)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.5])
def test_equal_sizes_are_matched_in_order(order: float) -> None:
    x, y = torch.randn(50, dtype=torch.float64), torch.rand(50, dtype=torch.float64)
    gaps = (x.sort().values - y.sort().values).abs() ** order
    got = wasserstein_of_samples(x, y, order=order)
    assert got.item() == pytest.approx(gaps.mean().item() ** (1 / order), abs=1e-12)
    # Repeating every point changes no law, and makes the sizes unequal.
    again = wasserstein_of_samples(x.repeat(3), y.repeat(2), order=order)
    assert again.item() == pytest.approx(got.item(), abs=1e-12)


def test_normals_have_their_closed_form() -> None:
    p, q = Normal(t(0.0), t(1.0)), Normal(t(2.0), t(1.5))
    got = wasserstein(p, q, order=2)
    assert float(got) == pytest.approx(math.hypot(2.0, 0.5), abs=1e-9)
    assert got.kind == "estimate"
    assert float(got.se) < 1e-8
    # Order 1 without crossing quantiles is the difference of the means.
    assert float(wasserstein(Normal(t(0.0), t(1.0)), Normal(t(3.0), t(1.0)))) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("p", "q", "wanted"),
    [
        (Uniform(t(0.0), t(1.0)), Uniform(t(0.0), t(3.0)), 1.0),
        (Exponential(t(1.0)), Exponential(t(0.5)), 1.0),
        (Gamma(t(2.0), t(1.0)), Gamma(t(2.0), t(0.5)), 2.0),
        (Gamma(t(1.0), t(1.0)), Exponential(t(0.5)), 1.0),
    ],
    ids=["uniform", "exponential", "gamma", "mixed"],
)
def test_laws_of_different_kinds(p: Distribution, q: Distribution, wanted: float) -> None:
    assert float(wasserstein(p, q)) == pytest.approx(wanted, abs=2e-3)


def test_a_density_against_a_coin() -> None:
    p, q = Exponential(t(1.0)), Bernoulli(t(0.5))
    # The lower half of p goes to 0, the upper one to 1: E[x; x < log 2] + E[|x - 1|; x > log 2].
    half = math.log(2)
    wanted = (1 - half) / 2 + 2 / math.e - half / 2
    assert float(wasserstein(p, q)) == pytest.approx(wanted, abs=1e-3)


def test_mixtures_go_through_their_distribution_functions() -> None:
    centres = torch.tensor([-2.0, 2.0], dtype=torch.float64)
    p = MixtureSameFamily(Categorical(torch.ones(2).double()), Normal(centres, 0.5))
    got = wasserstein(p, Normal(t(0.0), t(1.0)))
    draws = [law.sample(torch.Size([200_000])) for law in (p, Normal(t(0.0), t(1.0)))]
    # The error of an empirical distance is about 2 / sqrt(n) = 0.005 here.
    assert float(got) == pytest.approx(wasserstein_of_samples(*draws).item(), abs=0.02)
    assert float(got.se) < 1e-6
    with pytest.raises(ValueError, match="order must be 1"):
        wasserstein(p, Normal(t(0.0), t(1.0)), order=2)


def test_finite_laws_are_exact() -> None:
    p, q = Binomial(4, t(0.25)), Binomial(4, t(0.5))
    got = wasserstein(p, q)
    assert got.kind == "exact"
    assert float(got) == pytest.approx(1.0, abs=1e-12)  # Ordered laws: the difference of means.
    dice = Categorical(torch.tensor([0.0, 0.0, 1.0]))
    assert float(wasserstein(dice, Bernoulli(t(0.0)), order=2)) == pytest.approx(2.0, abs=1e-6)


def test_mistakes_are_named() -> None:
    x = torch.zeros(3)
    with pytest.raises(ValueError, match="order must be at least 1"):
        wasserstein_of_samples(x, x, order=0.5)
    with pytest.raises(ValueError, match=r"y must be \[N\]"):
        wasserstein_of_samples(x, torch.zeros(2, 2))
    with pytest.raises(ValueError, match="x_weights must be"):
        wasserstein_of_samples(x, x, x_weights=torch.ones(1))
    with pytest.raises(ValueError, match="one real number"):
        wasserstein(Normal(torch.zeros(2), 1.0), Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="function is missing: StudentT and Beta"):
        wasserstein(StudentT(t(3.0)), Beta(t(1.0), t(1.0)))


def test_laws_of_single_precision() -> None:
    assert float(wasserstein(Normal(0.0, 1.0), Normal(1.0, 1.0))) == pytest.approx(1, abs=1e-6)
    one = torch.tensor(1.0)
    assert float(wasserstein(Gamma(one, one), Gamma(one, 0.5 * one))) == pytest.approx(1, abs=1e-4)
    assert float(wasserstein(Exponential(1.0), Uniform(0.0, 1.0))) == pytest.approx(0.5, abs=1e-3)


def test_an_infinite_distance_is_not_passed_off_as_a_number() -> None:
    got = wasserstein(Cauchy(t(0.0), t(1.0)), Cauchy(t(0.0), t(2.0)))
    assert float(got.se) > 0.3 * float(got)
    shifted = wasserstein(Cauchy(t(0.0), t(1.0)), Cauchy(t(2.0), t(1.0)))
    assert float(shifted) == pytest.approx(2.0, abs=1e-9)
    assert float(shifted.se) < 1e-9
