"""ML-11 on this example, ML-13, ML-14, ML-15, DS-08."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal

from ancestral.errors import DataError
from ancestral.estimation import TwoGaussians, learning_rate_study

MIXTURE = TwoGaussians()


def data(seed: int, n: int = 1000) -> torch.Tensor:
    return MIXTURE.sample(n, 0.8, generator=torch.Generator().manual_seed(seed))


# ML-13
def test_standard_error_is_that_of_the_fisher_information() -> None:
    error = MIXTURE.standard_error(0.8, 1000)
    assert error == pytest.approx(0.01604, abs=5e-6)
    # The book's 0.7847 is well inside.
    assert (0.7847 - 0.8) / error == pytest.approx(-0.95, abs=0.005)


# ML-13
def test_twenty_seeds_find_the_weight_within_three_errors() -> None:
    found = []
    for seed in range(20):
        x = data(seed)
        path = MIXTURE.descend(x, learning_rate=1.0, epochs=500)
        assert path[0].item() == pytest.approx(0.6225, abs=5e-5)  # 0.5 is the first logit.
        best = MIXTURE.maximise(x).item()
        assert path[-1].item() == pytest.approx(best, abs=1e-3)
        assert MIXTURE.climb(x, iterations=300)[-1].item() == pytest.approx(best, abs=1e-3)
        assert abs(path[-1].item() - 0.8) < 0.05
        found.append(path[-1].item())
    r = torch.tensor(found, dtype=torch.float64)
    # Mean and spread over 20 seeds, within 4 standard errors of their own.
    assert abs(r.mean().item() - 0.8) < 4 * 0.01604 / math.sqrt(20)
    assert r.std().item() == pytest.approx(0.01604, rel=4 / math.sqrt(2 * 19))


# ML-13
def test_log_density_equals_torchs_mixture_and_draws_follow_it() -> None:
    law = MixtureSameFamily(
        Categorical(torch.tensor([0.2, 0.8], dtype=torch.float64)),
        Normal(torch.tensor([-1.0, 3.0], dtype=torch.float64), torch.tensor([1.0, 2.0]).double()),
    )
    x = data(0, 50_000)
    logit = math.log(0.8 / 0.2)
    torch.testing.assert_close(MIXTURE.log_prob(x, logit), law.log_prob(x), rtol=0, atol=1e-12)
    # Mean 2.2, variance 0.2 + 3.2 + 0.16 * 16 = 5.96.
    assert abs(x.mean().item() - 2.2) < 4 * math.sqrt(5.96 / 50_000)
    assert MIXTURE.log_prob(x[:5], torch.zeros(3)).shape == (5, 3)


# DS-08, E-M30: the left mode is not at the mean of its component, and barely a mode.
def test_where_the_density_is_level() -> None:
    logit = math.log(0.8 / 0.2)
    x = torch.linspace(-5, 9, 14_001, dtype=torch.float64)
    density = MIXTURE.log_prob(x, logit).exp()
    slopes = density.diff().sign()
    level = x[1:-1][slopes[1:] != slopes[:-1]]
    assert level.tolist() == pytest.approx([-0.623, 0.333, 2.997], abs=1e-3)
    heights = MIXTURE.log_prob(level, logit).exp()
    assert heights[:2].tolist() == pytest.approx([0.1052, 0.0984], abs=5e-5)


# ML-13
def test_a_step_is_that_of_sgd_on_the_mean_negative_log_likelihood() -> None:
    x = data(1)
    theta = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([theta], lr=1.0)
    path = [theta.sigmoid().item()]
    for _ in range(25):
        optimizer.zero_grad()
        (-MIXTURE.log_prob(x, theta).mean()).backward()
        optimizer.step()
        path.append(theta.sigmoid().item())
    got = MIXTURE.descend(x, learning_rate=1.0, epochs=25)
    torch.testing.assert_close(got, torch.tensor(path, dtype=torch.float64), rtol=0, atol=1e-12)


# ML-11
def test_em_never_falls_and_needs_fewer_iterations_than_descent() -> None:
    x = data(2)
    path = MIXTURE.climb(x, iterations=300)
    likelihoods = MIXTURE.log_prob(x, path.logit()).sum(dim=0)
    assert bool((likelihoods.diff() >= -1e-10).all())
    descent = MIXTURE.descend(x, learning_rate=1.0, epochs=500)
    assert path[-1].item() == pytest.approx(descent[-1].item(), abs=1e-4)
    best = MIXTURE.maximise(x)
    em, gradient = (int(((p - best).abs() > 1e-4).sum()) for p in (path, descent))
    assert em < gradient / 3


# ML-14
def test_the_mean_makes_the_learning_rate_independent_of_the_data() -> None:
    epochs = []
    for n in (100, 100_000):
        x = data(3, n)
        path = MIXTURE.descend(x, learning_rate=1.0, epochs=500)
        epochs.append(int(((path - MIXTURE.maximise(x)).abs() > 1e-3).sum()))
    assert epochs[1] == pytest.approx(epochs[0], rel=0.5)
    assert max(epochs) < 150
    # The sum of 100,000 terms at the same rate jumps to the end of the interval at once.
    summed = MIXTURE.descend(data(3, 100_000), learning_rate=100_000.0, epochs=3)
    assert summed[1].item() == pytest.approx(1.0, abs=1e-9)


# ML-15
@pytest.mark.parametrize("seed", range(5))
def test_learning_rates_are_slow_right_and_too_large(seed: int) -> None:
    study = learning_rate_study(data(seed), (0.01, 1.0, 30.0, 1000.0))
    assert study.paths.shape == (501, 4)
    assert study.verdicts() == ("slow", "converged", "oscillates", "stuck")
    assert abs(study.paths[-1, 0].item() - study.optimum) > 0.02
    assert study.losses.shape == (501, 4)
    # The smooth paths lower the loss at every step; the long steps end above it.
    assert bool((study.losses[:, :2].diff(dim=0) <= 1e-12).all())
    assert study.losses[-1].argmin().item() == 1
    spread = study.paths[-100:].std(dim=0)
    assert spread[2] > 10 * spread[1]
    assert spread[2] > 0.01


# ML-15
def test_the_largest_stable_rate_is_two_over_the_curvature() -> None:
    # The curvature of the mean loss in the logit is r^2 (1 - r)^2 I(r) = 0.0995 at r = 0.8.
    information = 1 / MIXTURE.standard_error(0.8, 1) ** 2
    largest = 2 / (0.16**2 * information)
    x = MIXTURE.sample(20_000, 0.8, generator=torch.Generator().manual_seed(0))
    study = learning_rate_study(x, (0.9 * largest, 1.2 * largest), epochs=300)
    assert study.verdicts() == ("converged", "oscillates")


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"weight must be in \[0, 1\], got 2"):
        MIXTURE.sample(5, 2.0)
    with pytest.raises(ValueError, match="n must be at least 1"):
        MIXTURE.sample(0, 0.5)
    with pytest.raises(ValueError, match="learning_rate must be above 0"):
        MIXTURE.descend(data(0), learning_rate=0.0, epochs=5)
    with pytest.raises(DataError, match="at least 1 row"):
        MIXTURE.maximise(torch.empty(0))


def test_the_maximum_may_be_at_an_end() -> None:
    assert MIXTURE.maximise(torch.full((5,), 8.0)).item() == pytest.approx(1.0)
    assert MIXTURE.maximise(torch.full((5,), -1.0)).item() == pytest.approx(0.0)
