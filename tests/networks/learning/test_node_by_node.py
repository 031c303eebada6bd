"""BN-07 and ML-06: networks whose factors are neural are learned node by node, too."""

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Bernoulli

from ancestral.networks import BayesianNetwork, Node


class Neural(nn.Module):
    """p(y = 1 | parents) by a small network."""

    def __init__(self, parents: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Linear(parents + 1, 8), nn.Tanh(), nn.Linear(8, 1))
        self.double()

    def forward(self, *parents: Tensor) -> Bernoulli:
        one = torch.ones_like(parents[0]) if parents else torch.ones((), dtype=torch.float64)
        return Bernoulli(logits=self.layers(torch.stack([*parents, one], -1))[..., 0])


def neural_network() -> BayesianNetwork:
    return BayesianNetwork(
        [
            Node("a", Neural(0, 0)),
            Node("b", Neural(1, 1), ("a",)),
            Node("c", Neural(2, 2), ("a", "b")),
        ]
    )


def rows(n: int) -> dict[str, Tensor]:
    u = torch.rand(3, n, generator=Generator().manual_seed(0), dtype=torch.float64)
    a = (u[0] < 0.4).double()
    b = (u[1] < 0.2 + 0.6 * a).double()
    return {"a": a, "b": b, "c": (u[2] < 0.9 - 0.8 * (a != b).double()).double()}


def descend(parameters: list[nn.Parameter], loss: object, steps: int = 50) -> None:
    optimizer = torch.optim.SGD(parameters, lr=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()  # pyright: ignore[reportCallIssue]
        optimizer.step()


def test_training_node_by_node_is_training_the_joint() -> None:
    data = rows(400)
    joint, single = neural_network(), neural_network()
    before = joint.log_prob(data).mean().item()
    descend(list(joint.parameters()), lambda: -joint.log_prob(data).mean())
    for name, node in single.nodes.items():
        parents = [data[parent] for parent in node.parents]

        def loss(node: Node = node, parents: list[Tensor] = parents, x: Tensor = data[name]):  # noqa: ANN202
            return -node.distribution(parents).log_prob(x).mean()

        descend(list(node.conditional.parameters()), loss)
    assert joint.log_prob(data).mean().item() > before + 0.1
    for mine, other in zip(joint.parameters(), single.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-10, rtol=1e-10)


def test_the_mean_gradient_of_equal_batches_is_the_full_gradient() -> None:
    data, network = rows(400), neural_network()
    parameters = list(network.parameters())
    full = torch.autograd.grad(network.log_prob(data).mean(), parameters)
    parts = []
    for start in range(0, 400, 50):
        batch = {name: value[start : start + 50] for name, value in data.items()}
        parts.append(torch.autograd.grad(network.log_prob(batch).mean(), parameters))
    for whole, *pieces in zip(full, *parts, strict=True):
        torch.testing.assert_close(torch.stack(pieces).mean(0), whole, atol=1e-8, rtol=0)
