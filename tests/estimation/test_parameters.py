"""ML-01 to ML-05, ML-07, ML-08 and E-M13: the most likely and the most probable parameters."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Bernoulli, Beta, Distribution, Laplace, Normal

from ancestral.errors import DataError
from ancestral.estimation import (
    fit_bernoulli,
    fit_normal,
    gaussian_penalty,
    laplace_penalty,
    log_evidence,
    log_likelihood,
    map_laplace_mean,
    map_normal_mean,
    update_beta,
    update_normal,
    weight_decay,
)
from ancestral.information import check_simplex


def t(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# ML-02
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 30))
def test_outputs_obey_their_constraints_whatever_the_weights(seed: int, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = size * torch.randn(5, 3, generator=generator)
    out = torch.randn(20, 3, generator=generator) @ weights.T
    check_simplex(out.softmax(dim=-1))
    assert bool(((out.sigmoid() >= 0) & (out.sigmoid() <= 1)).all())
    assert bool((out.tanh().abs() <= 1).all())
    assert bool((nn.functional.relu(out) >= 0).all())
    assert bool(nn.functional.softplus(out).ge(0).all())


# ML-07
def test_normal_equals_the_numeric_optimum() -> None:
    x = 2 + 3 * torch.randn(40, dtype=torch.float64)
    parameters = [t(0.0).requires_grad_(), t(0.0).requires_grad_()]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = -log_likelihood(Normal(parameters[0], parameters[1].exp()), x)
        value.backward()
        return value

    optimizer.step(loss)
    law = fit_normal(x)
    assert law.loc.item() == pytest.approx(parameters[0].item(), abs=1e-6)
    assert law.scale.item() == pytest.approx(parameters[1].exp().item(), abs=1e-6)


# ML-07
def test_the_divisor_is_the_number_of_examples() -> None:
    assert fit_normal(t([[1.0, 0.0], [3.0, 4.0]])).variance.tolist() == [1.0, 4.0]


# ML-08
def test_bernoulli_equals_the_numeric_optimum_and_its_ends() -> None:
    x = t([1, 0, 0, 1, 1, 1, 0, 1])
    grid = torch.linspace(0, 1, 10_001, dtype=torch.float64)[1:-1]
    likelihood = log_likelihood(Bernoulli(grid), x[:, None])
    assert fit_bernoulli(x).probs.item() == pytest.approx(
        grid[likelihood.argmax()].item(), abs=1e-4
    )
    certain = fit_bernoulli(torch.ones(5))
    assert certain.probs.item() == 1.0
    assert bool(log_likelihood(certain, torch.ones(5)).isfinite())
    assert fit_bernoulli(torch.zeros(5, dtype=torch.bool)).probs.item() == 0.0


def test_a_density_may_have_a_positive_log_likelihood() -> None:  # E-M28
    x = t([0.0, 0.1])
    assert log_likelihood(fit_normal(x), x) > 0


ONES = t([1, 0, 1, 1, 0, 1, 1])
REALS = t([0.3, -1.2, 2.0, 0.7])
UNIT = torch.linspace(0, 1, 20_001, dtype=torch.float64)[1:-1]
LINE = torch.linspace(-20, 20, 40_001, dtype=torch.float64)

CASES = {
    "beta": (Beta(t(2.0), t(3.0)), ONES, UNIT, update_beta, Bernoulli),
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


@pytest.mark.parametrize("name", CASES)
def test_updates_in_parts_are_the_update_of_all(name: str) -> None:
    prior, x, _, update, _ = CASES[name]
    whole, parts = update(prior, x), update(update(prior, x[:2]), x[2:])
    assert parts.mean.item() == pytest.approx(whole.mean.item(), rel=1e-12)
    assert parts.variance.item() == pytest.approx(whole.variance.item(), rel=1e-12)
    nothing: Distribution = update(prior, x[:0])
    assert nothing.mean.item() == pytest.approx(prior.mean.item())


X = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 2
SCALE, PRECISION = 1.5, 20.0


def settle(optimizer_of: object, steps: int = 2000, factor: float = 1.0) -> float:
    """Minimise the mean loss over all examples with a learning rate that falls to 0."""
    theta = t(0.0).requires_grad_()
    optimizer = optimizer_of([theta])  # type: ignore[operator]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: (1 - n / steps) ** 2)
    for _ in range(steps):
        optimizer.zero_grad()
        (factor * ((X - theta) / SCALE).square() / 2).mean().backward()
        optimizer.step()
        schedule.step()
    return theta.item()


# ML-03
def test_a_flat_prior_gives_the_maximum_of_the_likelihood() -> None:
    flat = Normal(t(0.0), t(1e8))
    assert map_normal_mean(X, scale=SCALE, prior=flat).item() == pytest.approx(
        fit_normal(X).loc.item(), abs=1e-12
    )
    assert map_laplace_mean(X, scale=SCALE, rate=0.0).item() == pytest.approx(X.mean().item())


# ML-03
@pytest.mark.parametrize("prior", [Normal(t(0.5), t(0.3)), Normal(t(-3.0), t(2.0))])
def test_gaussian_prior_matches_a_grid(prior: Normal) -> None:
    grid = torch.linspace(-5, 5, 400_001, dtype=torch.float64)
    log_posterior = prior.log_prob(grid)
    for x in X:
        log_posterior = log_posterior + Normal(grid, SCALE).log_prob(x)
    best = map_normal_mean(X, scale=SCALE, prior=prior).item()
    assert best == pytest.approx(grid[log_posterior.argmax()].item(), abs=2e-5)
    # A normal posterior has its mode at its mean.
    assert best == pytest.approx(update_normal(prior, X, scale=SCALE).mean.item(), abs=1e-12)


# ML-03, ML-04
@pytest.mark.parametrize("rate", [0.5, 20.0, 1000.0])
def test_laplace_prior_matches_a_grid(rate: float) -> None:
    grid = torch.linspace(-5, 5, 400_001, dtype=torch.float64)
    log_posterior = Laplace(t(0.0), t(1 / rate)).log_prob(grid)
    for x in X:
        log_posterior = log_posterior + Normal(grid, SCALE).log_prob(x)
    best = map_laplace_mean(X, scale=SCALE, rate=rate).item()
    assert best == pytest.approx(grid[log_posterior.argmax()].item(), abs=2e-5)
    assert (best == 0) == (rate == 1000.0)  # LASSO sets to exactly 0.


# ML-04
def test_penalties_are_minus_the_log_of_their_priors() -> None:
    theta = torch.randn(6, dtype=torch.float64, requires_grad=True)
    normal = -Normal(t(0.0), t(PRECISION**-0.5)).log_prob(theta).sum()
    constant = 6 * 0.5 * math.log(2 * math.pi / PRECISION)
    penalty = gaussian_penalty([theta], PRECISION)
    assert penalty.item() == pytest.approx(normal.item() - constant)
    for loss in (normal, penalty):
        (slope,) = torch.autograd.grad(loss, theta)
        torch.testing.assert_close(slope, PRECISION * theta.detach())
    laplace = -Laplace(t(0.0), t(0.5)).log_prob(theta).sum()
    assert laplace_penalty([theta[:2], theta[2:]], 2.0).item() == pytest.approx(
        laplace.item() - 6 * math.log(2 * 0.5)
    )


# ML-04, E-M13
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_weight_decay_of_a_mean_loss_is_the_prior_over_the_examples(optimizer: type) -> None:
    prior = Normal(t(0.0), t(PRECISION**-0.5))
    wanted = map_normal_mean(X, scale=SCALE, prior=prior).item()
    decay = weight_decay(PRECISION, len(X))
    assert decay == PRECISION / 50
    found = settle(lambda theta: optimizer(theta, lr=0.1, weight_decay=decay))
    assert found == pytest.approx(wanted, abs=1e-5)
    # Without the division by K the prior is fifty times too strong.
    wrong = settle(lambda theta: torch.optim.SGD(theta, lr=0.05, weight_decay=PRECISION))
    assert abs(wrong - wanted) > 0.5


# ML-04, E-M13
def test_the_decay_of_adamw_is_not_this_prior() -> None:
    prior = Normal(t(0.0), t(PRECISION**-0.5))
    wanted = map_normal_mean(X, scale=SCALE, prior=prior).item()
    decay = weight_decay(PRECISION, len(X))
    found = [
        settle(lambda theta: torch.optim.AdamW(theta, lr=0.1, weight_decay=decay), factor=factor)
        for factor in (1.0, 8.0)
    ]
    # It stays nearer to the maximum of the likelihood.
    assert abs(found[0] - X.mean().item()) < abs(found[0] - wanted) / 2
    # Eight times the data would pull eight times as much; here they change nothing.
    assert found[1] == pytest.approx(found[0], abs=1e-3)
    more = map_normal_mean(X.repeat(8), scale=SCALE, prior=prior).item()
    assert more - wanted > 0.5


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match="at least 1 row"):
        fit_normal(torch.empty(0))
    with pytest.raises(DataError, match="infinity in row 1"):
        fit_normal(t([0.0, float("nan")]))
    with pytest.raises(DataError, match="values that differ"):
        fit_normal(torch.ones(3))
    with pytest.raises(DataError, match=r"values 0 or 1, got 0\.5"):
        fit_bernoulli(t([0.5]))
    with pytest.raises(DataError, match="values 0 or 1, got 2"):
        update_beta(Beta(1.0, 1.0), t([2.0]))
    with pytest.raises(ValueError, match="precision must be at least 0 and finite, got -1"):
        gaussian_penalty([X], -1)
    with pytest.raises(ValueError, match="examples must be at least 1, got 0"):
        weight_decay(1.0, 0)
    for call in (map_normal_mean, update_normal):
        with pytest.raises(ValueError, match="scale must be above 0"):
            call(x=X, scale=0.0, prior=Normal(t(0.0), t(1.0)))
    with pytest.raises(ValueError, match="scale must be above 0"):
        map_laplace_mean(X, scale=0.0, rate=1.0)


def test_whole_numbers_are_numbers() -> None:
    assert fit_normal(torch.tensor([1, 3])).loc.item() == 2.0
    assert map_laplace_mean(torch.tensor([1, 2, 3]), scale=1.0, rate=0.0).item() == 2.0
