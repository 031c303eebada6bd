import math
from collections.abc import Callable

import pytest
import torch
from tests.contracts.models import train
from torch import Generator, Tensor, nn
from torch.distributions import Normal

from ancestral.capabilities import Batch
from ancestral.errors import ConfigError
from ancestral.flows import FlowMatching, ImageFlowMatching, flow_matching_loss
from ancestral.flows.flow_matching import PATHS
from ancestral.flows.targets import single_target
from ancestral.networks.gaussian_path import NoiseLevel
from ancestral.networks.ode import even, integrate
from ancestral.nn import TimedMLP

MEAN, STD = 1.0, 0.5
"""Of the data, Normal(MEAN, STD)."""


def velocity(path: Callable[[Tensor], NoiseLevel], z: Tensor, t: Tensor) -> Tensor:
    """The exact velocity of noise to Gaussian data: E[dz/dt | z], by Gaussian conditioning."""
    level = path(t)
    a, s = level.alpha[:, None], level.sigma[:, None]
    assert level.alpha_rate is not None
    assert level.sigma_rate is not None
    da, ds = level.alpha_rate[:, None], level.sigma_rate[:, None]
    slope = (a * da * STD**2 + s * ds) / (a.square() * STD**2 + s.square())
    return da * MEAN + slope * (z - a * MEAN)


