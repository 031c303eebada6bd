from itertools import pairwise

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from ancestral.errors import InferenceError
from ancestral.networks import (
    BayesianNetwork,
    Chain,
    Homogeneous,
    LinearGaussian,
    Node,
    StandardNormal,
    Table,
    draw,
    elbo,
    query,
)

pytestmark = pytest.mark.usefixtures("float64")

TRANSITION = [[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.0, 0.4, 0.6]]


class Drift(nn.Module):
    """z_t | z_t-1 ~ Normal(0.5 z_t-1 + 0.1 t + the input, 1 / t), told the time."""

    def forward(self, z: Tensor, t: Tensor, *inputs: Tensor) -> Normal:
        t = t.reshape(*t.shape, *[1] * (z.ndim - t.ndim))
        return Normal(0.5 * z + 0.1 * t + sum(inputs), (1 / t).expand_as(z))


class Shifted(nn.Module):
    """The first state, around the input."""

    def forward(self, shift: Tensor) -> Normal:
        return Normal(shift, 0.3)


def states(steps: int = 3) -> Chain:
    return Chain(Table([0.5, 0.5, 0.0]), Homogeneous(Table(TRANSITION)), steps=steps)


def drift(*, reverse: bool = False, inputs: tuple[str, ...] = ("u",)) -> Chain:
    initial = Shifted() if inputs else StandardNormal((2,))
    return Chain(initial, Drift(), steps=4, event_shape=(2,), reverse=reverse, inputs=inputs)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("inputs", [(), ("u",)])
def test_log_prob_is_the_sum_of_the_factors_of_the_unrolled_network(
    *, reverse: bool, inputs: tuple[str, ...]
) -> None:
    chain = drift(reverse=reverse, inputs=inputs)
    network = BayesianNetwork(chain.nodes())
    given = {name: torch.randn(7, 2) for name in inputs}
    path = torch.randn(7, 5, 2)
    values = {**given, **dict(zip(chain.names, path.unbind(1), strict=True))}
    torch.testing.assert_close(chain.log_prob(path, given=given), network.log_prob(values))
    own = chain(*given.values()).log_prob(path)
    torch.testing.assert_close(own, network.log_prob(values))


def test_discrete_paths_have_the_probabilities_of_the_network_and_sum_to_one() -> None:
    chain = states()
    paths = torch.cartesian_prod(*[torch.arange(3)] * 4)
    network = BayesianNetwork(chain.nodes())
    assert network.discrete
    exact = network.log_prob(dict(zip(chain.names, paths.T, strict=True)))
    torch.testing.assert_close(chain.log_prob(paths), exact)
    assert chain.log_prob(paths).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_draws_have_the_marginals_of_exact_inference(generator: Generator) -> None:
    chain = states(6)
    paths = chain.sample(40_000, generator=generator)
    exact = query(BayesianNetwork(chain.nodes()), ["z6"]).probabilities["z6"]
    share = (paths[:, -1] == 2).double().mean()
    assert share.item() == pytest.approx(exact["2"], abs=5 * 0.5 / 200)
    assert not bool((paths[:, 0] == 2).any())
    assert not any(bool(((a == 0) & (b == 2)).any()) for a, b in pairwise(paths.unbind(1)))


@pytest.mark.parametrize("reverse", [False, True])
def test_walks_run_their_way_and_hold_what_is_given(*, reverse: bool) -> None:
    chain = drift(reverse=reverse)
    order = chain.names[::-1] if reverse else chain.names
    assert order == (("z4", "z3", "z2", "z1", "z0") if reverse else ("z0", "z1", "z2", "z3", "z4"))
    first, second = torch.randn(6, 2), torch.randn(2)
    given = {order[0]: first, order[1]: second, "u": torch.zeros(6, 2)}
    walk = [*chain.walk(6, given=given, generator=Generator().manual_seed(1))]
    path = chain.sample(6, given=given, generator=Generator().manual_seed(1))
    assert torch.equal(path, torch.stack(walk[::-1] if reverse else walk, dim=1))
    assert torch.equal(walk[0], first)
    assert torch.equal(walk[1], second.expand(6, 2))
    # The last state is Normal(0.5 z + 0.1 t, 1 / t) at its own t.
    n, t = 40_000, 1 if reverse else 4
    given = {name: torch.ones(2) for name in order[:-1]} | {"u": torch.zeros(n, 2)}
    *_, last = chain.walk(n, given=given, generator=Generator().manual_seed(2))
    torch.testing.assert_close(last.mean(0), torch.full((2,), 0.5 + 0.1 * t), atol=0.03, rtol=0)
    torch.testing.assert_close(last.std(0), torch.full((2,), 1 / t), atol=0.03, rtol=0)


