import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.flows import FlowMatching, MeanFlow
from ancestral.flows.flow_matching import PATHS
from ancestral.flows.targets import averaged_target, single_target
from ancestral.nn import TimedMLP

MEAN, STD = 1.0, 0.5


def pairs(n: int, features: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    generator = Generator().manual_seed(0)
    x_0, noise = torch.randn(2, n, features, dtype=torch.float64, generator=generator)
    return x_0, MEAN + STD * noise, torch.rand(n, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("path", PATHS)
def test_the_average_is_the_weighted_sum_over_the_batch(path: str) -> None:
    x_0, x_1, t = pairs(6, 2)
    level = PATHS[path](t)
    z, got = averaged_target(level, x_0, x_1)
    assert torch.equal(z, single_target(level, x_0, x_1)[0])
    for i in range(6):
        own = PATHS[path](t[i : i + 1].expand(6))
        noise = (z[i] - level.alpha[i] * x_1) / level.sigma[i]
        weight = (-0.5 * noise.square().sum(1)).exp()
        each = own.value("velocity", x=x_1, noise=noise)
        expected = (weight[:, None] * each).sum(0) / weight.sum()
        torch.testing.assert_close(got[i], expected)


@pytest.mark.parametrize("path", PATHS)
def test_both_targets_have_one_mean_and_the_average_less_variance(path: str) -> None:
    # Given z the difference has mean 0, so it is orthogonal to every function of z and t.
    totals = []
    for seed in range(200):
        torch.manual_seed(seed)
        x_0, x_1 = torch.randn(2, 50, 1, dtype=torch.float64)
        x_1, t = MEAN + STD * x_1, torch.rand(50, dtype=torch.float64)
        level = PATHS[path](t)
        (z, one), (_, mean) = single_target(level, x_0, x_1), averaged_target(level, x_0, x_1)
        difference = (mean - one)[:, 0]
        weights = torch.stack((torch.ones_like(t), t, z[:, 0], z[:, 0].square(), t * z[:, 0]))
        totals.append((weights * difference).mean(1))
    sums = torch.stack(totals)
    error = sums.std(0) / math.sqrt(len(sums))
    assert (sums.mean(0).abs() < 5 * error).all()
    # Both scatter around the velocity of Gaussian conditioning, the average by far less.
    a, s = level.alpha[:, None], level.sigma[:, None]
    assert level.alpha_rate is not None
    assert level.sigma_rate is not None
    da, ds = level.alpha_rate[:, None], level.sigma_rate[:, None]
    slope = (a * da * STD**2 + s * ds) / (a.square() * STD**2 + s.square())
    exact = da * MEAN + slope * (z - a * MEAN)
    assert (mean - exact).square().mean() < 0.3 * (one - exact).square().mean()


def test_labels_average_over_their_own() -> None:
    x_0, x_1, t = pairs(30, 2)
    label, level = torch.arange(30) % 3, PATHS["straight"](t)
    _, got = averaged_target(level, x_0, x_1, label)
    for k in range(3):
        own = label == k
        part = PATHS["straight"](t[own])
        torch.testing.assert_close(got[own], averaged_target(part, x_0[own], x_1[own])[1])


def test_near_the_data_it_is_the_path_of_the_example() -> None:
    x_0, x_1, _ = pairs(20, 2)
    level = PATHS["straight"](torch.full((20,), 1 - 1e-6, dtype=torch.float64))
    torch.testing.assert_close(averaged_target(level, x_0, x_1)[1], x_1 - x_0, atol=1e-5, rtol=1e-5)


def test_an_average_couples_the_examples_and_wants_independent_noise() -> None:
    models = [
        FlowMatching(TimedMLP(2), (2,), target="averaged"),
        MeanFlow(TimedMLP(2, times=2), (2,), target="averaged"),
    ]
    for model in models:
        assert model.players()[0].couples_examples
    with pytest.raises(ValueError, match="target must be single where the coupling is optimal"):
        FlowMatching(TimedMLP(2), (2,), target="averaged", coupling="optimal")
    with pytest.raises(ValueError, match="target must be one of single, averaged, got 'mine'"):
        MeanFlow(TimedMLP(2, times=2), (2,), target="mine")  # pyright: ignore