class Exact(nn.Module):
    """The exact velocity as a network."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, z: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        assert label is None
        return velocity(PATHS[self.path], z, t)


def network(**settings: int) -> TimedMLP:
    torch.manual_seed(0)
    made = TimedMLP(2, hidden=(16, 16), **settings).double()
    nn.init.normal_(made.output.weight)
    return made


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("time", [0.0, 0.3, 0.8])
def test_the_least_loss_is_at_the_velocity_of_gaussian_conditioning(path: str, time: float) -> None:
    # At one time the velocity is affine in z, and the loss a quadratic of its two coefficients.
    n, generator = 100_000, Generator().manual_seed(0)
    x_0 = torch.randn(n, 1, dtype=torch.float64, generator=generator)
    x_1 = MEAN + STD * torch.randn(n, 1, dtype=torch.float64, generator=generator)
    t = torch.full((n,), time, dtype=torch.float64)
    point, target = single_target(PATHS[path](t), x_0, x_1)

    def loss(coefficients: Tensor) -> Tensor:
        a, b = coefficients
        return flow_matching_loss(lambda z, _: a * z + b, point, target, t).mean()

    start = torch.zeros(2, dtype=torch.float64)
    gradient = torch.autograd.functional.jacobian(loss, start)
    curvature = torch.autograd.functional.hessian(loss, start)
    assert isinstance(gradient, Tensor)
    assert isinstance(curvature, Tensor)
    a, b = (-torch.linalg.solve(curvature, gradient)).tolist()
    z = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    at_zero, at_one = velocity(PATHS[path], z, t[:2])[:, 0].tolist()
    # The residual has a deviation of at most 2, so that five standard errors are 0.03, and z at
    # the end of the path a deviation of a half: twice that.
    assert b == pytest.approx(at_zero, abs=0.06)
    assert a == pytest.approx(at_one - at_zero, abs=0.06)


@pytest.mark.parametrize("path", PATHS)
def test_the_exact_velocity_gives_the_density_and_the_draws_of_the_data(path: str) -> None:
    model = FlowMatching(Exact(path), (1,), path=path).double()  # pyright: ignore
    x = torch.linspace(-1, 3, 9, dtype=torch.float64)[:, None]
    exact = Normal(MEAN, STD).log_prob(x)[:, 0]
    torch.testing.assert_close(model.log_prob(x), exact, atol=1e-4, rtol=0)
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    *_, end = model.walk(9, given={"z": z}, sampler="rk4", steps=50)
    torch.testing.assert_close(end, MEAN + STD * z, atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_density_does_not_depend_on_the_rest_of_the_batch() -> None:
    torch.manual_seed(0)
    model = FlowMatching(TimedMLP(2, hidden=(32,), frequencies=8), (2,)).double()
    torch.nn.init.normal_(model.network.output.weight, std=0.3)
    x = torch.randn(5, 2, dtype=torch.float64)
    alone = torch.cat([model.log_prob(row) for row in x.split(1)])
    # Far rows want shorter steps, if steps are shared.
    among = model.log_prob(torch.cat((x, 100 * x)))[:5]
    torch.testing.assert_close(among, alone, atol=1e-9, rtol=0)


def test_a_trained_velocity_is_near_the_exact_one() -> None:
    torch.manual_seed(0)
    model = FlowMatching(TimedMLP(1, hidden=(32, 32)), (1,))
    x = MEAN + STD * torch.randn(4096, 1)
    train(model.players(), Batch(x), steps=800)
    generator = Generator().manual_seed(0)
    t = torch.rand(2000, generator=generator)
    z = PATHS["straight"](t).mix(x[:2000], torch.randn(2000, 1, generator=generator))
    with torch.no_grad():
        error = model.network(z, t) - velocity(PATHS["straight"], z, t)
    # The velocity itself has a root mean square of 1.2 where the data are; noise in the weights
    # of 800 steps of 128 examples leaves about 0.07 of it.
    assert error.square().mean().sqrt().item() < 0.15


def test_the_error_of_draws_falls_with_the_order_of_the_sampler() -> None:
    model = FlowMatching(Exact("straight"), (1,)).double()
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    for sampler, order, steps in (("euler", 1, 40), ("heun", 2, 40), ("rk4", 4, 40)):
        errors = []
        for count in (steps, 2 * steps):
            *_, end = model.walk(9, given={"z": z}, sampler=sampler, steps=count)
            errors.append((end - MEAN - STD * z).abs().max().item())
        assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)


@torch.no_grad()
def test_guidance_zero_is_unconditional_and_one_conditional_to_the_last_bit() -> None:
    net = network(classes=3)
    model = FlowMatching(net, (2,), classes=3).double()
    z = torch.randn(5, 2, dtype=torch.float64)
    label = torch.tensor([0, 1, 2, 0, 1])
    for scale, given in ((0.0, None), (1.0, label)):
        *_, guided = model.walk(5, given={"z": z, "label": label}, steps=4, guidance=scale)
        plain = integrate(lambda x, t, given=given: net(x, t, given), z, even(4))
        assert torch.equal(guided, plain)
    *_, beyond = model.walk(5, given={"z": z, "label": label}, steps=4, guidance=2.0)
    assert not torch.allclose(beyond, guided)


def test_the_density_without_a_label_sums_over_labels() -> None:
    model = FlowMatching(network(classes=2), (2,), classes=2).double().requires_grad_(False)
    model.fit_labels(torch.tensor([1.0, 3.0]))
    x = torch.randn(4, 2, dtype=torch.float64)
    each = torch.stack([model.log_prob(x, given={"label": torch.tensor(k)}) for k in range(2)], 1)
    assert not torch.allclose(each[:, 0], each[:, 1])
    whole = (each + torch.tensor([0.25, 0.75]).double().log()).logsumexp(1)
    torch.testing.assert_close(model.log_prob(x), whole)


@torch.no_grad()
def test_the_estimated_density_of_images_is_unbiased() -> None:
    torch.manual_seed(0)
    net = TimedMLP((1, 2, 2), hidden=(16,)).double()
    nn.init.normal_(net.output.weight, std=0.5)
    images = ImageFlowMatching(net, (1, 2, 2)).double()
    exact = FlowMatching(net, (1, 2, 2)).double()
    x = torch.randn(1, 1, 2, 2, dtype=torch.float64)
    each = images.estimate_log_density(
        x.expand(2000, 1, 2, 2), tolerance=1e-5, generator=Generator().manual_seed(0)
    )
    error = each.std().item() / math.sqrt(2000)
    assert each.mean().item() == pytest.approx(exact.log_prob(x).item(), abs=4 * error + 1e-4)
    assert not hasattr(images, "log_prob")


def test_optimal_coupling_is_declared_and_lowers_the_loss_of_straight_lines() -> None:
    x = torch.randn(128, 2, dtype=torch.float64) + 3

    def still(z: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        del t, label
        return torch.zeros_like(z)

    totals = []
    for coupling in ("independent", "optimal"):
        model = FlowMatching(network(), (2,), coupling=coupling).double()
        model.network.forward = still
        (player,) = model.players()
        assert player.couples_examples == (coupling == "optimal")
        totals.append(player.loss(Batch(x), Generator().manual_seed(7)).total.item())
    # Without a velocity the loss is the squared length of the lines: optimal is the shorter.
    assert totals[1] < totals[0]


def test_what_is_out_of_range_is_refused_in_one_line() -> None:
    model = FlowMatching(network(), (2,)).double()
    with pytest.raises(ConfigError, match=r"guidance is of models that are given labels.* got 2"):
        next(model.walk(3, guidance=2.0))
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        next(model.walk(3, steps=0))
    with pytest.raises(ValueError, match="path must be one of straight, preserving, got 'bent'"):
        FlowMatching(network(), (2,), path="bent")  # pyright: ignore
    with pytest.raises(ValueError, match=r"coupling must be one of .* got 'none'"):
        FlowMatching(network(), (2,), coupling="none")  # pyright: ignore
    with pytest.raises(ValueError, match=r"dropped must lie in \[0, 1\), got 1"):
        FlowMatching(network(), (2,), dropped=1.0)
    labelled = FlowMatching(network(classes=2), (2,), classes=2).double()
    with pytest.raises(ValueError, match="a label of 2 classes must be given"):
        labelled.players()[0].loss(Batch(torch.zeros(3, 2)), None)
