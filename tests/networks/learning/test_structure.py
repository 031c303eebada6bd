import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch

from ancestral.errors import DataError
from ancestral.networks import BayesianNetwork, Node, Table, student_network
from ancestral.networks.dag import DAG
from ancestral.networks.learning import (
    chow_liu,
    family_score,
    fit_tables,
    hill_climb,
    log_likelihood,
    mutual_information,
    summarize,
)


def equivalence_class(parents: Mapping[str, Sequence[str]]) -> tuple[frozenset, frozenset]:
    """Return skeleton and immoralities: they name the class (Verma & Pearl 1990)."""
    skeleton = frozenset(frozenset((a, b)) for b, of in parents.items() for a in of)
    colliders = frozenset(
        (frozenset((a, c)), b)
        for b, of in parents.items()
        for a, c in itertools.combinations(of, 2)
        if frozenset((a, c)) not in skeleton
    )
    return skeleton, colliders


def sharp_network(parents: Mapping[str, Sequence[str]], seed: int) -> BayesianNetwork:
    """Build binary tables in which every parent matters."""
    rng = np.random.default_rng(seed)
    nodes = []
    for name, of in parents.items():
        odds = 0.3 * rng.standard_normal(())
        for axis, _ in enumerate(of):
            shape = [1] * len(of)
            shape[axis] = 2
            sign = rng.choice([-1, 1])
            odds = odds + (sign * rng.uniform(1.2, 2.0) * np.array([-1, 1])).reshape(shape)
        p = 1 / (1 + np.exp(-odds))
        nodes.append(Node(name, Table(np.stack((1 - p, p), -1)), tuple(of)))
    return BayesianNetwork(nodes)


def columns_of(network: BayesianNetwork, n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rows = network.sample(n, generator=torch.Generator().manual_seed(seed))
    return {name: rows[name].numpy().astype(np.uint8) for name in sorted(rows)}


GRAPHS = {
    "chain": {"a": (), "b": ("a",), "c": ("b",), "d": ("c",)},
    "collider": {"a": (), "b": (), "c": ("a", "b"), "d": ("c",)},
    "fork": {"a": (), "b": ("a",), "c": ("a",), "d": ("a",)},
    "diamond": {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",)},
}


@pytest.mark.parametrize("score", ["bic", "bdeu"])
@pytest.mark.parametrize("name", GRAPHS)
def test_hill_climbing_recovers_the_equivalence_class(name: str, score: str) -> None:
    network = sharp_network(GRAPHS[name], seed=3)
    found = hill_climb(columns_of(network, 20_000), score=score)
    assert equivalence_class(found.structure.parents) == equivalence_class(GRAPHS[name])


def test_the_best_of_all_graphs_of_four_nodes_is_found() -> None:
    """Brute force: no directed acyclic graph scores higher."""
    columns = columns_of(student_network(), 3000)
    names = list(columns)
    found = hill_climb(columns)
    best = -np.inf
    pairs = list(itertools.combinations(names, 2))
    for choice in itertools.product((0, 1, 2), repeat=len(pairs)):
        parents: dict[str, list[str]] = {name: [] for name in names}
        for (a, b), kind in zip(pairs, choice, strict=True):
            if kind:
                parents[b if kind == 1 else a].append(a if kind == 1 else b)
        try:
            DAG(parents)
        except ValueError:
            continue
        score = sum(
            family_score(
                summarize(
                    found.structure.__class__(parents, found.structure.states), columns
                ).tables[name]
            )
            for name in names
        )
        best = max(best, score)
    assert found.score == pytest.approx(best, rel=1e-12)


def test_the_score_is_that_of_the_structure() -> None:
    columns = columns_of(sharp_network(GRAPHS["diamond"], seed=1), 500)
    for score in ("bic", "bdeu"):
        found = hill_climb(columns, score=score)
        counts = summarize(found.structure, columns)
        total = sum(family_score(table, score=score) for table in counts.tables.values())
        assert found.score == pytest.approx(total, rel=1e-12)


def test_no_node_gets_more_parents_than_asked() -> None:
    parents = {**{f"p{i}": () for i in range(4)}, "y": tuple(f"p{i}" for i in range(4))}
    columns = columns_of(sharp_network(parents, seed=0), 5000)
    found = hill_climb(columns, max_parents=2)
    assert max(len(of) for of in found.structure.parents.values()) == 2


def test_tabu_never_ends_lower() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        names = [f"x{i}" for i in range(7)]
        parents = {
            name: tuple(rng.choice(names[:i], min(i, rng.integers(0, 3)), replace=False))
            for i, name in enumerate(names)
        }
        columns = columns_of(sharp_network(parents, seed), 2000, seed)
        greedy, tabu = hill_climb(columns, tabu=0), hill_climb(columns, tabu=10)
        assert tabu.score >= greedy.score - 1e-9


def test_independent_columns_get_no_edge() -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, 3, 2000) for name in "abc"}
    found = hill_climb(columns, tabu=0)
    assert found.moves == 0
    assert set(found.structure.parents.values()) == {()}


