import math

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import Categorical, Distribution, Normal, kl_divergence

from ancestral.networks import (
    AnnealedGaussianChain,
    BayesianNetwork,
    Chain,
    Homogeneous,
    LinearGaussian,
    Node,
    StandardNormal,
    VariancePreservingStep,
    chain_elbo,
    chain_terms,
    elbo,
    estimate_log_prob,
)
from ancestral.networks.chain_elbo import Jumps, JumpsBack

pytestmark = pytest.mark.usefixtures("float64")

STEPS = 4


class Stepped(nn.Module):
    """A step with fewer closed forms than the one inside."""

    def __init__(self, step: VariancePreservingStep) -> None:
        super().__init__()
        self.inner = step

    def forward(self, z: Tensor, t: Tensor) -> Distribution:
        return self.inner(z, t)


class Jumping(Stepped):
    def jump(self, start: Tensor, t: Tensor) -> Distribution:
        return self.inner.jump(start, t)


class Learned(nn.Module):
    """A reverse step with a parameter for every t, which sees an input too."""

    def __init__(self, steps: int, *, sees: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 0.9, steps + 1))
        self.sees = sees

    def forward(self, z: Tensor, t: Tensor, *inputs: Tensor) -> Distribution:
        assert len(inputs) == self.sees
        mean = self.weight[t][..., None] * z + sum(0.1 * value[..., None] for value in inputs)
        return Normal(mean, torch.full_like(z, 0.7))


def pair(step: nn.Module | None = None, **more: object) -> tuple[Chain, Chain]:
    """Return a reverse chain that is not the right one, and the chain of noise."""
    shape = {"steps": STEPS, "event_shape": (2,)}
    q = Chain(None, step or VariancePreservingStep(STEPS, (2,)), **shape)
    reverse = Learned(STEPS, sees=len(more))
    return Chain(StandardNormal((2,)), reverse, reverse=True, **shape, **more), q


def exact_elbo(p: Chain, x: Tensor) -> Tensor:
    """Return the bound by moments: everything is linear and Gaussian."""
    noise, weight = VariancePreservingStep(STEPS, (2,)), p.step.weight.detach()
    total = torch.zeros(len(x))
    for t in range(1, STEPS + 1):
        at = torch.full((len(x),), t)
        jump = noise.jump(x, at)
        # z_t-1 and its mean under p are jointly Gaussian; E over both of the log-density.
        before = x if t == 1 else noise.jump(x, at - 1).mean
        variance = 0.0 if t == 1 else noise.jump(x, at - 1).variance
        ratio = noise.kept[t] / noise.kept[t - 1]
        miss = (before - weight[t] * jump.mean).square() + (
            variance - 2 * weight[t] * ratio.sqrt() * variance + weight[t] ** 2 * jump.variance
        )
        log_p = -0.5 * miss / 0.49 - math.log(0.7) - 0.5 * math.log(2 * math.pi)
        entropy = 0.5 * (2 * math.pi * math.e * (1 - ratio)).log()
        total += (log_p + entropy).sum(1)
    last = noise.jump(x, torch.full((len(x),), STEPS))
    second = last.mean.square() + last.variance
    return total + (-0.5 * second - 0.5 * math.log(2 * math.pi)).sum(1)


def mean_and_error(rounds: list[Tensor]) -> tuple[Tensor, Tensor]:
    values = torch.stack(rounds).detach()
    return values.mean(0), values.std(0) / math.sqrt(len(rounds))


X = torch.tensor([[0.5, -1.0], [2.0, 0.1], [-0.3, -0.2]], dtype=torch.float64)


@pytest.mark.parametrize("wrap", [None, Jumping, Stepped])
def test_the_sum_is_the_bound_with_any_closed_forms(
    wrap: type[Stepped] | None, generator: Generator
) -> None:
    noise = VariancePreservingStep(STEPS, (2,))
    p, q = pair(noise if wrap is None else wrap(noise))
    assert isinstance(q.step, Jumps) == (wrap is not Stepped)
    assert isinstance(q.step, JumpsBack) == (wrap is None)
    rows = X.repeat(20_000, 1)
    values = chain_elbo(p, q, rows, generator=generator).view(-1, 3).detach()
    error = values.std(0) / math.sqrt(len(values))
    assert bool(((values.mean(0) - exact_elbo(p, X)).abs() < 5 * error).all())


