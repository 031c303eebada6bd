"""IT-01 to IT-06, and the exact ends of PR-03."""

import math

import pytest
import torch
from torch.distributions import (
    Bernoulli,
    Binomial,
    Categorical,
    Independent,
    Laplace,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    OneHotCategorical,
    StudentT,
    Uniform,
)

from ancestral.information import (
    TOTAL_VARIATION,
    cross_entropy,
    entropy,
    kl,
    self_information,
)


def tables(seed: int, count: int, size: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(count, size, generator=generator, dtype=torch.float64) ** 3
    return p / p.sum(dim=-1, keepdim=True)


def bimodal(gap: float = 3.0) -> MixtureSameFamily:
    centres = torch.tensor([-gap, gap], dtype=torch.float64)
    half = torch.tensor([0.5, 0.5], dtype=torch.float64)
    return MixtureSameFamily(Categorical(half), Normal(centres, 0.7))


# IT-01
def test_information_of_an_event() -> None:
    assert self_information(1.0).item() == 0
    assert self_information(0.0).item() == math.inf  # E-M14
    both = self_information(0.5 * 0.2)
    torch.testing.assert_close(both, self_information(0.5) + self_information(0.2))
    assert self_information(math.exp(-1), base=2).item() == pytest.approx(1.4427, abs=5e-5)
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], got 1.5"):
        self_information(1.5)


# PR-03
@pytest.mark.parametrize("r", [0.0, 1.0])
def test_a_certain_bernoulli_is_exact(r: float) -> None:
    p = Bernoulli(torch.tensor(r, dtype=torch.float64))
    got = self_information(p, torch.tensor([0.0, 1.0]))
    assert got.tolist() == [0.0, math.inf] if r == 0 else [math.inf, 0.0]
    assert float(entropy(p)) == 0
    assert (p.sample(torch.Size([1000])) == r).all()


# PR-03
def test_bernoulli_moments() -> None:
    r, n = 0.3, 1_000_000
    x = Bernoulli(r).sample(torch.Size([n])).double()
    assert abs(x.mean().item() - r) < 4 * math.sqrt(r * (1 - r) / n)
    # The variance of (x - r)^2 for a Bernoulli variable is r (1 - r) (1 - 2 r)^2.
    error = 4 * math.sqrt(r * (1 - r) * (1 - 2 * r) ** 2 / n)
    assert abs(x.var().item() - r * (1 - r)) < error


@pytest.mark.parametrize("batch", [(), (3,)])
def test_information_of_values_has_the_shape_of_values(batch: tuple[int, ...]) -> None:
    p = Categorical(tables(0, 1)[0].expand(*batch, 6))
    x = p.sample(torch.Size([4]))
    torch.testing.assert_close(self_information(p, x), -p.log_prob(x))
    hot = OneHotCategorical(p.probs)
    y = hot.sample(torch.Size([4]))
    torch.testing.assert_close(self_information(hot, y), -hot.log_prob(y))
    z = torch.randn(4, *batch)
    torch.testing.assert_close(self_information(Normal(0.0, 2.0), z), -Normal(0.0, 2.0).log_prob(z))


