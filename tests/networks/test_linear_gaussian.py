import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks import BayesianNetwork, LinearGaussian, Node, StandardNormal
from ancestral.networks.linear_gaussian import fit_linear_gaussian, gaussian_query


def random_network(seed: int, size: int = 6) -> BayesianNetwork:
    rng = np.random.default_rng(seed)
    names = [f"x{i}" for i in range(size)]
    nodes = []
    for i, name in enumerate(names):
        parents = tuple(str(p) for p in rng.permutation(names[:i])[: rng.integers(0, 4)])
        weights = rng.standard_normal(len(parents)).tolist()
        conditional = LinearGaussian(
            weights, bias=float(rng.standard_normal()), scale=float(rng.uniform(0.3, 2))
        )
        nodes.append(Node(name, conditional, parents))
    rng.shuffle(nodes)
    return BayesianNetwork(nodes).double()


def plain_joint(network: BayesianNetwork) -> tuple[list[str], Tensor, Tensor]:
    """Invert the regressions as one system: x = W x + b + noise."""
    names = sorted(network.nodes)
    size = len(names)
    w, b, s = torch.zeros(size, size).double(), torch.zeros(size).double(), []
    for i, name in enumerate(names):
        node = network.nodes[name]
        for parent, weight in zip(node.parents, node.conditional.weight, strict=True):
            w[i, names.index(parent)] = weight.detach()
        b[i] = node.conditional.bias.detach()
        s.append(node.conditional.log_scale.detach().exp())
    inverse = torch.linalg.inv(torch.eye(size).double() - w)
    return names, inverse @ b, inverse @ torch.diag(torch.stack(s) ** 2) @ inverse.T


