"""ML-03, ML-04 and E-M13: which decay is which prior."""

import math

import pytest
import torch
from torch.distributions import Laplace, Normal

from ancestral.estimation import (
    fit_normal,
    gaussian_penalty,
    laplace_penalty,
    map_laplace_mean,
    map_normal_mean,
    update_normal,
    weight_decay,
)


def t(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


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
    with pytest.raises(ValueError, match="precision must be at least 0 and finite, got -1"):
        gaussian_penalty([X], -1)
    with pytest.raises(ValueError, match="examples must be at least 1, got 0"):
        weight_decay(1.0, 0)
    with pytest.raises(ValueError, match="scale must be above 0"):
        map_laplace_mean(X, scale=0.0, rate=1.0)
