"""Integrals and sums over two laws, and torch's registry of divergences, against a fine grid."""

import math

import pytest
import torch
from torch import Tensor
from torch import distributions as laws
from torch.distributions import Distribution, kl_divergence
from torch.nn.functional import logsigmoid

from ancestral.information import (
    CHI_SQUARE,
    HELLINGER,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    TOTAL_VARIATION,
    entropy,
    kl,
)
from ancestral.information.integrals import integral
from ancestral.information.laws import bounds, log_prob
from ancestral.information.shannon import kl_terms


def t(*values: float) -> Tensor:
    return torch.tensor(values[0] if len(values) == 1 else values, dtype=torch.float64)


DENSITIES = [
    laws.Normal(t(0.3), t(0.8)),
    laws.Laplace(t(0.2), t(0.7)),
    laws.Gumbel(t(0.1), t(0.6)),
    laws.Uniform(t(0.2), t(0.9)),
    laws.Beta(t(2.5), t(1.7)),
    laws.ContinuousBernoulli(t(0.3)),
    laws.Kumaraswamy(t(2.0), t(3.0)),
    laws.Exponential(t(0.7)),
    laws.Gamma(t(2.5), t(1.2)),
    laws.InverseGamma(t(6.5), t(2.2)),
    laws.LogNormal(t(0.3), t(0.4)),
    laws.Weibull(t(2.0), t(1.5)),
    laws.Pareto(t(0.5), t(5.5)),
    laws.HalfNormal(t(1.7)),
    laws.StudentT(t(7.0), t(0.2), t(1.3)),
]


def grid(p: Distribution) -> tuple[Tensor, Tensor]:
    """Return points of a line bent so that both ends of p's support are reached, and weights."""
    s = torch.linspace(-80, 80, 160_001, dtype=torch.float64)
    low, high = (float(end) for end in bounds(p))
    if math.isfinite(high):
        x = low + (high - low) * torch.sigmoid(s)
        log_step = logsigmoid(s) + logsigmoid(-s) + math.log(high - low)
    elif math.isfinite(low):
        x, log_step = low + s.exp(), s
    else:
        x, log_step = 3 * (s / 16).sinh(), ((s / 16).cosh() * 3 / 16).log()
    inside = (x > low) & (x < high)
    x, log_step = x[inside], log_step[inside]
    counts = p.log_prob(x) > -600
    return x[counts], log_step[counts].exp() * (s[1] - s[0])


def by_grid(p: Distribution, q: Distribution) -> float:
    x, weights = grid(p)
    log_p = p.log_prob(x)
    return float((weights * log_p.exp() * (log_p - q.log_prob(x))).sum())


# The poles of log q at 0 or the tail of log q make these integrals diverge although p is covered.
DIVERGING = {
    ("HalfNormal", "InverseGamma"),
    ("Exponential", "InverseGamma"),
    ("ContinuousBernoulli", "InverseGamma"),
    ("Laplace", "Gumbel"),
    ("StudentT", "Gumbel"),
}


# IT-05: closed forms of torch's registry where it has one, quadrature where it has none.
@pytest.mark.parametrize("q", DENSITIES, ids=lambda law: type(law).__name__)
@pytest.mark.parametrize("p", DENSITIES, ids=lambda law: type(law).__name__)
def test_divergences_of_pairs(p: Distribution, q: Distribution) -> None:
    got = kl(p, q)
    assert got.kind in ("exact", "quadrature")
    (low, high), (floor, ceiling) = bounds(p), bounds(q)
    names = type(p).__name__, type(q).__name__
    if names in DIVERGING or bool((low < floor) | (high > ceiling)):
        assert repr(got) == "inf (exact)"
        return
    # The pole of 1 / x near 0 leaves the grid 1e-7 of its own.
    assert float(got) == pytest.approx(by_grid(p, q), rel=2e-7, abs=1e-8)
    assert float(got.se) < 1e-6
    integrated = integral(p, q, kl_terms)
    assert float(integrated) == pytest.approx(float(got), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "p",
    [*DENSITIES, laws.HalfCauchy(t(1.3)), laws.Chi2(t(3.0))],
    ids=lambda law: type(law).__name__,
)
def test_entropies_of_densities(p: Distribution) -> None:
    got = entropy(p)
    x, weights = grid(p)
    log_p = p.log_prob(x)
    assert float(got) == pytest.approx(-float((weights * log_p.exp() * log_p).sum()), abs=1e-6)
    integrated = integral(p, None, lambda log_p, log_one: -kl_terms(log_p, log_one))
    assert abs(float(integrated) - float(got)) <= float(integrated.se) + 1e-9


