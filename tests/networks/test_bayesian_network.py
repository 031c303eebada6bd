from itertools import product

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks import (
    BayesianNetwork,
    Deterministic,
    LinearGaussian,
    Node,
    StandardNormal,
    Table,
    student_network,
)


def linear_gaussian_chain() -> BayesianNetwork:
    return BayesianNetwork(
        [
            Node("c", LinearGaussian([1.0, -1.0], scale=0.5), parents=("a", "b")),
            Node("a", LinearGaussian(bias=1.0)),
            Node("b", LinearGaussian([2.0], scale=2.0), parents=("a",)),
        ]
    )


def test_joint_of_the_student_network_sums_to_one() -> None:
    cells = torch.tensor(list(product([0, 1], repeat=4)))
    values = {f"x{i + 1}": cells[:, i] for i in range(4)}
    joint = student_network().log_prob(values).exp()
    assert joint.sum().item() == pytest.approx(1, abs=1e-12)


def test_ancestral_draws_fill_every_cell_of_the_joint(generator: torch.Generator) -> None:
    n = 1_000_000
    network = student_network()
    draws = network.sample(n, generator=generator)
    code = sum(draws[f"x{i + 1}"] * 2**i for i in range(4))
    frequency = torch.bincount(code, minlength=16) / n
    cells = torch.arange(16)
    p = network.log_prob({f"x{i + 1}": (cells >> i) & 1 for i in range(4)}).exp()
    # Four standard errors for each of 16 cells fail by chance once in a thousand seeds.
    assert ((frequency - p).abs() <= 4 * (p * (1 - p) / n).sqrt()).all()


@pytest.mark.usefixtures("float64")
def test_joint_of_a_linear_gaussian_network_is_the_multivariate_normal() -> None:
    network = linear_gaussian_chain()
    # a = 1 + e1, b = 2a + 2 e2, c = a - b + e3 / 2 as a linear map of independent noise.
    mixing = torch.tensor([[1.0, 0, 0], [2, 2, 0], [-1, -2, 0.5]])
    exact = torch.distributions.MultivariateNormal(
        torch.tensor([1.0, 2, -1]), covariance_matrix=mixing @ mixing.T
    )
    values = torch.randn(20, 3)
    ours = network.log_prob({"a": values[:, 0], "b": values[:, 1], "c": values[:, 2]})
    torch.testing.assert_close(ours, exact.log_prob(values), rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("float64")
def test_ancestral_draws_have_the_moments_of_the_joint(generator: torch.Generator) -> None:
    n = 200_000
    draws = linear_gaussian_chain().sample(n, generator=generator)
    c = draws["c"]
    # Var(c) = 5.25; the mean has standard error 0.0051, the variance 0.0166; five of each.
    assert c.mean().item() == pytest.approx(-1, abs=0.026)
    assert c.var().item() == pytest.approx(5.25, abs=0.083)


def test_given_roots_are_held_fixed_and_broadcast() -> None:
    network = linear_gaussian_chain()
    draws = network.sample(4, given={"a": 3.0})
    assert (draws["a"] == 3.0).all()
    draws = network.sample(4, given={"a": torch.arange(4.0), "b": torch.zeros(4)})
    assert draws["a"].tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"given 'a' must have shape \[\] or \[4\], got \[3\]"):
        network.sample(4, given={"a": torch.zeros(3)})


def test_evidence_below_is_refused_where_it_is_not_exact() -> None:
    with pytest.raises(InferenceError, match=r"evidence on 'c' is conditioning.*query"):
        linear_gaussian_chain().sample(4, given={"c": 0.0})


def test_evidence_below_is_exact_in_discrete_networks(generator: torch.Generator) -> None:
    n = 200_000
    draws = student_network().sample(n, given={"x4": 1}, generator=generator)
    exact = 0.957847  # p(x1=1 | x4=1), by enumeration.
    error = (exact * (1 - exact) / n) ** 0.5
    assert draws["x1"].double().mean().item() == pytest.approx(exact, abs=4 * error)
    assert (draws["x4"] == 1).all()
    by_ancestors_alone = student_network().sample(n, generator=generator)["x1"]
    assert abs(by_ancestors_alone.double().mean().item() - exact) > 40 * error


