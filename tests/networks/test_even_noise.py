import torch
from torch import Generator

from ancestral.networks.even_noise import EvenNoise

SIZES = (2, 3)


def laws(shape: tuple[int, ...]) -> torch.Tensor:
    logits = torch.randn(*shape, 5, dtype=torch.float64)
    return torch.cat([part.softmax(-1) for part in logits.split(SIZES, dim=-1)], dim=-1)


def states(size: int) -> torch.Tensor:
    return torch.eye(size, dtype=torch.float64)


def test_the_way_back_is_that_of_bayes_rule() -> None:
    torch.manual_seed(0)
    noise, before, now = EvenNoise([3]), torch.tensor(0.7), torch.tensor(0.4)
    prior = torch.randn(3, dtype=torch.float64).softmax(0)
    start, step = noise(states(3), before), noise(states(3), now / before)
    # Of all paths x -> earlier -> z.
    joint = prior[:, None, None] * start[:, :, None] * step[None]
    torch.testing.assert_close((start @ step), noise(states(3), now))
    expected = joint.sum(0) / joint.sum((0, 1))
    ends = joint.sum(1) / joint.sum((0, 1))
    found = noise.back(states(3), ends.T, before, now)
    torch.testing.assert_close(found.T, expected)
    torch.testing.assert_close(noise.back(states(3), ends.T, torch.tensor(1.0), now).T, ends)


def test_categories_do_not_mix_and_draws_have_the_probabilities() -> None:
    torch.manual_seed(0)
    noise, p, n = EvenNoise(SIZES), laws(()), 20_000
    drawn = noise.draw(p.expand(n, -1), Generator().manual_seed(0))
    shares = torch.cat([c.bincount(minlength=k) / n for c, k in zip(drawn.T, SIZES, strict=True)])
    assert bool(((shares - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all())
    sums = noise.sums(noise.back(laws((4,)), laws((4,)), torch.tensor(0.9), torch.tensor(0.2)))
    torch.testing.assert_close(noise.sums(p), torch.ones_like(p))
    assert sums.shape == (4, 5)