def test_heavy_tails_are_reached() -> None:
    p = laws.Cauchy(t(0.3), t(2.0))
    integrated = integral(p, None, lambda log_p, log_one: -kl_terms(log_p, log_one))
    assert abs(float(integrated) - math.log(8 * math.pi)) <= float(integrated.se) < 1e-9
    q = laws.Cauchy(t(3.0), t(0.5))
    assert abs(float(integral(p, q, kl_terms)) - float(kl(p, q))) < 1e-9
    # Chi-square of two is ((s - r)^2 + d^2) / (2 s r).
    assert float(CHI_SQUARE(p, q)) == pytest.approx((1.5**2 + 2.7**2) / 2, abs=1e-9)


def test_the_registrys_errors_do_not_come_through() -> None:
    # torch calls an interval inside another one apart from it where they share an end.
    one, wide = laws.ContinuousBernoulli(t(0.3)), laws.Uniform(t(0.0), t(1.0))
    assert float(kl_divergence(one, wide)) == float(kl_divergence(wide, one)) == math.inf
    assert float(kl(one, wide)) == pytest.approx(by_grid(one, wide), abs=1e-9)
    assert float(kl(wide, one)) == pytest.approx(by_grid(wide, one), abs=1e-9)
    # What folds the line loses information.
    folded = [
        laws.TransformedDistribution(laws.Normal(t(m), t(1.0)), [laws.transforms.AbsTransform()])
        for m in (-1.0, 1.0)
    ]
    assert float(kl_divergence(*folded)) == 2.0
    with pytest.raises(NotImplementedError):
        integral(*folded, kl_terms)
    # Impossible events of counts are clamped away.
    never = laws.Binomial(4, t(0.0))
    assert float(kl_divergence(laws.Binomial(4, t(0.5)), never)) < math.inf
    assert float(kl(laws.Binomial(4, t(0.5)), never)) == math.inf
    assert bool(kl_divergence(laws.Poisson(t(0.0)), laws.Poisson(t(2.0))).isnan())


@pytest.mark.parametrize(
    ("p", "q", "wanted"),
    [
        (laws.Poisson(t(0.0)), laws.Poisson(t(2.0)), 2.0),
        (laws.Poisson(t(2.0)), laws.Poisson(t(0.0)), math.inf),
        (laws.NegativeBinomial(t(3.0), probs=t(0.0)), laws.Geometric(t(0.5)), math.log(2)),
        (laws.Geometric(t(0.5)), laws.NegativeBinomial(t(3.0), probs=t(0.0)), math.inf),
        (laws.Binomial(4, t(0.5)), laws.Binomial(3, t(0.5)), math.inf),
        (laws.Binomial(4, t(0.5)), laws.Categorical(torch.full((5,), 0.2).double()), None),
        (laws.Poisson(t(1e-3)), laws.Binomial(50, t(0.5)), math.inf),
        (laws.Bernoulli(t(0.3)), laws.Poisson(t(2.0)), None),
        (laws.Poisson(t(3.0)), laws.Geometric(t(0.3)), None),
        (laws.Geometric(t(0.3)), laws.Geometric(t(0.6)), None),
        (laws.NegativeBinomial(t(3.0), t(0.4)), laws.NegativeBinomial(t(2.0), t(0.7)), None),
        (laws.Cauchy(t(0.0), t(1.0)), laws.Normal(t(0.0), t(1.0)), math.inf),
        (laws.HalfCauchy(t(1.0)), laws.Gamma(t(1.0), t(1.0)), math.inf),
        (laws.HalfCauchy(t(1.7)), laws.HalfCauchy(t(0.4)), 2 * math.log(2.1 / (2 * 0.68**0.5))),
        (laws.Gamma(t(2.0), t(1.0)), laws.Uniform(t(0.0), t(1.0)), math.inf),
        (laws.Poisson(t(2.0)), laws.Normal(t(0.0), t(1.0)), math.inf),
    ],
)
def test_counts_and_edges(p: Distribution, q: Distribution, wanted: float | None) -> None:
    got = kl(p, q)
    if wanted is None:
        x = torch.arange(0, 400 if bounds(p)[1] == math.inf else float(bounds(p)[1]) + 1).double()
        log_p = log_prob(p, x)
        wanted = (log_p.exp() * (log_p - log_prob(q, x))).nan_to_num(0).sum().item()
    assert abs(float(got) - wanted) <= float(got.se) + 1e-12 or float(got) == wanted
    assert float(got.se) < 1e-10


