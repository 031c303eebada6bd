import math

import pytest
import torch

from ancestral.autoencoders.likelihoods import ContinuousBernoulliLevels, DiscretisedLogistic

DOUBLE = torch.float64


def every_level(levels: int) -> torch.Tensor:
    return torch.arange(levels, dtype=DOUBLE)[:, None] / (levels - 1)


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
def test_masses_sum_to_one(levels: int) -> None:
    torch.manual_seed(0)
    loc = torch.linspace(-3, 4, 50, dtype=DOUBLE)
    log_scale = 2 * torch.randn(50, dtype=DOUBLE) - 2
    pixel = DiscretisedLogistic(loc, log_scale, levels=levels)
    total = pixel.log_prob(every_level(levels)).logsumexp(0)
    torch.testing.assert_close(total, torch.zeros_like(total), atol=1e-12, rtol=0)


def test_masses_are_differences_of_the_distribution_function() -> None:
    loc, scale, levels = 0.4, 0.2, 17
    pixel = DiscretisedLogistic(
        torch.tensor([loc], dtype=DOUBLE),
        torch.tensor(math.log(scale), dtype=DOUBLE),
        levels=levels,
    )
    edges = (torch.arange(levels - 1, dtype=DOUBLE) + 0.5) / (levels - 1)
    below = torch.sigmoid((edges - loc) / scale)
    zero, one = torch.zeros(1, dtype=DOUBLE), torch.ones(1, dtype=DOUBLE)
    expected = torch.cat((below, one)) - torch.cat((zero, below))
    torch.testing.assert_close(pixel.log_prob(every_level(levels))[:, 0].exp(), expected)


def test_two_levels_are_a_bernoulli() -> None:
    loc, log_scale = torch.randn(20, dtype=DOUBLE), torch.randn(20, dtype=DOUBLE)
    pixel = DiscretisedLogistic(loc, log_scale, levels=2)
    coin = torch.distributions.Bernoulli(logits=(loc - 0.5) * torch.exp(-log_scale))
    torch.testing.assert_close(pixel.log_prob(every_level(2)), coin.log_prob(every_level(2)))
    torch.testing.assert_close(pixel.mean, coin.mean)


@pytest.mark.parametrize("log_scale", [-7.0, -2.0, 3.0, 8.0])
@pytest.mark.parametrize("loc", [-50.0, 0.0, 0.5, 1.0, 50.0])
def test_extremes_are_finite_in_float32(loc: float, log_scale: float) -> None:
    centre = torch.full((1,), loc, requires_grad=True)
    scale = torch.full((1,), log_scale, requires_grad=True)
    masses = DiscretisedLogistic(centre, scale, levels=256).log_prob(every_level(256).float())
    masses.sum().backward()
    assert masses.isfinite().all()
    assert (masses <= 0).all()
    assert centre.grad.isfinite().all()
    assert scale.grad.isfinite().all()


def test_gradient_is_the_numerical_one() -> None:
    torch.manual_seed(1)
    value = torch.randint(17, (30,)) / torch.tensor(16, dtype=DOUBLE)
    loc = torch.rand(30, dtype=DOUBLE).requires_grad_()
    log_scale = (torch.randn(30, dtype=DOUBLE) - 2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: DiscretisedLogistic(a, b, levels=17).log_prob(value), (loc, log_scale)
    )


def test_samples_have_the_masses_of_log_prob() -> None:
    torch.manual_seed(2)
    levels, n = 5, 40_000
    loc = torch.tensor([-0.2, 0.3, 1.1], dtype=DOUBLE)
    pixel = DiscretisedLogistic(loc, torch.tensor(-1.5, dtype=DOUBLE), levels=levels)
    draws = (pixel.sample((n,)) * (levels - 1)).round().long()
    frequencies = torch.stack([torch.bincount(d, minlength=levels) for d in draws.T], 1) / n
    masses = pixel.log_prob(every_level(levels)).exp()
    # A frequency has standard error at most sqrt(m (1 - m) / n); five of them.
    assert ((frequencies - masses).abs() <= 5 * (masses * (1 - masses) / n).sqrt() + 1e-9).all()