@pytest.mark.parametrize("seed", range(10))
def test_joint_and_conditionals_are_those_of_the_precision_matrix(seed: int) -> None:
    network = random_network(seed)
    names, mean, covariance = plain_joint(network)
    whole = gaussian_query(network, names)
    torch.testing.assert_close(whole.mean, mean, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(whole.covariance, covariance, atol=1e-10, rtol=1e-10)

    targets, evidence = ["x4", "x0"], ["x5", "x1", "x2"]
    values = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    e = [names.index(name) for name in evidence]
    rest = [i for i in range(len(names)) if i not in e]
    precision = torch.linalg.inv(covariance)
    block = torch.linalg.inv(precision[rest][:, rest])
    centre = mean[rest] - block @ precision[rest][:, e] @ (values - mean[e])
    t = [rest.index(names.index(name)) for name in targets]

    answer = gaussian_query(network, targets, given=dict(zip(evidence, values, strict=True)))
    torch.testing.assert_close(answer.mean, centre[t], atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(answer.covariance, block[t][:, t], atol=1e-10, rtol=1e-10)
    expected = MultivariateNormal(mean[e], covariance[e][:, e]).log_prob(values)
    torch.testing.assert_close(answer.log_evidence, expected, atol=1e-10, rtol=1e-10)


def test_the_evidence_of_every_node_is_the_joint_density() -> None:
    network = random_network(3)
    rows = {name: value.double() for name, value in network.sample(7).items()}
    answer = gaussian_query(network, given=rows)
    assert answer.names == ()
    torch.testing.assert_close(
        answer.log_evidence, network.log_prob(rows).detach(), atol=1e-10, rtol=1e-10
    )


@pytest.mark.bits
def test_rows_of_evidence_are_answered_at_once() -> None:
    network = random_network(4)
    values = torch.randn(5, 3, dtype=torch.float64)
    batch = gaussian_query(network, ["x0", "x3"], given={"x5": values, "x2": 0.5})
    assert batch.mean.shape == (5, 3, 2)
    assert batch.log_evidence.shape == (5, 3)
    one = gaussian_query(network, ["x0", "x3"], given={"x5": values[4, 2], "x2": 0.5})
    torch.testing.assert_close(batch.mean[4, 2], one.mean, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(batch.log_evidence[4, 2], one.log_evidence, atol=1e-12, rtol=1e-12)
    mean, std = batch.marginal("x3")
    assert torch.equal(mean, batch.mean[..., 1])
    assert std.item() == pytest.approx(math.sqrt(batch.covariance[1, 1]))


def test_bayes_rule_in_one_dimension() -> None:
    """Prior Normal(0, 1), one measurement with noise 0.5: precisions add."""
    x = Node("x", LinearGaussian())
    y = Node("y", LinearGaussian([1.0], scale=0.5), ("x",))
    answer = gaussian_query(BayesianNetwork([x, y]).double(), ["x"], given={"y": 1.0})
    assert answer.covariance.item() == pytest.approx(1 / (1 + 4))
    assert answer.mean.item() == pytest.approx(4 / 5)


@pytest.mark.parametrize("seed", range(4))
def test_fit_is_the_maximum_of_the_likelihood(seed: int) -> None:
    network = random_network(seed)
    rows = {name: 1e4 + v for name, v in network.sample(300).items()}
    fitted = fit_linear_gaussian(network, rows)
    fitted.log_prob(rows).mean().backward()
    for name, parameter in fitted.named_parameters():
        if parameter.numel():
            # Against the curvature in a weight, which holds (1e4)^2.
            torch.testing.assert_close(
                parameter.grad, torch.zeros_like(parameter), atol=1e-5, rtol=0, msg=name
            )


def test_fit_recovers_the_parameters() -> None:
    x = Node("x", LinearGaussian(bias=1.0, scale=2.0))
    y = Node("y", LinearGaussian([1.5], bias=-1.0, scale=0.3), ("x",))
    network = BayesianNetwork([x, y]).double()
    n = 10_000
    fitted = fit_linear_gaussian(
        network, network.sample(n, generator=torch.Generator().manual_seed(0))
    )
    node = fitted.nodes["y"].conditional
    # Standard errors: 0.3 / (2 sqrt(n)) of the weight, 0.3 / sqrt(2 n) of the scale; five of them.
    assert node.weight.item() == pytest.approx(1.5, abs=0.0075)
    assert node.log_scale.exp().item() == pytest.approx(0.3, abs=0.0107)


def test_the_fitted_moments_are_those_of_the_data() -> None:
    """A complete graph fits mean and covariance exactly."""
    rng = np.random.default_rng(0)
    data = torch.from_numpy(rng.standard_normal((50, 3)) @ rng.standard_normal((3, 3)))
    columns = dict(zip("abc", data.T, strict=True))
    fitted = fit_linear_gaussian({"b": ["a"], "c": ["a", "b"]}, columns)
    whole = gaussian_query(fitted, ["a", "b", "c"])
    torch.testing.assert_close(whole.mean, data.mean(0), atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(whole.covariance, data.T.cov(correction=0), atol=1e-11, rtol=1e-11)


def test_what_cannot_be_answered_is_refused() -> None:
    network = random_network(0)
    with pytest.raises(InferenceError, match="no node 'y'"):
        gaussian_query(network, ["y"])
    with pytest.raises(InferenceError, match="'x0' is given"):
        gaussian_query(network, ["x0"], given={"x0": 1.0})
    with pytest.raises(InferenceError, match="must differ"):
        gaussian_query(network, ["x0", "x0"])
    with pytest.raises(CapabilityError, match="'z' is not a linear Gaussian"):
        gaussian_query(BayesianNetwork([Node("z", StandardNormal(()))]), ["z"])
    with pytest.raises(CapabilityError, match="inputs"):
        gaussian_query(BayesianNetwork([Node("y", LinearGaussian([1.0]), ("x",))]), ["y"])
    twin = [
        Node("a", LinearGaussian()),
        Node("b", LinearGaussian([1.0], scale=1e-12), ("a",)),
    ]
    with pytest.raises(InferenceError, match="singular"):
        gaussian_query(BayesianNetwork(twin), given={"a": 0.0, "b": 0.0})


def test_data_without_a_maximum_are_refused() -> None:
    x = torch.arange(5.0)
    with pytest.raises(ValueError, match="linear function of its parents"):
        fit_linear_gaussian({"y": ["x"]}, {"x": x, "y": 2 * x + 1})
    with pytest.raises(ValueError, match="constant"):
        fit_linear_gaussian({"y": []}, {"y": torch.ones(5)})
    with pytest.raises(ValueError, match="more than 2 rows, got 2"):
        fit_linear_gaussian({"y": ["x"]}, {"x": x[:2], "y": x[:2]})
    with pytest.raises(ValueError, match=r"\['y'\] are missing"):
        fit_linear_gaussian({"y": ["x"]}, {"x": x})
    with pytest.raises(ValueError, match="5 finite numbers"):
        fit_linear_gaussian({"y": ["x"]}, {"x": x, "y": x * math.nan})
