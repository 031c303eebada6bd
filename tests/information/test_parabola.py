"""PR-01, PR-06, PR-07."""

import math
from fractions import Fraction

import pytest
import torch

from ancestral.classic import KDE
from ancestral.information import ParabolicDensity, entropy

P = ParabolicDensity(dtype=torch.float64)


def mass(low: float, high: float) -> float:
    ends = torch.tensor([low, high], dtype=torch.float64)
    return P.cdf(ends).diff().item()


# PR-06
def test_masses_are_the_exact_fractions() -> None:
    def primitive(x: int) -> Fraction:
        return (10 * Fraction(x) - Fraction(x) ** 3 / 3) / 42

    assert primitive(3) - primitive(-3) == 1
    assert primitive(-1) - primitive(-2) == Fraction(23, 126)
    assert primitive(1) - primitive(0) == Fraction(29, 126)
    assert mass(-3, 3) == pytest.approx(1, abs=1e-12)
    assert mass(-2, -1) == pytest.approx(23 / 126, abs=1e-12)
    assert mass(0, 1) == pytest.approx(29 / 126, abs=1e-12)


# PR-06
def test_density_is_the_slope_of_the_distribution_function() -> None:
    x = torch.linspace(-3, 3, 101, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(P.cdf(x).sum(), x)
    torch.testing.assert_close(slope[1:-1], P.log_prob(x).exp()[1:-1])
    u = torch.linspace(0, 1, 1001, dtype=torch.float64)
    torch.testing.assert_close(P.cdf(P.icdf(u)), u, rtol=0, atol=1e-14)
    assert P.icdf(torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist() == pytest.approx([-3, 3])


# PR-06
def test_draws_reproduce_both_masses_and_the_moments() -> None:
    n = 100_000
    x = P.sample(torch.Size([n]))
    for low, high in ((-2, -1), (0, 1)):
        share, exact = ((x > low) & (x < high)).double().mean().item(), mass(low, high)
        assert abs(share - exact) < 4 * math.sqrt(exact * (1 - exact) / n)
    assert abs(x.mean().item() - P.mean.item()) < 4 * math.sqrt(69 / 35 / n)
    assert x.square().mean().item() == pytest.approx(P.variance.item(), abs=0.02)


# PR-01
def test_support_is_part_of_the_distribution() -> None:
    inside = P.support.check(torch.tensor([-3.0, 0.0, 3.0, 3.1]))
    assert inside.tolist() == [True, True, True, False]
    with pytest.raises(ValueError, match="support"):
        P.log_prob(torch.tensor(4.0))
    # One point of a continuous law has no probability, whatever its density.
    assert mass(0, 0) == 0
    assert P.log_prob(torch.zeros(())).exp().item() == pytest.approx(10 / 42)
    x = torch.linspace(-3, 3, 60_001, dtype=torch.float64)
    log_p = P.log_prob(x)
    estimate = entropy(P)
    assert estimate.kind == "quadrature"
    # The trapezoids are off by a twelfth of the square of their width.
    wanted = -torch.trapezoid(log_p.exp() * log_p, x)
    assert abs(estimate.value - wanted) <= estimate.se + 1e-9
    assert estimate.se < 1e-10


# PR-07
def test_density_estimates_worsen_with_the_dimension() -> None:
    generator = torch.Generator().manual_seed(0)
    gaps = []
    for features in (1, 2, 4, 8):
        law = torch.distributions.MultivariateNormal(
            torch.zeros(features).double(), torch.eye(features).double()
        )
        train, test = torch.randn(2, 300, features, generator=generator, dtype=torch.float64)
        model = KDE(features).fit(train, generator=generator)
        gaps.append((law.log_prob(test) - model.log_prob(test)).mean().item())
    # Nats lost on unseen data with 300 examples: the divergence from the truth, and it grows.
    assert gaps == sorted(gaps)
    assert gaps[-1] > 10 * gaps[0]
