import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from sklearn.neighbors import KernelDensity
from torch import Generator

from ancestral.classic.kde import KDE
from ancestral.classic.radial import RADIAL, log_radial_mean, radial_noise

KERNELS = pytest.mark.parametrize("name", RADIAL)


def rows(n: int, features: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, features, dtype=torch.float64, generator=Generator().manual_seed(seed))


@KERNELS
@pytest.mark.parametrize("features", [1, 2, 3, 8])
def test_equals_sklearn(name: str, features: int) -> None:
    if name == "cosine" and features % 2 == 0:
        return  # The peer's normaliser is wrong there: the next test.
    x, test = rows(200, features), rows(150, features, seed=1) * 1.3
    for bandwidth in (0.3, 1.0):
        # One leaf: with a tree it prunes, and is then off in the tails.
        peer = KernelDensity(bandwidth=bandwidth, kernel=name, leaf_size=1000).fit(x.numpy())
        with np.errstate(divide="ignore"):
            want = torch.from_numpy(peer.score_samples(test.numpy()))
        got = KDE(features, bandwidth=bandwidth, kernel=name).fit(x).log_prob(test)
        # Where no kernel reaches, the peer's log of zero is a large negative number.
        reached = got > -torch.inf
        torch.testing.assert_close(got[reached], want[reached], rtol=0, atol=1e-8)
        assert bool((want[~reached] < -100).all())


def test_the_peers_cosine_forgets_a_term_in_even_dimensions() -> None:
    x = rows(200, 2)
    peer = KernelDensity(bandwidth=0.3, kernel="cosine", leaf_size=1000).fit(x.numpy())
    want = torch.from_numpy(peer.score_samples(x.numpy()))
    # int cos(pi r / 2) r dr = 2 / pi - 4 / pi^2; it divides by 2 / pi, and integrates to 0.36.
    forgotten = math.log((2 / math.pi) / (2 / math.pi - 4 / math.pi**2))
    got = KDE(2, bandwidth=0.3, kernel="cosine").fit(x).log_prob(x)
    torch.testing.assert_close(got, want + forgotten, rtol=0, atol=1e-8)


@KERNELS
@pytest.mark.parametrize("features", [1, 2])
def test_integrates_to_one(name: str, features: int) -> None:
    model = KDE(features, bandwidth=0.1, kernel=name).fit(rows(5, features))
    step = {1: 1e-4, 2: 2.5e-3}[features]
    axis = torch.arange(-1.5, 2.5, step, dtype=torch.float64) + step / 2
    points = torch.cartesian_prod(*[axis] * features).reshape(-1, features)
    # The rim of a tophat crosses cells: 0.6 / h of them, an error of about (step / h)^1.5.
    tolerance = 1e-3 if name == "tophat" else 1e-4
    total = model.log_prob(points).exp().sum().item() * step**features
    assert total == pytest.approx(1, abs=tolerance)


@KERNELS
@pytest.mark.parametrize("features", [1, 2, 5])
def test_draws_follow_the_kernel(name: str, features: int) -> None:
    kernel = RADIAL[name]
    draws = radial_noise(kernel, 20_000, features, generator=Generator().manual_seed(0))
    # Its radius has density k(r) r^(D-1); its distribution function by trapezium rule.
    r = torch.linspace(0, 60 if name == "exponential" else 1, 200_001, dtype=torch.float64)
    density = kernel.log_sum(r[:, None]).exp() * r ** (features - 1)
    mass = torch.cumulative_trapezoid(density, r)
    mass = torch.cat((mass.new_zeros(1), mass)) / mass[-1]
    radii = draws.norm(dim=1).numpy()
    assert kstest(radii, lambda t: np.interp(t, r.numpy(), mass.numpy())).pvalue > 1e-4
    deviation = kernel.deviation(features)
    got = draws.square().mean(dim=0).sqrt()
    # The kurtosis of an exponential's coordinate is below 6: relative error sqrt(5/n)/2 = 0.008.
    torch.testing.assert_close(got / deviation, torch.ones_like(got), rtol=0, atol=0.04)
    torch.testing.assert_close(draws.mean(0) / deviation, torch.zeros_like(got), rtol=0, atol=0.036)


@KERNELS
def test_a_rule_gives_every_kernel_the_same_standard_deviation(name: str) -> None:
    x = rows(100, 3)
    for rule in ("scott", "silverman", None):
        gaussian = KDE(3, bandwidth=rule).fit(x, generator=Generator().manual_seed(0))
        other = KDE(3, bandwidth=rule, kernel=name).fit(x, generator=Generator().manual_seed(0))
        spread = other.width.item() * RADIAL[name].deviation(3)
        assert spread == pytest.approx(gaussian.width.item(), rel=1e-12)


@KERNELS
def test_gradient_is_that_of_the_density(name: str) -> None:
    model = KDE(2, bandwidth=0.8, kernel=name).fit(rows(40, 2))
    x = rows(6, 2, seed=1).requires_grad_()
    if name == "tophat":  # A step: its slope is 0 wherever it has one.
        (gradient,) = torch.autograd.grad(model.log_prob(x).sum(), x)
        assert torch.equal(gradient, torch.zeros_like(gradient))
    else:
        assert torch.autograd.gradcheck(model.log_prob, (x,))


def test_a_hundred_dimensions_have_finite_masses() -> None:
    for name, kernel in RADIAL.items():
        assert math.isfinite(kernel.log_mass(100)), name
    # The cosine lies between (1 - r^2) pi / 4 and 1 - r^2.
    between = RADIAL["epanechnikov"].log_mass(100)
    assert between + math.log(math.pi / 4) < RADIAL["cosine"].log_mass(100) < between


def test_no_points_are_no_sums() -> None:
    data = rows(5, 2)
    assert log_radial_mean(RADIAL["linear"], data[:0], data, 1.0).shape == (0,)


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel must be one of gaussian, tophat"):
        KDE(2, kernel="square")