# IT-02
@pytest.mark.parametrize("r", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_entropy_of_a_bernoulli(r: float) -> None:
    wanted = 0.0 if r in (0, 1) else -r * math.log(r) - (1 - r) * math.log(1 - r)
    p = torch.tensor(r, dtype=torch.float64)
    for law in (Bernoulli(p), torch.stack((1 - p, p)), Categorical(torch.stack((1 - p, p)))):
        got = entropy(law)
        assert got.kind == "exact"
        assert float(got) == pytest.approx(wanted, abs=1e-15)
    assert float(entropy(Bernoulli(p))) <= float(entropy(Bernoulli(0.5))) + 1e-7


# IT-02
def test_entropy_of_logits_that_underflow_as_probabilities() -> None:
    p = Bernoulli(logits=torch.tensor([-800.0, 800.0], dtype=torch.float64))
    assert entropy(p).value.tolist() == [0.0, 0.0]
    q = Categorical(logits=torch.tensor([0.0, -800.0], dtype=torch.float64))
    half = torch.tensor([0.5, 0.5], dtype=torch.float64)
    assert float(kl(half, q)) == pytest.approx(400 - math.log(2), rel=1e-12)


# IT-02
def test_gaussian_and_uniform_have_the_most_entropy_of_their_kind() -> None:
    gaussian = float(entropy(Normal(0.0, 1.0)))
    assert gaussian == pytest.approx(0.5 * math.log(2 * math.pi * math.e))
    half_width = math.sqrt(3)  # Unit variance.
    assert float(entropy(Uniform(-half_width, half_width))) < gaussian
    heavy = StudentT(torch.tensor(5.0), scale=math.sqrt(3 / 5))
    assert float(entropy(heavy)) < gaussian
    # At a fixed variance only (E-M07): a wider uniform has more.
    assert float(entropy(Uniform(-10.0, 10.0))) > gaussian
    assert float(entropy(Uniform(0.0, 0.5))) == pytest.approx(-math.log(2))  # Negative.
    for p in tables(3, 50):
        assert float(entropy(p)) <= math.log(6)


# IT-03
def test_cross_entropy_is_entropy_plus_divergence() -> None:
    p, q = tables(1, 500), tables(2, 500)
    total = entropy(p).value + kl(p, q).value
    torch.testing.assert_close(cross_entropy(p, q).value, total, rtol=0, atol=1e-12)
    assert bool((cross_entropy(p, q).value >= entropy(p).value).all())
    x, y = Normal(0.0, 1.0), Normal(1.0, 2.0)
    assert float(cross_entropy(x, y)) == pytest.approx(
        float(entropy(x)) + float(kl(x, y)), abs=1e-6
    )


# IT-04
def test_likelihood_is_minus_the_cross_entropy_of_the_data() -> None:
    generator = torch.Generator().manual_seed(0)
    q = tables(4, 1)[0]
    data = torch.randint(6, (1000,), generator=generator)
    empirical = torch.bincount(data, minlength=6).double() / 1000
    mean = q.log()[data].sum() / 1000
    assert float(cross_entropy(empirical, q)) == pytest.approx(-mean.item(), abs=1e-12)
    # And the maximum of one is the minimum of the divergence: at the counts themselves.
    assert float(kl(empirical, empirical)) == 0
    assert float(kl(empirical, q)) > 0


# IT-05
def test_gibbs_inequality_on_ten_thousand_pairs() -> None:
    p, q = tables(5, 10_000), tables(6, 10_000)
    got = kl(p, q).value
    assert bool((got > 0).all())
    assert bool((kl(p, p).value == 0).all())


# E-M29
def test_a_law_of_points_is_infinitely_far_from_a_density() -> None:
    assert repr(kl(Binomial(3, torch.tensor(0.5)), Normal(0.0, 1.0))) == "inf (exact)"
    assert repr(kl(Normal(0.0, 1.0), Binomial(3, torch.tensor(0.5)))) == "inf (exact)"


# IT-05
def test_divergence_is_infinite_where_the_model_forbids_what_happens() -> None:
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
    assert float(kl(p, q)) == math.inf
    assert float(kl(q, p)) == pytest.approx(math.log(2))
    assert float(kl(Bernoulli(0.5), Bernoulli(0.0))) == math.inf
    assert repr(kl(bimodal(), Uniform(-3.0, 3.0))) == "inf (exact)"
    # Among draws the first that the model forbids makes it so.
    apart = MixtureSameFamily(
        Categorical(torch.ones(2)), Independent(Laplace(torch.zeros(2, 2), 1.0), 1)
    )
    estimated = kl(apart, Independent(Uniform(-torch.ones(2), 1.0), 1))
    assert (float(estimated), float(estimated.se), estimated.kind) == (math.inf, 0.0, "estimate")


# IT-06
def test_divergence_is_not_symmetric_and_has_no_triangle_inequality() -> None:
    p, q, r = (torch.tensor([a, 1 - a], dtype=torch.float64) for a in (0.9, 0.01, 0.3))
    assert float(kl(p, q)) != pytest.approx(float(kl(q, p)), abs=0.1)
    assert float(kl(p, q)) > float(kl(p, r)) + float(kl(r, q))  # E-M12


def test_independent_coordinates_add_up() -> None:
    p, q = (
        Independent(Bernoulli(torch.tensor([0.0, 0.5])), 1),
        Independent(Bernoulli(torch.tensor([0.5, 0.5])), 1),
    )
    assert float(entropy(p)) == pytest.approx(math.log(2), abs=1e-7)
    assert float(kl(p, q)) == pytest.approx(math.log(2), abs=1e-7)
    assert float(kl(q, p)) == math.inf


def test_integrals_agree_with_a_grid_within_their_error() -> None:
    p, q = bimodal(), StudentT(torch.tensor(3.0, dtype=torch.float64), 0.0, 2.0)
    grid = torch.linspace(-40, 40, 80_001, dtype=torch.float64)
    log_p, log_q = p.log_prob(grid), q.log_prob(grid)
    wanted = {
        kl: (log_p.exp() * (log_p - log_q)).sum() * 1e-3,
        cross_entropy: -(log_p.exp() * log_q).sum() * 1e-3,
    }
    for measure, value in wanted.items():
        got = measure(p, q)
        assert got.kind == "quadrature"
        assert abs(got.value - value) < got.se + 1e-12
        assert got.se < 1e-10
    got = entropy(p, base=2)
    assert abs(got.value + (log_p.exp() * log_p).sum() * 1e-3 / math.log(2)) < got.se + 1e-12


def test_draws_agree_with_the_chain_rule_within_their_error() -> None:
    scale = torch.tensor([1.0, 2.0], dtype=torch.float64)
    normal = MultivariateNormal(torch.zeros(2).double(), torch.diag(scale.square()))
    laplace = Independent(Laplace(torch.zeros(2).double(), 1.0), 1)
    generator = torch.Generator().manual_seed(0)
    for measure in (kl, cross_entropy):
        got = measure(normal, laplace, draws=40_000, generator=generator)
        assert got.kind == "estimate"
        wanted = sum(
            float(measure(Normal(0.0, s), Laplace(torch.tensor(0.0).double(), 1.0))) for s in scale
        )
        assert abs(float(got) - wanted) < 4 * float(got.se) < 0.1


def test_gradients_are_finite_at_the_border_of_the_simplex() -> None:
    p = torch.tensor([0.0, 0.4, 0.6], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.2, 0.4, 0.4], dtype=torch.float64, requires_grad=True)
    entropy(p).value.backward()
    kl(torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64), q).value.backward()
    (slope,) = torch.autograd.grad(self_information(q, torch.tensor([1, 2])).sum(), q)
    # Along the simplex: what moves from one state to another.
    assert (slope[0] - slope[1]).item() == pytest.approx(2.5)
    assert bool(q.grad.isfinite().all())
    assert bool(p.grad[1:].isfinite().all())


