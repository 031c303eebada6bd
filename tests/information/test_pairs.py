"""IT-05: every closed form that torch lacks, against a fine quadrature or a finite sum."""

import math

import pytest
import torch
from torch.distributions import (
    Distribution,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    Independent,
    Laplace,
    LogNormal,
    LowRankMultivariateNormal,
    Multinomial,
    MultivariateNormal,
    NegativeBinomial,
    Normal,
    Uniform,
    VonMises,
    Weibull,
    kl_divergence,
)

from ancestral.information import kl


def t(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def positive_grid() -> tuple[torch.Tensor, torch.Tensor]:
    """Points e^s with their weights: heavy tails and poles at 0 are smooth in s."""
    s = torch.linspace(-60, 60, 240_001, dtype=torch.float64)
    return s.exp(), s.exp() * (s[1] - s[0])


POSITIVE = [
    (Weibull(t(2.0), t(1.5)), Weibull(t(1.0), t(0.8))),
    (Weibull(t(2.0), t(1.5)), Exponential(t(0.7))),
    (Weibull(t(2.0), t(1.5)), Gamma(t(2.5), t(1.2))),
    (LogNormal(t(0.3), t(0.6)), Gamma(t(2.5), t(1.2))),
    (LogNormal(t(0.3), t(0.6)), Exponential(t(0.7))),
    (HalfNormal(t(1.7)), Exponential(t(0.7))),
    (Exponential(t(0.7)), HalfNormal(t(1.7))),
    (Gamma(t(2.5), t(1.2)), HalfNormal(t(1.7))),
    (HalfCauchy(t(1.7)), HalfCauchy(t(0.4))),
]


@pytest.mark.parametrize(("p", "q"), POSITIVE, ids=lambda law: type(law).__name__)
def test_positive_laws(p: Distribution, q: Distribution) -> None:
    x, weights = positive_grid()
    if isinstance(p, HalfCauchy):  # The tail beyond e^60 is 1e-26 of the mass.
        p_log, q_log = p.log_prob(x), q.log_prob(x)
    else:
        x, weights = x[x < 300], weights[x < 300]
        p_log, q_log = p.log_prob(x), q.log_prob(x)
    terms = torch.where(p_log > -700, p_log.exp() * (p_log - q_log), 0)
    got = kl(p, q)
    assert got.kind == "exact"
    assert float(got) == pytest.approx((terms * weights).sum().item(), abs=1e-9)


@pytest.mark.parametrize(
    "p", [Weibull(t(2.0), t(1.5)), HalfCauchy(t(1.7)), VonMises(t(0.3), t(9.0))]
)
def test_a_law_does_not_diverge_from_itself(p: Distribution) -> None:
    assert float(kl(p, p)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (0.5, 2.0), (-3.0, -1.0)])
def test_uniform_against_laplace(low: float, high: float) -> None:
    p, q = Uniform(t(low), t(high)), Laplace(t(0.2), t(0.7))
    x = torch.linspace(low, high, 200_001, dtype=torch.float64)
    wanted = torch.trapezoid(-math.log(high - low) - q.log_prob(x), x) / (high - low)
    assert float(kl(p, q)) == pytest.approx(wanted.item(), abs=1e-8)


@pytest.mark.parametrize("concentration", [0.5, 4.0, 60.0])
def test_von_mises(concentration: float) -> None:
    p, q = VonMises(t(0.3), t(concentration)), VonMises(t(-1.0), t(2.0))
    x = torch.linspace(-math.pi, math.pi, 20_001, dtype=torch.float64)
    terms = p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))
    # torch's own normaliser is a polynomial good to 2e-7, which is what this compares with.
    assert float(kl(p, q)) == pytest.approx(torch.trapezoid(terms, x).item(), abs=1e-5)
    assert math.isfinite(float(kl(VonMises(t(0.0), t(1e5)), q)))


def test_negative_binomial() -> None:
    p, q = NegativeBinomial(t(3.0), probs=t(0.4)), NegativeBinomial(t(3.0), probs=t(0.7))
    x = torch.arange(400, dtype=torch.float64)
    wanted = (p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))).sum()
    assert float(kl(p, q)) == pytest.approx(wanted.item(), abs=1e-12)
    other = kl(p, NegativeBinomial(t(2.0), probs=t(0.7)), generator=torch.Generator())
    assert other.kind == "estimate"


def test_multinomial() -> None:
    r, s = t(0.2), t(0.5)
    p, q = (Multinomial(4, torch.stack((a, 1 - a))) for a in (r, s))
    x = torch.stack((torch.arange(5.0), 4 - torch.arange(5.0)), dim=1).double()
    wanted = (p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))).sum()
    assert float(kl(p, q)) == pytest.approx(wanted.item(), abs=1e-12)
    assert float(kl(p, Multinomial(5, q.probs))) == math.inf


def test_full_and_diagonal_gaussians() -> None:
    covariance = torch.tensor([[3.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    full = MultivariateNormal(torch.tensor([-1.0, 2.0], dtype=torch.float64), covariance)
    low = LowRankMultivariateNormal(full.loc, torch.ones(2, 1).double(), torch.ones(2).double())
    scale = torch.tensor([1.3, 0.6], dtype=torch.float64)
    diagonal = Independent(Normal(torch.zeros(2, dtype=torch.float64), scale), 1)
    dense = MultivariateNormal(diagonal.mean, scale_tril=torch.diag(scale))
    for law in (full, low):
        for got, wanted in (
            (kl(law, diagonal), kl(law, dense)),
            (kl(diagonal, law), kl(dense, law)),
        ):
            assert got.kind == "exact"
            assert float(got) == pytest.approx(float(wanted), abs=1e-12)
    laplace = Independent(Laplace(torch.zeros(2), torch.ones(2)), 1)
    assert kl(full, laplace, generator=torch.Generator()).kind == "estimate"


def test_torchs_registry_is_left_alone() -> None:
    with pytest.raises(NotImplementedError):
        kl_divergence(HalfNormal(t(1.7)), Exponential(t(0.7)))
