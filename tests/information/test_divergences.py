"""IT-07, IT-09, PN-21, PR-21."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Laplace, Normal, Uniform

from ancestral.information import (
    CHI_SQUARE,
    HELLINGER,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    TOTAL_VARIATION,
    FDivergence,
    entropy,
    jensen_shannon,
    jensen_shannon_distance,
    kl,
    mutual_information,
    pearson,
)

ALL = [KL, REVERSE_KL, JENSEN_SHANNON, CHI_SQUARE, HELLINGER, TOTAL_VARIATION]


def tables(seed: int, count: int, size: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(count, size, generator=generator, dtype=torch.float64) ** 2 + 1e-6
    return p / p.sum(dim=-1, keepdim=True)


def closed_form(divergence: FDivergence, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    m = (p + q) / 2
    forms = {
        "KL": p * (p / q).log(),
        "reverse KL": q * (q / p).log(),
        "Jensen-Shannon": (p * (p / m).log() + q * (q / m).log()) / 2,
        "chi-square": (p - q).square() / q,
        "squared Hellinger": (p.sqrt() - q.sqrt()).square() / 2,
        "total variation": (p - q).abs() / 2,
    }
    return forms[divergence.name].sum(dim=-1)


# PN-21
@pytest.mark.parametrize("divergence", ALL, ids=lambda f: f.name)
def test_divergences_equal_their_closed_forms(divergence: FDivergence) -> None:
    p, q = tables(0, 200), tables(1, 200)
    got = divergence(p, q)
    assert got.kind == "exact"
    torch.testing.assert_close(got.value, closed_form(divergence, p, q), rtol=1e-10, atol=1e-12)
    assert bool((got.value >= -1e-15).all())
    torch.testing.assert_close(
        divergence(p, p).value, torch.zeros(200, dtype=torch.float64), rtol=0, atol=1e-15
    )


# PN-21
@pytest.mark.parametrize("divergence", ALL, ids=lambda f: f.name)
def test_no_divergence_is_negative_by_rounding(divergence: FDivergence) -> None:
    x = torch.linspace(0.0, 1.0, 2001, dtype=torch.float64)
    x = x.nextafter(torch.ones(()).double())
    p = torch.stack((x, 1 - x), dim=-1)
    beside = torch.stack((x.nextafter(torch.zeros(()).double()), 1 - x), dim=-1)
    for q in (p, beside, beside.flip(-1), p.roll(1, dims=0)):
        assert float(divergence(p, q).value.min()) >= 0
        assert float(divergence(q, p).value.min()) >= 0


# IT-09
def test_jensen_shannon_of_neighbours_is_not_negative() -> None:
    x = math.nextafter(0.5, 0)
    p = torch.tensor([x, 1 - x], dtype=torch.float64)
    # It is (1 - 2x)^2 / 2 = 6e-33, less than the rounding of its terms.
    assert 0 <= float(jensen_shannon(p, p.flip(0))) <= 1e-16
    assert jensen_shannon_distance(p, p.flip(0)).value.isfinite()


# PN-21
@pytest.mark.parametrize("divergence", ALL, ids=lambda f: f.name)
def test_the_conjugate_bounds_from_below_and_the_slope_attains_it(divergence: FDivergence) -> None:
    p, q = tables(2, 1)[0], tables(3, 1)[0]
    value = divergence(p, q).value
    critic = divergence.slope(p / q)

    def bound(t: torch.Tensor) -> torch.Tensor:
        return (p * t).sum() - (q * divergence.conjugate(t)).sum()

    torch.testing.assert_close(bound(critic), value, rtol=1e-10, atol=1e-12)
    for _ in range(100):
        assert bound(critic + 0.3 * torch.randn(5, dtype=torch.float64)) <= value + 1e-12


# PN-21
@pytest.mark.parametrize("divergence", ALL, ids=lambda f: f.name)
def test_the_conjugate_is_the_supremum(divergence: FDivergence) -> None:
    u = torch.logspace(-8, 8, 400_001, dtype=torch.float64)
    critics = divergence.slope(torch.tensor([0.1, 0.5, 0.9, 1.5, 4.0], dtype=torch.float64))
    for t in critics:
        supremum = (t * u - divergence.f(u)).max()
        assert divergence.conjugate(t).item() == pytest.approx(supremum.item(), abs=1e-7)


# PN-21
def test_jensen_shannon_case_is_the_value_of_the_gan_game() -> None:
    p, q = tables(4, 1)[0], tables(5, 1)[0]
    discriminator = p / (p + q)
    # GA-03: (E_p log D + E_q log (1 - D)) / 2 at the best D is JS - log 2.
    game = ((p * discriminator.log()).sum() + (q * (1 - discriminator).log()).sum()) / 2
    assert float(jensen_shannon(p, q)) - math.log(2) == pytest.approx(game.item(), abs=1e-12)
    critic = (math.log(2) + discriminator.log()) / 2
    torch.testing.assert_close(critic, JENSEN_SHANNON.slope(p / q))


# PN-21
def test_the_bound_over_draws_is_below_the_divergence() -> None:
    p, q = Normal(0.5, 1.0), Normal(0.0, 1.0)
    x, y = p.sample(torch.Size([100_000])).double(), q.sample(torch.Size([100_000])).double()
    best = KL.bound(1 + (p.log_prob(x) - q.log_prob(x)), 1 + (p.log_prob(y) - q.log_prob(y)))
    # The terms have standard deviation 0.5 each: 4 s.e. are 0.01.
    assert best.item() == pytest.approx(0.125, abs=0.01)
    assert KL.bound(0.5 * x, 0.5 * y) < best


@pytest.mark.parametrize(
    ("divergence", "apart"),
    [
        (KL, math.inf),
        (REVERSE_KL, math.inf),
        (JENSEN_SHANNON, math.log(2)),
        (CHI_SQUARE, math.inf),
        (HELLINGER, 1.0),
        (TOTAL_VARIATION, 1.0),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_laws_that_share_nothing(divergence: FDivergence, apart: float) -> None:
    p, q = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    assert float(divergence(p, q)) == pytest.approx(apart)
    estimated = divergence(Uniform(0.0, 1.0), Uniform(2.0, 3.0))
    assert float(estimated) == pytest.approx(apart)


@pytest.mark.parametrize("divergence", ALL, ids=lambda f: f.name)
def test_normals_agree_with_a_sum_over_a_grid(divergence: FDivergence) -> None:
    zero, one = (torch.tensor(value, dtype=torch.float64) for value in (0.0, 1.0))
    p, q = Normal(zero, one), Normal(0.6 * one, 1.2 * one)
    x = torch.linspace(-15, 15, 300_001, dtype=torch.float64)
    wanted = closed_form(divergence, p.log_prob(x).exp(), q.log_prob(x).exp()) * 1e-4
    got = divergence(p, q)
    # The grid misses up to a hundredth of its step squared at a kink.
    assert abs(got.value - wanted) <= got.se + 1e-10
    assert got.se < 1e-11


# Several dimensions, without a closed form: draws.
@pytest.mark.parametrize("divergence", ALL, ids=lambda f: f.name)
def test_draws_agree_with_sums_over_a_grid(divergence: FDivergence) -> None:
    zero = torch.zeros(2, dtype=torch.float64)
    p = Independent(Laplace(zero, 1.0), 1)
    q = Independent(Laplace(zero + 0.3, 1.5), 1)
    axis = torch.linspace(-40, 40, 2001, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    wanted = closed_form(divergence, p.log_prob(x).exp(), q.log_prob(x).exp()) * 0.04**2
    got = divergence(p, q, draws=40_000, generator=torch.Generator().manual_seed(0))
    assert abs(got.value - wanted) < 4 * got.se + 1e-3
    assert got.se < 0.02


# IT-07
def test_jensen_shannon_distance_is_a_metric_on_ten_thousand_triples() -> None:
    p, q, r = (tables(seed, 10_000) for seed in (6, 7, 8))
    pq, qr, pr = (jensen_shannon_distance(*pair).value for pair in ((p, q), (q, r), (p, r)))
    torch.testing.assert_close(pq, jensen_shannon_distance(q, p).value, rtol=0, atol=1e-12)
    assert bool((pr <= pq + qr).all())
    assert bool((pq <= math.sqrt(math.log(2))).all())
    ends = torch.eye(2)
    assert float(jensen_shannon_distance(ends[0], ends[1])) == pytest.approx(math.sqrt(math.log(2)))
    assert float(jensen_shannon_distance(ends[0], ends[0])) == 0


def test_total_variation_is_the_largest_difference_of_an_event() -> None:
    p, q = tables(9, 1)[0], tables(10, 1)[0]
    events = torch.cartesian_prod(*5 * [torch.tensor([0.0, 1.0], dtype=torch.float64)])
    assert float(TOTAL_VARIATION(p, q)) == pytest.approx((events @ (p - q)).abs().max().item())
    assert float(TOTAL_VARIATION(Bernoulli(0.2), Bernoulli(0.5))) == pytest.approx(0.3)
    # Between N(0, 1) and N(m, 1): 2 Phi(m / 2) - 1.
    got = TOTAL_VARIATION(Normal(0.0, 1.0), Normal(1.0, 1.0), generator=torch.Generator())
    assert abs(float(got) - math.erf(0.5 / math.sqrt(2))) < 4 * float(got.se)


def test_mutual_information_of_a_table() -> None:
    joint = tables(11, 1, size=12)[0].reshape(3, 4)
    x, y = joint.sum(dim=1), joint.sum(dim=0)
    by_entropies = float(entropy(x)) + float(entropy(y)) - float(entropy(joint.flatten()))
    assert float(mutual_information(joint)) == pytest.approx(by_entropies, abs=1e-12)
    assert float(mutual_information(x[:, None] * y)) == pytest.approx(0, abs=1e-15)
    with pytest.raises(ValueError, match=r"joint must be \[N, M\]"):
        mutual_information(x)


def counts(x: torch.Tensor, y: torch.Tensor, bins: int = 20) -> torch.Tensor:
    """Return the shares of pairs in cells that each hold as many x, and as many y."""
    rows, columns = (v.argsort().argsort() * bins // len(v) for v in (x, y))
    return (rows * bins + columns).bincount(minlength=bins**2).reshape(bins, bins) / len(x)


# PR-21
def test_the_circle_is_uncorrelated_and_dependent() -> None:
    n = 20_000
    angle = 2 * torch.pi * torch.rand(n, dtype=torch.float64)
    x, y = angle.cos(), angle.sin()
    product = x * y
    assert abs((product.mean() - x.mean() * y.mean()).item()) < 4 * product.std() / math.sqrt(n)
    assert abs(pearson(x, y).item()) < 4 / math.sqrt(n)
    assert float(mutual_information(counts(x, y))) > 0.5
    # Independent variables give (20 - 1)^2 / 2n = 0.009 nats of bias.
    assert float(mutual_information(counts(x, y[torch.randperm(n)]))) < 0.02


def test_a_table_and_a_density_are_refused() -> None:
    with pytest.raises(ValueError, match="only be compared with a finite law"):
        HELLINGER(torch.tensor([1.0]), Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="as many states, got 2 and 3"):
        TOTAL_VARIATION(torch.full((2,), 0.5), torch.full((3,), 1 / 3))


def test_kl_as_an_f_divergence_equals_kl() -> None:
    p, q = tables(12, 50), tables(13, 50)
    torch.testing.assert_close(KL(p, q).value, kl(p, q).value, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("divergence", [JENSEN_SHANNON, HELLINGER, TOTAL_VARIATION])
def test_bounded_divergences_of_laws_far_apart_are_their_bounds(divergence: FDivergence) -> None:
    one = torch.ones((), dtype=torch.float64)
    found = divergence(Normal(0 * one, one), Normal(60 * one, one))
    apart = divergence(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    assert found.value.item() == pytest.approx(float(apart.value), rel=1e-6)