@pytest.mark.parametrize("wrap", [Jumping, Stepped])
def test_the_sum_is_the_generic_elbo_of_the_unrolled_network(
    wrap: type[Stepped], generator: Generator
) -> None:
    p, q = pair(wrap(VariancePreservingStep(STEPS, (2,))))
    inference = BayesianNetwork(q.nodes())
    assert inference.inputs == ("z0",)
    generic = [
        elbo(BayesianNetwork(p.nodes()), inference, {"z0": X}, draws=2000, generator=generator)
        for _ in range(40)
    ]
    ours = [
        chain_elbo(p, q, X.repeat(2000, 1), generator=generator).view(-1, 3).mean(0)
        for _ in range(40)
    ]
    (a, first), (b, second) = mean_and_error(generic), mean_and_error(ours)
    assert bool(((a - b).abs() < 5 * (first.square() + second.square()).sqrt()).all())
    if wrap is Stepped:  # One path with the same noise: the same number to rounding.
        seeded = [Generator().manual_seed(1) for _ in range(2)]
        network = BayesianNetwork(p.nodes())
        one = estimate_log_prob(network, inference, {"z0": X}, draws=1, generator=seeded[0])
        ours = chain_elbo(p, q, X, generator=seeded[1])
        torch.testing.assert_close(ours, one, atol=1e-12, rtol=0)


def test_the_sum_is_the_generic_elbo_of_the_posteriors(generator: Generator) -> None:
    """The network q of jump and posterior jumps has all its KLs in closed form, too."""
    p, q = pair()

    class Jump(nn.Module):
        def forward(self, x: Tensor) -> Distribution:
            return q.step.jump(x, torch.full(x.shape[:-1], STEPS))

    class Back(nn.Module):
        def __init__(self, t: int) -> None:
            super().__init__()
            self.t = t

        def forward(self, z: Tensor, x: Tensor) -> Distribution:
            return q.step.posterior(z, x, torch.full(z.shape[:-1], self.t))

    nodes = [Node(f"z{STEPS}", Jump(), ("z0",), (2,))]
    nodes += [Node(f"z{t - 1}", Back(t), (f"z{t}", "z0"), (2,)) for t in range(STEPS, 1, -1)]
    generic = [
        elbo(BayesianNetwork(p.nodes()), BayesianNetwork(nodes), {"z0": X}, draws=2000)
        for _ in range(40)
    ]
    ours = [
        chain_elbo(p, q, X.repeat(2000, 1), generator=generator).view(-1, 3).mean(0)
        for _ in range(40)
    ]
    (a, first), (b, second) = mean_and_error(generic), mean_and_error(ours)
    assert bool(((a - b).abs() < 5 * (first.square() + second.square()).sqrt()).all())
    assert float(first.max()) < 0.02


@pytest.mark.parametrize("wrap", [None, Jumping])
@pytest.mark.parametrize("uneven", [False, True])
def test_drawn_times_have_the_mean_of_the_sum(
    wrap: type[Stepped] | None, generator: Generator, *, uneven: bool
) -> None:
    noise = VariancePreservingStep(STEPS, (2,))
    p, q = pair(noise if wrap is None else wrap(noise))
    chances = torch.tensor([0.4, 0.3, 0.2, 0.1]) if uneven else None
    rounds = [
        chain_elbo(p, q, X.repeat(500, 1), times=k, chances=chances, generator=generator)
        .view(-1, 3)
        .mean(0)
        for k in (1, 3)
        for _ in range(100)
    ]
    mean, error = mean_and_error(rounds)
    assert bool(((mean - exact_elbo(p, X)).abs() < 5 * error).all())