def test_chow_liu_recovers_a_tree() -> None:
    tree = {"a": (), "b": ("a",), "c": ("a",), "d": ("b",), "e": ("b",), "f": ("e",)}
    found = chow_liu(columns_of(sharp_network(tree, seed=2), 20_000), root="a")
    assert found.structure.parents == DAG(tree).as_mapping


def test_the_root_only_turns_edges_and_the_score_is_the_likelihood() -> None:
    columns = columns_of(student_network(), 2000)
    for root in columns:
        found = chow_liu(columns, root=root)
        assert [name for name, of in found.structure.parents.items() if not of] == [root]
        fitted = fit_tables(found.structure, columns)
        assert found.score == pytest.approx(log_likelihood(fitted, columns), rel=1e-10)


def test_the_tree_is_the_maximum_spanning_tree() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 3, (500, 8))
    columns = {f"v{i}": np.where(rng.random(500) < 0.5, base[:, i], base[:, 0]) for i in range(8)}
    information = mutual_information(columns)
    graph = networkx.from_numpy_array(information - np.diag(np.diag(information)))
    best = networkx.maximum_spanning_tree(graph).size(weight="weight")
    names = list(columns)
    edges = [(p, n) for n, of in chow_liu(columns).structure.parents.items() for p in of]
    total = sum(information[names.index(a), names.index(b)] for a, b in edges)
    assert total == pytest.approx(best, rel=1e-12)


def test_mutual_information_by_its_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, 300), rng.integers(0, 3, 300)
    p = np.zeros((2, 3))
    np.add.at(p, (a, b), 1 / 300)
    expected = (p * np.log(p / p.sum(1, keepdims=True) / p.sum(0))).sum()
    assert mutual_information({"a": a, "b": b})[0, 1] == pytest.approx(expected, rel=1e-10)


def test_state_names_are_taken() -> None:
    states = {"b": ("no", "yes", "never"), "a": ("no", "yes")}
    for learn in (hill_climb, chow_liu):
        structure = learn({"a": [0, 1], "b": [0, 1]}, states=states).structure
        assert dict(structure.states) == states


def test_wrong_arguments_are_refused() -> None:
    columns = {"a": [0, 1], "b": [0, 1]}
    with pytest.raises(ValueError, match="root must be one of a, b, got 'c'"):
        chow_liu(columns, root="c")
    with pytest.raises(ValueError, match="score must be one of bic, bdeu"):
        hill_climb(columns, score="k2")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="max_parents must be at least 1"):
        hill_climb(columns, max_parents=0)
    with pytest.raises(ValueError, match="above 0, got 0"):
        hill_climb(columns, equivalent_sample_size=0)
    with pytest.raises(DataError, match="at least one column"):
        hill_climb({})


@pytest.mark.parametrize(
    ("name", "published"), [("nltcs", -6.76), ("plants", -16.52), ("jester", -58.23)]
)
def test_chow_liu_trees_reach_the_published_likelihoods(
    real_data: Path, name: str, published: float
) -> None:
    """Rahman, Kothalkar & Gogate 2014, Cutset networks (column CLT)."""
    data = np.load(real_data / "debd" / f"{name}.npz")
    width = int(data["nvars"])
    train, test = (
        {
            f"v{i}": column
            for i, column in enumerate(np.unpackbits(data[f"{part}_bits"], axis=1).T[:width])
        }
        for part in ("train", "test")
    )
    fitted = fit_tables(chow_liu(train).structure, train, pseudo_count=1)
    assert log_likelihood(fitted, test) / len(test["v0"]) == pytest.approx(published, abs=0.01)
