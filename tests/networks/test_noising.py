import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import Generator, Tensor, nn
from torch.distributions import Normal, kl_divergence

from ancestral.networks import (
    Chain,
    DenoisingStep,
    FixedSchedule,
    GreyNormal,
    LearnedSchedule,
    StandardNormal,
    VariancePreservingStep,
    chain_elbo,
    cosine_schedule,
    draw,
    linear_schedule,
)
from ancestral.networks.noising import term_chances

pytestmark = pytest.mark.usefixtures("float64")

SCHEDULES: dict[str, Any] = {
    "cosine": lambda: cosine_schedule(25),
    "linear": lambda: linear_schedule(25),
    "learned": lambda: LearnedSchedule(25).double(),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_falls_from_one_to_nearly_nothing(name: str) -> None:
    kept = SCHEDULES[name]()().detach()
    assert kept.shape == (26,)
    assert kept[0] == 1
    assert bool((kept.diff() < 0).all())
    assert 0 < float(kept[-1]) < 0.02


def test_the_linear_schedule_is_that_of_the_paper() -> None:
    kept = linear_schedule(1000)()
    taken = 1 - kept[1:] / kept[:-1]
    torch.testing.assert_close(taken, torch.linspace(1e-4, 0.02, 1000), atol=1e-12, rtol=0)
    assert float(kept[-1]) == pytest.approx(4.04e-5, rel=1e-2)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_last_state_is_noise_and_the_chain_is_its_jump(name: str, generator: Generator) -> None:
    """The variance of z_T is 1, and step by step the law is the closed form's."""
    step = VariancePreservingStep(SCHEDULES[name](), ())
    x = torch.full((40_000,), 1.5)
    q = Chain(None, step, steps=25)
    with torch.no_grad():
        *_, last = q.walk(len(x), given={"z0": x}, generator=generator)
        jump = step.jump(x, torch.full((len(x),), 25))
    # Of 40,000 draws: standard errors of the mean 1/200, of the variance sqrt(2)/200.
    assert last.mean().item() == pytest.approx(jump.mean[0].item(), abs=5 / 200)
    assert last.var().item() == pytest.approx(jump.variance[0].item(), abs=5 * 1.42 / 200)
    assert jump.variance[0].item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("make", [cosine_schedule, LearnedSchedule])
def test_a_schedule_can_begin_at_a_level(make: Callable[..., nn.Module]) -> None:
    noise = VariancePreservingStep(make(25, lowest=0.05).double(), ())
    first, last = noise.ratio(torch.tensor([1, 25])).detach()
    assert first.item() == pytest.approx(0.05, rel=1e-4)
    usual = VariancePreservingStep(25, ()).ratio(torch.tensor(25))
    assert last.item() == pytest.approx(usual.item(), rel=1e-4)


def test_the_learned_schedule_gets_gradients_everywhere(generator: Generator) -> None:
    schedule = LearnedSchedule(6).double()
    p, q = chains(schedule, Affine())
    x = torch.randn(50, 2, generator=generator)
    chain_elbo(p, q, x, generator=generator).mean().backward()
    assert all(bool((part.grad != 0).all()) for part in schedule.parameters())


def test_schedules_are_checked() -> None:
    with pytest.raises(ValueError, match="steps must be at least 21, got 20"):
        linear_schedule(20)
    with pytest.raises(ValueError, match="must begin with 1"):
        FixedSchedule(torch.tensor([0.9, 0.5]))
    with pytest.raises(ValueError, match="must fall and stay above 0"):
        FixedSchedule(torch.tensor([1.0, 0.5, 0.0]))


class Affine(nn.Module):
    """Not the right denoiser, but a Gaussian one."""

    def forward(self, y: Tensor, sigma: Tensor) -> Normal:
        spread = (0.3 + sigma[:, None]) / (1 + sigma[:, None])
        return Normal(0.2 + 0.7 * y / (1 + sigma[:, None]), spread.expand_as(y))


def chains(schedule: nn.Module, denoiser: nn.Module, *, levels: int = 0) -> tuple[Chain, Chain]:
    noise, event = VariancePreservingStep(schedule, (2,)), (2,)
    steps = len(noise.kept) - 1
    reverse = DenoisingStep(noise, denoiser, levels=levels)
    q = Chain(None, noise, steps=steps, event_shape=event)
    p = Chain(StandardNormal(event), reverse, steps=steps, event_shape=event, reverse=True)
    return p, q


def test_the_reverse_is_the_posterior_averaged_over_the_denoiser(generator: Generator) -> None:
    noise = VariancePreservingStep(5, (2,))
    step = DenoisingStep(noise, Affine())
    z = torch.randn(1, 2, generator=generator)
    for t in (1, 2, 5):
        at = torch.tensor([t])
        sigma = noise.ratio(at)
        x = Affine()(z / noise.kept[t].sqrt(), sigma)
        draws = x.sample((200_000,))[:, 0]
        rows = at.expand(len(draws))
        ahead = noise.posterior(z.expand(len(draws), -1), draws, rows)
        found = step(z, at)
        variance = ahead.variance.mean(0) + ahead.mean.var(0)
        torch.testing.assert_close(ahead.mean.mean(0), found.mean[0], atol=5e-3, rtol=0)
        torch.testing.assert_close(variance, found.variance[0], atol=0, rtol=2e-2)
    first = torch.tensor([1])
    alone = Affine()(z / noise.kept[1].sqrt(), noise.ratio(first))
    torch.testing.assert_close(step(z, first).mean, alone.mean)
    torch.testing.assert_close(step(z, first).stddev, alone.stddev)


def test_without_spread_a_term_is_the_squared_error_by_the_signal_to_noise(
    generator: Generator,
) -> None:
    """Kingma et al. 2021, eq. 14: KL = (SNR(t - 1) - SNR(t)) / 2 |x - m|^2."""

    class Point(nn.Module):
        def forward(self, y: Tensor, sigma: Tensor) -> Normal:
            spread = torch.zeros_like(y) + 0 * sigma[:, None]
            return Normal(0.5 * y, spread, validate_args=False)

    noise = VariancePreservingStep(5, (2,))
    x, z = torch.randn(2, 4, 2, generator=generator)
    for t in (2, 3, 5):
        at = torch.full((4,), t)
        back = DenoisingStep(noise, Point())(z, at)
        found = kl_divergence(noise.posterior(z, x, at), back).sum(1)
        ratios = noise.kept / (1 - noise.kept)
        error = (x - 0.5 * z / noise.kept[t].sqrt()).square().sum(1)
        torch.testing.assert_close(found, 0.5 * (ratios[t - 1] - ratios[t]) * error)


@pytest.mark.parametrize("levels", [2, 5, 256])
def test_the_masses_of_grey_levels_add_up_to_one(levels: int) -> None:
    values = torch.linspace(-1, 1, levels)[:, None]
    loc = torch.tensor([-3.0, -1.0, -0.2, 0.7, 1.4])
    for scale in (0.003, 0.05, 1.0, 30.0):
        law = GreyNormal(loc, torch.full_like(loc, scale), torch.tensor(True), levels)
        masses = law.log_prob(values).exp()
        torch.testing.assert_close(masses.sum(0), torch.ones(5), atol=1e-9, rtol=0)
    density = GreyNormal(loc, torch.ones(5), torch.tensor(False), levels)
    torch.testing.assert_close(density.log_prob(values), Normal(loc, 1.0).log_prob(values))


def test_a_mass_is_the_integral_over_the_cell_also_in_single_precision() -> None:
    levels, scale = 17, 0.02
    half = 1 / (levels - 1)
    for loc, level in ((0.1, 8), (-0.4, 6), (0.3, 9)):
        value = 2 * level / (levels - 1) - 1
        density = partial(norm.pdf, loc=loc, scale=scale)
        peak = [min(max(loc, value - half), value + half)]
        whole, _ = quad(density, value - half, value + half, points=peak)
        law = GreyNormal(torch.tensor(loc), torch.tensor(scale), torch.tensor(True), levels)
        assert law.log_prob(torch.tensor(value)).item() == pytest.approx(math.log(whole), abs=1e-6)
    far = GreyNormal(torch.tensor(0.9).float(), torch.tensor(0.01).float(), torch.tensor(True), 256)
    found = far.log_prob(torch.tensor([-1.0, 0.0, 1.0]).float())
    assert bool(found.isfinite().all())


def test_draws_at_the_nearest_level_have_the_masses(generator: Generator) -> None:
    law = GreyNormal(torch.tensor(0.3), torch.tensor(0.4), torch.tensor(True), 5)
    found = ((draw(law, (50_000,), generator) + 1) * 2).round().clamp(0, 4)
    shares = found.long().bincount(minlength=5) / 50_000
    masses = law.log_prob(torch.linspace(-1, 1, 5)).exp()
    assert float((shares - masses).abs().max()) < 5 * 0.5 / math.sqrt(50_000)


def test_a_chain_over_levels_has_a_bound_below_the_probability_of_levels(
    generator: Generator,
) -> None:
    """Two pixels of three levels: the bounds of all nine images leave no more than mass 1."""
    p, q = chains(cosine_schedule(8), Affine(), levels=3)
    grid = torch.linspace(-1, 1, 3)
    x = torch.cartesian_prod(grid, grid)
    bounds = chain_elbo(p, q, x.repeat(4000, 1), generator=generator).view(4000, 9).mean(0)
    draws = ((p.sample(200_000, generator=generator)[:, 0] + 1).round().clamp(0, 2)).long()
    shares = (draws[:, 0] * 3 + draws[:, 1]).bincount(minlength=9) / 200_000
    assert float(bounds.exp().sum()) < 1
    assert bool((bounds < shares.log() + 0.05).all())


def test_chances_follow_the_signal_to_noise_and_add_up() -> None:
    kept = cosine_schedule(50)()
    chances = term_chances(kept, first=0.2)
    assert chances.sum().item() == pytest.approx(1)
    assert chances[0].item() == pytest.approx(0.2)
    log_ratio = (kept / (1 - kept))[1:].log()
    share = (log_ratio[3] - log_ratio[4]) / (log_ratio[0] - log_ratio[-1])
    assert chances[4].item() == pytest.approx(0.8 * share.item())
    assert term_chances(cosine_schedule(1)()).tolist() == [1.0]


@pytest.mark.parametrize("reverse", [False, True])
def test_states_apart_are_independent_given_the_one_between(
    generator: Generator, *, reverse: bool
) -> None:
    """Both chains are Markov: no partial correlation is left; without it there is a large one."""
    p, q = chains(cosine_schedule(4), Affine())
    if reverse:
        path = p.sample(40_000, generator=generator)[..., 0]
    else:
        x = torch.randn(40_000, 2, generator=generator)
        path = q.sample(40_000, given={"z0": x}, generator=generator)[..., 0]
    a, between, b = path[:, 1], path[:, 2], path[:, 3]

    def correlation(u: Tensor, v: Tensor) -> float:
        return float(torch.corrcoef(torch.stack((u, v)))[0, 1])

    def rest(u: Tensor) -> Tensor:
        slope = torch.cov(torch.stack((u, between)))[0, 1] / between.var()
        return u - slope * between

    assert abs(correlation(a, b)) > 0.1
    assert abs(correlation(rest(a), rest(b))) < 5 / math.sqrt(40_000)