def test_a_seed_decides_and_a_generator_leaves_the_global_state_alone() -> None:
    chain, before = states(), torch.get_rng_state()
    paths = [chain.sample(50, generator=Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(paths[0], paths[1])
    assert not torch.equal(paths[0], paths[2])


def test_a_thousand_steps_are_one_module() -> None:
    chain = Chain(StandardNormal(()), Homogeneous(LinearGaussian([0.9])), steps=1000)
    assert len([*chain.parameters()]) == 3
    path = chain.sample(3)
    assert path.shape == (3, 1001)
    assert chain.log_prob(path).shape == (3,)
    assert chain.graph.names == ("z0", "z1", "z2", "...", "z1000")
    assert "z1000" in chain.graph.draw()
    reverse = drift(reverse=True).graph
    assert reverse.edges[-1] == ("u", "z0") or reverse.edges[-1] == ("z1", "z0")
    assert reverse.parents("z4") == ("u",)
    assert Chain(None, Drift(), steps=1, names=["x", "z"]).graph.edges == (("x", "z"),)


def test_gradients_reach_both_conditionals_through_draws_and_densities() -> None:
    first, step = LinearGaussian(), LinearGaussian([0.5])
    chain = Chain(first, Homogeneous(step), steps=4)
    *_, last = chain.walk(8)
    last.sum().backward()
    chain.log_prob(torch.randn(8, 5)).sum().backward()
    for parameter in filter(Tensor.numel, chain.parameters()):  # A root has no weights.
        assert parameter.grad is not None
        assert bool(parameter.grad.isfinite().all())


class Guess(nn.Module):
    """q(z_t | z_t-1, x) of Gaussian sequences whose posterior is Normal(x @ pull, covariance)."""

    def __init__(self, covariance: Tensor, pull: Tensor) -> None:
        super().__init__()
        below, own = covariance.diagonal(-1), covariance.diagonal()
        self.pull, self.ratio = pull, nn.functional.pad(below / own[:-1], (1, 0))
        self.scale = (own - nn.functional.pad(below.square() / own[:-1], (1, 0))).sqrt()

    def forward(self, *parents: Tensor) -> Normal:
        *before, x = parents
        mean = x @ self.pull
        if not before:
            return Normal(mean[..., 0], self.scale[0])
        z, t = before
        now, last = (mean.gather(-1, at[..., None])[..., 0] for at in (t, t - 1))
        return Normal(now + self.ratio[t] * (z - last), self.scale[t])


def test_as_a_node_of_networks_it_has_the_generic_elbo(generator: Generator) -> None:
    """A latent sequence: z is a stationary walk, x_t sees z_t; the exact posterior has no gap."""
    steps, event = 3, (4,)
    chain = Chain(StandardNormal(()), Homogeneous(LinearGaussian([0.8], scale=0.6)), steps=steps)
    shown = Node("x", LinearGaussian([1.0], scale=0.5), ("z",), event)
    p = BayesianNetwork([Node("z", chain, (), event), shown])
    index = torch.arange(4.0)
    prior = 0.8 ** (index[:, None] - index).abs()
    zero = torch.zeros(4)
    path = torch.randn(5, 4)
    torch.testing.assert_close(chain.log_prob(path), MultivariateNormal(zero, prior).log_prob(path))
    x = torch.randn(5, 4)
    exact = MultivariateNormal(zero, prior + 0.25 * torch.eye(4)).log_prob(x)
    covariance = (prior.inverse() + 4 * torch.eye(4)).inverse()
    right = Guess(covariance, 4 * covariance)
    for guess, gap in ((right, 0.0), (Guess(1.5 * covariance, 3 * covariance), 0.1)):
        walk = Chain(guess, guess, steps=steps, inputs=("x",))
        q = BayesianNetwork([Node("z", walk, ("x",), event)])
        for draws in (1, 1000):
            bound = elbo(p, q, {"x": x}, draws=draws, generator=generator)
            if gap == 0:
                torch.testing.assert_close(bound, exact)
        assert (exact - bound).mean().item() >= gap - 1e-9
    assert p.sample(3)["z"].shape == (3, 4)


def test_a_path_is_one_draw_of_the_one_function(generator: Generator) -> None:
    chain = drift()
    u = torch.randn(6, 2)
    paths = draw(chain(u), (3,), generator)
    assert paths.shape == (3, 6, 5, 2)
    torch.testing.assert_close(paths[..., 0, :].mean((0, 1)), u.mean(0), atol=0.5, rtol=0)
    assert chain(u).log_prob(paths).shape == (3, 6)
    assert chain(u).expand((2, 6)).log_prob(paths[:2]).shape == (2, 6)
    assert not draw(states()(), (2,), generator).is_floating_point()


def test_mistakes_are_named() -> None:
    chain = drift()
    u = {"u": torch.zeros(5, 2)}
    with pytest.raises(ValueError, match=r"'u' must be one number or have 5 rows, got \[3, 2\]"):
        chain.sample(5, given={"u": torch.zeros(3, 2)})
    with pytest.raises(ValueError, match=r"'z0' must have shape \[2\] or \[5, 2\], got \[4\]"):
        chain.sample(5, given={**u, "z0": torch.zeros(4)})
    with pytest.raises(InferenceError, match="evidence on 'z2' is conditioning"):
        chain.sample(5, given={**u, "z2": torch.zeros(2)})
    with pytest.raises(ValueError, match="no 'z9' that could be given"):
        chain.sample(5, given={**u, "z9": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"inputs \['u'\] must be given"):
        chain.sample(5)
    with pytest.raises(ValueError, match="no initial conditional: 'x' is given"):
        Chain(None, Drift(), steps=1, names=["x", "z"]).walk(3)
    with pytest.raises(ValueError, match=r"a path must have shape \[5, 2\], got \[6, 4, 2\]"):
        chain.log_prob(torch.zeros(6, 4, 2), given=u)
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        Chain(None, Drift(), steps=-1)
    with pytest.raises(ValueError, match="names must be 3 different ones, got 2"):
        Chain(None, Drift(), steps=2, names=["a", "b"])
