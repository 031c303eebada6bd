"""Closed forms at their edges: what is infinite, what has no digits left, what overflows."""

import math

import pytest
import torch
from torch import distributions as laws
from torch.distributions import Distribution

from ancestral.errors import CapabilityError, DataError
from ancestral.estimation import map_laplace_mean, update_dirichlet
from ancestral.information import (
    CHI_SQUARE,
    KL,
    REVERSE_KL,
    closest_normal,
    entropy,
    kl,
    monte_carlo,
    mutual_information_of_samples,
    pearson,
    wasserstein_of_samples,
)


def t(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize(
    ("p", "q", "wanted"),
    [
        (laws.Poisson(t(0.0)), laws.Poisson(t(2.0)), 2.0),
        (laws.Poisson(t(2.0)), laws.Poisson(t(0.0)), math.inf),
        (laws.NegativeBinomial(t(3.0), probs=t(0.0)), laws.Geometric(t(0.5)), math.log(2)),
        (laws.Binomial(4, t(0.5)), laws.Binomial(4, t(0.0)), math.inf),
        (laws.Binomial(4, t(0.5)), laws.Binomial(3, t(0.5)), math.inf),
        (laws.Poisson(t(1e-3)), laws.Binomial(50, t(0.5)), math.inf),
        (laws.Cauchy(t(0.0), t(1.0)), laws.Normal(t(0.0), t(1.0)), math.inf),
        (laws.HalfCauchy(t(1.0)), laws.Gamma(t(1.0), t(1.0)), math.inf),
        (laws.Weibull(t(1.0), t(0.01)), laws.Normal(t(0.0), t(1.0)), math.inf),
        (laws.Gamma(t(2.0), t(1.0)), laws.Uniform(t(0.0), t(1.0)), math.inf),
        (laws.Poisson(t(2.0)), laws.Normal(t(0.0), t(1.0)), math.inf),
    ],
)
def test_edges(p: Distribution, q: Distribution, wanted: float) -> None:
    assert float(kl(p, q)) == pytest.approx(wanted, abs=1e-12)


DENSITIES = [
    laws.Normal(t(0.3), t(0.8)),
    laws.Laplace(t(0.2), t(0.7)),
    laws.Gumbel(t(0.1), t(0.6)),
    laws.Uniform(t(0.2), t(0.9)),
    laws.Beta(t(2.5), t(1.7)),
    laws.Kumaraswamy(t(2.0), t(3.0)),
    laws.Exponential(t(0.7)),
    laws.Gamma(t(2.5), t(1.2)),
    laws.InverseGamma(t(6.5), t(2.2)),
    laws.LogNormal(t(0.3), t(0.4)),
    laws.Weibull(t(2.0), t(1.5)),
    laws.Pareto(t(0.5), t(5.5)),
    laws.HalfNormal(t(1.7)),
]


@pytest.mark.parametrize("q", DENSITIES, ids=lambda law: type(law).__name__)
@pytest.mark.parametrize("p", DENSITIES, ids=lambda law: type(law).__name__)
def test_pairs_agree_with_draws(p: Distribution, q: Distribution) -> None:
    got = kl(p, q, generator=torch.Generator().manual_seed(0))
    if got.kind == "estimate" or not bool(got.value.isfinite()):
        return
    x = p.sample(torch.Size([40_000]))
    ratio = p.log_prob(x) - q.log_prob(x)
    # Five standard errors; heavy tails of the ratio (InverseGamma, Pareto) widen them themselves.
    assert abs(got.value - ratio.mean()) <= 5 * ratio.std() / 200 + 1e-9


def test_entropies_that_torch_lacks() -> None:
    x = torch.arange(60, dtype=torch.float64)
    p = laws.Poisson(t(3.0))
    log_p = p.log_prob(x)
    got = entropy(p)
    assert float(got) == pytest.approx(-(log_p.exp() * log_p).sum().item(), abs=1e-12)
    assert float(got.se) < 1e-14
    moved = laws.TransformedDistribution(
        laws.Normal(t(0.0), t(1.0)), [laws.AffineTransform(t(3.0), t(-2.0))]
    )
    assert entropy(moved).kind == "exact"
    assert float(entropy(moved)) == pytest.approx(float(entropy(laws.Normal(t(0.0), t(2.0)))))


def test_unbounded_divergences_far_apart() -> None:
    p, q = laws.Normal(t(0.0), t(1.0)), laws.Normal(t(60.0), t(1.0))
    assert float(CHI_SQUARE(p, q)) == math.inf
    for divergence in (KL, REVERSE_KL):
        got = divergence(p, q)
        assert abs(float(got) - 1800) < 5 * float(got.se)


def test_whole_numbers_are_taken() -> None:
    x = torch.tensor([1, 2, 3])
    assert pearson(x, x).item() == pytest.approx(1.0)
    assert map_laplace_mean(x, scale=1.0, rate=0.0).item() == pytest.approx(2.0)
    die = laws.Categorical(torch.ones(3))
    assert float(monte_carlo(lambda k: k, die)) == pytest.approx(1.0, abs=0.1)


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match=r"whole numbers of at least 0, got 0\.5"):
        update_dirichlet(laws.Dirichlet(torch.ones(2)), torch.tensor([0.5]))
    with pytest.raises(ValueError, match="x must hold no NaN, got one in row 1"):
        mutual_information_of_samples(torch.tensor([0.0, math.nan]), torch.zeros(2))
    with pytest.raises(CapabilityError, match="Gamma has density 0 somewhere"):
        closest_normal(laws.Gamma(t(2.0), t(1.0)), "seek")


def test_high_orders_do_not_overflow() -> None:
    x = torch.tensor([0.0, 1e4])
    assert wasserstein_of_samples(x, x + 1e4, order=200).item() == pytest.approx(1e4)
