"""Samplers with the exact denoiser of a finite set of points: what is off is theirs alone."""

from collections import deque

import pytest
import torch
from torch import Generator, Tensor

from ancestral.data import toys
from ancestral.diffusion import chain_levels, karras_levels, walk
from ancestral.networks import cosine_schedule


@pytest.fixture(scope="module")
def points() -> Tensor:
    """Return 400 points of the swiss roll, of mean 0 and deviation 1, [400, 2]."""
    x = toys.draw("swiss-roll", 400, 0).float()
    return (x - x.mean(0)) / x.std(0)


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Szekely's: 2 E|a - b| - E|a - a'| - E|b - b'|."""
    return float(2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean())


def drawn(points: Tensor, sampler: str, levels: tuple[float, ...], seed: int = 0) -> Tensor:
    def denoise(y: Tensor, sigma: Tensor) -> Tensor:
        far = torch.cdist(y, points).square() / (2 * sigma[:, None] ** 2)
        return (-far).softmax(dim=1) @ points

    generator = Generator().manual_seed(seed)
    states = walk(sampler, denoise, levels, (400, 2), like=points, generator=generator)
    return deque(states, maxlen=1)[0]


def test_fifty_steps_of_ddim_are_as_good_as_a_thousand(points: Tensor) -> None:
    """PD-26, at the chain's own levels and at those that samplers take."""
    kept = cosine_schedule(1000)()
    all_of_them = drawn(points, "ddim", chain_levels(kept))
    other = drawn(points, "ddim", chain_levels(kept), seed=1)
    floor = energy_distance(all_of_them, other)  # Of two sets of draws of this size.
    thousand = energy_distance(all_of_them, points)
    for levels in (chain_levels(kept, 50), karras_levels(50, lowest=0.002, highest=80.0)):
        assert energy_distance(drawn(points, "ddim", levels), points) < 1.5 * thousand + floor


@pytest.mark.parametrize("sampler", ["langevin", "ancestral", "heun", "dpmpp-2m"])
def test_every_way_leads_to_the_roll(points: Tensor, sampler: str) -> None:
    """PD-06 and PD-25: annealed Langevin, the SDE and the ODE, from noise to the points."""
    x = drawn(points, sampler, karras_levels(40, lowest=0.01, highest=80.0))
    off = torch.cdist(x, points).amin(dim=1)
    assert float((off > 0.05).double().mean()) < 0.01
    # Of 400 draws against 400 points the distance is about 0.005, of a Gaussian's above 0.05.
    assert energy_distance(x, points) < 0.02
    gaussian = torch.randn(400, 2, generator=Generator().manual_seed(3))
    assert energy_distance(gaussian, points) > 0.03