def test_one_turn_of_the_circle() -> None:
    p, q = laws.VonMises(t(0.3), t(4.0)), laws.VonMises(t(-1.0), t(2.0))
    x = torch.linspace(-math.pi, math.pi, 20_001, dtype=torch.float64)
    terms = p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))
    got = kl(p, q)
    # torch's normaliser is a polynomial good to 2e-7: the mass that is missing is in the error.
    assert abs(float(got) - torch.trapezoid(terms, x).item()) < float(got.se) + 1e-7 < 1e-5


def test_mixtures_transforms_and_batches() -> None:
    mixture = laws.MixtureSameFamily(
        laws.Categorical(torch.ones(2, 2).double()), laws.Normal(t(-2.0, 2.0).expand(2, 2), t(0.5))
    )
    q = laws.Normal(t(0.0, 1.0), t(2.0))
    x = torch.linspace(-30, 30, 60_001, dtype=torch.float64)[:, None]
    p_x, q_x = mixture.log_prob(x).exp(), q.log_prob(x).exp()
    wanted = torch.where(q_x > 0, (p_x - q_x).square() / q_x, 0.0).sum(dim=0) * 1e-3
    got = CHI_SQUARE(mixture, q)
    torch.testing.assert_close(got.value, wanted, rtol=1e-9, atol=0)
    # Parts with other supports, and one beyond q's.
    parts = laws.MixtureSameFamily(
        laws.Categorical(t(0.5, 0.5)), laws.Uniform(t(0.0, 2.0), t(1.0, 3.0))
    )
    assert float(kl(parts, laws.Uniform(t(0.0), t(3.0)))) == pytest.approx(math.log(1.5))
    assert repr(kl(parts, laws.Uniform(t(0.5), t(3.0)))) == "inf (exact)"
    # A hole in q's support.
    assert repr(kl(laws.Uniform(t(0.0), t(3.0)), parts)) == "inf (exact)"
    moved = laws.TransformedDistribution(
        laws.Exponential(t(1.0)), [laws.AffineTransform(t(3.0), t(-2.0))]
    )
    assert float(bounds(moved)[1]) == 3.0
    assert float(entropy(moved)) == pytest.approx(1 + math.log(2), abs=1e-9)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_no_unit_changes_a_divergence(unit: float) -> None:
    p, q = laws.Laplace(t(0.0), t(unit)), laws.Normal(t(2 * unit), t(3 * unit))
    one, other = laws.Laplace(t(0.0), t(1.0)), laws.Normal(t(2.0), t(3.0))
    for divergence in (KL, REVERSE_KL, JENSEN_SHANNON, HELLINGER, TOTAL_VARIATION):
        found, again = divergence(p, q), divergence(one, other)
        assert abs(float(found) - float(again)) <= float(found.se) + float(again.se) + 1e-12 < 1e-9


def test_total_variation_of_normals_has_a_closed_form() -> None:
    for gap in (1e-6, 0.1, 1.0, 7.0, 30.0):
        got = TOTAL_VARIATION(laws.Normal(t(0.0), t(1.0)), laws.Normal(t(gap), t(1.0)))
        assert abs(float(got) - math.erf(gap / math.sqrt(8))) <= float(got.se) + 1e-15
        assert float(got.se) < 1e-10


def test_chi_square_of_normals_has_a_closed_form() -> None:
    # Of N(0, 1) and N(m, s^2), s^2 > 1/2: s^2 exp(m^2 / (2 s^2 - 1)) / sqrt(2 s^2 - 1) - 1.
    for m, s in ((0.6, 1.2), (0.6, 0.8), (0.0, 5.0)):
        got = CHI_SQUARE(laws.Normal(t(0.0), t(1.0)), laws.Normal(t(m), t(s)))
        width = 2 * s**2 - 1
        wanted = s**2 * math.exp(m**2 / width) / math.sqrt(width) - 1
        assert abs(float(got) - wanted) <= float(got.se) + 1e-12
    for p, q in (
        (laws.Normal(t(0.0), t(1.0)), laws.Normal(t(0.0), t(0.7))),
        (laws.Normal(t(0.0), t(1.0)), laws.Normal(t(60.0), t(0.5))),
        (laws.StudentT(t(3.0)), laws.Normal(t(0.0), t(1.0))),
        (laws.Exponential(t(1.0)), laws.Exponential(t(2.1))),
        (laws.Geometric(t(0.3)), laws.Poisson(t(2.0))),
    ):
        assert repr(CHI_SQUARE(p, q)) == "inf (exact)"