def test_each_term_has_its_own_mean(generator: Generator) -> None:
    p, q = pair()
    noise, weight = q.step, p.step.weight.detach()
    t = torch.arange(1, STEPS + 1).expand(3, -1)
    rounds = [
        chain_terms(p, q, X.repeat(500, 1), t.repeat(500, 1), generator=generator)
        .view(500, 3, STEPS)
        .mean(0)
        for _ in range(100)
    ]
    mean, error = mean_and_error(rounds)
    for k in range(1, STEPS + 1):
        at = torch.full((3,), k)
        jump = noise.jump(X, at)
        if k == 1:
            miss = (X - weight[1] * jump.mean).square() + weight[1] ** 2 * jump.variance
            exact = -0.5 * miss / 0.49 - math.log(0.7) - 0.5 * math.log(2 * math.pi)
        else:
            # The mean of the KL over z_t: a KL at the mean, and the variance of the difference.
            ahead = noise.posterior(jump.mean, X, at)
            gain = noise.posterior(jump.mean + 1, X, at).mean - ahead.mean - weight[k]
            back = Normal(weight[k] * jump.mean, 0.7)
            exact = -kl_divergence(ahead, back) - 0.5 * gain.square() * jump.variance / 0.49
        gap = (mean[:, k - 1] - exact.sum(1)).abs()
        assert bool((gap < 5 * error[:, k - 1] + 1e-9).all()), k


def test_drawn_gradients_have_the_mean_of_the_summed_ones(generator: Generator) -> None:
    p, q = pair()
    weight = p.step.weight

    def gradients(**how: int) -> tuple[Tensor, Tensor]:
        rounds = []
        for _ in range(60):
            bound = chain_elbo(p, q, X.repeat(200, 1), generator=generator, **how).mean()
            rounds.append(torch.autograd.grad(bound, weight)[0])
        return mean_and_error(rounds)

    (a, first), (b, second) = gradients(), gradients(times=1)
    assert bool(((a - b).abs() < 5 * (first.square() + second.square()).sqrt() + 1e-12).all())
    assert bool((a[1:] != 0).all())


def test_the_exact_reverse_closes_the_gap(generator: Generator) -> None:
    """From the true marginal of z_T the reversed Gaussian chain IS the data: no gap is left."""
    model = AnnealedGaussianChain(2, steps=5).double().fit(1 + 0.5 * torch.randn(500, 2))
    x, law, noise = model.sample(50, generator=generator), model.law, model.q.step
    last = noise.jump(law.mean[None], torch.tensor([5]))
    scale = (law.std.square() * noise.kept[-1] + last.variance[0]).sqrt()

    class End(nn.Module):
        def forward(self) -> Normal:
            return Normal(last.mean[0], scale)

    right = Chain(End(), model.p.step, steps=5, event_shape=(2,), reverse=True)
    exact = Normal(law.mean, law.std).log_prob(x).sum(1)
    # Along one path the ratio p(z) / q(z | x) is p(x), whatever is drawn.
    walked = Chain(None, Stepped(noise), steps=5, event_shape=(2,))
    torch.testing.assert_close(chain_elbo(right, walked, x, generator=generator), exact)
    rounds = [chain_elbo(right, model.q, x, generator=generator) for _ in range(400)]
    mean, error = mean_and_error(rounds)
    assert bool(((mean - exact).abs() < 5.5 * error).all())
    # From Normal(0, I) there is one, and log p(x) is another Gaussian's.
    rounds = [model.elbo(x, generator=generator) for _ in range(400)]
    mean, error = mean_and_error(rounds)
    assert bool((mean < model.log_prob(x) + 5.5 * error).all())
    assert float((model.log_prob(x) - mean).mean()) > 0.01


def test_the_marginal_in_closed_form_is_that_of_the_draws(generator: Generator) -> None:
    model = AnnealedGaussianChain(1, steps=3).double().fit(2 + 0.5 * torch.randn(500, 1))
    grid = torch.linspace(-20, 20, 20_001)[:, None]
    density = model.log_prob(grid).exp() * (40 / 20_000)
    assert float(density.sum()) == pytest.approx(1, abs=1e-6)
    mean = float((density * grid[:, 0]).sum())
    std = math.sqrt(float((density * (grid[:, 0] - mean).square()).sum()))
    draws = model.sample(40_000, generator=generator)
    assert draws.mean().item() == pytest.approx(mean, abs=5 * std / 200)
    assert draws.std().item() == pytest.approx(std, abs=5 * std / 200)


