"""Closed forms at their edges: what is infinite, what has no digits left, what overflows."""

import math

import pytest
import torch
from torch import distributions as laws
from torch.distributions import Distribution
from torch.nn.functional import logsigmoid

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
from ancestral.information.expectations import bounds


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


def quadrature(p: Distribution, q: Distribution) -> float:
    """Return KL(p || q) by a sum over a line bent so that both ends of p's support are reached."""
    s = torch.linspace(-80, 80, 160_001, dtype=torch.float64)
    low, high = (float(end) for end in bounds(p))
    if math.isfinite(high):
        x = low + (high - low) * torch.sigmoid(s)
        log_step = logsigmoid(s) + logsigmoid(-s) + math.log(high - low)
    elif math.isfinite(low):
        x, log_step = low + s.exp(), s
    else:
        x, log_step = 3 * (s / 16).sinh(), ((s / 16).cosh() * 3 / 16).log()
    inside = (x > low) & (x < high)
    x, log_step = x[inside], log_step[inside]
    log_p = p.log_prob(x)
    counts = log_p > -600
    x, log_step, log_p = x[counts], log_step[counts], log_p[counts]
    return float(((log_p + log_step).exp() * (log_p - q.log_prob(x))).sum() * (s[1] - s[0]))


# Moments of these laws that the other's logarithm needs have no closed form.
OPEN = {
    ("Gumbel", "Laplace"),
    ("Beta", "Laplace"),
    ("Beta", "Gumbel"),
    ("Beta", "Kumaraswamy"),
    ("Uniform", "Kumaraswamy"),
    ("Kumaraswamy", "Laplace"),
    ("Kumaraswamy", "Gumbel"),
    ("Kumaraswamy", "Beta"),
    ("InverseGamma", "Gumbel"),
    ("LogNormal", "Gumbel"),
    ("Weibull", "Gumbel"),
    ("Pareto", "Gumbel"),
}
# The poles of log q at 0 or the tail of log q make these integrals diverge although p is covered.
DIVERGING = {
    ("HalfNormal", "InverseGamma"),
    ("Exponential", "InverseGamma"),
    ("Laplace", "Gumbel"),
}


@pytest.mark.parametrize("q", DENSITIES, ids=lambda law: type(law).__name__)
@pytest.mark.parametrize("p", DENSITIES, ids=lambda law: type(law).__name__)
def test_pairs_equal_quadrature(p: Distribution, q: Distribution) -> None:
    names = type(p).__name__, type(q).__name__
    got = kl(p, q, draws=2, generator=torch.Generator())
    assert (got.kind == "estimate") == (names in OPEN)
    (low, high), (floor, ceiling) = bounds(p), bounds(q)
    if names in DIVERGING or bool((low < floor) | (high > ceiling)):
        assert float(got) == math.inf
    elif names not in OPEN:
        # The pole of 1 / x near 0 leaves the sum 1e-7 of its own.
        assert float(got) == pytest.approx(quadrature(p, q), rel=2e-7, abs=1e-8)


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
        assert repr(divergence(p, q)) == "1800 (exact)"


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
