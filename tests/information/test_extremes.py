"""Measures of information at the ends of float64: no unit, and no distance, breaks them."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch import distributions as laws
from torch.distributions import Distribution

from ancestral.information import (
    CHI_SQUARE,
    HELLINGER,
    Quantity,
    entropy,
    jensen_shannon,
    jensen_shannon_distance,
    kl,
    mutual_information,
    mutual_information_of_samples,
    total_variation,
)


def t(*values: float) -> Tensor:
    return torch.tensor(values[0] if len(values) == 1 else values, dtype=torch.float64)


FAMILIES: dict[str, Callable[[float, float, float], Distribution]] = {
    "normal": lambda u, a, b: laws.Normal(t(a * u), t(b * u)),
    "laplace": lambda u, a, b: laws.Laplace(t(a * u), t(b * u)),
    "cauchy": lambda u, a, b: laws.Cauchy(t(a * u), t(b * u)),
    "student": lambda u, a, b: laws.StudentT(t(4.0), t(a * u), t(b * u)),
    "gumbel": lambda u, a, b: laws.Gumbel(t(a * u), t(b * u)),
    "exponential": lambda u, _, b: laws.Exponential(t(1 / (b * u))),
    "gamma": lambda u, a, b: laws.Gamma(t(2 + a), t(1 / (b * u))),
    "uniform": lambda u, _, b: laws.Uniform(t(-b * u), t(b * u)),
    "half-normal": lambda u, _, b: laws.HalfNormal(t(b * u)),
    "half-cauchy": lambda u, _, b: laws.HalfCauchy(t(b * u)),
    "weibull": lambda u, _, b: laws.Weibull(t(b * u), t(1.5)),
    "pareto": lambda u, _, b: laws.Pareto(t(b * u), t(1.5)),
    "log-normal": lambda u, a, b: laws.LogNormal(t(math.log(u) + a), t(b)),
    "mixture": lambda u, a, b: laws.MixtureSameFamily(
        laws.Categorical(t(1.0, 2.0)), laws.Normal(u * t(-a - 1, a), u * t(b, 1.0))
    ),
}
MEASURES = [kl, jensen_shannon, total_variation, CHI_SQUARE, HELLINGER]
UNITS = st.floats(-150, 150).map(lambda power: 10.0**power)


def same(x: Quantity, y: Quantity, rounding: float) -> bool:
    a, b = float(x), float(y)
    return a == b or abs(a - b) <= float(x.se) + float(y.se) + rounding * max(1, abs(b))


@pytest.mark.parametrize("name", FAMILIES)
@given(unit=UNITS)
@example(unit=1e-150)
@example(unit=1e150)
@settings(max_examples=2, deadline=None)
def test_no_unit_changes_a_divergence(name: str, unit: float) -> None:
    family = FAMILIES[name]
    p, q, one, other = (
        family(u, *shape) for u in (unit, 1.0) for shape in ((0.5, 1.0), (1.5, 2.5))
    )
    # log u is rounded, at 345 to 6e-14, and with it the location of a log-normal law.
    for measure in MEASURES:
        assert same(measure(p, q), measure(one, other), 1e-11), measure
    moved = entropy(one)
    moved = Quantity(moved.value + math.log(unit), moved.se, moved.kind)
    assert same(entropy(p), moved, 1e-11)


POWERS = st.floats(-150, 150)


@given(POWERS, POWERS, POWERS, st.sampled_from(["normal", "laplace", "cauchy", "half-cauchy"]))
@settings(max_examples=8, deadline=None)
def test_laws_of_any_two_units_stay_within_the_bounds(
    a: float, b: float, c: float, name: str
) -> None:
    p = FAMILIES[name](10.0**a, 0.0, 1.0)
    q = FAMILIES[name](10.0**b, 10.0 ** (c - b), 1.0)
    for measure, most in zip(MEASURES, (math.inf, math.log(2), 1, math.inf, 1), strict=True):
        for found in (measure(p, q), measure(q, p)):
            assert not math.isnan(float(found.se))
            assert -1e-12 <= float(found) <= most + float(found.se) + 1e-12
    assert same(jensen_shannon(p, q), jensen_shannon(q, p), 1e-12)


# Ratios that level off only beyond quantiles of 1e-300 are taken for endless: 200 powers apart
# they are not.
@given(*3 * [st.floats(-100, 100)])
@example(100.0, -100.0, -100.0)
@example(0.0, -10.0, 0.0)
@settings(max_examples=8, deadline=None)
def test_cauchy_laws_have_closed_forms(a: float, b: float, c: float) -> None:
    p, q = (laws.Cauchy(t(x), t(10.0**s)) for x, s in ((0.0, a), (10.0**c, b)))
    # Logarithms of ((s + r)^2 + d^2) / (4 s r), without its overflow.
    log = math.log(10)
    tops = [math.log(10.0**a + 10.0**b), c * log]
    top = max(tops) * 2 + math.log1p(math.exp(-2 * abs(tops[0] - tops[1])))
    wanted = top - math.log(4) - (a + b) * log
    assert float(kl(p, q)) == pytest.approx(max(wanted, 0), rel=1e-12, abs=1e-12)
    # Chi-square is ((s - r)^2 + d^2) / (2 s r) = 2 exp(KL) - 2.
    found = CHI_SQUARE(p, q)
    log_wanted = math.log(2) + wanted + math.log(max(-math.expm1(-wanted), 1e-300))
    if log_wanted < 700:
        assert abs(float(found) - math.exp(log_wanted)) <= float(found.se) + 1e-12 * (
            1 + math.exp(log_wanted)
        )


@given(st.lists(st.floats(-320, 0), min_size=6, max_size=6))
@settings(max_examples=50, deadline=None)
def test_mutual_information_of_tables_with_tiny_entries(powers: list[float]) -> None:
    joint = (10.0 ** t(*powers)).reshape(2, 3)
    joint[0, 0] = 1.0
    joint = joint / joint.sum()
    found = float(mutual_information(joint))
    row, column = joint.sum(dim=1), joint.sum(dim=0)
    assert 0 <= found <= min(float(entropy(row)), float(entropy(column))) + 1e-15
    by_entropies = float(entropy(row)) + float(entropy(column)) - float(entropy(joint.flatten()))
    assert found == pytest.approx(by_entropies, abs=1e-14)


def test_a_product_that_underflows_is_not_zero() -> None:
    tiny = 1e-200
    joint = t(1 - tiny, 0.0, 0.0, tiny).reshape(2, 2)
    assert float(mutual_information(joint)) == pytest.approx(-tiny * math.log(tiny), rel=1e-12)


def test_equal_laws_are_at_no_distance() -> None:
    for family in FAMILIES.values():
        p, q = family(1.0, 0.5, 1.0), family(1.0, 0.5, 1.0)
        for measure in MEASURES:
            found = measure(p, q)
            assert abs(float(found)) <= float(found.se) + 1e-13
        found = jensen_shannon_distance(p, q)
        assert float(found) + float(found.se) < 1e-5


VALUES = st.lists(
    st.sampled_from([-1.5, 0.0, 0.0, 0.0, 1e-300, 2.0]) | st.floats(-3, 3), min_size=8
)


@given(VALUES, st.integers(2, 12), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_ties_inside_real_values_are_never_cut(values: list[float], bins: int, seed: int) -> None:
    x = t(*values)
    y = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))]
    found = mutual_information_of_samples(x, y, bins=bins)
    # The order of the rows, and increasing maps, change nothing.
    order = torch.argsort(y, stable=True)
    again = mutual_information_of_samples(x[order] * 2 - 1e3, y[order] / 4, bins=bins)
    ranks = x.unique(return_inverse=True)[1], y.unique(return_inverse=True)[1]
    ranked = mutual_information_of_samples(*ranks, bins=bins)
    assert float(found) == pytest.approx(float(ranked), abs=1e-12)
    if len((x * 2 - 1e3).unique()) == len(x.unique()):
        assert float(found) == pytest.approx(float(again), abs=1e-12)
    # A variable tells of itself no more than its values hold, and no more than the cells.
    own = float(mutual_information_of_samples(x, x, bins=bins))
    shares = ranks[0].bincount().double() / len(x)
    assert -1e-12 <= float(found) <= own + 1e-12
    assert own <= min(float(entropy(shares / shares.sum())), math.log(bins)) + 1e-12


def test_a_spike_among_real_values() -> None:
    # Half the values are 0: which half is what y says, and the cells hold it apart or not at all.
    n = 20_000
    generator = torch.Generator().manual_seed(0)
    spike = torch.rand(n, generator=generator) < 0.5
    x = torch.randn(n, generator=generator, dtype=torch.float64).masked_fill(spike, 0.0)
    found = mutual_information_of_samples(x, spike.double(), bins=20)
    # Of the values in the spike's cell, 0 to the next cut, a tenth are not 0.
    assert 0.5 < float(found) <= math.log(2)
    assert float(mutual_information_of_samples(torch.zeros(50), torch.randn(50), bins=4)) == 0.0


def test_states_that_never_repeat_need_no_table() -> None:
    # A table of 10^5 by 10^5 cells would not fit in memory.
    n = 100_000
    x, y = torch.randn(2, n, dtype=torch.float64)
    found = mutual_information_of_samples(x, y)
    assert float(found) == pytest.approx(math.log(n))
    assert float(found.se) < 1e-12
