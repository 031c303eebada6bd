from tests.contracts.models import Case, cases

from ancestral.networks.dag import DAG

pytestmark = cases("graph")


def test_there_is_a_generative_network_with_the_data_in_it(case: Case) -> None:
    for model in (case.fresh(), case.fitted()):
        graph = model.graph
        assert set(graph) <= {"p", "q"}
        assert all(isinstance(dag, DAG) for dag in graph.values())
        assert any(name[0] == "x" for name in graph["p"].names)  # x, or x1, x2, ...


def test_parents_come_before_children(case: Case) -> None:
    for dag in case.fitted().graph.values():
        order = {name: position for position, name in enumerate(dag.names)}
        assert all(order[parent] < order[child] for parent, child in dag.edges)


def test_what_can_be_given_is_in_the_network(case: Case) -> None:
    assert set(case.held_out.given) <= set(case.fitted().graph["p"].names)


def test_the_network_of_the_posterior_reads_the_data(case: Case) -> None:
    posterior = case.fitted().graph.get("q")
    if posterior is not None:
        assert "x" in posterior.roots


def test_the_graph_can_be_drawn(case: Case) -> None:
    for dag in case.fitted().graph.values():
        picture = dag.draw(observed=[name for name in dag.names if name[0] == "x"])
        assert picture.lstrip().startswith("<svg")
        assert all(f">{name}<" in picture for name in dag.names)
