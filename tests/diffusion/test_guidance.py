import pytest
import torch
from torch import Generator, Tensor
from torch.distributions import Categorical, Normal

from ancestral.diffusion import classifier_guided, karras_levels, through_denoised, walk

pytestmark = pytest.mark.usefixtures("float64")

CENTRES = torch.tensor([-1.0, 0.4, 1.5], dtype=torch.float64)
STD, WEIGHTS = 0.3, torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


def given(label: int, y: Tensor, sigma: Tensor) -> Tensor:
    """The denoiser of one class, a Gaussian."""
    share = STD**2 / (STD**2 + sigma[:, None] ** 2)
    return CENTRES[label] + share * (y - CENTRES[label])


def posterior(y: Tensor, sigma: Tensor) -> Categorical:
    """The exact classifier of data with noise."""
    std = (STD**2 + sigma[:, None] ** 2).sqrt()
    return Categorical(logits=Normal(CENTRES, std).log_prob(y) + WEIGHTS.log())


def without(y: Tensor, sigma: Tensor) -> Tensor:
    """The denoiser of all classes together."""
    each = torch.cat([given(label, y, sigma) for label in range(3)], dim=1)
    return (posterior(y, sigma).probs * each).sum(1, keepdim=True)


def knows(label: int, y: Tensor, sigma: Tensor) -> Tensor:
    return posterior(y, sigma).log_prob(torch.full((len(y),), label))


SIGMA = torch.tensor([0.01, 0.3, 2.0, 30.0], dtype=torch.float64)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_an_exact_classifier_gives_the_denoiser_of_its_label(
    label: int, generator: Generator
) -> None:
    """PD-07: grad log p(x | y) = grad log p(x) + grad log p(y | x)."""
    y = torch.randn(4, 1, generator=generator)
    guided = classifier_guided(without, lambda y, s: knows(label, y, s))
    torch.testing.assert_close(guided(y, SIGMA), given(label, y, SIGMA))


def test_the_scale_is_the_way_between_without_and_with(generator: Generator) -> None:
    y = torch.randn(4, 1, generator=generator)
    for scale in (0.0, 0.5, 1.0, 3.0):
        guided = classifier_guided(without, lambda y, s: knows(2, y, s), scale=scale)
        u, c = without(y, SIGMA), given(2, y, SIGMA)
        torch.testing.assert_close(guided(y, SIGMA), u + scale * (c - u))
    assert classifier_guided(without, lambda y, s: knows(2, y, s), scale=0) is without


def test_more_guidance_is_more_of_the_class_and_less_different(generator: Generator) -> None:
    levels = karras_levels(30, lowest=0.01, highest=80.0)
    shares, spreads = [], []
    for scale in (0.0, 1.0, 4.0):
        guided = classifier_guided(without, lambda y, s: knows(1, y, s), scale=scale)
        *_, x = walk("heun", guided, levels, (3000, 1), like=torch.zeros(()), generator=generator)
        clean = posterior(x, torch.full((3000,), 1e-6))
        shares.append(float((clean.probs.argmax(1) == 1).double().mean()))
        spreads.append(float(x.std()))
    assert shares[0] == pytest.approx(0.5, abs=0.05)
    assert shares[0] < shares[1] <= shares[2]
    assert spreads[0] > spreads[1] > spreads[2]


def test_a_classifier_of_clean_data_is_right_without_noise(generator: Generator) -> None:
    def classify(x: Tensor) -> Tensor:
        return posterior(x, torch.full((len(x),), 1e-9)).log_prob(torch.ones(len(x)))

    y, little = torch.randn(4, 1, generator=generator), torch.full((4,), 1e-5)
    through = classifier_guided(without, through_denoised(without, classify))
    exact = classifier_guided(without, lambda y, s: knows(1, y, s))
    torch.testing.assert_close(through(y, little), exact(y, little), atol=1e-9, rtol=0)
    # With noise it is another, but still draws towards the class.
    noisy = torch.full((4,), 0.5)
    assert not torch.allclose(through(y, noisy), exact(y, noisy), atol=1e-3)
    towards = (through(y, noisy) - without(y, noisy)) * (CENTRES[1] - without(y, noisy))
    assert bool((towards >= 0).all())
