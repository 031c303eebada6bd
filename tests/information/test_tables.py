"""Sections 2's identities on random tables: PR-02, PR-04, PR-12 to PR-18."""

import itertools
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ancestral.errors import InferenceError
from ancestral.information import (
    chain_factors,
    chain_product,
    check_simplex,
    conditional,
    covariance,
    expectation,
    independent,
    marginal,
    posterior,
)

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)
SEEDS = st.integers(0, 2**31)


def random_joint(shape: list[int], seed: int, *, zeros: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    table = torch.rand(*shape, generator=generator, dtype=torch.float64) + 1e-3
    if zeros:
        table = torch.where(torch.rand(*shape, generator=generator) < 0.3, 0, table)
        table.flatten()[0] = 0.5
    return table / table.sum()


# PR-02
@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-80, 80, width=32), min_size=1, max_size=50))
def test_softmax_is_always_on_the_simplex(logits: list[float]) -> None:
    for dtype in (torch.float32, torch.float64):
        check_simplex(torch.tensor(logits, dtype=dtype).softmax(dim=-1))


# PR-02
@pytest.mark.parametrize("p", [[0.5, 0.6], [1.5, -0.5], [float("nan"), 1.0], [0.3, 0.3]])
def test_vectors_off_the_simplex_are_refused(p: list[float]) -> None:
    with pytest.raises(ValueError, match="probabilities must"):
        check_simplex(torch.tensor(p))


def test_whole_numbers_are_no_probabilities() -> None:
    with pytest.raises(ValueError, match="real numbers"):
        check_simplex(torch.tensor([0, 1]))


# PR-02
def test_the_tolerance_of_the_sum_is_the_callers() -> None:
    p = torch.tensor([0.5, 0.501], dtype=torch.float64)
    check_simplex(p, tolerance=0.01)
    with pytest.raises(ValueError, match=r"sum to 1 within 1e-05, got 1\.001"):
        check_simplex(p, tolerance=1e-5)


# PR-04
@pytest.mark.parametrize("r", [[0.2, 0.3, 0.5], [0.9, 0.1, 0.0], [1 / 3, 1 / 3, 1 / 3]])
def test_categorical_draws_follow_their_vector(r: list[float]) -> None:
    p = torch.tensor(r, dtype=torch.float64)
    draws = torch.distributions.Categorical(p).sample(torch.Size([100_000]))
    counts = torch.bincount(draws, minlength=3)
    assert bool((counts[p == 0] == 0).all())
    seen = p > 0
    assert stats.chisquare(counts[seen], 100_000 * p[seen]).pvalue > 1e-3


# PR-12
@settings(max_examples=50, deadline=None)
@given(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)), SEEDS)
def test_slices_of_a_joint_table_renormalise(shape: tuple[int, int, int], seed: int) -> None:
    joint = random_joint(list(shape), seed)
    for state in range(shape[1]):
        part = conditional(joint, {1: state})
        assert part.sum().item() == pytest.approx(1, abs=1e-12)
        expected = joint[:, state] / marginal(joint, [1])[state]
        torch.testing.assert_close(part, expected, rtol=1e-12, atol=0)


# PR-12
def test_conditioning_on_the_impossible_is_refused() -> None:
    with pytest.raises(InferenceError, match="probability 0"):
        conditional(torch.tensor([[0.5, 0.0], [0.5, 0.0]]), {1: 1})
    with pytest.raises(ValueError, match="inside"):
        conditional(torch.tensor([0.5, 0.5]), {1: 0})


# PR-13
def test_coin_and_die_are_one_in_twelve() -> None:
    pairs = list(itertools.product(("heads", "tails"), range(1, 7)))
    assert Fraction(1, 2) * Fraction(1, 6) == Fraction(1, len(pairs)) == Fraction(1, 12)
    joint = torch.full((2, 6), 1 / 12, dtype=torch.float64)
    assert independent(joint)
    assert joint[0, 3].item() == 1 / 12
    joint[0, 0], joint[0, 1] = 0.0, 1 / 6
    assert not independent(joint)


