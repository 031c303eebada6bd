import itertools

import numpy as np
import pytest
from tests.networks.exact.networks import enumerate_joint, random_network

from ancestral.errors import InferenceError
from ancestral.networks import BayesianNetwork, Node, Table, expected_counts, query


def counts_by_enumeration(
    network: BayesianNetwork, rows: dict[str, np.ndarray], weights: np.ndarray
) -> tuple[dict[str, np.ndarray], float]:
    names, table = enumerate_joint(network)
    counts = {name: np.zeros(network.table(name).probabilities.shape) for name in names}
    total = 0.0
    for at, weight in enumerate(weights):
        known = {name: rows[name][at] for name in rows if rows[name][at] >= 0}
        masked = np.zeros_like(table)
        slot = tuple(known.get(name, slice(None)) for name in names)
        masked[slot] = table[slot]
        total += weight * np.log(masked.sum())
        for name in names:
            scope = (*network.nodes[name].parents, name)
            axes = [names.index(other) for other in scope]
            rest = tuple(axis for axis in range(len(names)) if axis not in axes)
            order = np.argsort(np.argsort(axes))
            counts[name] += weight * (masked.sum(rest) / masked.sum()).transpose(order)
    return counts, total


@pytest.mark.parametrize("seed", range(12))
def test_counts_equal_enumeration(seed: int) -> None:
    network = random_network(seed, most=6)
    rng = np.random.default_rng(seed)
    names = list(network.nodes)
    columns = {
        name: rng.integers(-1, len(network.states(name)), size=25)
        for name in names[: rng.integers(1, len(names) + 1)]
    }
    weights = rng.integers(0, 4, size=25).astype(float)
    counts, log_likelihood = expected_counts(network, columns, weights)
    exact, total = counts_by_enumeration(network, columns, weights)
    assert log_likelihood == pytest.approx(total, abs=1e-10)
    for name in names:
        np.testing.assert_allclose(counts[name], exact[name], atol=1e-11, rtol=0)


def test_full_rows_are_plain_counts() -> None:
    network = random_network(5)
    sampled = network.sample(500)
    draws = {name: values.numpy() for name, values in sampled.items()}
    counts, log_likelihood = expected_counts(network, draws)
    for name in network.nodes:
        plain = np.zeros(network.table(name).probabilities.shape)
        scope = (*network.nodes[name].parents, name)
        np.add.at(plain, tuple(draws[other] for other in scope), 1)
        np.testing.assert_array_equal(counts[name], plain)
    log_p = network.log_prob(sampled).sum().item()
    assert log_likelihood == pytest.approx(log_p, abs=1e-9)


def test_em_on_a_latent_class_never_lowers_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    latent = rng.integers(0, 2, size=400)
    rows = {
        f"y{i}": np.where(rng.random(400) < np.where(latent, 0.85, 0.2), 1, 0) for i in range(4)
    }
    rows["y0"][::7] = -1
    tables = {name: np.array([[0.6, 0.4], [0.45, 0.55]]) for name in rows}
    prior, history = np.array([0.5, 0.5]), []
    for _ in range(30):
        network = BayesianNetwork(
            [Node("z", Table(prior)), *(Node(n, Table(t), ("z",)) for n, t in tables.items())]
        )
        counts, log_likelihood = expected_counts(network, rows)
        history.append(log_likelihood)
        prior = counts["z"] / counts["z"].sum()
        tables = {n: counts[n] / counts[n].sum(-1, keepdims=True) for n in tables}
    assert all(after >= before - 1e-9 for before, after in itertools.pairwise(history))
    assert history[-1] > history[0] + 50


def test_changed_tables_are_noticed() -> None:
    network = BayesianNetwork([Node("a", Table([0.5, 0.5])), Node("b", Table(np.eye(2)), ("a",))])
    assert query(network, ["b"]).probabilities["b"]["1"] == 0.5
    network.table("a").probabilities.copy_(network.table("a").probabilities.new_tensor([0.1, 0.9]))
    assert query(network, ["b"]).probabilities["b"]["1"] == pytest.approx(0.9, abs=1e-15)
    network.table("a").probabilities = network.table("a").probabilities.new_tensor([0.7, 0.3])
    counts, _ = expected_counts(network, {"b": np.array([-1, -1])})
    np.testing.assert_allclose(counts["b"], [[1.4, 0], [0, 0.6]], atol=1e-15)


def test_wrong_rows_are_named() -> None:
    network = random_network(3)
    name = next(iter(network.nodes))
    with pytest.raises(InferenceError, match="no node 'q'"):
        expected_counts(network, {"q": np.array([0])})
    with pytest.raises(InferenceError, match="-1 is missing, got 9"):
        expected_counts(network, {name: np.array([0, 9])})
    with pytest.raises(InferenceError, match="whole number"):
        expected_counts(network, {name: np.array([0.5])})
    with pytest.raises(InferenceError, match="finite numbers of at least 0, got"):
        expected_counts(network, {name: np.array([0])}, np.array([-1.0]))
