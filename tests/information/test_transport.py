"""IT-08: the Wasserstein distance on the line."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq, linprog
from torch.distributions import (
    AffineTransform,
    Bernoulli,
    Binomial,
    Categorical,
    Cauchy,
    ContinuousBernoulli,
    Distribution,
    Exponential,
    Gamma,
    GeneralizedPareto,
    Geometric,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    Kumaraswamy,
    Laplace,
    LogNormal,
    MixtureSameFamily,
    NegativeBinomial,
    Normal,
    Pareto,
    Poisson,
    SigmoidTransform,
    StudentT,
    TransformedDistribution,
    Uniform,
    Weibull,
)

from ancestral.information import wasserstein, wasserstein_of_samples


def t(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def t2(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (7, 11), (100, 37)])
def test_samples_equal_scipys(n: int, m: int) -> None:
    x, y = torch.randn(n, dtype=torch.float64), 2 * torch.randn(m, dtype=torch.float64) + 1
    u, v = torch.rand(n, dtype=torch.float64), torch.rand(m, dtype=torch.float64)
    u, v = u / u.sum(), v / v.sum()
    assert wasserstein_of_samples(x, y).item() == pytest.approx(
        stats.wasserstein_distance(x, y), abs=1e-12
    )
    got = wasserstein_of_samples(x, y, x_weights=u, y_weights=v)
    assert got.item() == pytest.approx(stats.wasserstein_distance(x, y, u, v), abs=1e-12)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.5])
def test_equal_sizes_are_matched_in_order(order: float) -> None:
    x, y = torch.randn(50, dtype=torch.float64), torch.rand(50, dtype=torch.float64)
    gaps = (x.sort().values - y.sort().values).abs() ** order
    got = wasserstein_of_samples(x, y, order=order)
    assert got.item() == pytest.approx(gaps.mean().item() ** (1 / order), abs=1e-12)
    # Repeating every point changes no law, and makes the sizes unequal.
    again = wasserstein_of_samples(x.repeat(3), y.repeat(2), order=order)
    assert again.item() == pytest.approx(got.item(), abs=1e-12)


def test_normals_have_their_closed_form() -> None:
    p, q = Normal(t(0.0), t(1.0)), Normal(t(2.0), t(1.5))
    got = wasserstein(p, q, order=2)
    assert got.kind == "quadrature"
    assert abs(float(got) - math.hypot(2.0, 0.5)) <= float(got.se) < 1e-9
    for order in (1, 2, 7.5):  # A shift moves every quantile by itself, whatever the order.
        shifted = wasserstein(p, Normal(t(3.0), t(1.0)), order=order)
        assert abs(float(shifted) - 3) <= float(shifted.se) < 1e-9


# PN-20
def test_order_one_is_the_area_between_the_distribution_functions() -> None:
    p = MixtureSameFamily(Categorical(t2(1.0, 3.0)), Normal(t2(-2.0, 2.0), t2(0.5, 1.0)))
    q = Laplace(t(0.3), t(1.2))
    x = torch.linspace(-40, 40, 200_001, dtype=torch.float64)
    area = torch.trapezoid((p.cdf(x) - q.cdf(x)).abs(), x).item()
    assert float(wasserstein(p, q)) == pytest.approx(area, abs=1e-6)


# PN-20
def test_sorting_is_the_optimal_plan_of_the_linear_program() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, generator=generator, dtype=torch.float64) for n in (5, 7))
    u, v = (torch.rand(n, generator=generator, dtype=torch.float64) for n in (5, 7))
    u, v = u / u.sum(), v / v.sum()
    rows = torch.kron(torch.eye(5), torch.ones(1, 7)).numpy()
    columns = torch.kron(torch.ones(1, 5), torch.eye(7)).numpy()
    for order in (1.0, 2.0):
        cost = (x[:, None] - y).abs() ** order
        plan = linprog(
            cost.flatten().numpy(),
            A_eq=np.concatenate((rows, columns)),
            b_eq=torch.cat((u, v)).numpy(),
        )
        got = wasserstein_of_samples(x, y, order=order, x_weights=u, y_weights=v)
        assert got.item() == pytest.approx(plan.fun ** (1 / order), abs=1e-9)


MEANS_IN_ORDER: dict[str, tuple[Distribution, Distribution, float]] = {
    "uniform": (Uniform(t(0.0), t(1.0)), Uniform(t(0.0), t(3.0)), 1.0),
    "exponential": (Exponential(t(1.0)), Exponential(t(0.5)), 1.0),
    "gamma": (Gamma(t(2.0), t(1.0)), Gamma(t(7.0), t(1.0)), 5.0),
    "gamma and exponential": (Gamma(t(1.0), t(1.0)), Exponential(t(0.5)), 1.0),
    "kumaraswamy": (Kumaraswamy(t(1.0), t(2.0)), Kumaraswamy(t(1.0), t(4.0)), 1 / 3 - 1 / 5),
    "continuous bernoulli": (ContinuousBernoulli(t(0.5)), Uniform(t(0.0), t(2.0)), 0.5),
    "half-normal": (HalfNormal(t(1.0)), HalfNormal(t(3.0)), 2 * math.sqrt(2 / math.pi)),
    "log-normal": (
        LogNormal(t(0.0), t(1.0)),
        LogNormal(t(1.0), t(1.0)),
        math.sqrt(math.e) * 1.7182818284590453,
    ),
    "weibull": (Weibull(t(1.0), t(0.5)), Weibull(t(2.0), t(0.5)), 2.0),
    "pareto": (Pareto(t(1.0), t(1.5)), Pareto(t(2.0), t(1.5)), 3.0),
    "generalized pareto": (
        GeneralizedPareto(t(0.0), t(1.0), t(0.5)),
        GeneralizedPareto(t(0.0), t(2.0), t(0.5)),
        2.0,
    ),
    "gumbel and its mirror": (
        Gumbel(t(0.0), t(1.0)),
        TransformedDistribution(Gumbel(t(0.0), t(1.0)), [AffineTransform(60.0, -1.0)]),
        60 - 2 * 0.5772156649015329,
    ),
    "logistic": (
        TransformedDistribution(Uniform(t(0.0), t(1.0)), [SigmoidTransform().inv]),
        TransformedDistribution(Normal(t(90.0), t(1.0)), [AffineTransform(0.0, 2.0)]),
        180.0,
    ),
    "poisson": (Poisson(t(3.0)), Poisson(t(5.0)), 2.0),
    "poisson and geometric": (Geometric(t(0.5)), Poisson(t(1e4)), 9_999.0),
    "negative binomial": (
        NegativeBinomial(t(3.0), t(0.5)),
        NegativeBinomial(t(3.0), t(0.75)),
        6.0,
    ),
    "mixture of counts": (
        MixtureSameFamily(Categorical(t2(0.5, 0.5)), Poisson(t2(1.0, 3.0))),
        Poisson(t(3.0)),
        1.0,
    ),
}


# Of laws whose distribution functions do not cross it is the difference of the means.
@pytest.mark.parametrize(("p", "q", "wanted"), MEANS_IN_ORDER.values(), ids=MEANS_IN_ORDER)
def test_ordered_laws_are_as_far_as_their_means(
    p: Distribution, q: Distribution, wanted: float
) -> None:
    got = wasserstein(p, q)
    assert abs(float(got) - wanted) <= float(got.se) + 1e-10 * wanted
    # Beyond the last quantile of float64 the tail of a power is an extrapolation.
    assert float(got.se) < (1e-4 if "Pareto" in repr(p) else 1e-7) * wanted
    assert float(wasserstein(q, p)) == pytest.approx(float(got), rel=1e-9)


def step_from_normal(values: torch.Tensor, weights: torch.Tensor) -> float:
    """Return the distance of order 1 of steps from N(0, 1): the integral of |F - Phi|, by hand."""

    def integral(c: float, a: float, b: float) -> float:
        # Of Phi the primitive is x Phi(x) + phi(x); c - Phi changes its sign once.
        ends = sorted({a, b, min(max(stats.norm.ppf(min(c, 1.0)), a), b)})
        phi = [x * stats.norm.cdf(x) + stats.norm.pdf(x) for x in ends]
        pairs = zip(zip(ends, phi, strict=True), zip(ends[1:], phi[1:], strict=False), strict=False)
        return math.fsum(abs(c * (y - x) - (g - f)) for (x, f), (y, g) in pairs)

    order = values.argsort()
    x, c = values[order].tolist(), weights[order].cumsum(0).tolist()
    inner = math.fsum(integral(f, a, b) for f, a, b in zip(c, x, x[1:], strict=False))
    left = x[0] * stats.norm.cdf(x[0]) + stats.norm.pdf(x[0])
    return inner + left + stats.norm.pdf(x[-1]) - x[-1] * stats.norm.sf(x[-1])


def test_points_and_counts_against_a_density() -> None:
    x = torch.randn(300, dtype=torch.float64)
    got = wasserstein(x, Normal(t(0.0), t(1.0)))
    assert abs(float(got) - step_from_normal(x, torch.full_like(x, 1 / 300))) <= float(got.se)
    k = torch.arange(200.0, dtype=torch.float64)
    law = Poisson(t(70.0))
    got = wasserstein(law, Normal(t(70.0), t(8.0)))
    wanted = 8 * step_from_normal((k - 70) / 8, law.log_prob(k).exp())
    assert abs(float(got) - wanted) <= float(got.se) + 1e-13 * 70
    assert wasserstein(x, x + 2).kind == "exact"


def test_a_density_against_a_coin() -> None:
    p, q = Exponential(t(1.0)), Bernoulli(t(0.5))
    # The lower half of p goes to 0, the upper one to 1: E[x; x < log 2] + E[|x - 1|; x > log 2].
    half = math.log(2)
    wanted = (1 - half) / 2 + 2 / math.e - half / 2
    got = wasserstein(p, q)
    assert abs(float(got) - wanted) <= float(got.se) < 1e-9


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_mixtures_have_no_quantile_function_of_torchs(order: float) -> None:
    p = MixtureSameFamily(Categorical(t2(1.0, 3.0)), Normal(t2(-2.0, 2.0), t2(0.5, 1.0)))
    q = Normal(t(0.0), t(1.0))
    # The rule of midpoints over the quantiles, which brentq finds.
    u = (torch.arange(500, dtype=torch.float64) + 0.5) / 500
    x = [brentq(lambda z, v=v: float(p.cdf(t(z))) - v, -20, 20) for v in u.tolist()]
    gaps = (torch.tensor(x, dtype=torch.float64) - q.icdf(u)).abs() ** order
    got = wasserstein(p, q, order=order)
    assert float(got) == pytest.approx(gaps.mean().item() ** (1 / order), rel=2e-3)
    assert float(got.se) < 1e-8


def test_finite_laws_are_exact() -> None:
    p, q = Binomial(4, t(0.25)), Binomial(4, t(0.5))
    got = wasserstein(p, q)
    assert got.kind == "exact"
    assert float(got) == pytest.approx(1.0, abs=1e-12)  # Ordered laws: the difference of means.
    dice = Categorical(torch.tensor([0.0, 0.0, 1.0]))
    assert float(wasserstein(dice, Bernoulli(t(0.0)), order=2)) == pytest.approx(2.0, abs=1e-6)


def test_mistakes_are_named() -> None:
    x = torch.zeros(3)
    with pytest.raises(ValueError, match="order must be at least 1"):
        wasserstein_of_samples(x, x, order=0.5)
    with pytest.raises(ValueError, match=r"y must be finite points \[N\]"):
        wasserstein_of_samples(x, torch.zeros(2, 2))
    with pytest.raises(ValueError, match="x_weights must be"):
        wasserstein_of_samples(x, x, x_weights=torch.ones(1))
    with pytest.raises(ValueError, match="one real number"):
        wasserstein(Normal(torch.zeros(2), 1.0), Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="q must have a quantile or a distribution function, got"):
        wasserstein(Normal(0.0, 1.0), StudentT(t(3.0)))
    with pytest.raises(ValueError, match=r"p must be finite points \[N\]"):
        wasserstein(torch.tensor([0.0, math.nan]), Normal(0.0, 1.0))


def test_laws_of_single_precision() -> None:
    assert float(wasserstein(Normal(0.0, 1.0), Normal(1.0, 1.0))) == pytest.approx(1, abs=1e-6)
    one = torch.tensor(1.0)
    assert float(wasserstein(Gamma(one, one), Gamma(one, 0.5 * one))) == pytest.approx(1, abs=1e-6)
    got = wasserstein(LogNormal(0.0, 0.5), LogNormal(1.0, 0.5))
    assert float(got) == pytest.approx(math.exp(1.125) - math.exp(0.125), rel=1e-6)


@pytest.mark.parametrize(
    ("p", "q", "order", "wanted"),
    [
        (Cauchy(t(0.0), t(1.0)), Cauchy(t(0.0), t(2.0)), 1.0, math.inf),
        (Cauchy(t(0.0), t(1.0)), Normal(t(0.0), t(2.0)), 3.5, math.inf),
        (HalfCauchy(t(1.0)), Poisson(t(2.0)), 1.0, math.inf),
        (Pareto(t(1.0), t(1.0)), Exponential(t(1.0)), 1.0, math.inf),
        (Pareto(t(1.0), t(2.0)), Exponential(t(1.0)), 2.0, math.inf),
        (Pareto(t(1.0), t(1.5)), torch.ones(3).double(), 1.0, 2.0),
    ],
)
def test_infinite_moments_give_infinity_and_finite_ones_a_number(
    p: Distribution, q: Distribution | torch.Tensor, order: float, wanted: float
) -> None:
    got = wasserstein(p, q, order=order)
    if wanted == math.inf:
        assert repr(got) == "inf (exact)"
    else:
        assert abs(float(got) - wanted) <= float(got.se) < 1e-3


@given(
    st.floats(-1e3, 1e3),
    st.floats(-3, 3).map(lambda power: 10.0**power),
    st.floats(-1e3, 1e3),
    st.floats(-3, 3).map(lambda power: 10.0**power),
    st.sampled_from([Normal, Laplace, Gumbel]),
)
@settings(max_examples=25, deadline=None)
def test_the_error_covers_the_truth_of_families_of_location_and_scale(
    a: float, b: float, c: float, d: float, family: type
) -> None:
    p, q, standard = family(t(a), t(b)), family(t(c), t(d)), family(t(0.0), t(1.0))
    got = wasserstein(p, q, order=2)
    # Quantiles of one family are matched: the gap has a mean and a spread of its own.
    gap = a - c + standard.mean.item() * (b - d)
    wanted = math.hypot(gap, standard.stddev.item() * (b - d))
    assert abs(float(got) - wanted) <= float(got.se) + 1e-12 * (abs(a) + abs(c) + b + d)
    assert float(got.se) <= 1e-6 * (wanted + abs(b - d)) + 1e-12


@given(st.integers(1, 30), st.integers(1, 30), st.floats(-100, 100), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_points_at_any_scale_equal_scipys(n: int, m: int, power: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(k, generator=generator, dtype=torch.float64) for k in (n, m))
    got = wasserstein(10.0**power * x, 10.0**power * y)
    assert got.kind == "exact"
    assert float(got) == pytest.approx(10.0**power * stats.wasserstein_distance(x, y), rel=1e-12)