def test_laws_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="as many states, got 2 and 3"):
        kl(torch.tensor([0.5, 0.5]), torch.full((3,), 1 / 3))
    with pytest.raises(ValueError, match="only be compared with a finite law"):
        kl(torch.tensor([0.5, 0.5]), Normal(0.0, 1.0))
    with pytest.raises(ValueError, match="must sum to 1"):
        entropy(torch.tensor([0.5, 0.6]))
    with pytest.raises(ValueError, match="p must be a law"):
        self_information(0.5, torch.tensor([0]))


# PR-03
def test_information_is_exact_inside_other_laws() -> None:
    pixels = Independent(Bernoulli(torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)), 1)
    x = torch.tensor([[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    assert self_information(pixels, x, base=2).tolist() == [1.0, math.inf]
    hot = OneHotCategorical(torch.tensor([1.0, 0.0]))
    assert self_information(hot, torch.eye(2)).tolist() == [0.0, math.inf]


def test_what_is_no_state_has_no_probability() -> None:
    p = torch.tensor([0.5, 0.5])
    assert self_information(p, torch.tensor([0.5, 2.0, -1.0])).tolist() == 3 * [math.inf]
    assert self_information(p, torch.tensor([1.0]), base=2).tolist() == [1.0]


@pytest.mark.parametrize("measure", [kl, cross_entropy, TOTAL_VARIATION])
def test_estimates_broadcast_over_batches(measure: object) -> None:
    p = StudentT(torch.tensor(4.0))
    q = Normal(torch.tensor([[0.0], [1.0]]), torch.tensor([1.0, 2.0, 3.0]))
    generator = torch.Generator().manual_seed(0)
    got = measure(p, q, draws=2000, generator=generator)  # type: ignore[operator]
    assert got.value.shape == got.se.shape == (2, 3)
    one = measure(p, Normal(1.0, 3.0), draws=2000, generator=generator)  # type: ignore[operator]
    assert abs(got.value[1, 2] - one.value) <= 4 * (got.se[1, 2] ** 2 + one.se**2).sqrt()
    with pytest.raises(ValueError, match="one event shape"):
        measure(p, Independent(Normal(torch.zeros(2), 1.0), 1))  # type: ignore[operator]
