import pytest
import torch
from tests.contracts.models import CASES, Case

from ancestral.capabilities import HasGraph
from ancestral.errors import CapabilityError
from ancestral.networks.dag import DAG


def having(network: bool) -> pytest.MarkDecorator:
    """Run a test for every model that has a graph with a network in it, or with none."""
    able = [(case, case.build()) for case in CASES]
    able = [case for case, m in able if isinstance(m, HasGraph) and bool(m.graph) == network]
    return pytest.mark.parametrize("case", able, ids=[case.name for case in able])


networks, energies = having(True), having(False)


@energies
def test_what_is_no_network_says_so_and_nothing_can_be_given(case: Case) -> None:
    for model in (case.fresh(), case.fitted()):
        assert dict(model.graph) == {}
        with pytest.raises(CapabilityError, match="unconditional"):
            model.sample(2, given={"x": torch.tensor(0)})


@networks
def test_there_is_a_generative_network_with_the_data_in_it(case: Case) -> None:
    for model in (case.fresh(), case.fitted()):
        graph = model.graph
        assert set(graph) <= {"p", "q"}
        assert all(isinstance(dag, DAG) for dag in graph.values())
        assert any(name[0] == "x" for name in graph["p"].names)  # x, or x1, x2, ...


@networks
def test_parents_come_before_children(case: Case) -> None:
    for dag in case.fitted().graph.values():
        order = {name: position for position, name in enumerate(dag.names)}
        assert all(order[parent] < order[child] for parent, child in dag.edges)


@networks
def test_what_can_be_given_is_in_the_network(case: Case) -> None:
    assert set(case.held_out.given) <= set(case.fitted().graph["p"].names)


@networks
def test_the_network_of_the_posterior_reads_the_data(case: Case) -> None:
    posterior = case.fitted().graph.get("q")
    if posterior is not None:
        assert "x" in posterior.roots


@networks
def test_the_graph_can_be_drawn(case: Case) -> None:
    for dag in case.fitted().graph.values():
        picture = dag.draw(observed=[name for name in dag.names if name[0] == "x"])
        assert picture.lstrip().startswith("<svg")
        assert all(f">{name}<" in picture for name in dag.names)
