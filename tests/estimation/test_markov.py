"""ML-12 and PD-04."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal, StudentT

from ancestral.errors import DivergenceError
from ancestral.estimation import (
    hamiltonian,
    langevin,
    metropolis_hastings,
    random_walk,
    transition_matrix,
    unadjusted_langevin,
)

COVARIANCE = torch.tensor([[3.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
MEAN = torch.tensor([-1.0, 2.0], dtype=torch.float64)
PLANE = MultivariateNormal(MEAN, COVARIANCE)


def unnormalised(x: Tensor) -> Tensor:
    return PLANE.log_prob(x) + 17.0  # The constant must not matter.


PROPOSALS = {
    "random walk": random_walk(1.4),
    "langevin": langevin(unnormalised, 1.0),
    "hamiltonian": hamiltonian(unnormalised, 0.9, leaps=3),
}


# PD-04
@pytest.mark.parametrize("name", PROPOSALS)
def test_stationary_moments(name: str, generator: Generator) -> None:
    start = 3 * torch.randn(50, 2, generator=generator, dtype=torch.float64)
    chains = metropolis_hastings(
        unnormalised, start, PROPOSALS[name], steps=1000, warmup=200, generator=generator
    )
    assert chains.draws.shape == (1000, 50, 2)
    assert bool((chains.r_hat() < 1.02).all())
    assert bool(((chains.acceptance > 0.15) & (chains.acceptance < 0.95)).all())
    mean = chains.mean()
    assert bool(((mean.value - MEAN).abs() < 4 * mean.se).all())
    products = chains.mean(lambda x: (x - MEAN)[..., :, None] * (x - MEAN)[..., None, :])
    assert bool(((products.value - COVARIANCE).abs() < 4 * products.se).all())
    # The error is small enough to tell: 50 chains of 1000 are worth thousands of draws.
    assert bool((mean.se < 0.05).all())


# PD-04
@pytest.mark.parametrize(
    "proposal", [random_walk(3.0), langevin(lambda x: StudentT(5.0).log_prob(x), 3.0)]
)
def test_tails_and_masses_of_a_heavy_tailed_law(
    proposal: Callable[..., tuple[Tensor, Tensor]], generator: Generator
) -> None:
    law = StudentT(torch.tensor(5.0, dtype=torch.float64))
    start = torch.randn(200, generator=generator, dtype=torch.float64)
    chains = metropolis_hastings(
        law.log_prob, start, proposal, steps=1500, warmup=200, generator=generator
    )
    # P(|t_5| > 2.015) = 0.1 (tables of Student's t).
    tail = chains.mean(lambda x: (x.abs() > 2.015048).double())
    assert abs(float(tail) - 0.1) < 4 * float(tail.se)
    assert float(tail.se) < 0.005


# PD-04
@settings(max_examples=50, deadline=None)
@given(st.integers(2, 8), st.integers(0, 2**31))
def test_detailed_balance_is_exact_on_a_discrete_chain(size: int, seed: int) -> None:
    generator = Generator().manual_seed(seed)
    p = torch.rand(size, generator=generator, dtype=torch.float64)
    p[0] = 0.0  # States of probability 0 and moves that are never proposed.
    p = p / p.sum()
    proposal = torch.rand(size, size, generator=generator, dtype=torch.float64)
    proposal[torch.rand(size, size, generator=generator) < 0.2] = 0
    proposal = proposal + 0.1 * torch.eye(size)
    proposal = proposal / proposal.sum(dim=1, keepdim=True)
    kernel = transition_matrix(p, proposal)
    flow = p[:, None] * kernel
    torch.testing.assert_close(flow, flow.T, rtol=0, atol=1e-12)
    torch.testing.assert_close(p @ kernel, p, rtol=0, atol=1e-12)
    assert bool((kernel >= -1e-15).all())


# PD-04
def test_the_sampler_moves_by_that_kernel(generator: Generator) -> None:
    p = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    proposal = torch.tensor(
        [[0.1, 0.5, 0.2, 0.2], [0.3, 0.1, 0.3, 0.3], [0.2, 0.6, 0.1, 0.1], [0.4, 0.1, 0.4, 0.1]],
        dtype=torch.float64,
    )

    def propose(x: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        new = torch.multinomial(proposal[x], 1, generator=generator)[:, 0]
        return new, (proposal[new, x] / proposal[x, new]).log()

    start = torch.multinomial(p, 2000, replacement=True, generator=generator)
    chains = metropolis_hastings(
        lambda x: p.log()[x], start, propose, steps=100, generator=generator
    )
    moves = chains.draws[:-1] * 4 + chains.draws[1:]
    counts = torch.bincount(moves.flatten(), minlength=16).reshape(4, 4).double()
    visits = counts.sum(dim=1, keepdim=True)
    kernel = transition_matrix(p, proposal)
    error = (kernel * (1 - kernel) / visits).sqrt()
    assert bool(((counts / visits - kernel).abs() < 4.5 * error).all())


# ML-12
def test_two_modes_need_long_steps(generator: Generator) -> None:
    centres = torch.tensor([-4.0, 4.0], dtype=torch.float64)
    law = MixtureSameFamily(Categorical(torch.tensor([0.3, 0.7]).double()), Normal(centres, 0.5))
    start = torch.randn(100, generator=generator, dtype=torch.float64) * 4
    near, far = (
        metropolis_hastings(
            law.log_prob, start, random_walk(scale), steps=1000, warmup=500, generator=generator
        )
        for scale in (0.5, 8.0)
    )
    assert near.r_hat() > 1.2  # R-hat says that the short steps are stuck.
    assert far.r_hat() < 1.05
    right = far.mean(lambda x: (x > 0).double())
    assert abs(float(right) - 0.7) < 4 * float(right.se)


# PD-04
@pytest.mark.parametrize("step_size", [0.1, 0.5, 1.0])
def test_unadjusted_langevin_has_the_variance_of_its_step(
    step_size: float, generator: Generator
) -> None:
    start = torch.randn(500, generator=generator, dtype=torch.float64)
    chains = unadjusted_langevin(
        torch.neg, start, step_size=step_size, steps=1000, warmup=200, generator=generator
    )
    square = chains.mean(torch.square)
    # x <- (1 - eta / 2) x + sqrt(eta) noise is stationary at 1 / (1 - eta / 4), not at 1.
    assert abs(float(square) - 1 / (1 - step_size / 4)) < 4 * float(square.se)
    mean = chains.mean()
    assert abs(float(mean)) < 4 * float(mean.se)
    if step_size == 1.0:
        assert float(square) - 1 > 10 * float(square.se)


# PD-04
def test_the_bias_of_unadjusted_langevin_vanishes_with_its_step_and_mala_has_none(
    generator: Generator,
) -> None:
    start = torch.randn(500, generator=generator, dtype=torch.float64)
    law = Normal(torch.zeros((), dtype=torch.float64), 1.0)
    chains = metropolis_hastings(
        law.log_prob, start, langevin(law.log_prob, 1.0), steps=1000, generator=generator
    )
    square = chains.mean(torch.square)
    assert abs(float(square) - 1) < 4 * float(square.se)
    biases = [1 / (1 - step / 4) - 1 for step in (0.4, 0.2, 0.1)]
    assert biases[0] / biases[1] == pytest.approx(2, rel=0.1)


# PD-04
def test_unadjusted_langevin_has_its_own_covariance_on_the_plane(generator: Generator) -> None:
    precision, step_size = torch.linalg.inv(COVARIANCE), 0.5
    start = MEAN + torch.randn(200, 2, generator=generator, dtype=torch.float64)
    chains = unadjusted_langevin(
        lambda x: (MEAN - x) @ precision,
        start,
        step_size=step_size,
        steps=1500,
        warmup=100,
        generator=generator,
    )
    # Stationary: S = A S A + eta I with A = I - (eta / 2) P, so that S = (P - (eta / 4) P^2)^-1.
    wanted = torch.linalg.inv(precision - step_size / 4 * precision @ precision)
    assert bool(((chains.mean().value - MEAN).abs() < 5 * chains.mean().se).all())
    found = chains.mean(lambda x: (x - MEAN)[..., :, None] * (x - MEAN)[..., None, :])
    assert bool(((found.value - wanted).abs() < 5 * found.se).all())
    # And not the target's: the least of the variances is off by many errors.
    assert float((found.value - COVARIANCE)[1, 1] / found.se[1, 1]) > 10


# PD-04
def test_leapfrog_steps_can_be_undone_and_keep_volume_and_energy(generator: Generator) -> None:
    x = torch.randn(4, 2, generator=generator, dtype=torch.float64)

    def rolled(x: Tensor, step_size: float, leaps: int) -> tuple[Tensor, Tensor]:
        propose = hamiltonian(unnormalised, step_size, leaps=leaps)
        return propose(x, Generator().manual_seed(1))

    # Of a Gaussian the map is linear at a given momentum: what is accepted weighs the states alone.
    errors = []
    for step_size in (0.2, 0.1):
        y, correction = rolled(x, step_size, round(2 / step_size))
        errors.append((unnormalised(y) - unnormalised(x) + correction).abs().max())
    # The error of the energy after the same time falls with the square of the step.
    assert 3.0 < float(errors[0] / errors[1]) < 5.5
    jacobian = torch.autograd.functional.jacobian(lambda at: _leap(at), torch.cat((x[0], x[1])))
    assert float(torch.linalg.det(jacobian)) == pytest.approx(1.0, abs=1e-12)
    there = _leap(torch.cat((x[0], x[1])))
    back = _leap(there * torch.tensor([1, 1, -1, -1]))
    torch.testing.assert_close(back * torch.tensor([1, 1, -1, -1]), torch.cat((x[0], x[1])))


def _leap(state: Tensor) -> Tensor:
    """Return position and momentum, [4], after the leaps that the proposal makes."""
    position, momentum = state[:2], state[2:]
    precision = torch.linalg.inv(COVARIANCE)
    for _ in range(5):
        momentum = momentum - 0.15 * precision @ (position - MEAN)
        position = position + 0.3 * momentum
        momentum = momentum - 0.15 * precision @ (position - MEAN)
    return torch.cat((position, momentum))


# PD-04
def test_the_proposal_makes_those_leaps() -> None:
    x, noise = torch.ones(1, 2).double(), Generator().manual_seed(1)
    momentum = torch.randn(1, 2, generator=noise, dtype=torch.float64)
    wanted = _leap(torch.cat((x[0], momentum[0])))
    propose = hamiltonian(unnormalised, 0.3, leaps=5)
    found, correction = propose(x, Generator().manual_seed(1))
    torch.testing.assert_close(found[0], wanted[:2])
    kinetic = (momentum.square().sum() - wanted[2:].square().sum()) / 2
    torch.testing.assert_close(correction[0], kinetic)


# PD-04
@pytest.mark.parametrize("name", ["langevin", "hamiltonian"])
def test_moments_of_a_law_that_is_no_gaussian(name: str, generator: Generator) -> None:
    def log_density(x: Tensor) -> Tensor:
        return -x - 2 * torch.nn.functional.softplus(-x)  # The logistic law.

    by = {
        "langevin": langevin(log_density, 6.0),
        "hamiltonian": hamiltonian(log_density, 1.8, leaps=2),
    }
    start = torch.randn(200, generator=generator, dtype=torch.float64)
    chains = metropolis_hastings(
        log_density, start, by[name], steps=600, warmup=50, generator=generator
    )
    for power, wanted in ((1, 2 * math.log(2)), (2, math.pi**2 / 3)):
        found = chains.mean(lambda x, power=power: x.abs() ** power)
        assert abs(float(found) - wanted) < 5 * float(found.se)
        assert float(found.se) < 0.04


def test_chains_repeat_with_their_generator() -> None:
    runs = [
        metropolis_hastings(
            unnormalised,
            torch.zeros(3, 2, dtype=torch.float64),
            proposal,
            steps=20,
            generator=Generator().manual_seed(1),
        ).draws
        for proposal in (*PROPOSALS.values(), *PROPOSALS.values())
    ]
    count = len(PROPOSALS)
    for first, second in zip(runs[:count], runs[count:], strict=True):
        assert torch.equal(first, second)
    alone = metropolis_hastings(
        unnormalised, torch.zeros(1, 2).double(), PROPOSALS["random walk"], steps=5
    )
    assert alone.draws.shape == (5, 1, 2)


def test_a_bounded_support_is_never_left(generator: Generator) -> None:
    def density(x: Tensor) -> Tensor:
        return torch.where((x > 0) & (x < 1), 0.0, -math.inf)

    start = torch.rand(100, generator=generator)
    draws = metropolis_hastings(
        density, start, random_walk(0.5), steps=500, generator=generator
    ).draws
    assert bool(((draws > 0) & (draws < 1)).all())
    with pytest.raises(ValueError, match="got chain 1 at density 0"):
        metropolis_hastings(density, torch.tensor([0.5, 2.0]), random_walk(0.5), steps=5)


def test_mistakes_are_named() -> None:
    start = torch.zeros(2)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        metropolis_hastings(lambda x: -x, start, random_walk(1.0), steps=0)
    with pytest.raises(ValueError, match="scale must be above 0, got 0"):
        random_walk(0.0)
    with pytest.raises(ValueError, match="step_size must be above 0, got -1"):
        langevin(lambda x: x, -1.0)
    with pytest.raises(ValueError, match="leaps must be at least 1, got 0"):
        hamiltonian(lambda x: x, 0.1, leaps=0)
    with pytest.raises(DivergenceError, match="step_size must be below 9"):
        unadjusted_langevin(torch.neg, torch.ones(2), step_size=9.0, steps=500)
    with pytest.raises(ValueError, match=r"p must be \[N\] and proposal \[N, N\]"):
        transition_matrix(torch.tensor([0.5, 0.5]), torch.ones(1, 1))
