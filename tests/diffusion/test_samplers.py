import math
from itertools import pairwise

import pytest
import torch
from torch import Generator, Tensor

from ancestral.diffusion.levels import geometric_levels, karras_levels
from ancestral.diffusion.samplers import SAMPLERS, evaluations, exponential, walk

pytestmark = pytest.mark.usefixtures("float64")

MEAN, STD = (
    torch.tensor([0.5, -1.0], dtype=torch.float64),
    torch.tensor([0.3, 1.4], dtype=torch.float64),
)
LOW, HIGH = 0.01, 50.0
DETERMINISTIC = {"ddim": 1, "euler": 1, "heun": 2, "dpmpp-2m": 2}
STOCHASTIC = {"ancestral", "sde-dpmpp-2m", "euler-maruyama", "churn", "langevin", "repaint"}


def denoise(y: Tensor, sigma: Tensor) -> Tensor:
    """The exact denoiser of Normal(MEAN, STD): linear in y."""
    share = STD**2 / (STD**2 + sigma[:, None] ** 2)
    return MEAN + share * (y - MEAN)


def flown(y: Tensor, start: float, end: float) -> Tensor:
    """Where the exact flow of the probabilities takes y."""
    return MEAN + (y - MEAN) * ((STD**2 + end**2) / (STD**2 + start**2)).sqrt()


def last(
    name: str, levels: tuple[float, ...], y: Tensor, generator: Generator | None = None
) -> Tensor:
    *_, x = SAMPLERS[name](denoise, y, levels, generator=generator)
    return x


def test_every_sampler_is_tested() -> None:
    assert {*DETERMINISTIC} | STOCHASTIC == {*SAMPLERS}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_a_deterministic_sampler_converges_path_by_path_at_its_order(
    name: str, generator: Generator
) -> None:
    """From HIGH to LOW, above the last step; by the halving of steps."""
    y = torch.randn(20, 2, generator=generator) * HIGH
    exact = flown(y, HIGH, LOW)

    def error(steps: int) -> float:
        levels = karras_levels(steps + 1, lowest=LOW, highest=HIGH)
        *path, _ = SAMPLERS[name](denoise, y, levels)
        return float((path[-1] - exact).abs().max())

    errors = [error(steps) for steps in (80, 160, 320, 640)]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert orders[-1] == pytest.approx(DETERMINISTIC[name], abs=0.1), orders
    assert errors[-1] < 0.05


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_to_the_end_paths_converge_to_the_same_points(name: str, generator: Generator) -> None:
    y = torch.randn(20, 2, generator=generator) * HIGH
    found = last(name, karras_levels(2000, lowest=1e-4, highest=HIGH), y)
    # The step to 0 makes an error of the lowest level's square; 1e-8 here.
    torch.testing.assert_close(found, flown(y, HIGH, 0.0), atol=0.02, rtol=0)


def test_ddim_is_eulers_method(generator: Generator) -> None:
    y = torch.randn(20, 2, generator=generator) * HIGH
    levels = karras_levels(9, lowest=LOW, highest=HIGH)
    torch.testing.assert_close(last("ddim", levels, y), last("euler", levels, y))


@pytest.mark.parametrize("name", SAMPLERS)
def test_all_samplers_converge_to_the_law_of_the_data(name: str, generator: Generator) -> None:
    n = 40_000
    y = MEAN + torch.randn(n, 2, generator=generator) * (STD**2 + HIGH**2).sqrt()
    steps = {"langevin": 60, "repaint": 120}.get(name, 200)
    x = last(name, geometric_levels(steps, lowest=LOW, highest=HIGH), y, generator)
    # Standard errors of moments of n draws; what is left of the steps' own error is 2%.
    assert bool(((x.mean(0) - MEAN).abs() < 5 * STD / math.sqrt(n) + 0.01 * STD).all())
    assert bool(((x.std(0) / STD - 1).abs() < 5 / math.sqrt(2 * n) + 0.04).all()), x.std(0) / STD


