"""PR-05, PR-08 to PR-11, PR-14."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import MultivariateNormal, Normal

from ancestral.information import (
    affine_normal,
    box_muller,
    conditional_normal,
    covariance,
    entropy,
    kl,
    marginal_normal,
    sum_of_normals,
)

MEAN = torch.tensor([-1.0, 2.0], dtype=torch.float64)
SQUARE = torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
TILTED = torch.tensor([[3.0, 1.0], [1.0, 1.0]], dtype=torch.float64)


def normal(mean: float = 0.0, scale: float = 1.0) -> Normal:
    return Normal(*(torch.tensor(value, dtype=torch.float64) for value in (mean, scale)))


# PR-05
def test_a_density_may_exceed_one() -> None:
    assert normal(0, 0.1).log_prob(torch.zeros(())).exp().item() == pytest.approx(3.9894, abs=5e-5)
    # But P(x = a) = 0: the mass of a small interval vanishes with it.
    p = normal(0, 0.1)
    widths = torch.tensor([1e-2, 1e-4, 1e-6], dtype=torch.float64)
    masses = p.cdf(widths) - p.cdf(-widths)
    torch.testing.assert_close(
        masses / (2 * widths), torch.full_like(widths, 3.98942), atol=0.01, rtol=0
    )


# PR-08
@pytest.mark.parametrize(("sigmas", "percent"), [(1, 68.269), (2, 95.450), (3, 99.730)])
def test_shares_within_one_two_three_sigmas(sigmas: int, percent: float) -> None:
    p = normal(1.5, 2.0)
    share = p.cdf(torch.tensor(1.5 + 2.0 * sigmas)) - p.cdf(torch.tensor(1.5 - 2.0 * sigmas))
    assert 100 * share.item() == pytest.approx(percent, abs=1e-3)  # E-M01: not 99.8.


# PR-08
def test_gaussian_density() -> None:
    p = normal(0.3, 1.7)
    x = torch.linspace(0.3 - 17, 0.3 + 17, 2001, dtype=torch.float64)
    weights = torch.ones_like(x)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    simpson = (weights * p.log_prob(x).exp()).sum() * (x[1] - x[0]) / 3
    assert simpson.item() == pytest.approx(1, abs=1e-10)
    t = torch.linspace(0, 10, 101, dtype=torch.float64)
    torch.testing.assert_close(p.log_prob(0.3 + t), p.log_prob(0.3 - t))  # E-M02
    # The log-density is concave everywhere, the density is not (E-M03).
    assert bool((p.log_prob(x).diff(n=2) < 0).all())
    assert p.log_prob(x).exp().diff(n=2).max() > 0


# PR-09
def test_box_muller_draws_are_standard_normal_pairs(generator: torch.Generator) -> None:
    pairs = box_muller(100_000, generator=generator)
    for column in pairs.unbind(dim=1):
        assert stats.kstest(column.numpy(), "norm").pvalue > 1e-3
    assert abs(covariance(pairs[:, 0], pairs[:, 1]).item()) < 4 / math.sqrt(100_000)
    # Independent, not only uncorrelated: the squares are uncorrelated too (variance 2 each).
    squares = pairs.square()
    assert abs(covariance(squares[:, 0], squares[:, 1]).item()) < 4 * 2 / math.sqrt(100_000)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        box_muller(0)


# PR-10
def test_sums_need_independence() -> None:
    p, q = normal(1, 3), normal(2, 4)
    assert sum_of_normals(p, q).scale.item() == 5.0
    x = p.sample(torch.Size([100_000]))
    mirrored = -x
    # x_2 = -x_1 is normal with the same variance, and the sum is constantly 0 (E-M05).
    assert float((x + mirrored).abs().max()) == 0
    wrong = sum_of_normals(p, normal(-1, 3)).scale.item()
    assert wrong == pytest.approx(math.sqrt(18))
    with pytest.raises(ValueError, match="constant"):
        sum_of_normals(p, normal(-1, 3), covariance=-9.0)
    # With the covariance said, the formula holds for dependent pairs.
    y = 0.5 * x + normal(0, 1).sample(torch.Size([100_000]))
    law = sum_of_normals(p, normal(0.5, math.sqrt(0.25 * 9 + 1)), covariance=4.5)
    spread = (x + y).std().item()
    assert spread == pytest.approx(law.scale.item(), rel=4 / math.sqrt(2 * 100_000))
    with pytest.raises(ValueError, match="covariance must be within ±12"):
        sum_of_normals(p, q, covariance=13.0)


# PR-10
def test_normal_margins_alone_do_not_make_the_sum_normal() -> None:
    x = torch.randn(100_000, dtype=torch.float64)
    sign = torch.randint(2, (100_000,)) * 2 - 1
    y = sign * x
    assert stats.kstest(y.numpy(), "norm").pvalue > 1e-3
    assert stats.kstest((x + y).numpy() / math.sqrt(2), "norm").pvalue < 1e-10


# PR-10
def test_affine_maps_of_gaussians() -> None:
    p = MultivariateNormal(MEAN, TILTED)
    matrix = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    image = affine_normal(p, matrix, 0.5)
    assert image.mean.item() == -1 + 4 + 0.5
    assert image.variance.item() == pytest.approx(3 + 4 * 1 + 4 * 1)
    draws = p.sample(torch.Size([100_000])) @ matrix.T + 0.5
    standard = (draws[:, 0] - image.mean) / image.stddev
    assert stats.kstest(standard.numpy(), "norm").pvalue > 1e-3
    with pytest.raises(ValueError, match=r"covariance_matrix|positive"):
        affine_normal(p, torch.ones(2, 2, dtype=torch.float64))


# PR-10
def test_the_central_limit_needs_the_root() -> None:
    n, repetitions = 2000, 4000
    mean = -torch.rand(repetitions, n, dtype=torch.float64).log().mean(dim=1)  # Exponential(1)
    scaled = math.sqrt(n) * (mean - 1)
    # Berry-Esseen: within 0.4748 * E|x - 1|^3 / sqrt(n) = 0.026 of normal.
    assert stats.kstest(scaled.numpy(), "norm").statistic < 0.026 + 1.95 / math.sqrt(repetitions)
    assert mean.std().item() < 0.03  # The mean itself converges to a constant (E-M06).


# PR-10
def test_the_gaussian_has_most_entropy_at_its_variance_only() -> None:
    laplace = torch.distributions.Laplace(0.0, math.sqrt(0.5))  # Variance 1.
    assert float(entropy(laplace)) < float(entropy(normal()))
    assert float(entropy(torch.distributions.Laplace(0.0, 5.0))) > float(entropy(normal()))


# PR-10
def test_all_moments_of_a_gaussian_exist() -> None:
    x = torch.linspace(-40, 40, 80_001, dtype=torch.float64)
    density = normal().log_prob(x).exp()
    for k in range(1, 11):
        odd = math.prod(range(1, 2 * k, 2))  # E x^2k = (2k - 1)!!
        assert torch.trapezoid(x ** (2 * k) * density, x).item() == pytest.approx(odd, rel=1e-10)


# PR-11
@pytest.mark.parametrize("sigma", [SQUARE, TILTED], ids=["diagonal", "tilted"])
def test_multivariate_density_and_draws(sigma: torch.Tensor) -> None:
    p = MultivariateNormal(MEAN, sigma)
    x = torch.randn(50, 2, dtype=torch.float64) * 3
    wanted = torch.from_numpy(stats.multivariate_normal(MEAN, sigma).logpdf(x))
    torch.testing.assert_close(p.log_prob(x), wanted, rtol=0, atol=1e-10)
    n = 100_000
    draws = p.sample(torch.Size([n]))
    # Var of the sample covariance: (s_ij^2 + s_ii s_jj) / n.
    variances = sigma.diagonal()
    error = ((sigma.square() + variances[:, None] * variances) / n).sqrt()
    assert bool(((draws.T.cov() - sigma).abs() < 4 * error).all())


# PR-11
def test_axes_of_the_contours_are_the_eigenvectors() -> None:
    torch.testing.assert_close(torch.linalg.eigvalsh(SQUARE), torch.tensor([1.0, 3.0]).double())
    root = math.sqrt(2)
    values, vectors = torch.linalg.eigh(TILTED)  # E-M08: the eigenvalues change too.
    torch.testing.assert_close(values, torch.tensor([2 - root, 2 + root]).double())
    # The long axis is turned by half the angle of (s_xx - s_yy, 2 s_xy): 22.5 degrees.
    angle = math.degrees(math.atan(vectors[1, 1].item() / vectors[0, 1].item()))
    assert angle == pytest.approx(22.5)
    p = MultivariateNormal(MEAN, TILTED)
    ends = MEAN + values.sqrt()[:, None] * vectors.T
    # One standard deviation along each axis: the density falls by exactly 1/2 nat.
    fall = p.log_prob(MEAN) - p.log_prob(ends)
    torch.testing.assert_close(fall, torch.full((2,), 0.5).double())
    isotropic = MultivariateNormal(MEAN, 4 * torch.eye(2).double())
    x = torch.randn(5, 2, dtype=torch.float64)
    falls = isotropic.log_prob(MEAN) - isotropic.log_prob(x)
    torch.testing.assert_close(falls, (x - MEAN).square().sum(dim=1) / 8)


# PR-11
def test_a_covariance_that_is_not_positive_definite_is_refused() -> None:
    with pytest.raises(ValueError, match="covariance_matrix"):
        MultivariateNormal(MEAN, torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64))


# PR-14
def test_joints_with_equal_marginals_differ() -> None:
    p, q = MultivariateNormal(MEAN, SQUARE), MultivariateNormal(MEAN, TILTED)
    for axis, (mean, variance) in enumerate([(-1.0, 3.0), (2.0, 1.0)]):
        for joint in (p, q):
            margin = marginal_normal(joint, [axis])
            assert (margin.mean.item(), margin.variance.item()) == pytest.approx((mean, variance))
    # KL of equal margins is minus half the log of 1 - correlation^2 in one direction.
    assert float(kl(q, p)) == pytest.approx(-0.5 * math.log(1 - 1 / 3), abs=1e-12)
    assert float(kl(p, q)) > 0.1


# PR-12, PR-14
def test_joint_is_marginal_times_conditional() -> None:
    a = torch.randn(4, 4, dtype=torch.float64)
    p = MultivariateNormal(torch.randn(4, dtype=torch.float64), a @ a.T + torch.eye(4))
    x = torch.randn(10, 4, dtype=torch.float64)
    given, others = [2, 0], [1, 3]
    margin = marginal_normal(p, given).log_prob(x[:, given])
    rest = conditional_normal(p, given, x[:, given]).log_prob(x[:, others])
    torch.testing.assert_close(margin + rest, p.log_prob(x), rtol=0, atol=1e-10)


def test_coordinates_must_exist_once() -> None:
    p = MultivariateNormal(MEAN, TILTED)
    with pytest.raises(ValueError, match=r"below 2, got \[2\]"):
        marginal_normal(p, [2])
    with pytest.raises(ValueError, match="but not all"):
        conditional_normal(p, [0, 1], MEAN)
    with pytest.raises(ValueError, match=r"values must be \[\*B, 1\]"):
        conditional_normal(p, [0], MEAN)
