import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator

from ancestral.networks.gaussian_path import (
    NoiseLevel,
    Quantity,
    straight,
    variance_preserving,
)

pytestmark = pytest.mark.usefixtures("float64")

QUANTITIES: tuple[Quantity, ...] = ("x", "epsilon", "v", "score", "velocity")
PATHS = {"straight": straight, "preserving": variance_preserving}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("have", "want"), [*product(QUANTITIES, QUANTITIES)])
def test_every_quantity_gives_every_other(
    path: str, have: Quantity, want: Quantity, generator: Generator
) -> None:
    level = PATHS[path](torch.tensor([0.02, 0.3, 0.5, 0.97]))
    x, noise = torch.randn(2, 4, 3, 2, generator=generator)
    z = level.mix(x, noise)
    known = {name: level.value(name, x=x, noise=noise) for name in QUANTITIES}
    found = level.convert(known[have], z, have=have, want=want)
    # Rounding grows with 1 / alpha and 1 / sigma, here at most 60, and by their squares.
    torch.testing.assert_close(found, known[want], atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(level.convert(found, z, have=want, want=have), known[have])


@given(st.floats(1e-3, 1e3))
def test_round_trips_in_single_precision(ratio: float) -> None:
    level = NoiseLevel.preserving(torch.tensor([ratio], dtype=torch.float32))
    x, noise = torch.tensor([[[0.7, -1.3]], [[0.4, 2.1]]], dtype=torch.float32)
    z = level.mix(x, noise)
    for have, want in (("x", "v"), ("v", "x"), ("v", "epsilon"), ("epsilon", "v")):
        value = level.value(have, x=x, noise=noise)
        other = level.convert(value, z, have=have, want=want)
        back = level.convert(other, z, have=want, want=have)
        # On one of the two ways rounding is divided by alpha or sigma.
        worst = max(level.ratio.item(), 1 / level.ratio.item())
        assert float((back - value).abs().max()) < 1e-6 * (1 + worst)
        if worst < 5:
            assert float((back - value).abs().max()) < 1e-5


def test_the_definitions() -> None:
    level = NoiseLevel(torch.tensor([0.6]), torch.tensor([0.8]))
    x, noise = torch.tensor([[2.0]]), torch.tensor([[-1.0]])
    assert level.mix(x, noise).item() == pytest.approx(0.4)
    assert level.value("v", x=x, noise=noise).item() == pytest.approx(-0.6 - 1.6)
    assert level.value("score", x=x, noise=noise).item() == pytest.approx(1 / 0.8)
    assert level.ratio.item() == pytest.approx(4 / 3)
    same = NoiseLevel.preserving(level.ratio)
    assert (same.alpha.item(), same.sigma.item()) == pytest.approx((0.6, 0.8))


@pytest.mark.parametrize("path", PATHS)
def test_the_velocity_is_the_derivative_of_z(path: str, generator: Generator) -> None:
    x, noise = torch.randn(2, 5, 3, generator=generator)
    time = torch.linspace(0, 1, 5).requires_grad_()
    level = PATHS[path](time)
    z = level.mix(x, noise)
    rates = [torch.autograd.grad(z[:, d].sum(), time, retain_graph=True)[0] for d in range(3)]
    torch.testing.assert_close(torch.stack(rates, dim=1), level.value("velocity", x=x, noise=noise))
    torch.testing.assert_close((z[0], z[-1]), (noise[0], x[-1]))  # Noise at 0, data at 1.


def test_the_score_is_that_of_noisy_data(generator: Generator) -> None:
    """Of Gaussian data all means are linear, and the score has a closed form."""
    level, deviation = NoiseLevel(torch.tensor(0.8), torch.tensor(0.7)), 1.7
    z = torch.randn(6, 2, generator=generator).requires_grad_()
    variance = (0.8 * deviation) ** 2 + 0.7**2
    x = 0.8 * deviation**2 / variance * z
    log_p = (-0.5 * z.square() / variance - 0.5 * math.log(2 * math.pi * variance)).sum()
    (score,) = torch.autograd.grad(log_p, z)
    torch.testing.assert_close(level.convert(x, z, have="x", want="score"), score)


def test_no_velocity_without_rates() -> None:
    level = NoiseLevel(torch.tensor(0.8), torch.tensor(0.6))
    with pytest.raises(ValueError, match="needs the rates"):
        level.value("velocity", x=torch.zeros(1), noise=torch.zeros(1))
