"""PD-01."""

import math

import pytest
import torch
from scipy.integrate import quad
from torch import Generator

from ancestral.energy import (
    EBM,
    Energy,
    NoiseContrastive,
    Unwhitened,
    image_network,
    vector_network,
)

pytestmark = pytest.mark.usefixtures("float64")


def energy_of(features: int = 1, *, frequencies: int = 0) -> Energy:
    network = vector_network(features, hidden=(16, 16), frequencies=frequencies)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3.0)  # Far from its Gaussian base.
    return Energy(network, (features,), base_std=1.3)


def normaliser(energy: Energy) -> float:
    def density(x: float) -> float:
        return float(energy.log_density(torch.tensor([[x]])).exp().detach())

    return quad(density, -15, 15, epsabs=1e-12, limit=200)[0]


def test_ratios_do_not_depend_on_the_normaliser_and_its_quadrature_normalises() -> None:
    energy = energy_of()
    x, y = torch.tensor([[0.3]]), torch.tensor([[-1.1]])
    ratio = (energy(y) - energy(x)).exp()
    grid = torch.linspace(-15, 15, 40_001)[:, None]
    density = (-energy(grid)).exp() / normaliser(energy)
    assert float(torch.trapezoid(density, grid[:, 0]).detach()) == pytest.approx(1, abs=1e-7)
    p_x, p_y = ((-energy(at)).exp() / normaliser(energy) for at in (x, y))
    assert float((p_x / p_y).detach()) == pytest.approx(float(ratio.detach()), rel=1e-12)


def test_the_estimate_of_the_normaliser_meets_the_quadrature(generator: Generator) -> None:
    energy = energy_of()
    model = EBM(energy, NoiseContrastive())
    found = model.estimate_log_normaliser(draws=4000, levels=20, generator=generator)
    assert found.kind == "estimate"
    assert 0 < float(found.se) < 0.05
    # At a standard error of a few per cent the bias of the logarithm, se^2 / 2, is far below it.
    assert abs(float(found) - math.log(normaliser(energy))) < 5 * float(found.se)


@pytest.mark.parametrize("frequencies", [0, 4])
def test_the_score_is_the_slope_of_the_log_density(frequencies: int) -> None:
    energy = energy_of(3, frequencies=frequencies)
    x, step = torch.randn(5, 3), 1e-5
    for column, unit in enumerate(torch.eye(3)):
        slope = (energy.log_density(x + step * unit) - energy.log_density(x - step * unit)) / (
            2 * step
        )
        torch.testing.assert_close(energy.score(x)[:, column], slope, rtol=1e-6, atol=1e-7)


def test_the_path_goes_from_the_base_to_the_law() -> None:
    energy, x = energy_of(2), torch.randn(6, 2)
    base = torch.distributions.Normal(0.0, 1.3).log_prob(x).sum(dim=1)
    torch.testing.assert_close(energy.path(x, 0.0), base + energy.log_normaliser_of_base)
    torch.testing.assert_close(energy.path(x, 1.0), -energy(x))
    torch.testing.assert_close(energy.path(x, 1.0) - energy.path(x, 0.0), energy.tilt(x))


def test_images_have_a_smooth_energy_too() -> None:
    energy = Energy(image_network(1, 8, width=4), (1, 8, 8))
    x = torch.randn(3, 1, 8, 8)
    assert energy(x).shape == (3,)
    score = energy.score(x)
    unit = torch.zeros(1, 8, 8)
    unit[0, 3, 5] = 1e-5
    slope = (energy.log_density(x + unit) - energy.log_density(x - unit)) / 2e-5
    torch.testing.assert_close(score[:, 0, 3, 5], slope, rtol=1e-6, atol=1e-7)


def test_white_rows_are_the_images_that_they_were_made_from() -> None:
    factor = torch.tensor([[2.0, 0, 0, 0], [1, 1, 0, 0], [0, 1, 3, 0], [1, 0, 0, 1]])
    mean = torch.tensor([1.0, 2.0, 3.0, 4.0])
    white = Unwhitened((1, 2, 2))
    white.begin(mean, factor)
    x = torch.randn(5, 4)
    y = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False).T
    spread = factor.square().sum(dim=1).mean().sqrt()
    torch.testing.assert_close(white(y), ((x - 2.5) / spread).reshape(5, 1, 2, 2))


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="base_std must be above 0, got 0"):
        Energy(vector_network(1, hidden=(2,)), (1,), base_std=0.0)
    with pytest.raises(ValueError, match="hidden must hold a width or more"):
        vector_network(1, hidden=())
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        image_network(1, 8, width=0)
