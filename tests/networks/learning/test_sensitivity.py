import math

import numpy as np
import pytest
import torch

from ancestral.errors import InferenceError
from ancestral.networks import BayesianNetwork, Inference, Node, Table, query, student_network
from ancestral.networks.learning import Structure, sensitivities, sensitivity


def random_network(seed: int) -> BayesianNetwork:
    rng = np.random.default_rng(seed)
    sizes = {f"x{i}": int(rng.integers(2, 4)) for i in range(6)}
    names = list(sizes)
    nodes = []
    for i, name in enumerate(names):
        parents = tuple(str(p) for p in rng.choice(names[:i], min(i, 2), replace=False))
        shape = [sizes[p] for p in parents]
        nodes.append(Node(name, Table(rng.dirichlet(np.ones(sizes[name]), size=shape)), parents))
    return BayesianNetwork(nodes)


def moved(
    network: BayesianNetwork, node: str, position: tuple[int, ...], t: float
) -> BayesianNetwork:
    tables = {name: network.table(name).probabilities.numpy().copy() for name in network.nodes}
    row = tables[node][position[:-1]]
    old = row[position[-1]]
    row *= (1 - t) / (1 - old)
    row[position[-1]] = t
    return Structure.of(network).network(tables)


@pytest.mark.parametrize("seed", range(8))
def test_the_function_is_the_posterior_of_the_changed_network(seed: int) -> None:
    network = random_network(seed)
    rng = np.random.default_rng(seed + 100)
    node = str(rng.choice(list(network.nodes)))
    parents = {p: int(rng.integers(len(network.states(p)))) for p in network.nodes[node].parents}
    state = int(rng.integers(len(network.states(node))))
    position = (*parents.values(), state)
    given = {"x5": 0, "x3": 1}
    effect = sensitivity(network, {"x0": 1}, node=node, state=state, parents=parents, given=given)

    def posterior(t: float) -> float:
        answer = query(moved(network, node, position, t), ["x0"], given=given)
        return answer.probabilities["x0"]["1"]

    for t in (0.1, 0.5, 0.9, effect.entry):
        assert effect(t) == pytest.approx(posterior(t), abs=1e-12)
    step = 1e-5  # The error of the central difference is of order step^2 and 1e-16 / step.
    slope = (posterior(effect.entry + step) - posterior(effect.entry - step)) / (2 * step)
    assert effect.derivative() == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_all_entries_of_a_table_at_once(seed: int) -> None:
    """Against the posteriors of the networks in which one entry is moved."""
    network = random_network(seed)
    given, target = {"x5": 0}, {"x1": 1, "x2": 0}
    for node in network.nodes:
        found = sensitivities(network, target, node=node, given=given)
        table = network.table(node).probabilities
        assert len(found) == table.numel()
        for at, (entry, effect) in enumerate(found.items()):
            position = tuple(int(state) for state in entry)
            assert effect.entry == table.flatten()[at] == table[position]
            for t in (0.2, 0.7):
                changed = Inference(moved(network, node, position, t))
                exact = changed.joint(list(target), given=given)[1, 0].item()
                assert effect(t) == pytest.approx(exact, abs=1e-12)
            parents = dict(zip(network.nodes[node].parents, entry, strict=False))
            one = sensitivity(
                network, target, node=node, state=entry[-1], parents=parents, given=given
            )
            assert one == effect


def test_what_the_target_rules_out_has_no_effect() -> None:
    network = BayesianNetwork(
        [Node("a", Table([0.5, 0.5])), Node("b", Table(torch.eye(2)), ("a",))]
    )
    found = sensitivities(network, {"a": 1}, node="b", given={"b": 1})
    # P(a = 1 | b = 1) = p(b=1 | a=1) / (p(b=1 | a=0) + p(b=1 | a=1)), of which the first is 0.
    slopes = {entry: effect.derivative() for entry, effect in found.items()}
    assert slopes == pytest.approx(
        {("0", "0"): 1.0, ("0", "1"): -1.0, ("1", "0"): 0.0, ("1", "1"): 0.0}
    )


def test_a_joint_target_and_no_evidence() -> None:
    effect = sensitivity(student_network(), {"x1": "1", "x2": "1"}, node="x1", state="1")
    assert effect(0.9) == pytest.approx(0.9 * 0.75, abs=1e-14)
    assert effect.derivative() == pytest.approx(0.75, abs=1e-14)


def test_an_entry_of_one_leaves_the_others_equal() -> None:
    network = BayesianNetwork([Node("a", Table([1.0, 0.0, 0.0]))])
    effect = sensitivity(network, {"a": 1}, node="a", state=0)
    assert effect.entry == 1
    assert effect(0.5) == pytest.approx(0.25)
    assert effect.derivative() == pytest.approx(-0.5)


def test_long_chains_do_not_underflow() -> None:
    step = Table([[0.9, 0.1], [0.2, 0.8]])
    sensor = Table([[1 - 1e-6, 1e-6], [1 - 2e-6, 2e-6]])
    nodes = [Node("z0", Table([0.5, 0.5]))]
    for i in range(1, 80):
        nodes += [Node(f"z{i}", step, (f"z{i - 1}",)), Node(f"y{i}", sensor, (f"z{i}",))]
    network = BayesianNetwork(nodes)
    given = {f"y{i}": 1 for i in range(1, 80)}
    effect = sensitivity(network, {"z0": 1}, node="z0", state=1, given=given)
    assert math.log(1e-6) * 79 < -745  # The evidence itself is 0 in float64.
    assert effect(0.5) == pytest.approx(
        query(network, ["z0"], given=given).probabilities["z0"]["1"]
    )


def test_wrong_arguments_are_refused() -> None:
    student = student_network()
    with pytest.raises(ValueError, match="'x1' is in both"):
        sensitivity(student, {"x1": 1}, given={"x1": 1}, node="x1", state=1)
    with pytest.raises(ValueError, match=r"a state to each of \['x1'\], got \[\]"):
        sensitivity(student, {"x1": 1}, node="x2", state=1)
    with pytest.raises(InferenceError, match="no state 'maybe'"):
        sensitivity(student, {"x1": "maybe"}, node="x1", state=1)
    with pytest.raises(InferenceError, match="no node"):
        sensitivity(student, {"x9": 1}, node="x1", state=1)
    with pytest.raises(InferenceError, match="no node 'x9'"):
        sensitivity(student, {"x1": 1}, node="x9", state=1)
    with pytest.raises(InferenceError, match="no node 'x9'"):
        sensitivities(student, {"x1": 1}, node="x9")
    with pytest.raises(ValueError, match="'a' must have at least 2 states, got 1"):
        sensitivities(BayesianNetwork([Node("a", Table([1.0]))]), {"a": 0}, node="a")
    effect = sensitivity(student, {"x1": 1}, node="x1", state=1, given={"x2": 1})
    with pytest.raises(ValueError, match="entry must be in"):
        effect(1.5)


def test_an_entry_that_makes_the_evidence_impossible_is_told() -> None:
    network = BayesianNetwork([Node("a", Table([0.5, 0.5]))])
    effect = sensitivity(
        BayesianNetwork([*network.nodes.values(), Node("b", Table(torch.eye(2)), ("a",))]),
        {"b": 1},
        node="a",
        state=1,
        given={"a": 1},
    )
    assert effect(0.3) == pytest.approx(1.0)
    with pytest.raises(InferenceError, match="impossible where the entry is 0"):
        effect(0.0)
