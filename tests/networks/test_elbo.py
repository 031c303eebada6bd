import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, Normal, Poisson

from ancestral.networks import (
    BayesianNetwork,
    LinearGaussian,
    Node,
    StandardNormal,
    Table,
    elbo,
    estimate_log_prob,
)

pytestmark = pytest.mark.usefixtures("float64")


def pair(weight: float = 0.5, scale: float = 0.5**0.5) -> tuple[BayesianNetwork, BayesianNetwork]:
    """Build z ~ N(0, 1), x | z ~ N(z, 1), whose exact posterior is N(x / 2, 1 / 2)."""
    p = BayesianNetwork(
        [Node("z", StandardNormal(())), Node("x", LinearGaussian([1.0]), parents=("z",))]
    )
    q = BayesianNetwork([Node("z", LinearGaussian([weight], scale=scale), parents=("x",))])
    return p, q


X = torch.tensor([-2.0, 0.0, 0.5, 3.0], dtype=torch.float64)
EXACT = Normal(0.0, 2.0**0.5).log_prob(X)


def test_exact_posterior_makes_the_importance_weights_constant() -> None:
    p, q = pair()
    torch.testing.assert_close(estimate_log_prob(p, q, {"x": X}, draws=3), EXACT)


def test_gap_is_the_kl_to_the_exact_posterior(generator: torch.Generator) -> None:
    p, q = pair(weight=0.3, scale=0.9)
    draws = 200_000
    bound = elbo(p, q, {"x": X}, draws=draws, generator=generator)
    gap = torch.distributions.kl_divergence(Normal(0.3 * X, 0.9), Normal(X / 2, 0.5**0.5))
    # The reconstruction term of one draw has a standard deviation below 6 here.
    torch.testing.assert_close(bound, EXACT - gap, atol=5 * 6 / draws**0.5, rtol=0)


def test_three_forms_agree() -> None:
    """log p(x, z)/q, reconstruction - KL, and log p(x) - KL(q || posterior) in expectation."""
    p, _ = pair()
    z, w = torch.linspace(-12, 12, 20_001), 24 / 20_000  # Quadrature over z.
    for x, exact in zip(X, EXACT, strict=True):
        posterior = Normal(0.2 * x, 0.7)
        weight = posterior.log_prob(z).exp() * w
        log_joint = p.log_prob({"z": z, "x": x.expand(len(z))})
        first = (weight * (log_joint - posterior.log_prob(z))).sum()
        kl = torch.distributions.kl_divergence(posterior, Normal(0.0, 1.0))
        second = (weight * Normal(z, 1.0).log_prob(x)).sum() - kl
        third = exact - torch.distributions.kl_divergence(posterior, Normal(x / 2, 0.5**0.5))
        torch.testing.assert_close(first, second, atol=1e-6, rtol=0)
        torch.testing.assert_close(first, third, atol=1e-6, rtol=0)


def test_bound_rises_with_the_number_of_importance_draws(generator: torch.Generator) -> None:
    p, q = pair(weight=0.0, scale=1.0)
    x = torch.full((4000,), 1.5)
    means = [
        estimate_log_prob(p, q, {"x": x}, draws=k, generator=generator).mean().item()
        for k in (1, 4, 32, 256)
    ]
    assert means == sorted(means)
    assert means[0] < elbo(*pair(), {"x": x}, draws=50).mean().item()
    assert means[-1] == pytest.approx(Normal(0.0, 2**0.5).log_prob(x[0]).item(), abs=0.02)


def test_closed_form_kl_needs_no_draw() -> None:
    """With x unconnected to z the bound is deterministic: minus the KL plus log p(x)."""
    p = BayesianNetwork([Node("z", StandardNormal(())), Node("x", LinearGaussian())])
    q = BayesianNetwork([Node("z", LinearGaussian([1.0], scale=0.3), parents=("x",))])
    kl = torch.distributions.kl_divergence(Normal(X, 0.3), Normal(0.0, 1.0))
    torch.testing.assert_close(elbo(p, q, {"x": X}), Normal(0.0, 1.0).log_prob(X) - kl)


