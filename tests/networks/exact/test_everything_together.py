"""Evidence, soft evidence and interventions at once, in every kind of question, by brute force."""

import math
import random

import numpy as np
import pytest
from tests.networks.exact.networks import enumerate_joint, random_network

from ancestral.errors import InferenceError
from ancestral.networks import BayesianNetwork, Inference, Node, Table, student_network


class Question:
    """A random network with something given, something set and something seen softly."""

    def __init__(self, seed: int) -> None:
        self.network, rng = random_network(seed, most=7), random.Random(seed)
        names = list(self.network.nodes)
        rng.shuffle(names)
        third = len(names) // 3

        def some(chosen: list[str]) -> dict[str, int]:
            return {name: rng.randrange(len(self.network.states(name))) for name in chosen}

        self.given, self.do = some(names[:third]), some(names[third : 2 * third])
        soft = rng.sample(names, 2)  # Also of nodes that are known.
        self.likelihood = {n: [rng.random() for _ in self.network.states(n)] for n in soft}
        self.free = [n for n in names if n not in self.given and n not in self.do]
        self.rng = rng

    @property
    def words(self) -> dict[str, dict]:
        return {"likelihood": self.likelihood, "do": self.do}

    def table(self) -> tuple[list[str], np.ndarray]:
        """Return p(all nodes, what is known), multiplied out in the mutilated network."""
        nodes = [
            Node(name, Table(np.eye(len(self.network.states(name)))[self.do[name]]))
            if name in self.do
            else node
            for name, node in self.network.nodes.items()
        ]
        names, table = enumerate_joint(BayesianNetwork(nodes))
        for name, likelihood in self.likelihood.items():
            table = table * np.reshape(likelihood, [-1 if n == name else 1 for n in names])
        masked = np.zeros_like(table)
        slot = tuple(self.given.get(name, slice(None)) for name in names)
        masked[slot] = table[slot]
        return names, masked


def margin(names: list[str], table: np.ndarray, kept: list[str]) -> np.ndarray:
    """Sum all but some nodes out, and put those in order."""
    summed = table.sum(tuple(i for i, name in enumerate(names) if name not in kept))
    left = [name for name in names if name in kept]
    return summed.transpose([left.index(name) for name in kept])


@pytest.mark.parametrize("seed", range(25))
def test_joints(seed: int) -> None:
    asked = Question(seed)
    names, table = asked.table()
    inference = Inference(asked.network)
    posterior = inference.query(given=asked.given, **asked.words)
    for name in names:
        exact = margin(names, table, [name]) / table.sum()
        np.testing.assert_allclose(list(posterior.probabilities[name].values()), exact, atol=1e-12)
    some = asked.rng.sample(names, min(len(names), 3))  # Known ones, too.
    found = inference.joint(some, given=asked.given, **asked.words)
    np.testing.assert_allclose(found, margin(names, table, some) / table.sum(), atol=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_most_probable_states(seed: int) -> None:
    asked = Question(seed)
    names, table = asked.table()
    inference = Inference(asked.network)
    known = {**asked.given, **asked.do}
    found = inference.most_probable(asked.given, **asked.words)
    assert set(found.states) == set(asked.free)
    best = tuple(int(found.states.get(name, known.get(name, 0))) for name in names)
    assert table[best] == pytest.approx(table.max(), rel=1e-12)
    assert found.log_probability == pytest.approx(math.log(table.max()), abs=1e-12)

    some = asked.rng.sample(asked.free, asked.rng.randint(1, len(asked.free)))
    found = inference.marginal_map(some, asked.given, **asked.words)
    summed = margin(names, table, some)
    best = tuple(int(found.states[name]) for name in some)
    assert summed[best] == pytest.approx(summed.max(), rel=1e-12)
    assert found.log_probability == pytest.approx(math.log(summed.max()), abs=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_rows(seed: int) -> None:
    """Rows equal single queries, which the test of joints compares with brute force."""
    asked = Question(seed)
    rng = np.random.default_rng(seed)
    seen = [*asked.given, *asked.free[: len(asked.free) // 2]]
    rows = {n: rng.integers(-1, len(asked.network.states(n)), size=40) for n in seen}
    inference = Inference(asked.network)
    answer = inference.query_rows(rows, **asked.words)
    for at in range(40):
        given = {name: int(column[at]) for name, column in rows.items() if column[at] >= 0}
        one = inference.query(given=given, **asked.words)
        assert answer.log_evidence[at] == pytest.approx(one.log_evidence, abs=1e-12)
        for name, states in one.probabilities.items():
            ours = answer.probabilities[name][at]
            np.testing.assert_allclose(ours, list(states.values()), atol=1e-12)


def test_what_is_set_is_not_asked_or_given() -> None:
    inference = Inference(student_network())
    with pytest.raises(InferenceError, match="'x2' is set: its state is known"):
        inference.marginal_map(["x2"], do={"x2": 1})
    with pytest.raises(InferenceError, match="'x2' cannot be both given and set by do"):
        inference.query_rows({"x2": [0, -1]}, do={"x2": 1})
    with pytest.raises(
        InferenceError, match=r"row 2: .*the likelihood of x2.*cannot hold together"
    ):
        inference.query_rows({"x2": [1, 0]}, likelihood={"x2": [0, 1]})


def test_a_string_is_one_name() -> None:
    inference = Inference(student_network())
    assert set(inference.query("x2").probabilities) == {"x2"}
    assert set(inference.query_rows({"x1": [0]}, "x2").probabilities) == {"x2"}
    assert inference.joint("x2").shape == (2,)
    assert set(inference.marginal_map("x2").states) == {"x2"}
    assert inference.cost("x2").entries == inference.cost(["x2"]).entries
    with pytest.raises(InferenceError, match="no node 'x9'"):
        inference.query("x9")
