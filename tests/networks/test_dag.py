import itertools

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.networks import DAG


@st.composite
def dags(draw: st.DrawFn, most: int = 8) -> DAG:
    """Draw a random DAG: a node may have any earlier node of a random order as a parent."""
    n = draw(st.integers(1, most))
    order = draw(st.permutations([f"x{i}" for i in range(n)]))
    parents = {
        name: [other for other in order[:i] if draw(st.booleans())] for i, name in enumerate(order)
    }
    return DAG(dict(draw(st.permutations(list(parents.items())))))


def as_networkx(dag: DAG) -> networkx.DiGraph:
    graph = networkx.DiGraph()
    graph.add_nodes_from(dag.names)
    graph.add_edges_from(dag.edges)
    return graph


@given(dags())
@settings(max_examples=300, deadline=None)
def test_order_and_relatives_agree_with_networkx(dag: DAG) -> None:
    graph = as_networkx(dag)
    for index, name in enumerate(dag.names):
        assert set(dag.parents(name)) <= set(dag.names[:index])
        assert dag.ancestors(name) == networkx.ancestors(graph, name)
        assert dag.descendants(name) == networkx.descendants(graph, name)
        assert set(dag.children(name)) == set(graph.successors(name))


@given(dags(most=6))
@settings(max_examples=100, deadline=None)
def test_d_separation_agrees_with_networkx(dag: DAG) -> None:
    graph = as_networkx(dag)
    for a, b in itertools.combinations(dag.names, 2):
        others = [name for name in dag.names if name not in (a, b)]
        for size in range(len(others) + 1):
            for blocked in itertools.combinations(others, size):
                expected = networkx.is_d_separator(graph, {a}, {b}, set(blocked))
                assert dag.d_separated([a], [b], given=blocked) == expected


@given(dags())
@settings(max_examples=100, deadline=None)
def test_markov_blanket_separates_a_node_from_the_rest(dag: DAG) -> None:
    for name in dag.names:
        blanket = dag.markov_blanket(name)
        rest = set(dag.names) - blanket - {name}
        assert dag.d_separated([name], rest, given=blanket)


def test_student_independences() -> None:
    dag = DAG({"x2": ["x1"], "x3": ["x1"], "x4": ["x2", "x3"]})
    assert dag.d_separated(["x2"], ["x3"], given=["x1"])
    assert dag.d_separated(["x4"], ["x1"], given=["x2", "x3"])
    assert not dag.d_separated(["x2"], ["x3"])
    assert not dag.d_separated(["x2"], ["x3"], given=["x1", "x4"])  # A collider opens.


def test_cycles_are_named() -> None:
    with pytest.raises(ValueError, match=r"no cycle, got a -> c -> b -> a"):
        DAG({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})


def test_self_loops_are_named() -> None:
    with pytest.raises(ValueError, match=r"no cycle, got a -> a"):
        DAG({"a": ["a"]})


def test_repeated_parents_are_refused() -> None:
    with pytest.raises(ValueError, match="parents of 'a' must differ"):
        DAG({"a": ["b", "b"]})


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no node 'c'; the nodes are"):
        DAG({"a": ["b"]}).parents("c")


def test_equality_repr_and_roots() -> None:
    dag = DAG({"x": ["z"]})
    assert dag == DAG({"z": [], "x": ["z"]})
    assert hash(dag) == hash(DAG({"z": [], "x": ["z"]}))
    assert repr(dag) == "DAG({'z': [], 'x': ['z']})"
    assert dag.roots == ("z",)
    assert len(dag) == 2
    assert "x" in dag
    assert "<svg" in dag.draw(observed=["x"])


def test_a_cut_takes_the_arrows_into_the_nodes_and_no_others() -> None:
    graph = DAG({"a": (), "b": ("a",), "c": ("a", "b"), "d": ("c",)})
    assert set(graph.cut(["c"]).edges) == {("a", "b"), ("c", "d")}
    assert graph.cut([]) == graph
    assert set(graph.cut(["b", "d"]).edges) == {("a", "c"), ("b", "c")}
    with pytest.raises(KeyError, match="no node 'z'"):
        graph.cut(["z"])
