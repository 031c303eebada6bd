"""PN-21: chi-square and Hellinger in closed form, by quadrature and by draws."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import (
    Beta,
    Binomial,
    Dirichlet,
    Distribution,
    Exponential,
    Gamma,
    Geometric,
    Independent,
    Laplace,
    LogNormal,
    MixtureSameFamily,
    MultivariateNormal,
    NegativeBinomial,
    Normal,
    Poisson,
    StudentT,
)
from torch.distributions import Categorical as Weights

from ancestral.information import CHI_SQUARE, HELLINGER, JENSEN_SHANNON, TOTAL_VARIATION
from ancestral.information.counts import log_mass
from ancestral.information.overlaps import log_overlap

QUADRATURE = [replace(CHI_SQUARE, closed_form=None), replace(HELLINGER, closed_form=None)]


def t(*values: float) -> Tensor:
    return torch.tensor(values[0] if len(values) == 1 else values, dtype=torch.float64)


PAIRS: list[tuple[Distribution, Distribution]] = [
    (Normal(t(0.0), t(1.0)), Normal(t(0.6), t(1.2))),
    (Normal(t(0.0), t(1.0)), Normal(t(0.6), t(0.8))),
    (Normal(t(0.0), t(1.0)), Normal(t(0.0), t(0.7))),
    (LogNormal(t(0.0), t(1.0)), LogNormal(t(1.0), t(2.0))),
    (Exponential(t(1.0)), Exponential(t(1.9))),
    (Exponential(t(1.0)), Exponential(t(2.1))),
    (Gamma(t(3.0), t(2.0)), Gamma(t(2.0), t(1.0))),
    (Gamma(t(3.0), t(2.0)), Exponential(t(1.0))),
    (Gamma(t(1.0), t(2.0)), Gamma(t(2.1), t(1.0))),
    (Beta(t(2.0), t(3.0)), Beta(t(1.0), t(1.0))),
    (Beta(t(2.0), t(3.0)), Beta(t(4.1), t(1.0))),
]


@pytest.mark.parametrize(("p", "q"), PAIRS, ids=str)
def test_closed_forms_equal_quadrature(p: Distribution, q: Distribution) -> None:
    for closed, integral in zip((CHI_SQUARE, HELLINGER), QUADRATURE, strict=True):
        wanted, got = closed(p, q), integral(p, q)
        assert wanted.kind == "exact"
        if wanted.value == math.inf:
            assert repr(got) == "inf (exact)"
        else:
            assert got.kind == "estimate"
            assert abs(got.value - wanted.value) <= got.se < 1e-7 * wanted.value


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (Poisson(t(3.0)), Poisson(t(5.0))),
        (Binomial(7, t(0.3)), Binomial(7, t(0.6))),
        (Geometric(t(0.5)), Geometric(t(0.4))),
        (NegativeBinomial(t(2.5), t(0.3)), NegativeBinomial(t(2.5), t(0.4))),
    ],
    ids=str,
)
@pytest.mark.parametrize("a", [0.5, 2.0, 0.3])
def test_counts_equal_their_sums(p: Distribution, q: Distribution, a: float) -> None:
    x = torch.arange(0.0, 400.0, dtype=torch.float64)
    terms = a * log_mass(p, x) + (1 - a) * log_mass(q, x)
    total = terms.masked_fill(log_mass(p, x) == -math.inf, -math.inf).logsumexp(dim=0)
    torch.testing.assert_close(log_overlap(p, q, a), total, rtol=1e-11, atol=1e-11)


def test_vectors_of_normals() -> None:
    loc, scale = t(0.0, 1.0, -1.0), t(1.0, 2.0, 0.5)
    p, q = Independent(Normal(loc, scale), 1), Independent(Normal(loc + 0.3, 1.2 * scale), 1)
    full = [MultivariateNormal(law.mean, law.variance.diag()) for law in (p, q)]
    for a in (0.5, 2.0):
        wanted = log_overlap(p, q, a)
        assert log_overlap(*full, a).item() == pytest.approx(wanted.item(), abs=1e-13)
        # The integral does not feel an invertible map of both.
        matrix = torch.tensor([[2.0, 1, 0], [0, 1, 0], [1, -1, 3]], dtype=torch.float64)
        moved = [
            MultivariateNormal(matrix @ law.mean, matrix @ law.covariance_matrix @ matrix.T)
            for law in full
        ]
        assert log_overlap(*moved, a).item() == pytest.approx(wanted.item(), abs=1e-12)
    assert CHI_SQUARE(q, p).value < math.inf
    wide = MultivariateNormal(loc, 2.5 * full[0].covariance_matrix)
    assert repr(CHI_SQUARE(wide, full[0])) == "inf (exact)"
    shapes = t(2.0, 3.0), t(1.5, 4.0)
    pair = [Dirichlet(shape) for shape in shapes], [Beta(*shape) for shape in shapes]
    assert log_overlap(*pair[0], 0.5).item() == pytest.approx(log_overlap(*pair[1], 0.5).item())


SCALES = st.floats(-150, 150).map(lambda power: 10.0**power)


@given(SCALES, st.floats(-5, 5), st.floats(0.75, 5.0), st.sampled_from([CHI_SQUARE, HELLINGER]))
@settings(max_examples=100, deadline=None)
def test_units_do_not_matter(unit: float, gap: float, ratio: float, divergence: object) -> None:
    p, q = Normal(t(0.0), t(1.0)), Normal(t(gap), t(ratio))
    r, s = Normal(t(0.0), t(unit)), Normal(t(gap * unit), t(ratio * unit))
    assert callable(divergence)
    torch.testing.assert_close(
        divergence(r, s).value, divergence(p, q).value, rtol=1e-9, atol=1e-12
    )


@given(SCALES, st.floats(-30, 30), st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_quadrature_knows_the_bounds_and_the_units(unit: float, gap: float, power: float) -> None:
    p, q = Laplace(t(0.0), t(unit)), Normal(t(gap * unit), t(10**power * unit))
    one, other = Laplace(t(0.0), t(1.0)), Normal(t(gap), t(10.0**power))
    for divergence, most in ((JENSEN_SHANNON, math.log(2)), (TOTAL_VARIATION, 1.0)):
        found, again, back = divergence(p, q), divergence(one, other), divergence(q, p)
        assert -1e-13 <= found.value <= most + found.se
        for same in (again, back):
            assert abs(found.value - same.value) <= found.se + same.se < 1e-8


def test_total_variation_of_normals_has_a_closed_form() -> None:
    for gap in (1e-6, 0.1, 1.0, 7.0, 30.0):
        got = TOTAL_VARIATION(Normal(t(0.0), t(1.0)), Normal(t(gap), t(1.0)))
        assert abs(float(got) - math.erf(gap / math.sqrt(8))) <= float(got.se) < 1e-10


def test_mixtures_and_batches_are_integrated_too() -> None:
    mixture = MixtureSameFamily(
        Weights(torch.ones(2, 2).double()), Normal(t(-2.0, 2.0).expand(2, 2), t(0.5))
    )
    q = Normal(t(0.0, 1.0), t(2.0))
    x = torch.linspace(-30, 30, 60_001, dtype=torch.float64)[:, None]
    p_x, q_x = mixture.log_prob(x).exp(), q.log_prob(x).exp()
    wanted = torch.where(q_x > 0, (p_x - q_x).square() / q_x, 0.0).sum(dim=0) * 1e-3
    got = CHI_SQUARE(mixture, q)
    assert got.value.shape == (2,)
    torch.testing.assert_close(got.value, wanted, rtol=1e-9, atol=0)
    assert bool(((got.value - wanted).abs() <= got.se + 1e-9).all())


def test_heavy_tails_of_the_ratio_have_no_error() -> None:
    # Of Student's law the ratio to a normal one is unbounded: chi-square is infinite.
    assert repr(CHI_SQUARE(StudentT(t(3.0)), Normal(t(0.0), t(1.0)))) == "inf (exact)"
    generator = torch.Generator().manual_seed(0)
    wide, narrow = (Independent(Laplace(torch.zeros(3), scale), 1) for scale in (1.0, 0.4))
    got = CHI_SQUARE(wide, narrow, generator=generator)
    assert (got.kind, float(got.se)) == ("estimate", math.inf)
    # In the other direction the ratio is bounded, and the error holds.
    got = CHI_SQUARE(narrow, wide, draws=40_000, generator=generator)
    # Over one axis the integral of p^2 / q is s_q^2 / (s_p (2 s_q - s_p)).
    wanted = (1 / (0.4 * (2 - 0.4))) ** 3 - 1
    assert abs(float(got) - wanted) < 4 * float(got.se) < 0.2