def test_standard_normal_prior_has_the_closed_form_of_torch() -> None:
    prior = StandardNormal((5,))()
    q = Normal(torch.randn(7, 5), torch.rand(7, 5) + 0.1)
    ours = torch.distributions.kl_divergence(q, prior.base_dist)
    torch.testing.assert_close(ours, torch.distributions.kl_divergence(q, Normal(0.0, 1.0)))
    both = torch.distributions.kl_divergence(Independent(q, 1), prior.expand((7,)))
    torch.testing.assert_close(both, ours.sum(-1))


def test_the_prior_follows_its_module_to_another_precision() -> None:
    module = StandardNormal((5,))
    module()
    assert module.half()().mean.dtype == torch.float16


def test_gradient_is_that_of_the_exact_bound(generator: torch.Generator) -> None:
    """Reparametrised gradients average to the derivative of log p(x) - KL(q || posterior)."""
    p, q = pair(weight=0.2, scale=0.7)
    x = torch.full((1,), 1.5)
    elbo(p, q, {"x": x}, draws=400_000, generator=generator).sum().backward()
    weight = torch.tensor(0.2, requires_grad=True)
    posterior = Normal(x / 2, 0.5**0.5)
    (-torch.distributions.kl_divergence(Normal(weight * x, 0.7), posterior)).sum().backward()
    assert q.nodes["z"].conditional.weight.grad.item() == pytest.approx(
        weight.grad.item(), abs=0.02
    )


class GuessState(nn.Module):
    """q(z | x) = Categorical with logits linear in x; few or many states."""

    def __init__(self, states: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.linspace(-1, 1, states))

    def forward(self, x: Tensor) -> Categorical:
        return Categorical(logits=x[..., None] * self.slope)


class StateMean(nn.Module):
    def __init__(self, states: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.linspace(-2, 2, states))

    def forward(self, z: Tensor, *others: Tensor) -> Normal:
        return Normal(sum(others, start=self.mean[z.long()]), 1.0)


def mixture(states: int) -> tuple[BayesianNetwork, BayesianNetwork]:
    p = BayesianNetwork(
        [
            Node("z", Table(torch.full((states,), 1 / states))),
            Node("x", StateMean(states), parents=("z",)),
        ]
    )
    return p, BayesianNetwork([Node("z", GuessState(states), parents=("x",))])


def exact_mixture_bound(p: BayesianNetwork, q: BayesianNetwork, x: Tensor) -> Tensor:
    log_q = q.nodes["z"].conditional(x).logits
    mean = p.nodes["x"].conditional.mean
    log_joint = Normal(mean, 1.0).log_prob(x[:, None]) - torch.tensor(float(len(mean))).log()
    return (log_q.exp() * (log_joint - log_q)).sum(-1)


def test_few_states_are_summed_over_exactly() -> None:
    p, q = mixture(5)
    torch.testing.assert_close(elbo(p, q, {"x": X}), exact_mixture_bound(p, q, X))
    torch.testing.assert_close(elbo(p, q, {"x": X}, draws=3), exact_mixture_bound(p, q, X))


def test_impossible_states_count_as_zero() -> None:
    p, _ = mixture(3)
    q = BayesianNetwork([Node("z", Table([0.0, 1.0, 0.0]))])
    bound = elbo(p, q, {"x": X})
    torch.testing.assert_close(bound, Normal(0.0, 1.0).log_prob(X) - torch.tensor(3.0).log())
    bound.sum().backward()
    assert torch.isfinite(p.nodes["x"].conditional.mean.grad).all()


def test_many_states_get_the_score_function_gradient(generator: torch.Generator) -> None:
    p, q = mixture(100)
    x = torch.tensor([0.7])
    exact_mixture_bound(p, q, x).sum().backward()
    slope = q.nodes["z"].conditional.slope
    exact = slope.grad.clone()
    slope.grad = None
    draws = 100_000
    value = elbo(p, q, {"x": x}, draws=draws, generator=generator)
    assert value.item() == pytest.approx(exact_mixture_bound(p, q, x).item(), abs=0.05)
    value.sum().backward()
    # The loss of one draw stays below 20, so 5 standard errors are 5 * 20 * x / sqrt(draws).
    torch.testing.assert_close(slope.grad, exact, atol=5 * 20 * 0.7 / draws**0.5, rtol=0)
    assert torch.nn.functional.cosine_similarity(slope.grad, exact, dim=0) > 0.9