@pytest.mark.parametrize("name", ["ancestral", "sde-dpmpp-2m", "euler-maruyama", "churn"])
def test_the_error_of_the_law_falls_with_the_steps(name: str, generator: Generator) -> None:
    def error(steps: int) -> float:
        y = MEAN + torch.randn(40_000, 2, generator=generator) * (STD**2 + HIGH**2).sqrt()
        x = last(name, geometric_levels(steps, lowest=LOW, highest=HIGH), y, generator)
        return float((x.std(0) / STD - 1).abs().max())

    assert error(160) < 0.5 * error(10) + 5 / math.sqrt(80_000)


def test_an_ancestral_step_is_the_posterior_between_two_levels(generator: Generator) -> None:
    """One step from y at sigma: mean and variance of q(y at tau | y, x) in closed form."""
    sigma, tau = 2.0, 0.7
    y = torch.tensor([[1.3, -0.4]]).expand(100_000, 2)
    state = next(SAMPLERS["ancestral"](denoise, y, (sigma, tau, 0.0), generator=generator))
    x = denoise(y[:1], torch.tensor([sigma]))[0]
    mean = x + tau**2 / sigma**2 * (y[0] - x)
    variance = tau**2 * (sigma**2 - tau**2) / sigma**2
    torch.testing.assert_close(state.mean(0), mean, atol=5 * math.sqrt(variance / 1e5), rtol=0)
    torch.testing.assert_close(state.var(0), torch.full((2,), variance), atol=0, rtol=0.025)


def test_noise_between_none_and_all_keeps_the_law_of_a_step(generator: Generator) -> None:
    """Whatever the share of fresh noise, q(y at tau | x) has the variance tau^2."""
    x = torch.zeros(100_000, 1)
    y = x + 2.0 * torch.randn(x.shape, generator=generator)
    for noise in (0.0, 0.4, 1.0):
        step = exponential(lambda y, _: 0 * y, y, (2.0, 0.7, 0.0), noise=noise, generator=generator)
        assert next(step).std().item() == pytest.approx(0.7, rel=0.02)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_seed_decides_and_evaluations_are_counted(name: str) -> None:
    levels, calls = karras_levels(7, lowest=LOW, highest=HIGH), []

    def counted(y: Tensor, sigma: Tensor) -> Tensor:
        calls.append(sigma[0].item())
        assert sigma.shape == (len(y),)
        return denoise(y, sigma)

    def draw(seed: int) -> list[Tensor]:
        generator = Generator().manual_seed(seed)
        return [*walk(name, counted, levels, (5, 2), like=MEAN, generator=generator)]

    a, b, c = draw(1), draw(1), draw(2)
    assert len(calls) == 3 * evaluations(name, 7)
    assert torch.equal(a[-1], b[-1])
    assert not torch.equal(a[-1], c[-1])
    assert all(state.shape == (5, 2) for state in a)
    # Without noise the path of the second is that of its start alone.
    again = last(name, levels, a[0], Generator().manual_seed(9))
    assert torch.equal(again, a[-1]) == (name in DETERMINISTIC)


def test_the_start_has_the_variance_of_data_with_noise(generator: Generator) -> None:
    start = next(walk("ddim", denoise, (3.0, 0.0), (50_000, 1), like=MEAN, generator=generator))
    assert start.std().item() == pytest.approx(math.sqrt(10), rel=0.02)


def test_one_step_denoises(generator: Generator) -> None:
    for name in ("ddim", "heun", "ancestral", "dpmpp-2m"):
        path = [*walk(name, denoise, (3.0, 0.0), (4, 2), like=MEAN, generator=generator)]
        assert len(path) == 2
        torch.testing.assert_close(path[1], denoise(path[0], torch.full((4,), 3.0)))


def test_wrong_samplers_and_levels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sampler must be one of ancestral, ddim.*got 'plms'"):
        next(walk("plms", denoise, (3.0, 0.0), (1, 2), like=MEAN))
    for levels in ((3.0,), (3.0, 1.0), (1.0, 2.0, 0.0), (math.inf, 0.0)):
        with pytest.raises(ValueError, match="falling to 0"):
            next(walk("ddim", denoise, levels, (1, 2), like=MEAN))
