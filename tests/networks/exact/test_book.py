"""Rows of the book's chapter 2 as numbers: independences, Bayes' rule, conditional networks."""

import numpy as np
import pytest
from tests.networks.exact.networks import enumerate_joint, random_network

from ancestral.networks import (
    DAG,
    BayesianNetwork,
    Inference,
    Node,
    Table,
    expected_counts,
    joint,
    query,
    student_network,
)


def given_last(table: np.ndarray) -> np.ndarray:
    """Return p(a, b | c) from p(a, b, c)."""
    return table / table.sum((0, 1), keepdims=True)


def test_independences_of_the_student_hold_in_the_tables() -> None:
    student = student_network()
    free = given_last(joint(student, ["x3", "x2", "x1"]).numpy())
    product = free.sum(1, keepdims=True) * free.sum(0, keepdims=True)
    np.testing.assert_allclose(free, product, atol=1e-12)  # x3 and x2 given x1.
    whole = joint(student, ["x4", "x1", "x2", "x3"]).numpy().reshape(2, 2, 4)
    free = given_last(whole)
    product = free.sum(1, keepdims=True) * free.sum(0, keepdims=True)
    np.testing.assert_allclose(free, product, atol=1e-12)  # x4 and x1 given x2, x3.
    pair = joint(student, ["x2", "x3"]).numpy()
    assert pair[1, 1] - pair.sum(1)[1] * pair.sum(0)[1] == pytest.approx(0.546 - 0.52125, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_d_separation_is_seen_in_the_posterior(seed: int) -> None:
    network = random_network(seed, most=8)
    names = list(network.nodes)
    graph: DAG = network.graph
    seen = names[seed % len(names)]
    for a in names:
        for b in names:
            if len({a, b, seen}) == 3 and graph.d_separated([a], [b], given=[seen]):
                rest = query(network, [a], given={seen: 0}).probabilities[a]
                more = query(network, [a], given={seen: 0, b: 1}).probabilities[a]
                assert more == pytest.approx(dict(rest), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_a_discriminative_posterior_comes_from_the_joint_by_bayes(seed: int) -> None:
    network = random_network(seed, most=6)
    names, table = enumerate_joint(network)
    y, x = names[0], names[-1]
    both = table.sum(tuple(range(1, len(names) - 1)))  # p(y, x)
    rows = Inference(network).query_rows({x: np.arange(both.shape[1])}, [y])
    np.testing.assert_allclose(rows.probabilities[y], (both / both.sum(0)).T, atol=1e-12)
    np.testing.assert_allclose(rows.probabilities[y].sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(np.exp(rows.log_evidence), both.sum(0), atol=1e-12)


def test_a_network_conditioned_on_a_constant_is_unconditional() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.dirichlet(np.ones(3), size=2), rng.dirichlet(np.ones(2), size=(2, 3))
    whole = BayesianNetwork(
        [
            Node("y", Table([0.3, 0.7])),
            Node("a", Table(a), ("y",)),
            Node("b", Table(b), ("y", "a")),
        ]
    )
    for state in (0, 1):
        alone = BayesianNetwork([Node("a", Table(a[state])), Node("b", Table(b[state]), ("a",))])
        ours = joint(whole, ["a", "b"], given={"y": state})
        np.testing.assert_allclose(ours, joint(alone, ["a", "b"]), atol=1e-15)


def test_the_three_problems_of_inference_have_three_names() -> None:
    # Over variables: a posterior. Over parameters: counts, and tables from them. Structure is not
    # inferred here.
    student = student_network()
    draws = {name: values.numpy() for name, values in student.sample(20_000).items()}
    assert query(student, ["x1"], given={"x2": 0}).probabilities["x1"]["1"] > 0.7
    counts, _ = expected_counts(student, draws)
    table = counts["x4"] / counts["x4"].sum(-1, keepdims=True)
    smallest = counts["x4"].sum(-1).min()
    exact = student.table("x4").probabilities.numpy()
    np.testing.assert_allclose(table, exact, atol=5 * 0.5 / smallest**0.5)