def test_jumps_are_the_composed_steps_and_posteriors_their_reverse() -> None:
    noise = VariancePreservingStep(STEPS, (2,))
    mean, variance = X, torch.zeros_like(X)
    for t in range(1, STEPS + 1):
        at = torch.full((3,), t)
        step = noise(mean, at)
        scale = noise(torch.ones_like(X), at).mean
        mean, variance = step.mean, scale.square() * variance + step.variance
        jump = noise.jump(X, at)
        torch.testing.assert_close(jump.mean, mean)
        torch.testing.assert_close(jump.variance, variance)
        if t > 1:  # q(z_t-1 | x) q(z_t | z_t-1) == q(z_t | x) q(z_t-1 | z_t, x)
            z, after = torch.randn(3, 2), torch.randn(3, 2)
            one = noise.jump(X, at - 1).log_prob(z) + noise(z, at).log_prob(after)
            other = jump.log_prob(after) + noise.posterior(after, X, at).log_prob(z)
            torch.testing.assert_close(one, other)


def test_inputs_reach_the_step_they_belong_to(generator: Generator) -> None:
    p, q = pair(inputs=("label",))

    class Start(nn.Module):
        def forward(self, label: Tensor) -> Normal:
            return Normal(label[:, None].expand(-1, 2), 1.0)

    p.initial = Start()
    bound = chain_elbo(p, q, X, given={"label": torch.tensor(1.0)}, generator=generator)
    assert bound.shape == (3,)
    each = chain_elbo(p, q, X, given={"label": torch.ones(3)}, times=2, generator=generator)
    assert each.shape == (3,)
    with pytest.raises(ValueError, match=r"'label' must be one number or have 3 rows"):
        chain_elbo(p, q, X, given={"label": torch.ones(2)})
    with pytest.raises(ValueError, match=r"inputs \['label'\] must be given"):
        chain_elbo(p, q, X)
    with pytest.raises(ValueError, match="no input 'nonsense'"):
        chain_elbo(p, q, X, given={"label": torch.ones(3), "nonsense": torch.ones(3)})


def test_discrete_states_have_a_bound_too(generator: Generator) -> None:
    """Symbols that are shuffled step by step; the exact reverse of even data closes the gap."""
    keep = 0.7

    class Shuffle(nn.Module):
        def forward(self, z: Tensor, t: Tensor) -> Distribution:
            del t
            hot = nn.functional.one_hot(z, 3).double()
            return Categorical(probs=keep * hot + (1 - keep) / 3)

        def jump(self, start: Tensor, t: Tensor) -> Distribution:
            hot = nn.functional.one_hot(start, 3).double()
            kept = (keep ** t.double())[:, None]
            return Categorical(probs=kept * hot + (1 - kept) / 3)

    class Even(nn.Module):
        def forward(self) -> Distribution:
            return Categorical(probs=torch.ones(3) / 3)

    q = Chain(None, Shuffle(), steps=3)
    p = Chain(Even(), Shuffle(), steps=3, reverse=True)  # Even data: the shuffle is reversible.
    x = torch.tensor([0, 1, 2, 2])
    exact = torch.full((4,), math.log(1 / 3))
    rounds = [chain_elbo(p, q, x, generator=generator) for _ in range(600)]
    mean, error = mean_and_error(rounds)
    assert bool(((mean - exact).abs() < 5 * error + 1e-9).all())


def test_mistakes_are_named() -> None:
    p, q = pair()
    with pytest.raises(ValueError, match="times must be at least 1, got 0"):
        chain_elbo(p, q, X, times=0)
    with pytest.raises(ValueError, match="chances must be 4 probabilities"):
        chain_elbo(p, q, X, times=1, chances=torch.ones(4))
    with pytest.raises(ValueError, match="p must be reversed"):
        chain_elbo(q, p, X)
    with pytest.raises(ValueError, match=r"x must have shape \[B, \[2\]\], got \[3\]"):
        chain_elbo(p, q, X[:, 0])
    walked = Chain(
        None, Stepped(VariancePreservingStep(STEPS, (2,))), steps=STEPS, event_shape=(2,)
    )
    with pytest.raises(ValueError, match=r"only where the step of q has a jump"):
        chain_elbo(p, walked, X, times=1)
    line = Chain(None, Homogeneous(LinearGaussian([1.0])), steps=STEPS)
    with pytest.raises(ValueError, match="got 4 and 4 steps; two chains of one direction"):
        chain_elbo(p, line, X)
