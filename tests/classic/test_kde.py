import math

import pytest
import torch

from ancestral.classic.kde import KDE
from ancestral.errors import CapabilityError, DataError


def rows(n: int, features: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(
        n, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("features", [1, 2, 3])
@pytest.mark.parametrize("bandwidth", [0.05, 0.4])
def test_equals_sklearn(features: int, bandwidth: float) -> None:
    from sklearn.neighbors import KernelDensity

    x, test = rows(200, features), rows(150, features, seed=1) * 2
    # One leaf: with a tree it prunes, and is then off by up to 5e-3 in the far tail.
    peer = KernelDensity(bandwidth=bandwidth, leaf_size=1000).fit(x.numpy())
    want = torch.from_numpy(peer.score_samples(test.numpy()))
    got = KDE(features, bandwidth=bandwidth).fit(x).log_prob(test)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-8)


def test_integrates_to_one_in_one_dimension() -> None:
    model = KDE(1, bandwidth=0.1).fit(rows(5, 1))
    grid = torch.linspace(-1, 2, 3001, dtype=torch.float64)[:, None]
    # Ten bandwidths beyond the data; the trapezium rule is exact here to far below 1e-4.
    assert torch.trapezoid(model.log_prob(grid).exp(), dx=0.001).item() == pytest.approx(
        1, abs=1e-4
    )


def test_integrates_to_one_in_two_dimensions() -> None:
    # With the normaliser of one dimension it would be 0.1 sqrt(2 pi) = 0.25.
    model = KDE(2, bandwidth=0.1).fit(rows(5, 2))
    axis = torch.linspace(-1, 2, 301, dtype=torch.float64)
    density = model.log_prob(torch.cartesian_prod(axis, axis)).exp()
    assert density.sum().item() * 0.01**2 == pytest.approx(1, abs=1e-4)


def test_sixty_four_dimensions_do_not_underflow() -> None:
    x = rows(300, 64)
    value = KDE(64, bandwidth=0.01).fit(x).log_prob(x + 5)
    assert value.isfinite().all()
    assert value.max() < -1e6  # Far below the smallest float64, e^-745.


def test_a_draw_is_an_example_plus_noise() -> None:
    model = KDE(2, bandwidth=0.25).fit(torch.tensor([[0.0, 0.0], [100.0, 100.0]]))
    draws = model.sample(20_000, generator=torch.Generator().manual_seed(0))
    second = draws[:, 0] > 50
    noise = draws - 100.0 * second[:, None]
    # Standard errors over 20,000 draws: 0.5/141 = 0.0035, 0.25/141 = 0.0018, 0.25/200 = 0.00125.
    assert second.double().mean().item() == pytest.approx(0.5, abs=5 * 0.0035)
    torch.testing.assert_close(noise.mean(0), torch.zeros(2), rtol=0, atol=5 * 0.0018)
    torch.testing.assert_close(noise.std(0), torch.full((2,), 0.25), rtol=0, atol=5 * 0.00125)


def test_draws_have_the_distribution_of_the_density() -> None:
    from scipy.stats import kstest

    x = rows(8, 1)
    model = KDE(1, bandwidth=0.1).fit(x)
    draws = model.sample(5000, generator=torch.Generator().manual_seed(3))[:, 0].numpy()

    def distribution(t: torch.Tensor) -> torch.Tensor:
        scaled = (torch.as_tensor(t)[:, None] - x.T) / (0.1 * math.sqrt(2))
        return 0.5 * (1 + torch.erf(scaled)).mean(dim=1)

    assert kstest(draws, lambda t: distribution(t).numpy()).pvalue > 1e-4


def test_gradient_is_that_of_the_density() -> None:
    model = KDE(2, bandwidth=0.3).fit(rows(40, 2))
    x = rows(6, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(model.log_prob, (x,))


@pytest.mark.parametrize("bandwidth", [None, "scott", "silverman", 0.7])
def test_bandwidth_comes_from_the_rule_asked_for(bandwidth: float | str | None) -> None:
    x = rows(100, 2)
    model = KDE(2, bandwidth=bandwidth).fit(x)
    width = model.width.item()
    assert 0 < width < 1
    wrong = KDE(2, bandwidth=width * 1.01).fit(x)
    assert not torch.equal(model.log_prob(x), wrong.log_prob(x))


def test_float32_data_are_summed_in_float64() -> None:
    x = rows(100, 2)
    model, plain = (
        KDE(2, bandwidth=0.01).fit(x.float()),
        KDE(2, bandwidth=0.01).fit(x.float().double()),
    )
    got = model.log_prob(x[:9].float())
    assert got.dtype == torch.float32
    torch.testing.assert_close(
        got.double(), plain.log_prob(x[:9].float().double()), rtol=1e-6, atol=0
    )


def test_one_row_is_enough_with_a_bandwidth() -> None:
    model = KDE(1, bandwidth=2.0).fit(torch.zeros(1, 1))
    assert model.log_prob(torch.zeros(1, 1)).item() == pytest.approx(
        -math.log(2 * math.sqrt(2 * math.pi))
    )


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        KDE(0)
    with pytest.raises(ValueError, match=r"bandwidth must be above 0, got -1"):
        KDE(2, bandwidth=-1)
    with pytest.raises(ValueError, match=r"got 'wide'"):
        KDE(2, bandwidth="wide")  # pyright: ignore[reportArgumentType]
    with pytest.raises(CapabilityError, match="kde is not fitted"):
        KDE(2).log_prob(torch.zeros(1, 2))
    model = KDE(2, bandwidth=0.1).fit(rows(3, 2))
    with pytest.raises(ValueError, match=r"x must have shape \[B, 2\], got \[4, 3\]"):
        model.log_prob(torch.zeros(4, 3))
    with pytest.raises(CapabilityError, match="kde cannot be conditioned on 'label'"):
        model.sample(1, given={"label": torch.tensor(0)})
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        model.sample(0)
    with pytest.raises(DataError, match="finite, got NaN or infinity in row 2"):
        model.fit(torch.tensor([[0.0, 0.0], [0.0, torch.nan]]))
    with pytest.raises(DataError, match="at least 1 row, got 0"):
        model.fit(torch.empty(0, 2))
