"""PR-17, PR-19, PR-20, PR-21, PR-22."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Exponential, Normal, Uniform

from ancestral.information import covariance, monte_carlo, pearson, variance

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


def t(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# PR-19
def test_error_of_an_estimate_falls_as_the_root_of_the_draws() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes, errors = [10, 100, 1000, 10_000], []
    for size in sizes:
        draws = torch.randn(size, 1000, generator=generator, dtype=torch.float64).square()
        means = draws.mean(dim=0)
        errors.append((means - 1).square().mean().sqrt().item())
        # Unbiased: the mean over 1000 repetitions, whose standard error is known.
        assert abs(means.mean().item() - 1) < 4 * math.sqrt(2 / size / 1000)
    x, y = (t([math.log(value) for value in values]) for values in (sizes, errors))
    slope = (covariance(x, y) / variance(x)).item()
    assert slope == pytest.approx(-0.5, abs=0.05)


# PR-19
def test_monte_carlo_states_its_own_error() -> None:
    generator = torch.Generator().manual_seed(0)
    law = Exponential(torch.ones((), dtype=torch.float64))
    runs = [monte_carlo(torch.square, law, draws=500, generator=generator) for _ in range(1000)]
    values, errors = t([float(run) for run in runs]), t([float(run.se) for run in runs])
    assert abs(values.mean() - 2) < 4 * values.std() / math.sqrt(1000)
    # Heavy tails make the stated error itself noisy: its mean is good to 5%. Now and then so few
    # draws look as if they had no variance.
    told = errors.isfinite()
    assert told.double().mean() > 0.9
    assert errors[told].mean().item() == pytest.approx(values.std().item(), rel=0.1)


# PR-19
def test_monte_carlo_states_that_it_has_no_error() -> None:
    # Of x^-0.8, x uniform, the mean is 5 and the variance is infinite.
    law = Uniform(*t([0.0, 1.0]))
    told = 0
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        heavy = monte_carlo(lambda x: x**-0.8, law, generator=generator)
        told += float(heavy.se) == math.inf
        light = monte_carlo(lambda x: x**-0.25, law, generator=generator)
        assert abs(float(light) - 4 / 3) < 5 * float(light.se) < 0.05
    assert told >= 8


# PR-17
def test_expectations_agree_with_closed_forms() -> None:
    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    p = Normal(t([0.7])[0], t([1.3])[0])
    density = p.log_prob(x).exp()
    assert torch.trapezoid(x * density, x).item() == pytest.approx(0.7, abs=1e-10)
    assert torch.trapezoid(x**2 * density, x).item() == pytest.approx(0.49 + 1.69, abs=1e-10)
    r = Bernoulli(0.3)
    states = r.enumerate_support()
    assert (states * r.log_prob(states).exp()).sum().item() == pytest.approx(0.3)


# PR-20
@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_variance_is_the_second_moment_less_the_square_of_the_first(values: list[float]) -> None:
    x = t(values)
    shortcut = x.square().mean() - x.mean().square()
    torch.testing.assert_close(variance(x), shortcut, rtol=1e-12, atol=1e-12 * 1e4)


# PR-20
def test_variance_of_a_weighted_sum() -> None:
    x, y = torch.randn(2, 1000, dtype=torch.float64)
    total = variance(2 * x - 3 * y)
    with_covariance = 4 * variance(x) + 9 * variance(y) - 12 * covariance(x, y)
    torch.testing.assert_close(total, with_covariance, rtol=1e-12, atol=0)
    # Independent columns of a product grid have no covariance at all.
    a, b = torch.cartesian_prod(x[:20], y[:30]).unbind(dim=1)
    torch.testing.assert_close(
        variance(2 * a - 3 * b), 4 * variance(a) + 9 * variance(b), rtol=1e-12, atol=0
    )


# PR-20
def test_variance_survives_a_large_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(10_000, generator=generator, dtype=torch.float64)
    far = x + 1e8
    # Adding 1e8 rounds x itself to 1.5e-8.
    assert variance(far).item() == pytest.approx(variance(far - 1e8).item(), rel=1e-12)
    shortcut = far.square().mean() - far.mean().square()
    assert abs(shortcut.item() - variance(x).item()) > 0.1


# PR-20
def test_the_divisor_is_chosen() -> None:
    x = torch.randn(7, 3, dtype=torch.float64)
    torch.testing.assert_close(variance(x), x.var(dim=0, correction=0))
    torch.testing.assert_close(variance(x, correction=1), x.var(dim=0))
    with pytest.raises(ValueError, match="more than 1 rows, got 1"):
        variance(x[:1], correction=1)


# PR-21
def test_covariance_equals_torchs_and_is_symmetric() -> None:
    x, y = torch.randn(2, 50, dtype=torch.float64)
    wanted = torch.stack((x, y)).cov(correction=0)
    torch.testing.assert_close(covariance(x, y), wanted[0, 1])
    assert covariance(x, y) == covariance(y, x)
    with pytest.raises(ValueError, match="x and y must be"):
        covariance(x, y[:-1])


# PR-22
@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 100), st.floats(-100, 100), st.integers(0, 2**31))
def test_correlation_ignores_positive_affine_maps(a: float, b: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, 20, generator=generator, dtype=torch.float64)
    r = pearson(x, y)
    assert -1 <= r <= 1
    assert pearson(a * x + b, y).item() == pytest.approx(r.item(), abs=1e-9)
    assert pearson(-a * x + b, y).item() == pytest.approx(-r.item(), abs=1e-9)
    assert pearson(x, a * x + b).item() == pytest.approx(1, abs=1e-9)
    assert pearson(x, -a * x + b).item() == pytest.approx(-1, abs=1e-9)


# PR-22
def test_a_constant_has_no_correlation() -> None:
    with pytest.raises(ValueError, match="y must vary"):
        pearson(torch.arange(3.0), torch.full((3,), 0.1))
