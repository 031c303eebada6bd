"""ML-01 and ML-05: every update against quadrature."""

import pytest
import torch
from torch.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Dirichlet,
    Distribution,
    Gamma,
    Normal,
    Poisson,
)

from ancestral.errors import DataError
from ancestral.estimation import (
    NormalInverseGamma,
    log_evidence,
    log_likelihood,
    update_beta,
    update_dirichlet,
    update_gamma,
    update_normal,
)


def t(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


ONES = t([1, 0, 1, 1, 0, 1, 1])
COUNTS = t([3, 0, 2, 5])
REALS = t([0.3, -1.2, 2.0, 0.7])
UNIT = torch.linspace(0, 1, 20_001, dtype=torch.float64)[1:-1]
HALF_LINE = torch.linspace(0, 40, 40_001, dtype=torch.float64)[1:]
LINE = torch.linspace(-20, 20, 40_001, dtype=torch.float64)

CASES = {
    "beta": (Beta(t(2.0), t(3.0)), ONES, UNIT, update_beta, Bernoulli),
    "gamma": (Gamma(t(2.5), t(1.5)), COUNTS, HALF_LINE, update_gamma, Poisson),
    "normal": (
        Normal(t(1.0), t(2.0)),
        REALS,
        LINE,
        lambda prior, x: update_normal(prior, x, scale=0.8),
        lambda mean: Normal(mean, 0.8),
    ),
}


# ML-01, ML-05
@pytest.mark.parametrize("name", CASES)
def test_updates_equal_the_normalised_product_on_a_grid(name: str) -> None:
    prior, x, grid, update, family = CASES[name]
    log_joint = prior.log_prob(grid) + log_likelihood(family(grid), x[:, None])
    evidence = torch.trapezoid(log_joint.exp(), grid)
    posterior = update(prior, x)
    density = posterior.log_prob(grid).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(log_joint.exp() / evidence, density, rtol=1e-6, atol=1e-9)
    at = grid[len(grid) // 3]
    found = log_evidence(prior, posterior, log_likelihood(family(at), x), at)
    assert found.exp().item() == pytest.approx(evidence.item(), rel=1e-6)


# ML-05
def test_dirichlet_update_equals_the_product_up_to_a_constant() -> None:
    prior, x = Dirichlet(t([1.5, 2.0, 0.7])), torch.tensor([0, 2, 2, 1, 2])
    posterior = update_dirichlet(prior, x)
    p = Dirichlet(torch.ones(3, dtype=torch.float64)).sample(torch.Size([50]))
    log_joint = prior.log_prob(p) + log_likelihood(Categorical(p), x[:, None])
    constant = log_joint - posterior.log_prob(p)
    torch.testing.assert_close(constant, constant[:1].expand(50), rtol=0, atol=1e-10)
    # The evidence is that of the urn: each state by its share so far.
    urn, weights = t(1.0), prior.concentration.clone()
    for state in x.tolist():
        urn *= weights[state] / weights.sum()
        weights[state] += 1
    assert constant[0].exp().item() == pytest.approx(urn.item(), rel=1e-10)


# ML-05
def test_normal_inverse_gamma_equals_quadrature_in_the_plane() -> None:
    prior = NormalInverseGamma(t(0.5), t(2.0), t(3.0), t(2.0))
    posterior = prior.update(REALS)
    mean = torch.linspace(-12, 12, 1201, dtype=torch.float64)
    log_variance = torch.linspace(-4, 8, 1201, dtype=torch.float64)
    m, v = torch.meshgrid(mean, log_variance.exp(), indexing="ij")
    log_joint = prior.log_prob(m, v)
    for x in REALS:
        log_joint = log_joint + Normal(m, v.sqrt()).log_prob(x)
    joint = log_joint.exp() * v  # The measure of the logarithm.
    evidence = torch.trapezoid(torch.trapezoid(joint, log_variance), mean)
    wanted = posterior.log_prob(m, v).exp() * v
    torch.testing.assert_close(joint / evidence, wanted, rtol=1e-5, atol=1e-9)
    for_mean = torch.trapezoid(wanted, log_variance)
    torch.testing.assert_close(posterior.mean_law.log_prob(mean).exp(), for_mean, rtol=0, atol=1e-5)
    for_variance = torch.trapezoid(wanted, mean, dim=0)
    law = posterior.variance_law.log_prob(log_variance.exp()).exp() * log_variance.exp()
    torch.testing.assert_close(law, for_variance, rtol=0, atol=1e-5)
    new = t(0.9)
    seen = torch.trapezoid(
        torch.trapezoid(wanted * Normal(m, v.sqrt()).log_prob(new).exp(), log_variance), mean
    )
    assert posterior.predictive.log_prob(new).exp().item() == pytest.approx(seen.item(), abs=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_updates_in_parts_are_the_update_of_all(name: str) -> None:
    prior, x, _, update, _ = CASES[name]
    whole, parts = update(prior, x), update(update(prior, x[:2]), x[2:])
    assert parts.mean.item() == pytest.approx(whole.mean.item(), rel=1e-12)
    assert parts.variance.item() == pytest.approx(whole.variance.item(), rel=1e-12)
    nothing: Distribution = update(prior, x[:0])
    assert nothing.mean.item() == pytest.approx(prior.mean.item())


def test_normal_inverse_gamma_in_parts() -> None:
    prior = NormalInverseGamma(t(0.5), t(2.0), t(3.0), t(2.0))
    whole, parts = prior.update(REALS), prior.update(REALS[:1]).update(REALS[1:])
    for name in ("loc", "count", "concentration", "rate"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))
    assert prior.update(REALS[:0]) is prior


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match="values 0 or 1"):
        update_beta(Beta(1.0, 1.0), t([2.0]))
    with pytest.raises(DataError, match=r"in \[0, 2\)"):
        update_dirichlet(Dirichlet(torch.ones(2)), torch.tensor([2]))
    with pytest.raises(DataError, match="counts"):
        update_gamma(Gamma(1.0, 1.0), t([-1.0]))
    with pytest.raises(ValueError, match="scale must be above 0"):
        update_normal(Normal(0.0, 1.0), REALS, scale=0.0)
    with pytest.raises(ValueError, match="rate must be above 0"):
        NormalInverseGamma(t(0.0), t(1.0), t(1.0), t(0.0))