# PR-14
@settings(max_examples=50, deadline=None)
@given(SHAPES, SEEDS, st.randoms())
def test_marginals_are_sums_in_the_order_asked(shape: list[int], seed: int, rng: object) -> None:
    joint = random_joint(shape, seed)
    axes = list(range(len(shape)))
    rng.shuffle(axes)  # type: ignore[attr-defined]
    keep = axes[: max(1, len(axes) // 2)]
    got = marginal(joint, keep)
    letters = "abcd"[: len(shape)]
    wanted = torch.einsum(f"{letters}->{''.join(letters[axis] for axis in keep)}", joint)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-15)


def test_axes_to_keep_must_exist_once() -> None:
    for keep in ([0, 0], [2]):
        with pytest.raises(ValueError, match="keep must be different axes"):
            marginal(torch.full((2, 2), 0.25), keep)


# PR-15
def test_bayes_rule_equals_enumeration_on_the_student_network() -> None:
    from ancestral.networks import query, student_network

    x1 = torch.tensor([0.10, 0.90], dtype=torch.float64)
    x2_given_x1 = torch.tensor([[0.80, 0.20], [0.25, 0.75]], dtype=torch.float64)
    got = posterior(x1, x2_given_x1[:, 0])
    assert got[1].item() == pytest.approx(45 / 61, abs=1e-12)
    asked = query(student_network(), ["x1"], given={"x2": 0}).probabilities["x1"]
    assert asked["1"] == pytest.approx(got[1].item(), abs=1e-7)  # Tables there are float32.


# PR-15
def test_an_observation_that_nothing_explains_is_refused() -> None:
    with pytest.raises(InferenceError, match="probability 0 under every state"):
        posterior(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.5]))
    with pytest.raises(ValueError, match="likelihood must be at least 0"):
        posterior(torch.tensor([1.0, 0.0]), torch.tensor([-0.1, 0.5]))


# PR-16
@settings(max_examples=25, deadline=None)
@given(SHAPES, SEEDS, st.booleans())
def test_a_joint_factorises_in_every_order(shape: list[int], seed: int, zeros: bool) -> None:
    joint = random_joint(shape, seed, zeros=zeros)
    for order in itertools.permutations(range(len(shape))):
        factors = chain_factors(joint, order)
        torch.testing.assert_close(chain_product(factors, order), joint, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="permutation"):
        chain_factors(joint, [0, 0])


# PR-18
@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_identities_of_expectation(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    joint = random_joint([3, 4, 2], seed)
    f = torch.randn(3, 4, 2, generator=generator, dtype=torch.float64)
    x = torch.randn(3, 1, 1, generator=generator, dtype=torch.float64)
    close = {"rtol": 0, "atol": 1e-12}
    # A variable that f leaves out may be dropped.
    torch.testing.assert_close(
        expectation(joint, x), expectation(marginal(joint, [0]), x[:, 0, 0]), **close
    )
    # Linearity.
    total = 2 * expectation(joint, f) - 3 * expectation(joint, x)
    torch.testing.assert_close(expectation(joint, 2 * f - 3 * x), total, **close)
    # p(x) = E_y p(x | y), and the tower: E_y E[f | y] = E f, nested over three variables.
    for_y = marginal(joint, [1])
    p_x = sum(for_y[y] * marginal(conditional(joint, {1: y}), [0]) for y in range(4))
    torch.testing.assert_close(p_x, marginal(joint, [0]), **close)
    inner = torch.stack([expectation(conditional(joint, {1: y}), f[:, y]) for y in range(4)])
    torch.testing.assert_close(expectation(for_y, inner), expectation(joint, f), **close)
    nested = torch.zeros((), dtype=torch.float64)
    for y, z in itertools.product(range(4), range(2)):
        weight = for_y[y] * marginal(conditional(joint, {1: y}), [1])[z]
        nested += weight * expectation(conditional(joint, {1: y, 2: z}), f[:, y, z])
    torch.testing.assert_close(nested, expectation(joint, f), **close)


# PR-18
@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_independent_expectations_multiply_and_the_converse_fails(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    p, q = (random_joint([size], seed + size) for size in (3, 4))
    x, y = (torch.randn(size, generator=generator, dtype=torch.float64) for size in (3, 4))
    product = expectation(p[:, None] * q, x[:, None] * y)
    torch.testing.assert_close(product, expectation(p, x) * expectation(q, y), rtol=0, atol=1e-12)
    # Eight points of the circle: E xy = E x E y = 0, yet x tells y up to its sign.
    angle = torch.arange(8, dtype=torch.float64) * torch.pi / 4
    circle = torch.stack((angle.cos(), angle.sin()))
    assert abs(covariance(circle[0], circle[1]).item()) < 1e-15
    states = [values.round(decimals=6).unique(return_inverse=True)[1] for values in circle]
    joint = torch.zeros(5, 5, dtype=torch.float64)
    joint[states[0], states[1]] = 1 / 8
    assert not independent(joint)


def test_infinite_values_of_probability_zero_count_for_nothing() -> None:
    assert expectation(torch.tensor([1.0, 0.0]), torch.tensor([2.0, float("inf")])).item() == 2
