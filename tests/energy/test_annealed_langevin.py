"""PD-06 and PD-07."""

import pytest
import torch
from torch import Generator, Tensor

from ancestral.data.toys import draw
from ancestral.energy import annealed_langevin, posterior_score
from ancestral.estimation import unadjusted_langevin

pytestmark = pytest.mark.usefixtures("float64")

SIGMAS = [3.0 * 0.7**k for k in range(17)]


def blurred_score(data: Tensor, x: Tensor, sigma: float) -> Tensor:
    """Return the exact score of the data, each blurred by Normal(0, sigma^2)."""
    weights = (-torch.cdist(x, data).square() / (2 * sigma**2)).softmax(dim=1)
    return (weights @ data - x) / sigma**2


# PD-06
def test_both_modes_are_visited_where_one_noise_level_finds_one(generator: Generator) -> None:
    modes = torch.tensor([[-4.0, 0.0], [-4.0, 0.0], [-4.0, 0.0], [4.0, 0.0]])
    start = torch.tensor([[-4.0, 0.0]]) + torch.randn(1000, 2, generator=generator)
    stuck = unadjusted_langevin(
        lambda x: blurred_score(modes, x, 0.3), start, step_size=0.02, steps=300
    ).draws[-1]
    assert bool((stuck[:, 0] < 0).all())
    found = annealed_langevin(
        lambda x, sigma: blurred_score(modes, x, sigma),
        torch.tensor([[-4.0, 0.0]]) + 6 * torch.randn(1000, 2, generator=generator),
        sigmas=[6.0, *SIGMAS],
        steps=50,
        generator=generator,
    )
    # Shares 3/4 and 1/4; levels that are left before their end move mass by some per cent.
    assert float((found[:, 0] > 0).double().mean()) == pytest.approx(0.25, abs=0.1)
    assert float((found[:, 0].abs() - 4).abs().mean()) < 0.05


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Return 2 E|x - y| - E|x - x'| - E|y - y'|, unbiased."""
    within = (torch.cdist(z, z).sum() / (len(z) * (len(z) - 1)) for z in (x, y))
    return float(2 * torch.cdist(x, y).mean() - sum(within))


# PD-06
def test_the_swiss_roll_comes_out_of_noise(generator: Generator) -> None:
    train, held_out = draw("swiss-roll", 1000, 0, 0), draw("swiss-roll", 1000, 0, 2)
    found = annealed_langevin(
        lambda x, sigma: blurred_score(train, x, sigma),
        SIGMAS[0] * torch.randn(1000, 2, generator=generator),
        sigmas=SIGMAS,
        steps=10,
        generator=generator,
    )
    # Of two real halves it is 0 +- 0.003; a Gaussian of the same moments is at 0.03.
    gaussian = torch.randn(1000, 2, generator=generator)
    assert energy_distance(found, held_out) < 0.008 < energy_distance(gaussian, held_out)


# PD-07
def test_a_score_is_conditioned_on_what_it_never_saw(generator: Generator) -> None:
    train = draw("swiss-roll", 500, 0, 0)

    def right_half(x: Tensor, sigma: float) -> Tensor:
        def log_likelihood(at: Tensor) -> Tensor:
            return torch.nn.functional.logsigmoid(10 * at[:, 0] / (1 + sigma))

        return posterior_score(lambda at: blurred_score(train, at, sigma), log_likelihood)(x)

    found = annealed_langevin(
        right_half,
        torch.randn(300, 2, generator=generator) * 3,
        sigmas=SIGMAS,
        steps=10,
        generator=generator,
    )
    assert float((found[:, 0] > 0).double().mean()) > 0.9
    assert float(torch.cdist(found, train).min(dim=1).values.median()) < 0.05


def test_mistakes_are_named() -> None:
    for sigmas in ([], [1.0, 1.0], [1.0, 0.0]):
        with pytest.raises(ValueError, match="sigmas must fall and be above 0"):
            annealed_langevin(lambda x, _: -x, torch.zeros(1, 1), sigmas=sigmas)