def test_two_summed_latents_and_a_continuous_one(generator: torch.Generator) -> None:
    """Axes of states and draws stay apart: compare with the sum written out by hand."""
    p = BayesianNetwork(
        [
            Node("a", Table([0.3, 0.7])),
            Node("b", Table([0.2, 0.5, 0.3])),
            Node("u", StandardNormal(())),
            Node("x", StateMean(2), parents=("a", "b", "u")),
        ]
    )
    q = BayesianNetwork(
        [
            Node("a", GuessState(2), parents=("x",)),
            Node("b", GuessState(3), parents=("x",)),
            Node("u", LinearGaussian([0.5], scale=1e-9), parents=("x",)),
        ]
    )
    bound = elbo(p, q, {"x": X}, draws=7, generator=generator)
    log_a, log_b = q.nodes["a"].conditional(X).logits, q.nodes["b"].conditional(X).logits
    u, expected = X / 2, torch.zeros(4)
    kl = torch.distributions.kl_divergence(Normal(u, 1e-9), Normal(0.0, 1.0))
    mean = p.nodes["x"].conditional.mean
    for a, p_a in enumerate([0.3, 0.7]):
        for b, p_b in enumerate([0.2, 0.5, 0.3]):
            weight = (log_a[:, a] + log_b[:, b]).exp()
            log_p = Normal(mean[a] + b + u, 1.0).log_prob(X) + torch.tensor(p_a * p_b).log()
            expected += weight * (log_p - log_a[:, a] - log_b[:, b])
    torch.testing.assert_close(bound, expected - kl, atol=1e-6, rtol=0)


def test_hierarchical_latents_use_the_kl_only_where_it_is_valid(
    generator: torch.Generator,
) -> None:
    """p: z2 -> z1 -> x; q: x -> z1 -> z2, so z2's KL is closed and z1's ratio is drawn."""
    p = BayesianNetwork(
        [
            Node("z2", StandardNormal(())),
            Node("z1", LinearGaussian([1.0]), parents=("z2",)),
            Node("x", LinearGaussian([1.0]), parents=("z1",)),
        ]
    )
    # Exact posterior: z1 | x ~ N(2x/3, 2/3), z2 | z1 ~ N(z1/2, 1/2).
    q = BayesianNetwork(
        [
            Node("z1", LinearGaussian([2 / 3], scale=(2 / 3) ** 0.5), parents=("x",)),
            Node("z2", LinearGaussian([0.5], scale=0.5**0.5), parents=("z1",)),
        ]
    )
    draws = 100_000
    bound = elbo(p, q, {"x": X}, draws=draws, generator=generator)
    exact = Normal(0.0, 3.0**0.5).log_prob(X)
    torch.testing.assert_close(bound, exact, atol=5 * 3 / draws**0.5, rtol=0)
    torch.testing.assert_close(estimate_log_prob(p, q, {"x": X}, draws=2), exact)


def test_poisson_latents_fall_back_to_the_ratio(generator: torch.Generator) -> None:
    class Rate(nn.Module):
        def forward(self, *parents: Tensor) -> Poisson:
            return Poisson(parents[0].abs() + 1 if parents else torch.tensor(1.0))

    p = BayesianNetwork([Node("z", Rate()), Node("x", LinearGaussian([1.0]), parents=("z",))])
    q = BayesianNetwork([Node("z", Rate(), parents=("x",))])
    k = torch.arange(60.0)
    exact = (Poisson(1.0).log_prob(k) + Normal(k, 1.0).log_prob(X[:, None])).logsumexp(-1)
    bound = elbo(p, q, {"x": X}, draws=20_000, generator=generator)
    assert (bound <= exact + 0.05).all()
    estimate = estimate_log_prob(p, q, {"x": X}, draws=200_000, generator=generator)
    torch.testing.assert_close(estimate, exact, atol=0.1, rtol=0)


def test_mismatched_networks_are_refused() -> None:
    p, q = pair()
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        elbo(p, q, {"x": X}, draws=0)
    with pytest.raises(ValueError, match=r"\['z'\] are latents of q and cannot be observed"):
        elbo(p, q, {"x": X, "z": X})
    with pytest.raises(ValueError, match=r"observed or a latent of q, \['x'\] are not"):
        elbo(p, q, {})
    with pytest.raises(ValueError, match=r"latents of q must be random nodes of p, \['y'\]"):
        elbo(p, BayesianNetwork([Node("y", StandardNormal(()))]), {"x": X})