def test_impossible_roots_are_refused_too() -> None:
    network = BayesianNetwork(
        [Node("a", Table([1.0, 0.0])), Node("b", Table(torch.eye(2)), ("a",))]
    )
    with pytest.raises(InferenceError, match="probability 0: a=1; this cannot hold"):
        network.sample(3, given={"a": 1})
    with pytest.raises(InferenceError, match=r"probability 0: .*cannot hold"):
        network.sample(3, given={"a": 0, "b": torch.tensor([0, 0, 1])})
    assert network.sample(3, given={"a": 0, "b": 0})["b"].tolist() == [0, 0, 0]


def test_deterministic_nodes_carry_no_density() -> None:
    network = BayesianNetwork(
        [
            Node("z", StandardNormal((3,)), event_shape=(3,)),
            Node("h", Deterministic(torch.exp), parents=("z",), event_shape=(3,)),
            Node("x", _Scaled(), parents=("h",), event_shape=(3,)),
        ]
    )
    draws = network.sample(5)
    torch.testing.assert_close(draws["h"], draws["z"].exp())
    z, x = draws["z"], draws["x"]
    expected = (Normal(0, 1).log_prob(z) + Normal(z.exp(), 0.5).log_prob(x)).sum(-1)
    torch.testing.assert_close(network.log_prob({"z": z, "x": x}), expected)
    with pytest.raises(ValueError, match="no random node is called"):
        network.log_prob(draws)


class _Scaled(nn.Module):
    def forward(self, h: torch.Tensor) -> Normal:
        return Normal(h, 0.5)


def test_inputs_must_be_given() -> None:
    network = BayesianNetwork([Node("x", LinearGaussian([2.0], scale=1e-3), parents=("c",))])
    assert network.inputs == ("c",)
    assert network.sample(3, given={"c": 5.0})["x"].mean().item() == pytest.approx(10, abs=0.01)
    with pytest.raises(ValueError, match=r"inputs \['c'\] must be given"):
        network.sample(3)


def test_same_seed_same_draws_and_the_global_state_is_left_alone() -> None:
    network = linear_gaussian_chain()
    before = torch.get_rng_state()
    a = network.sample(4, generator=torch.Generator().manual_seed(1))
    b = network.sample(4, generator=torch.Generator().manual_seed(1))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert torch.equal(before, torch.get_rng_state())


def test_parameters_of_every_node_are_found() -> None:
    names = {name for name, _ in linear_gaussian_chain().named_parameters()}
    assert len(names) == 9


def test_bad_input_is_named() -> None:
    network = student_network()
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        network.sample(0)
    with pytest.raises(ValueError, match="no node 'x9'"):
        network.sample(2, given={"x9": 0})
    with pytest.raises(InferenceError, match="'x1' has no state 'maybe'; its states are 0, 1"):
        network.sample(2, given={"x1": "maybe"})
    with pytest.raises(InferenceError, match="'x1' has no state 2; its states are 0, 1"):
        network.sample(2, given={"x1": 2})
    with pytest.raises(InferenceError, match=r"'x1' has states 0 to 1, got 0\.\.2"):
        network.sample(2, given={"x1": torch.tensor([0, 2])})
    with pytest.raises(ValueError, match=r"\['x4'\] are missing"):
        network.log_prob({name: torch.zeros(1) for name in ("x1", "x2", "x3")})
    with pytest.raises(ValueError, match="'x' twice"):
        BayesianNetwork([Node("x", Table([1.0])), Node("x", Table([1.0]))])
    with pytest.raises(CapabilityError, match="'a' is not a probability table"):
        linear_gaussian_chain().table("a")
    with pytest.raises(ValueError, match="must end in event shape"):
        BayesianNetwork([Node("z", StandardNormal((3,)), event_shape=(2,))]).sample(1)


def test_draw_gives_a_picture() -> None:
    assert student_network().draw(observed=["x4"]).count("x4") >= 1
