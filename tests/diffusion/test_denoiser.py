import math

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.diffusion import Denoised, Denoiser, Spread
from ancestral.diffusion.denoiser import time_of
from ancestral.networks.gaussian_path import NoiseLevel, Quantity
from ancestral.nn import TimedMLP

pytestmark = pytest.mark.usefixtures("float64")

SIGMA = torch.tensor([0.01, 0.3, 1.0, 40.0], dtype=torch.float64)


class Fixed(nn.Module):
    """Predicts a quantity of Gaussian data of variance 1, exactly: all means are linear."""

    def __init__(self, prediction: Quantity) -> None:
        super().__init__()
        self.prediction = prediction

    def forward(self, z: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        assert label is None
        level = NoiseLevel.preserving(((time - 0.5) * 14).exp())
        x = level.alpha[:, None] * z  # E[x | z], for z has variance 1.
        return level.convert(x, z, have="x", want=self.prediction)


@pytest.mark.parametrize("prediction", ["x", "epsilon", "v", "score"])
def test_whatever_is_predicted_the_mean_is_the_same(
    prediction: Quantity, generator: Generator
) -> None:
    y = torch.randn(4, 3, generator=generator)
    found = Denoiser(Fixed(prediction), prediction=prediction)(y, SIGMA)
    share = 1 / (1 + SIGMA**2)
    torch.testing.assert_close(found, share[:, None] * y, atol=1e-10, rtol=1e-10)


def test_v_is_the_preconditioning_of_karras(generator: Generator) -> None:
    """Table 1: D = c_skip y + c_out F(c_in y), with the network's sign turned."""

    class Waves(nn.Module):
        def forward(self, z: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
            assert label is None
            return (3 * z + time[:, None]).sin()

    y = torch.randn(4, 3, generator=generator)
    sigma = SIGMA[:, None]
    total = (sigma**2 + 1).sqrt()
    inner = -Waves()(y / total, time_of(SIGMA))
    expected = y / total**2 + sigma / total * inner
    torch.testing.assert_close(Denoiser(Waves())(y, SIGMA), expected)


def test_the_network_sees_variance_one_and_a_time_about_from_0_to_1(generator: Generator) -> None:
    seen = {}

    class Spy(nn.Module):
        def forward(self, z: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
            assert label is None
            seen.update(z=z, time=time)
            return z

    sigma = torch.tensor([1e-3, 1.0, 1e3]).repeat_interleave(20_000)
    x = torch.randn(60_000, 1, generator=generator)
    y = x + sigma[:, None] * torch.randn(x.shape, generator=generator)
    Denoiser(Spy())(y, sigma)
    assert bool(((seen["z"].view(3, -1).std(1) - 1).abs() < 0.03).all())
    assert 0 <= float(seen["time"].min()) < 0.1
    assert 0.9 < float(seen["time"].max()) <= 1.1


def test_guidance_is_of_the_means(generator: Generator) -> None:
    """All predictions are affine in each other, so the means are guided as the outputs are."""
    network = TimedMLP(2, hidden=(16,), classes=3).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    denoiser = Denoiser(network, classes=3)
    y, label = torch.randn(4, 2, generator=generator), torch.tensor([0, 1, 2, 0])
    u, c = denoiser(y, SIGMA), denoiser(y, SIGMA, label)
    assert torch.equal(denoiser(y, SIGMA, label, scale=0.0), u)
    assert torch.equal(denoiser(y, SIGMA, label, scale=1.0), c)
    torch.testing.assert_close(denoiser(y, SIGMA, label, scale=2.5), u + 2.5 * (c - u))
    none = torch.full((4,), 3)
    torch.testing.assert_close(denoiser(y, SIGMA, none), u)


def test_the_spread_is_linear_between_its_knots() -> None:
    spread = Spread().double()
    sigma = torch.tensor([1e-6, 0.01, 1.0, math.exp(0.25), 1e5])
    torch.testing.assert_close(spread(sigma), sigma / (1 + sigma**2).sqrt())
    with torch.no_grad():
        spread.log_factor.copy_(torch.arange(29.0) / 10)
    factor = spread(sigma) * (1 + sigma**2).sqrt() / sigma
    expected = torch.tensor([0, (math.log(0.01) + 7) / 5, 1.4, 1.45, 2.8])
    torch.testing.assert_close(factor.log(), expected)


def test_a_spread_is_learned_by_its_likelihood(generator: Generator) -> None:
    """The factor that maximises the likelihood is the root of the mean squared error."""
    spread, sigma = Spread().double(), torch.tensor([0.5])
    errors = 0.2 * torch.randn(2000, generator=generator)
    optimizer = torch.optim.LBFGS(spread.parameters(), max_iter=50)

    def closure() -> Tensor:
        optimizer.zero_grad()
        std = spread(sigma)
        loss = (0.5 * errors.square().mean() / std.square() + std.log()).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    root = errors.square().mean().sqrt()
    torch.testing.assert_close(spread(sigma)[0].detach(), root, rtol=1e-4, atol=0)


def test_denoised_is_a_normal_of_each_value() -> None:
    law = Denoised(Denoiser(TimedMLP(2, hidden=(8,)).double()), Spread().double())(
        torch.ones(4, 2), SIGMA
    )
    assert law.batch_shape == (4, 2)
    torch.testing.assert_close(law.stddev[:, 1], SIGMA / (1 + SIGMA**2).sqrt())


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="classes must be at least 0, got -1"):
        Denoiser(nn.Identity(), classes=-1)
