import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.errors import InferenceError
from ancestral.networks import (
    BayesianNetwork,
    Inference,
    Node,
    Table,
    gibbs,
    likelihood_weighting,
    loopy_belief_propagation,
    plain_evidence,
    student_network,
)
from ancestral.networks.exact.evidence import by_pattern, read_case, read_rows, smallest_conflict
from ancestral.networks.exact.tables import Tables
from ancestral.networks.learning import sensitivity


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sets(st.integers(0, 7), min_size=1), min_size=1, max_size=4))
def test_the_conflict_is_one_and_no_part_of_it_is(conflicts: list[set[int]]) -> None:
    def possible(some: list[int]) -> bool:
        return not any(conflict <= set(some) for conflict in conflicts)

    found = smallest_conflict(range(8), possible)
    assert not possible(found)
    for part in itertools.combinations(found, len(found) - 1):
        assert possible(list(part))


def test_rows_are_grouped_by_what_is_missing() -> None:
    rows = np.array([[0, -1, 1, -1, 0], [1, 1, -1, 0, 0]])
    groups = {tuple(known): members.tolist() for known, members in by_pattern(rows)}
    assert groups == {(True, True): [0, 4], (False, True): [1, 3], (True, False): [2]}
    assert by_pattern(rows[:, :0]) == []


def test_wrong_evidence_is_named() -> None:
    tables = Tables(student_network())
    with pytest.raises(InferenceError, match="the likelihood of 'x1' must be 2 finite numbers"):
        read_case(tables, None, {"x1": [0, 0]})
    with pytest.raises(InferenceError, match=r"not all 0, got shape \[3\]"):
        read_case(tables, None, {"x1": [1, 2, 3]})
    with pytest.raises(InferenceError, match="'x1' has no state 2"):
        read_case(tables, {"x1": 2})
    with pytest.raises(InferenceError, match="all columns need 2 rows, 'x2' has 1"):
        read_rows(tables, {"x1": [0, 1], "x2": [0]})
    with pytest.raises(InferenceError, match="at least one column"):
        read_rows(tables, {})
    with pytest.raises(InferenceError, match="got -2"):
        read_rows(tables, {"x1": [0, -2]})


def smoking(states: list) -> BayesianNetwork:
    cancer = Table([[0.2, 0.8], [0.01, 0.99]], states=["True", "False"])
    smoker = Node("Smoker", Table([0.3, 0.7], states=states))
    return BayesianNetwork([smoker, Node("Cancer", cancer, ("Smoker",))])


@pytest.mark.parametrize("states", [["True", "False"], ["TRUE", "FALSE"], [True, False]])
def test_a_truth_value_is_the_name_of_a_state(states: list) -> None:
    network, given = smoking(states), {"Smoker": True}
    inference = Inference(network)
    answer = inference.query(["Cancer"], given=given)
    assert answer.probabilities["Cancer"]["True"] == pytest.approx(0.2, abs=1e-15)
    assert answer.log_evidence == pytest.approx(math.log(0.3), abs=1e-15)
    done = inference.query(["Cancer"], do={"Smoker": False}).probabilities["Cancer"]["True"]
    assert done == pytest.approx(0.01, abs=1e-15)
    best = inference.most_probable({"Cancer": True}).states["Smoker"]
    assert best == network.states("Smoker")[0]
    assert network.sample(3, given=given)["Smoker"].tolist() == [0, 0, 0]
    effect = sensitivity(network, {"Cancer": True}, node="Smoker", state=True)
    assert effect.derivative() == pytest.approx(0.19, abs=1e-12)
    for method in (likelihood_weighting, gibbs, loopy_belief_propagation):
        found = method(network, ["Smoker", "Cancer"], given=given)
        assert found.probabilities["Smoker"][network.states("Smoker")[0]] == 1
    plain = plain_evidence(network, do={"Smoker": True})
    assert plain.network.table("Smoker").probabilities.tolist() == [1, 0]


def test_a_truth_value_is_no_position() -> None:
    network = smoking(["no", "yes"])
    refused = pytest.raises(InferenceError, match="'Smoker' has no state True; its states are no")
    with refused:
        Inference(network).query(given={"Smoker": True})
    with refused:
        network.sample(1, given={"Smoker": True})
    with pytest.raises(InferenceError, match="at indices of states, got torch"):
        network.sample(2, given={"Smoker": torch.tensor([True, False])})


def test_a_number_is_a_name_beside_numbers_and_else_a_position() -> None:
    network = smoking(["1", "2"])
    for one in (1, 1.0, "1", "1.0", np.int64(1)):
        answer = Inference(network).query(["Cancer"], given={"Smoker": one})
        assert answer.probabilities["Cancer"]["True"] == pytest.approx(0.2, abs=1e-15)
        assert network.sample(2, given={"Smoker": one})["Smoker"].tolist() == [0, 0]
    with pytest.raises(InferenceError, match="'Smoker' has no state 0; its states are 1, 2"):
        Inference(network).query(given={"Smoker": 0})
    found = Inference(smoking(["no", "yes"])).log_evidence({"Smoker": 1})
    assert found == pytest.approx(math.log(0.7), abs=1e-15)
    # Tensors and rows are indices, whatever the states are called.
    assert network.sample(2, given={"Smoker": torch.tensor([0, 1])})["Smoker"].tolist() == [0, 1]
    rows = Inference(network).query_rows({"Smoker": [0, 1]}, ["Cancer"]).probabilities["Cancer"]
    assert rows[:, 0].tolist() == pytest.approx([0.2, 0.01])


def test_few_names_stand_in_a_message() -> None:
    network = BayesianNetwork([Node(f"n{i}", Table([0.5, 0.5])) for i in range(500)])
    for call in (
        Inference(network).query,
        network.table,
        lambda n: likelihood_weighting(network, n),
    ):
        with pytest.raises(InferenceError, match=r"no node 'z'; .*, \.\.\. \(500 in all\)"):
            call("z")
