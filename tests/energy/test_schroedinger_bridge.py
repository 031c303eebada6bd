"""PD-36: the Schrödinger bridge."""

import math

import pytest
import torch
from torch import Generator

from ancestral.energy import SchroedingerBridge
from ancestral.information.sinkhorn import sinkhorn

pytestmark = pytest.mark.usefixtures("float64")


# PD-36
def test_its_ends_are_coupled_by_the_entropic_plan(generator: Generator) -> None:
    x, y = torch.randn(5, 2, generator=generator), torch.randn(7, 2, generator=generator)
    bridge = SchroedingerBridge(epsilon=0.7).fit(x, y)
    plan = sinkhorn(torch.cdist(x, y).square() / 2, epsilon=0.7).plan
    torch.testing.assert_close(bridge.ends(x, 0.0).probs / 5, plan, rtol=0, atol=1e-6)


# PD-36
def test_every_path_ends_in_the_second_set_with_its_weights(generator: Generator) -> None:
    x, y = torch.zeros(1, 1), torch.tensor([[-1.0], [0.0], [2.0]])
    bridge = SchroedingerBridge(epsilon=1.0).fit(x, y)
    n = 6000
    paths = bridge.paths(x.expand(n, 1), times=[0.0, 0.2, 0.6, 1.0], generator=generator)
    error = 5 * math.sqrt(2 / 9 / n)
    for point in y:
        share = float((paths[:, -1] == point).all(dim=1).double().mean())
        assert share == pytest.approx(1 / 3, abs=error)
    # Halfway a path is a Brownian bridge to its end, whatever steps came before.
    for number, time in ((1, 0.2), (2, 0.6)):
        at, end = paths[:, number, 0], paths[:, -1, 0]
        residual = at - time * end
        variance = time * (1 - time)
        assert abs(float(residual.mean())) < 5 * math.sqrt(variance / n)
        assert float(residual.var()) == pytest.approx(variance, rel=5 * math.sqrt(2 / n))
        assert abs(float((residual * end).mean())) < 5 * math.sqrt(
            variance * float(y.square().mean()) / n
        )


# PD-36
def test_the_drift_carries_as_the_exact_steps_do(generator: Generator) -> None:
    x, y = torch.randn(40, 1, generator=generator), 2 + torch.randn(40, 1, generator=generator)
    bridge = SchroedingerBridge(epsilon=0.5).fit(x, y)
    start, n, steps = x.repeat(100, 1), 4000, 100
    at = start.clone()
    for step in range(steps // 2):
        noise = torch.randn(at.shape, generator=generator)
        at = at + bridge.drift(at, step / steps) / steps + (0.5 / steps) ** 0.5 * noise
    exact = bridge.paths(start, times=[0.0, 0.5], generator=generator)[:, 1]
    spread = float(exact.std())
    # Euler's error at a step of 0.01 is some hundredths of the spread at most.
    assert float(at.mean()) == pytest.approx(float(exact.mean()), abs=8 * spread / math.sqrt(n))
    assert float(at.std()) == pytest.approx(spread, rel=0.05)


# PD-36
def test_with_little_noise_it_is_the_straight_way_of_optimal_transport(
    generator: Generator,
) -> None:
    x = torch.randn(20, 1, generator=generator).sort(dim=0).values
    y = 5 + 2 * torch.randn(20, 1, generator=generator).sort(dim=0).values
    bridge = SchroedingerBridge(epsilon=0.05).fit(x, y)
    middle = bridge.paths(x, times=[0.0, 0.5], generator=generator)[:, 1]
    # Neighbours in order may still change places, and the noise is 0.11.
    assert float((middle - (x + y) / 2).abs().mean()) < 0.25


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="epsilon must be above 0, got 0"):
        SchroedingerBridge(epsilon=0)
    bridge = SchroedingerBridge(epsilon=1.0)
    with pytest.raises(ValueError, match=r"points must be \[N, D\] and \[M, D\]"):
        bridge.fit(torch.zeros(3, 2), torch.zeros(3, 1))
    bridge.fit(torch.zeros(3, 2), torch.ones(3, 2))
    for times in ([0.5, 0.5], [0.0, 1.1], [-0.1, 1.0]):
        with pytest.raises(ValueError, match="times must rise in"):
            bridge.paths(torch.zeros(1, 2), times=times)


def test_a_new_bridge_loads_a_fitted_one(generator: Generator) -> None:
    x, y = torch.randn(5, 2, generator=generator), torch.randn(7, 2, generator=generator)
    fitted = SchroedingerBridge(epsilon=0.7).fit(x, y)
    loaded = SchroedingerBridge(epsilon=0.7)
    loaded.load_state_dict(fitted.state_dict())
    assert torch.equal(loaded.ends(x, 0.3).probs, fitted.ends(x, 0.3).probs)
