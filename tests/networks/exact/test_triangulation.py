import itertools
import math
import random

import pytest
from tests.networks.exact.networks import random_network

from ancestral.networks.exact.junction_tree import junction_tree
from ancestral.networks.exact.tables import Tables
from ancestral.networks.exact.triangulation import bits, moralise, triangulate


def mask(*nodes: int) -> int:
    return sum(1 << node for node in nodes)


def test_a_ring_is_cut_into_triangles() -> None:
    ring = moralise([mask(i, (i + 1) % 8) for i in range(8)], 8)
    order = triangulate(ring, [2] * 8, mask(*range(8)))
    assert sorted(order.nodes) == list(range(8))
    assert max(around.bit_count() for around in order.neighbours) == 2
    tree = junction_tree(order, [2] * 8)
    assert [clique.entries for clique in tree.cliques] == [8] * 6  # n - 2 triangles.


def test_a_chordal_graph_gets_no_new_edge() -> None:
    rng = random.Random(0)
    for _ in range(20):
        # Each new node joins a clique, so the graph is chordal.
        scopes = [mask(0)]
        for node in range(1, 14):
            base = list(bits(rng.choice(scopes)))
            scopes.append(mask(node, *rng.sample(base, rng.randint(1, min(3, len(base))))))
        graph = moralise(scopes, 14)
        order = triangulate(graph, [2] * 14, mask(*range(14)))
        edges = sum(around.bit_count() for around in order.neighbours)
        assert edges == sum(around.bit_count() for around in graph) // 2


def test_the_last_group_comes_last() -> None:
    graph = moralise([mask(0, 1), mask(1, 2), mask(2, 3)], 4)
    order = triangulate(graph, [2] * 4, mask(1, 2), mask(0, 3))
    assert set(order.nodes[:2]) == {1, 2}
    assert order.entries == sum(2 ** (1 + around.bit_count()) for around in order.neighbours)


def test_more_orders_are_tried_where_the_first_is_large() -> None:
    # A grid of 12 x 12 with three states has cliques of at least 3^12 entries.
    side = 12
    pairs = [
        mask(side * i + j, side * k + m)
        for i, j in itertools.product(range(side), repeat=2)
        for k, m in ((i + 1, j), (i, j + 1))
        if k < side and m < side
    ]
    graph, sizes = moralise(pairs, side * side), [3] * side * side
    order = triangulate(graph, sizes, (1 << side * side) - 1)
    assert sorted(order.nodes) == list(range(side * side))
    largest = max(clique.entries for clique in junction_tree(order, sizes).cliques)
    assert 3**12 <= largest <= 3**17


@pytest.mark.parametrize("seed", range(30))
def test_the_tree_holds_every_table_and_each_node_hangs_together(seed: int) -> None:
    tables = Tables(random_network(seed, most=14))
    size = len(tables.sizes)
    order = triangulate(moralise(tables.families, size), tables.sizes, (1 << size) - 1)
    tree = junction_tree(order, tables.sizes)
    sets = [set(clique.nodes) for clique in tree.cliques]
    for scope in tables.scopes:
        assert any(set(scope) <= nodes for nodes in sets)
    for node in range(size):
        holding = [at for at, nodes in enumerate(sets) if node in nodes]
        tops = [at for at in holding if tree.cliques[at].parent not in holding]
        assert len(tops) == 1  # Running intersection: the cliques of a node are one subtree.
        assert node in sets[tree.home[node]]
    for a, b in itertools.permutations(sets, 2):
        assert not a <= b  # Only maximal cliques are kept.
    for clique in tree.cliques:
        assert clique.parent < tree.cliques.index(clique)
        shared = clique.nodes[len(clique.nodes) - clique.separator :]
        assert not clique.separator or set(shared) <= sets[clique.parent]
        assert clique.entries == math.prod(tables.sizes[node] for node in clique.nodes)