def test_laws_of_counts_are_summed() -> None:
    p, q = laws.Poisson(t(3.0, 1e5)), laws.Poisson(t(5.0, 1e5 + 100))
    x = torch.arange(0.0, 200_000.0, dtype=torch.float64)[:, None]
    p_x, q_x = p.log_prob(x).exp(), q.log_prob(x).exp()
    got = TOTAL_VARIATION(p, q)
    assert got.kind == "quadrature"
    torch.testing.assert_close(got.value, (p_x - q_x).abs().sum(dim=0) / 2, rtol=0, atol=1e-9)
    assert bool((got.se < 1e-8).all())
    assert JENSEN_SHANNON(laws.Binomial(3, t(0.2)), laws.Binomial(3, t(0.4))).kind == "exact"
    assert float(JENSEN_SHANNON(laws.Geometric(t(0.3)), laws.Poisson(t(2.0))).se) < 1e-12


def test_full_and_diagonal_gaussians() -> None:
    full = laws.MultivariateNormal(t(-1.0, 2.0), t(3.0, 1.0, 1.0, 1.0).reshape(2, 2))
    diagonal = laws.Independent(laws.Normal(torch.zeros(2).double(), t(1.3, 0.6)), 1)
    dense = laws.MultivariateNormal(diagonal.mean, scale_tril=torch.diag(t(1.3, 0.6)))
    pairs = ((kl(full, diagonal), kl(full, dense)), (kl(diagonal, full), kl(dense, full)))
    for got, wanted in pairs:
        assert got.kind == "exact"
        assert float(got) == pytest.approx(float(wanted), abs=1e-12)


def test_what_is_out_of_reach_is_drawn() -> None:
    # Half of the mass is nearer to 0 than 1e-300.
    p, q = (laws.Gamma(t(shape), t(1.0)) for shape in (1e-3, 2e-3))
    got = JENSEN_SHANNON(p, q, generator=torch.Generator().manual_seed(0))
    assert got.kind == "estimate"
    assert 0 < float(got) < math.log(2)


def test_laws_of_single_precision_say_what_they_lack() -> None:
    p, q = laws.Normal(0.0, 1.0), laws.StudentT(5.0)
    got = kl(p, q)
    wanted = kl(laws.Normal(t(0.0), t(1.0)), laws.StudentT(t(5.0)))
    assert abs(float(got) - float(wanted)) <= float(got.se) < 1e-5


def test_heavy_tails_of_the_ratio_have_no_error() -> None:
    generator = torch.Generator().manual_seed(0)
    wide, narrow = (laws.Independent(laws.Laplace(torch.zeros(3), s), 1) for s in (1.0, 0.4))
    got = CHI_SQUARE(wide, narrow, generator=generator)
    assert (got.kind, float(got.se)) == ("estimate", math.inf)
    # In the other direction the ratio is bounded, and the error holds.
    got = CHI_SQUARE(narrow, wide, draws=40_000, generator=generator)
    # Over one axis the integral of p^2 / q is s_q^2 / (s_p (2 s_q - s_p)).
    wanted = (1 / (0.4 * (2 - 0.4))) ** 3 - 1
    assert abs(float(got) - wanted) < 4 * float(got.se) < 0.2


def test_what_underflows_does_not_make_a_divergence_infinite() -> None:
    p, q = laws.Weibull(t(0.3), t(4.7)), laws.Weibull(t(0.2), t(7.2))
    got = kl(p, q)
    assert float(got) == pytest.approx(by_grid(p, q), rel=1e-6)
    assert repr(CHI_SQUARE(p, q)) == "inf (exact)"  # The tail of q is lighter.


def test_bounded_divergences_have_an_error_however_heavy_the_laws() -> None:
    # So much of the first lies beside 1 that float64 cannot tell it apart.
    p, q = laws.Beta(t(0.4), t(0.1)), laws.Beta(t(0.3), t(0.1))
    for divergence in (JENSEN_SHANNON, TOTAL_VARIATION, HELLINGER):
        assert float(divergence(p, q).se) < 0.01
