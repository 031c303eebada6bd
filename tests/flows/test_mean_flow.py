import math

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch
from ancestral.flows import MeanFlow, mean_flow_error
from ancestral.nn import TimedMLP

MEAN, STD = 1.0, 0.5


def intervals(n: int, generator: Generator) -> tuple[Tensor, Tensor]:
    times = torch.rand(2, n, dtype=torch.float64, generator=generator).sort(dim=0).values
    return times[0], times[1]


def test_the_target_has_the_derivative_along_the_path() -> None:
    torch.manual_seed(0)
    network = TimedMLP(3, hidden=(16, 16), times=2).double().requires_grad_(False)
    nn.init.normal_(network.output.weight)

    def u(z: Tensor, t: Tensor, length: Tensor) -> Tensor:
        return network(z, torch.stack((t, length), dim=1))

    x_0, x_1 = torch.randn(2, 6, 3, dtype=torch.float64)
    t, s = intervals(6, Generator().manual_seed(0))
    z, v, length, h = torch.lerp(x_0, x_1, t[:, None]), x_1 - x_0, s - t, 1e-5
    slope = (u(z + h * v, t + h, length - h) - u(z - h * v, t - h, length + h)) / (2 * h)
    expected = u(z, t, length) - v - length[:, None] * slope
    torch.testing.assert_close(mean_flow_error(u, z, v, t, s), expected, rtol=1e-6, atol=1e-6)


def test_the_mean_velocity_of_gaussians_has_no_error_on_average() -> None:
    # On the way from noise to Normal(MEAN, STD) a point keeps its place in units of the deviation.
    def std(t: Tensor) -> Tensor:
        return (t.square() * STD**2 + (1 - t).square()).sqrt()

    def u(z: Tensor, t: Tensor, length: Tensor) -> Tensor:
        s = t + length
        end = s[:, None] * MEAN + (z - t[:, None] * MEAN) * (std(s) / std(t))[:, None]
        return (end - z) / length[:, None]

    n, generator = 200_000, Generator().manual_seed(0)
    x_0, noise = torch.randn(2, n, 1, dtype=torch.float64, generator=generator)
    x_1, (t, s) = MEAN + STD * noise, intervals(n, generator)
    points, v = torch.lerp(x_0, x_1, t[:, None]), x_1 - x_0
    error, z = mean_flow_error(u, points, v, t, s)[:, 0], points[:, 0]
    # Given z the error has mean 0, so it is orthogonal to every function of z and the times.
    for weight in (torch.ones_like(z), z, z.square(), z * t, s - t):
        each = error * weight
        assert abs(each.mean().item()) < 5 * each.std().item() / math.sqrt(n)
    # The velocity at the beginning in its place would not be.
    wrong = mean_flow_error(lambda z, t, _: u(z, t, torch.full_like(t, 1e-6)), points, v, t, s)
    each = wrong[:, 0] * z
    assert abs(each.mean().item()) > 5 * each.std().item() / math.sqrt(n)


def test_an_interval_without_length_is_flow_matching() -> None:
    x_0, x_1 = torch.randn(2, 5, 2, dtype=torch.float64)
    t = torch.rand(5, dtype=torch.float64)
    z, v = torch.lerp(x_0, x_1, t[:, None]), x_1 - x_0
    error = mean_flow_error(lambda z, t, length: z * t[:, None] + length[:, None], z, v, t, t)
    torch.testing.assert_close(error, z * t[:, None] - v)


def test_one_evaluation_draws_what_was_learned() -> None:
    torch.manual_seed(0)
    model = MeanFlow(TimedMLP(1, hidden=(32, 32), times=2), (1,))
    x = MEAN + STD * torch.randn(4096, 1)
    (player,), generator = model.players(), Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=500)
    for _ in range(500):
        loss = player.loss(Batch(x[torch.randperm(4096, generator=generator)[:512]]), generator)
        optimizer.zero_grad()
        (loss.total / loss.weight).backward()
        optimizer.step()
        schedule.step()
    draws = model.sample(4000, generator=Generator().manual_seed(0))
    # So few steps leave errors of some hundredths; one evaluation of a velocity, which
    # sends all noise to the mean, would have no deviation at all.
    assert draws.mean().item() == pytest.approx(MEAN, abs=0.1)
    assert draws.std().item() == pytest.approx(STD, abs=0.1)


@torch.no_grad()
def test_a_walk_adds_the_mean_velocities_of_its_intervals() -> None:
    torch.manual_seed(0)
    network = TimedMLP(2, hidden=(16,), times=2)
    nn.init.normal_(network.output.weight)
    model = MeanFlow(network, (2,))
    z = torch.randn(5, 2)
    states = [*model.walk(5, given={"z": z}, steps=2)]
    half = z + network(z, torch.tensor([[0.0, 0.5]]).expand(5, 2)) / 2
    whole = half + network(half, torch.tensor([[0.5, 0.5]]).expand(5, 2)) / 2
    assert len(states) == 3
    torch.testing.assert_close(states[1], half)
    torch.testing.assert_close(states[2], whole)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"intervals": 0.0}, r"intervals must lie in \(0, 1\], got 0.0"),
        ({"power": -1.0}, "power must be at least 0, got -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MeanFlow(TimedMLP(2, times=2), (2,), **setting)


def test_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        next(MeanFlow(TimedMLP(2, times=2), (2,)).walk(3, steps=0))
