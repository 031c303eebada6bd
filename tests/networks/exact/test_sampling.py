import numpy as np
import pytest
import torch
from tests.networks.exact.networks import random_network

from ancestral.errors import InferenceError
from ancestral.networks import BayesianNetwork, Node, Table, query


def test_posterior_draws_match_the_exact_posterior(generator: torch.Generator) -> None:
    for seed in (1, 5, 11):
        network = random_network(seed, most=6)
        leaf = list(network.nodes)[-1]
        n = 40_000
        evidence = torch.arange(2).repeat(n // 2)
        draws = network.sample(n, given={leaf: evidence}, generator=generator)
        for state in (0, 1):
            rows = evidence == state
            exact = query(network, list(network.nodes), given={leaf: state}).probabilities
            for name in network.nodes:
                for index, p in enumerate(exact[name].values()):
                    share = (draws[name][rows] == index).double().mean().item()
                    error = (p * (1 - p) / (n / 2)) ** 0.5
                    assert share == pytest.approx(p, abs=5 * error + 1e-12)


def test_rows_of_mixed_evidence_are_drawn_each_from_its_own_posterior(
    generator: torch.Generator,
) -> None:
    network = BayesianNetwork(
        [
            Node("a", Table([0.5, 0.5])),
            Node("b", Table([[0.9, 0.1], [0.2, 0.8]]), ("a",)),
            Node("c", Table(np.eye(2)), ("b",)),
        ]
    )
    evidence = torch.tensor([0, 1, 1, 0]).repeat(10_000)
    draws = network.sample(40_000, given={"c": evidence}, generator=generator)
    assert torch.equal(draws["b"], evidence)
    assert torch.equal(draws["c"], evidence)
    for state in (0, 1):
        share = draws["a"][evidence == state].double().mean().item()
        exact = query(network, ["a"], given={"c": state}).probabilities["a"]["1"]
        assert share == pytest.approx(exact, abs=5 * 0.5 / 20_000**0.5)


def test_impossible_rows_are_refused() -> None:
    network = BayesianNetwork(
        [Node("a", Table([1.0, 0.0])), Node("b", Table([[1.0, 0.0], [0.1, 0.9]]), ("a",))]
    )
    with pytest.raises(InferenceError, match="probability 0: b=1"):
        network.sample(3, given={"b": torch.tensor([0, 1, 0])})
