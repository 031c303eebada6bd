"""What falls apart under moves of one node, against chains that are followed step by step."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.networks.approximate.nets import grid
from torch import Generator

from ancestral.networks import BayesianNetwork, Node, Table, student_network
from ancestral.networks.approximate import gibbs, likelihood_weighting, rejection
from ancestral.networks.approximate.determinism import NEARLY, tied_nodes

COPY = [[1.0, 0.0], [0.0, 1.0]]
OR = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]
XOR = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
COIN = [0.5, 0.5]


def two_causes(table: list) -> BayesianNetwork:
    """Return two coins and what they cause."""
    coins = [Node("a", Table(COIN)), Node("b", Table(COIN))]
    return BayesianNetwork([*coins, Node("c", Table(table), parents=("a", "b"))])


@pytest.mark.parametrize(
    ("table", "evidence", "tied"),
    [
        (OR, {}, [("c", "a", "b")]),
        (OR, {"c": 1}, []),  # 01, 11, 10: one bit at a time leads everywhere.
        (OR, {"a": 0}, [("c", "b")]),  # b and c are the same.
        (OR, {"a": 1}, []),  # c is known, b is free.
        (XOR, {"c": 1}, [("a", "b")]),  # 01 and 10: both bits must move together.
        (XOR, {"c": 1, "a": 0}, []),  # One is left.
    ],
)
def test_by_hand(table: list, evidence: dict[str, int], tied: list[tuple[str, ...]]) -> None:
    assert tied_nodes(two_causes(table), evidence) == tied


def test_nearly_is_told_and_plain_tables_are_not() -> None:
    def noisy(p: float) -> BayesianNetwork:
        table = Table([[1 - p, p], [p, 1 - p]])
        return BayesianNetwork([Node("a", Table(COIN)), Node("b", table, parents=("a",))])

    assert tied_nodes(noisy(0.5 * NEARLY), {}) == [("b", "a")]
    assert tied_nodes(noisy(2 * NEARLY), {}) == []
    assert tied_nodes(student_network(), {"x4": 1}) == []
    assert tied_nodes(grid(), {}) == []


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), given=st.sampled_from([{}, {"c": 0}, {"a": 1}]))
def test_one_table_falls_apart_where_its_chain_does(seed: int, given: dict[str, int]) -> None:
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.ones(3), (2, 3)) * (rng.random((2, 3, 3)) < 0.5)
    table[..., 0] += table.sum(axis=-1) == 0
    table /= table.sum(axis=-1, keepdims=True)
    nodes = [Node("a", Table(COIN)), Node("b", Table([0.2, 0.3, 0.5]))]
    network = BayesianNetwork([*nodes, Node("c", Table(table), parents=("a", "b"))])
    fixed = tuple(given.get(name, slice(None)) for name in "abc")
    possible = np.argwhere(np.atleast_1d(table[fixed] > NEARLY * table[fixed].max())).tolist()
    reached = {tuple(possible[0])} if possible else set()
    for _ in possible:  # Each round moves one coordinate of all that were reached.
        reached |= {
            tuple(to)
            for to, of in itertools.product(possible, list(reached))
            if sum(x != y for x, y in zip(to, of, strict=True)) <= 1
        }
    assert bool(tied_nodes(network, given)) == (len(reached) < len(possible))


def test_gibbs_names_what_shuts_it_in(generator: Generator) -> None:
    answer = gibbs(two_causes(XOR), ["a"], given={"c": 1}, draws=10, generator=generator)
    (warning,) = answer.warnings
    assert "tie hidden nodes together (a, b): " in warning
    assert gibbs(student_network(), ["x1"], draws=10, generator=generator).warnings == ()
    # What is below the targets and the evidence is not sampled, and not a matter.
    assert gibbs(two_causes(XOR), ["a"], draws=10, generator=generator).warnings == ()


@pytest.mark.parametrize("method", [likelihood_weighting, rejection])
def test_few_effective_draws_are_a_warning(method: object, generator: Generator) -> None:
    rare = BayesianNetwork(
        [
            Node("a", Table([0.999, 0.001])),
            Node("b", Table([[1 - 1e-6, 1e-6], [0.0, 1.0]]), parents=("a",)),
        ]
    )
    found = method(rare, ["a"], given={"b": 1}, draws=20_000, generator=generator)
    assert found.diagnostics["effective_sample_size"] < 100
    (warning,) = found.warnings
    assert warning.startswith("20,000 draws are worth")
    assert method(student_network(), ["x1"], given={"x2": 1}, generator=generator).warnings == ()
    assert method(student_network(), ["x1"], draws=20, generator=generator).warnings == ()


def test_many_states_and_parents_are_looked_through(generator: Generator) -> None:
    sizes = (9, 8, 7, 6)
    nodes = [Node(f"p{i}", Table(torch.full((size,), 1 / size))) for i, size in enumerate(sizes)]
    table = torch.rand(*sizes, 5, generator=generator, dtype=torch.float64) + 0.1
    table /= table.sum(dim=-1, keepdim=True)
    whole = Node("c", Table(table), parents=tuple(node.name for node in nodes))
    assert tied_nodes(BayesianNetwork([*nodes, whole]), {}) == []