def test_mean_is_the_sum_over_levels() -> None:
    torch.manual_seed(3)
    pixel = DiscretisedLogistic(
        torch.randn(40, dtype=DOUBLE), torch.randn(40, dtype=DOUBLE) - 2, levels=17
    )
    values = every_level(17)
    expected = (values * pixel.log_prob(values).exp()).sum(0)
    torch.testing.assert_close(pixel.mean, expected)


def test_expand_keeps_the_distribution() -> None:
    pixel = DiscretisedLogistic(torch.tensor([0.2, 0.9]), torch.tensor(-1.0), levels=9)
    wide = pixel.expand(torch.Size((3, 2)))
    assert wide.batch_shape == (3, 2)
    torch.testing.assert_close(wide.log_prob(torch.zeros(2))[1], pixel.log_prob(torch.zeros(2)))


def test_one_level_is_refused() -> None:
    with pytest.raises(ValueError, match="levels must be at least 2, got 1"):
        DiscretisedLogistic(torch.zeros(1), torch.zeros(()), levels=1)


LOGITS = torch.tensor([-300, -20, -3, -0.011, -0.009, 0, 1e-4, 0.02, 0.7, 9, 500], dtype=DOUBLE)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_masses_of_a_continuous_bernoulli_are_its_shares_of_the_levels(levels: int) -> None:
    logits = LOGITS[(LOGITS != 0) & (LOGITS.abs() < 100)]
    edges = torch.linspace(0, 1, levels + 1, dtype=DOUBLE)[:, None]
    expected = (torch.expm1(logits * edges) / torch.expm1(logits)).diff(dim=0)
    pixel = ContinuousBernoulliLevels(logits, levels=levels)
    found = pixel.log_prob(every_level(levels)).exp()
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-11)


def test_masses_of_a_continuous_bernoulli_sum_to_one_and_have_its_mean() -> None:
    pixel, values = ContinuousBernoulliLevels(LOGITS, levels=17), every_level(17)
    masses = pixel.log_prob(values).exp()
    torch.testing.assert_close(masses.sum(0), torch.ones_like(LOGITS), rtol=0, atol=1e-11)
    torch.testing.assert_close(pixel.mean, (values * masses).sum(0), rtol=0, atol=1e-8)


def test_slopes_of_a_continuous_bernoulli_are_the_numerical_ones() -> None:
    value = every_level(17).expand(-1, len(LOGITS))
    logits = LOGITS.clone().requires_grad_()
    # By hand, for none of the logits is smooth to finite differences where the series begins.
    ContinuousBernoulliLevels(logits, levels=17).log_prob(value).sum().backward()
    mean = ContinuousBernoulliLevels(LOGITS, levels=17).mean
    torch.testing.assert_close(logits.grad, (16 / 17) * (value - mean).sum(0), rtol=1e-6, atol=1e-9)
    single = LOGITS.float().requires_grad_()
    ContinuousBernoulliLevels(single, levels=256).log_prob(torch.ones(())).sum().backward()
    assert single.grad.isfinite().all()


def test_draws_of_a_continuous_bernoulli_have_its_masses() -> None:
    torch.manual_seed(0)
    levels, n = 5, 40_000
    pixel = ContinuousBernoulliLevels(LOGITS, levels=levels)
    draws = (pixel.sample((n,)) * (levels - 1)).round().long()
    frequencies = torch.stack([torch.bincount(d, minlength=levels) for d in draws.T], 1) / n
    masses = pixel.log_prob(every_level(levels)).exp()
    assert ((frequencies - masses).abs() <= 5 * (masses * (1 - masses) / n).sqrt() + 1e-9).all()
