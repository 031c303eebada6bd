import math

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional

from ancestral.diffusion import (
    SAMPLERS,
    Denoiser,
    Diffusion,
    imposed,
    karras_levels,
    known_blocks,
    known_grey,
    known_pixels,
    walk,
)
from ancestral.diffusion.editing import Impose
from ancestral.networks import cosine_schedule
from ancestral.nn import TimedMLP

LEVELS = karras_levels(12, lowest=0.002, highest=80.0)


def wavy(y: Tensor, sigma: Tensor) -> Tensor:
    """Some denoiser of images, not a linear one."""
    return (y / (1 + sigma[:, None, None, None])).sin()


def drawn(impose: Impose, sampler: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    generator = Generator().manual_seed(seed)
    like = torch.zeros(())
    *_, x = walk(sampler, imposed(wavy, impose), LEVELS, shape, like=like, generator=generator)
    return x


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_known_pixels_keep_every_bit_and_the_rest_is_drawn(sampler: str) -> None:
    known = torch.rand(3, 8, 8, generator=Generator().manual_seed(1))
    mask = torch.zeros(3, 8, 8, dtype=torch.bool)
    mask[:, 2:, :] = True  # Outpainting: the upper rows are not known.
    x, y = (drawn(known_pixels(known, mask), sampler, (4, 3, 8, 8), seed) for seed in (0, 1))
    assert torch.equal(x[:, mask], known[mask].expand(4, -1))
    assert not torch.equal(x[:, ~mask], y[:, ~mask])
    assert bool(x.isfinite().all())


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_colouring_keeps_the_grey_and_enlarging_the_small_image(sampler: str) -> None:
    generator = Generator().manual_seed(1)
    grey = torch.rand(4, 1, 8, 8, generator=generator)
    x = drawn(known_grey(grey), sampler, (4, 3, 8, 8))
    torch.testing.assert_close(x.mean(1, keepdim=True), grey, atol=1e-5, rtol=0)
    small = torch.rand(4, 3, 4, 2, generator=generator)
    x = drawn(known_blocks(small, (2, 4)), sampler, (4, 3, 8, 8))
    torch.testing.assert_close(functional.avg_pool2d(x, (2, 4)), small, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["pixels", "grey", "blocks"])
def test_what_is_imposed_is_the_nearest_that_agrees(name: str, generator: Generator) -> None:
    """It is a projection: twice is once, and the change is orthogonal to what is not known."""
    x, other = torch.randn(2, 2, 3, 4, 4, generator=generator)
    impose = {
        "pixels": lambda: known_pixels(other, torch.rand(3, 4, 4, generator=generator) < 0.5),
        "grey": lambda: known_grey(other.mean(1, keepdim=True)),
        "blocks": lambda: known_blocks(functional.avg_pool2d(other, 2), (2, 2)),
    }[name]()
    once = impose(x)
    torch.testing.assert_close(impose(once), once)
    torch.testing.assert_close(impose(other), other)  # It agrees with what is known of itself.
    moved, along = once - x, once - other
    assert abs(float((moved * along).sum())) < 1e-9 * float(moved.norm() * along.norm()) + 1e-9


@pytest.mark.usefixtures("float64")
def test_of_independent_values_the_law_of_the_rest_is_exact(generator: Generator) -> None:
    def denoise(y: Tensor, sigma: Tensor) -> Tensor:
        return 0.25 / (0.25 + sigma[:, None] ** 2) * y

    impose = known_pixels(torch.tensor([3.0, 0.0]), torch.tensor([True, False]))
    levels = karras_levels(200, lowest=0.002, highest=80.0)
    *_, x = walk(
        "ancestral",
        imposed(denoise, impose),
        levels,
        (20_000, 2),
        like=torch.zeros(()),
        generator=generator,
    )
    assert bool((x[:, 0] == 3).all())
    assert x[:, 1].mean().item() == pytest.approx(0, abs=5 * 0.5 / math.sqrt(20_000))
    assert x[:, 1].std().item() == pytest.approx(0.5, rel=0.04)


@pytest.mark.usefixtures("float64")
def test_going_back_and_forth_brings_the_law_nearer_to_the_conditional(
    generator: Generator,
) -> None:
    """Two Gaussian values of correlation 0.9: given that the first is 1.5, the second's mean is
    1.35. One pass over the levels falls short of it."""
    covariance = torch.tensor([[1.0, 0.9], [0.9, 1.0]])

    def denoise(y: Tensor, sigma: Tensor) -> Tensor:
        noisy = covariance + sigma[0] ** 2 * torch.eye(2)
        return y @ torch.linalg.solve(noisy, covariance)

    impose = known_pixels(torch.tensor([1.5, 0.0]), torch.tensor([True, False]))

    def gap(sampler: str) -> float:
        levels = karras_levels(40, lowest=0.002, highest=80.0)
        *_, x = walk(
            sampler,
            imposed(denoise, impose),
            levels,
            (5000, 2),
            like=torch.zeros(()),
            generator=generator,
        )
        return abs(float(x[:, 1].mean()) - 1.35)

    assert gap("repaint") < 0.12
    assert gap("repaint") < 0.5 * gap("ancestral")


def test_a_model_walks_with_what_is_known() -> None:
    model = Diffusion(
        Denoiser(TimedMLP((1, 4, 4), hidden=(8,))), (1, 4, 4), schedule=cosine_schedule(5)
    )
    known, mask = torch.full((1, 4, 4), 0.25), torch.ones(1, 4, 4, dtype=torch.bool)
    mask[0, 0, 0] = False
    *_, x = model.walk(3, steps=4, impose=known_pixels(known, mask))
    assert bool((x[:, mask] == 0.25).all())
    assert len({*x[:, 0, 0, 0].tolist()}) == 3
