import random
from itertools import pairwise

import pytest

from ancestral.networks.dag import DAG
from ancestral.networks.layered import (
    GAP_ACROSS,
    assign_layers,
    count_crossings,
    lay_out,
)


def random_dag(n: int, edges: int, seed: int) -> DAG:
    draw = random.Random(seed)
    pairs = [(f"n{i}", f"n{j}") for j in range(n) for i in range(j)]
    parents: dict[str, list[str]] = {f"n{i}": [] for i in range(n)}
    for parent, child in draw.sample(pairs, edges):
        parents[child].append(parent)
    return DAG(parents)


@pytest.mark.parametrize("seed", range(10))
def test_every_edge_goes_to_a_later_layer(seed: int) -> None:
    dag = random_dag(15, 25, seed)
    layer = assign_layers(dag)
    assert all(layer[parent] < layer[child] for parent, child in dag.edges)
    assert min(layer.values()) == 0


def test_a_root_stands_just_above_its_children() -> None:
    layer = assign_layers(DAG({"b": ["a"], "c": ["b"], "d": ["c", "late"]}))
    assert layer == {"a": 0, "b": 1, "c": 2, "late": 2, "d": 3}


@pytest.mark.parametrize("seed", range(10))
def test_nodes_and_bends_of_a_layer_do_not_overlap(seed: int) -> None:
    dag = random_dag(20, 35, seed)
    sizes = {name: (30.0 + 5 * i, 20.0) for i, name in enumerate(dag.names)}
    layout = lay_out(dag, sizes)
    for level in range(len(layout.bands)):
        spans = [
            (layout.across[n] - sizes[n][0] / 2, layout.across[n] + sizes[n][0] / 2)
            for n in dag.names
            if layout.layer[n] == level
        ]
        for (a, b), bends in layout.bends.items():
            if layout.layer[a] < level < layout.layer[b]:
                at = bends[level - layout.layer[a] - 1]
                spans.append((at - 4, at + 4))
        spans.sort()
        assert all(one[1] + GAP_ACROSS <= two[0] + 1e-6 for one, two in pairwise(spans))
        assert spans[0][0] >= -1e-6
        assert spans[-1][1] <= layout.size[0] + 1e-6


def test_crossings_are_counted_and_removed() -> None:
    below = {"a": ["d"], "b": ["c"], "c": [], "d": []}
    assert count_crossings([["a", "b"], ["c", "d"]], below) == 1
    assert count_crossings([["a", "b"], ["d", "c"]], below) == 0
    layout = lay_out(DAG({"c": ["b"], "d": ["a"]}), dict.fromkeys("abcd", (20.0, 20.0)))
    across = layout.across
    assert (across["a"] < across["b"]) == (across["d"] < across["c"])


def test_a_diamond_is_symmetric() -> None:
    dag = DAG({"x2": ["x1"], "x3": ["x1"], "x4": ["x2", "x3"]})
    across = lay_out(dag, dict.fromkeys(dag.names, (40.0, 40.0))).across
    assert across["x1"] == pytest.approx(across["x4"])
    assert across["x1"] == pytest.approx((across["x2"] + across["x3"]) / 2)


def test_a_graph_without_nodes_has_no_extent() -> None:
    assert lay_out(DAG({}), {}).size == (0.0, 0.0)
