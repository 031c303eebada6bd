"""The fast path of tables draws from the law of the plain path, exactly where that is certain."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from torch import Generator, Tensor

from ancestral.networks import BayesianNetwork, Node, Table, joint, query, read_bif, student_network
from ancestral.networks.discrete_sampling import BLOCK, sample_tables, thresholds


def diamond() -> BayesianNetwork:
    """Return four nodes of 2 to 5 states, one of one state, tables with zeros and ones."""
    rng = np.random.default_rng(5)
    c = rng.dirichlet(np.ones(5), (3, 2))
    c[0, 0] = [0, 0, 1, 0, 0]
    c[1, 1] = [0, 0.5, 0, 0.5, 0]
    return BayesianNetwork(
        [
            Node("a", Table([0.2, 0.0, 0.8])),
            Node("b", Table(rng.dirichlet(np.ones(2), 3)), parents=("a",)),
            Node("only", Table(np.ones((2, 1))), parents=("b",)),
            Node("c", Table(c), parents=("a", "b")),
            Node("d", Table(rng.dirichlet(np.ones(3), (1, 5, 2))), parents=("only", "c", "b")),
        ]
    )


def cells(network: BayesianNetwork, draws: dict[str, Tensor]) -> np.ndarray:
    """Count every configuration of all nodes."""
    index = np.zeros(len(next(iter(draws.values()))), dtype=np.int64)
    for name in network.nodes:
        index = index * len(network.states(name)) + draws[name].numpy()
    size = int(np.prod([len(network.states(name)) for name in network.nodes]))
    return np.bincount(index, minlength=size)


def test_the_law_is_that_of_the_plain_path(generator: Generator) -> None:
    network, n = diamond(), 200_000
    fast = cells(network, sample_tables(network, n, {}, generator))
    plain = cells(network, network._draw_one_by_one(n, {}, generator))
    exact = joint(network, list(network.nodes)).flatten().numpy()
    assert not fast[exact == 0].any()
    common = exact * n > 5  # The usual rule: cells of fewer do not follow chi-square.
    assert chi2_contingency(np.stack([fast, plain])[:, common]).pvalue > 1e-4


def test_the_cells_of_the_student_network(generator: Generator) -> None:
    network, n = student_network(), 1_000_000
    share = cells(network, network.sample(n, generator=generator)) / n
    exact = joint(network, ["x1", "x2", "x3", "x4"]).flatten().numpy()
    # Four standard errors in each of 16 cells fail by chance once in a thousand seeds.
    assert (np.abs(share - exact) < 4 * np.sqrt(exact * (1 - exact) / n)).all()


def test_given_roots_are_held_and_come_back_as_they_were() -> None:
    network = student_network()
    x1 = torch.tensor([0, 1]).repeat(50_000)
    draws = network.sample(100_000, given={"x1": x1})
    assert list(draws) == ["x1", "x2", "x3", "x4"]
    assert torch.equal(draws["x1"], x1)
    assert all(column.dtype == torch.int64 for column in draws.values())
    for state, p in ((0, 0.20), (1, 0.75)):
        share = draws["x2"][x1 == state].double().mean().item()
        assert share == pytest.approx(p, abs=5 * (p * (1 - p) / 50_000) ** 0.5)


@pytest.mark.bits
def test_the_generator_decides() -> None:
    network = diamond()
    one, two, other = (
        network.sample(BLOCK + 3, generator=Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], two[name]) for name in network.nodes)
    assert not torch.equal(one["d"], other["d"])
    torch.manual_seed(3)
    first = network.sample(9)["d"]
    torch.manual_seed(3)
    assert torch.equal(first, network.sample(9)["d"])


def test_many_states_and_many_rows(generator: Generator) -> None:
    # More than a byte holds: 300 states, and a table of 90,000 rows.
    uniform = torch.full((300,), 1 / 300, dtype=torch.float64)
    shift = torch.eye(300, dtype=torch.float64)
    both = (torch.arange(300)[:, None] + torch.arange(300)) % 300
    network = BayesianNetwork(
        [
            Node("a", Table(uniform)),
            Node("b", Table(shift.roll(7, 1)), parents=("a",)),
            Node("c", Table(torch.eye(2)[both % 2]), parents=("a", "b")),
        ]
    )
    draws = network.sample(20_000, generator=generator)
    assert torch.equal(draws["b"], (draws["a"] + 7) % 300)
    assert torch.equal(draws["c"], (draws["a"] + draws["b"]) % 300 % 2)
    assert len(draws["a"].unique()) == 300


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), states=st.integers(1, 9))
def test_no_uniform_number_picks_an_impossible_state(seed: int, states: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(states), 20) * (rng.random((20, states)) < 0.5)
    rows[:, rng.integers(states)] += 1e-9
    rows /= rows.sum(1, keepdims=True)
    for u in (0.0, np.nextafter(1.0, 0.0), *rng.random(20)):
        picked = (u >= thresholds(rows)).sum(0)
        assert (rows[np.arange(20), picked] > 0).all()


def test_real_marginals(real_data: Path, generator: Generator) -> None:
    network, n = read_bif(real_data / "bif" / "child.bif.gz"), 100_000
    draws = network.sample(n, generator=generator)
    for name in network.nodes:
        exact = np.array(list(query(network, [name]).probabilities[name].values()))
        share = np.bincount(draws[name].numpy(), minlength=len(exact)) / n
        assert (np.abs(share - exact) <= 5 * np.sqrt(exact * (1 - exact) / n) + 1e-12).all()
