import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import kstest
from torch import Generator, Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from ancestral.capabilities import Batch
from ancestral.diffusion import Denoiser, ScoreModel, denoising_loss, flow_log_prob, score_of, walk
from ancestral.diffusion.score import HIGHEST, LOWEST, Process, level_at
from ancestral.networks import linear_schedule
from ancestral.nn import TimedMLP

pytestmark = pytest.mark.usefixtures("float64")

CENTRES, STD = (-1.2, 0.9), 0.25


def noisy(sigma: Tensor) -> MixtureSameFamily:
    """Two clusters with noise of sigma [B]: their law in closed form."""
    std = (STD**2 + sigma**2).sqrt()[:, None].expand(-1, 2)
    weights = Categorical(torch.tensor([0.3, 0.7]).expand(len(sigma), -1))
    return MixtureSameFamily(weights, Normal(torch.tensor(CENTRES).expand_as(std), std))


def denoise(y: Tensor, sigma: Tensor) -> Tensor:
    """The mean of x given y, [B, 1], of the two clusters, by Bayes' rule."""
    std = (STD**2 + sigma[:, None] ** 2).sqrt()
    centres = torch.tensor(CENTRES)
    log_p = Normal(centres, std).log_prob(y) + torch.tensor([0.3, 0.7]).log()
    means = centres + STD**2 / std**2 * (y - centres)
    return (log_p.softmax(1) * means).sum(1, keepdim=True)


def test_the_score_is_the_gradient_of_the_log_density(generator: Generator) -> None:
    sigma = torch.tensor([0.05, 0.4, 2.0, 20.0])
    y = torch.randn(4, 1, generator=generator).requires_grad_()
    (gradient,) = torch.autograd.grad(noisy(sigma).log_prob(y[:, 0]).sum(), y)
    torch.testing.assert_close(score_of(denoise, y.detach(), sigma), gradient)


@pytest.mark.parametrize("process", ["ve", "vp"])
def test_levels_follow_the_process(process: Process) -> None:
    model = ScoreModel(Denoiser(TimedMLP(1, hidden=(8,))), (1,), process=process)
    levels = model.levels(20)
    assert len(levels) == 21
    assert all(a > b for a, b in pairwise(levels))
    assert levels[-1] == 0
    time = torch.linspace(0, 1, 5)
    found = level_at(process, time)
    if process == "ve":
        torch.testing.assert_close(found.log().diff().diff(), torch.zeros(3), atol=1e-9, rtol=0)
        assert (levels[0], levels[-2]) == pytest.approx((HIGHEST, LOWEST))
    else:  # The integral of rates that grow evenly from 0.1 to 20.
        t = 1e-5 + (1 - 1e-5) * time
        kept = torch.exp(-(0.1 * t + 0.5 * 19.9 * t**2))
        torch.testing.assert_close(found, ((1 - kept) / kept).sqrt())


def test_the_chain_of_many_steps_is_the_process() -> None:
    """PD-25: the linear schedule of T steps goes to the variance-preserving process."""

    def gap(steps: int) -> float:
        kept = linear_schedule(steps)()
        time = torch.linspace(0, 1, steps + 1)
        exact = torch.exp(-(0.1 * time + 0.5 * 19.9 * time**2))
        return float((kept - exact).abs().max())

    assert gap(4000) < 1e-3
    assert gap(4000) < 0.3 * gap(1000)


def test_the_flow_has_the_density_of_the_data(generator: Generator) -> None:
    y = torch.randn(50, 1, generator=generator)
    exact = noisy(torch.full((50,), 0.01)).log_prob(y[:, 0])
    gaps = [
        float((flow_log_prob(denoise, y, 0.01, highest) - exact).abs().max())
        for highest in (50.0, 500.0, 5000.0)
    ]
    # It begins at mean 0, these data have 0.27: what that says falls with the highest level.
    assert gaps[0] < 0.05
    assert gaps[1] < 0.2 * gaps[0]
    assert gaps[2] < 2e-3


def test_ode_and_sde_share_their_marginals_on_the_way(generator: Generator) -> None:
    """At every level the law of the states is that of data with noise, by a two-sample test."""
    levels = (*torch.logspace(1.7, -2.3, 120).tolist(), 0.0)
    for sampler in ("heun", "euler-maruyama", "ancestral", "sde-dpmpp-2m"):
        like = torch.zeros(())
        states = walk(sampler, denoise, levels, (2000, 1), like=like, generator=generator)
        for at, (level, state) in enumerate(zip(levels, states, strict=True)):
            if at in (60, 90, 110):
                std = math.sqrt(STD**2 + level**2)

                def cdf(v: NDArray[np.float64], std: float = std) -> NDArray[np.float64]:
                    parts = Normal(torch.tensor(CENTRES), std).cdf(torch.from_numpy(v)[:, None])
                    return (parts @ torch.tensor([0.3, 0.7])).numpy()

                # Twelve tests: a false alarm once in about 800 seeds.
                assert kstest(state[:, 0].numpy(), cdf).pvalue > 1e-4, (sampler, at)


def test_annealed_langevin_visits_both_clusters(generator: Generator) -> None:
    levels = (*torch.logspace(1, -2, 60).tolist(), 0.0)
    *_, x = walk("langevin", denoise, levels, (4000, 1), like=torch.zeros(()), generator=generator)
    share = float((x < 0).double().mean())
    assert share == pytest.approx(0.3, abs=0.06)
    nearest = (x - torch.tensor(CENTRES)).abs().amin(1)
    assert float((nearest > 4 * STD).double().mean()) < 0.01


def test_denoising_score_matching_is_the_loss(generator: Generator) -> None:
    """|sigma score + epsilon|^2, of the very noise that was drawn."""
    x, sigma = torch.randn(30, 1, generator=generator), torch.full((30,), 0.7)
    seeds = [Generator().manual_seed(2) for _ in range(2)]
    loss = denoising_loss(denoise, x, sigma, generator=seeds[0]) / sigma**2
    epsilon = torch.randn(x.shape, generator=seeds[1])
    score = score_of(denoise, x + 0.7 * epsilon, sigma)
    torch.testing.assert_close(loss, (0.7 * score + epsilon).square().mean(1))


@pytest.mark.parametrize("process", ["ve", "vp"])
def test_a_learned_score_points_where_the_analytic_one_does(
    process: Process, generator: Generator
) -> None:
    """PD-03: the cosine over the region of the data is above 0.98."""
    torch.manual_seed(0)
    model = ScoreModel(Denoiser(TimedMLP(1, hidden=(64, 64))), (1,), process=process).float()
    (player,) = model.players()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 800)
    data = noisy(torch.full((512,), 1e-9))
    for _ in range(800):
        loss = player.loss(Batch(data.sample()[:, None]), generator)
        optimizer.zero_grad()
        (loss.total / loss.weight).backward()
        optimizer.step()
        schedule.step()
    y = data.sample()[:, None]
    sigma = torch.full((512,), 0.2)
    y = y + 0.2 * torch.randn(y.shape, generator=generator)
    with torch.no_grad():
        found = model.double().score(y, sigma)
    right = score_of(denoise, y, sigma)
    cosine = (found * right).sum() / (found.norm() * right.norm())
    assert float(cosine) > 0.98


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="process must be ve or vp, got 'sub'"):
        ScoreModel(Denoiser(TimedMLP(1, hidden=(8,))), (1,), process="sub")
