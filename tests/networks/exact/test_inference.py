import math
import random
import time
from functools import partial

import numpy as np
import pytest
from tests.networks.exact.networks import enumerate_joint, grid, random_network

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks import (
    BayesianNetwork,
    Inference,
    LinearGaussian,
    Node,
    Table,
    joint,
    query,
    student_network,
)


@pytest.mark.parametrize(
    ("targets", "given", "exact"),
    [
        (["x2"], {}, 139 / 200),
        (["x1"], {"x2": "0"}, 45 / 61),
        (["x3"], {"x2": "1"}, 546 / 695),
        (["x3"], {}, 0.75),
        (["x4"], {}, 0.76484),
    ],
)
def test_student_answers(targets: list[str], given: dict[str, str], exact: float) -> None:
    answer = query(student_network(), targets, given=given)
    assert answer.probabilities[targets[0]]["1"] == pytest.approx(exact, abs=1e-12)


def test_student_joint() -> None:
    table = joint(student_network(), ["x2", "x3"])
    assert table[1, 1].item() == pytest.approx(273 / 500, abs=1e-12)
    assert table.sum().item() == pytest.approx(1, abs=1e-12)
    assert (table.sum(1)[1] * table.sum(0)[1]).item() == pytest.approx(0.52125, abs=1e-12)


@pytest.mark.parametrize("block", range(20))
def test_random_networks_agree_with_enumeration(block: int) -> None:
    for seed in range(10 * block, 10 * block + 10):
        network = random_network(seed)
        names, table = enumerate_joint(network)
        assert table.sum() == pytest.approx(1, abs=1e-12)
        rng = random.Random(seed)
        observed = rng.sample(names, rng.randint(0, len(names) - 1))
        given = {name: rng.randrange(len(network.states(name))) for name in observed}
        sliced = table[tuple(given.get(name, slice(None)) for name in names)]
        free = [name for name in names if name not in given]
        answer = query(network, names, given=given)
        assert math.exp(answer.log_evidence) == pytest.approx(sliced.sum(), abs=1e-12)
        for axis, name in enumerate(free):
            others = tuple(i for i in range(len(free)) if i != axis)
            exact = sliced.sum(axis=others) / sliced.sum()
            ours = list(answer.probabilities[name].values())
            np.testing.assert_allclose(ours, exact, atol=1e-12, rtol=0)
        for name, state in given.items():
            assert answer.probabilities[name][str(state)] == 1.0


def test_the_tree_visits_fewer_terms_than_enumeration() -> None:
    for seed in range(200):
        network = random_network(seed, most=12)
        cells = math.prod(len(network.states(name)) for name in network.nodes)
        cost = Inference(network).cost()
        # Each clique is visited by a handful of passes, enumeration visits every cell per node.
        assert cost.largest <= cost.entries <= cells * len(network.nodes)
        if len(network.nodes) >= 8:
            assert cost.entries < cells


def test_joint_keeps_the_order_asked_for_and_evidence_nodes() -> None:
    network = random_network(3)
    names, table = enumerate_joint(network)
    a, b = names[-1], names[0]
    axes = tuple(i for i in range(1, len(names) - 1))
    np.testing.assert_allclose(joint(network, [a, b]), table.sum(axes).T, atol=1e-12)
    fixed = joint(network, [b, a], given={b: 1})
    expected = table.sum(axes)[1] / table.sum(axes)[1].sum()
    np.testing.assert_allclose(fixed[1], expected, atol=1e-12)
    assert fixed[0].sum() == 0


def test_long_chains_do_not_underflow() -> None:
    step = Table([[0.9, 0.1], [0.2, 0.8]])
    nodes = [Node("s0", Table([0.5, 0.5]))]
    nodes += [Node(f"s{i}", step, (f"s{i - 1}",)) for i in range(1, 1000)]
    nodes += [Node(f"o{i}", Table([[1e-3, 0.999], [2e-3, 0.998]]), (f"s{i}",)) for i in range(1000)]
    answer = query(BayesianNetwork(nodes), ["s500"], given={f"o{i}": 0 for i in range(1000)})
    # Each emission has probability 0.001 or 0.002, so the evidence is about e^-6500.
    assert 1000 * math.log(1e-3) < answer.log_evidence < 1000 * math.log(2e-3)
    assert sum(answer.probabilities["s500"].values()) == pytest.approx(1, abs=1e-12)


def test_impossible_evidence_names_a_smallest_conflict() -> None:
    network = BayesianNetwork(
        [
            Node("a", Table([1.0, 0.0])),
            Node("b", Table([[0.5, 0.5], [0.1, 0.9]]), ("a",)),
            Node("c", Table(np.eye(2), states=("low", "high")), ("b",)),
        ]
    )
    with pytest.raises(InferenceError, match=r"evidence has probability 0: a=1; this cannot hold"):
        query(network, ["b"], given={"c": 0, "a": 1})
    message = r"probability 0: b=1, c=low; these cannot hold together"
    with pytest.raises(InferenceError, match=message):
        Inference(network).query(given={"a": 0, "c": "low", "b": 1})
    with pytest.raises(InferenceError, match=r"row 3: .*b=1, c=low"):
        Inference(network).query_rows({"b": [0, -1, 1], "c": [0, 1, 0]})
    with pytest.raises(InferenceError, match="c=low, the likelihood of b"):
        Inference(network).query(given={"c": "low"}, likelihood={"b": [0, 1]})
    for ask in (Inference(network).most_probable, partial(Inference(network).marginal_map, [])):
        with pytest.raises(InferenceError, match=message):
            ask({"c": "low", "b": 1})
    assert Inference(network).log_evidence({"c": "low", "b": 1}) == -math.inf


def test_wrong_questions_are_named() -> None:
    network = student_network()
    with pytest.raises(InferenceError, match="no node 'x9'"):
        query(network, ["x9"])
    with pytest.raises(InferenceError, match="'x2' has no state 'maybe'"):
        query(network, ["x1"], given={"x2": "maybe"})
    with pytest.raises(InferenceError, match="must differ"):
        joint(network, ["x1", "x1"])
    with pytest.raises(CapabilityError, match="tables only"):
        joint(BayesianNetwork([Node("a", LinearGaussian())]), ["a"])


def test_only_evidence_gives_its_probability() -> None:
    answer = query(student_network(), [], given={"x2": "1", "x3": "1"})
    assert math.exp(answer.log_evidence) == pytest.approx(0.546, abs=1e-12)


def posterior_table(
    network: BayesianNetwork, given: dict[str, int]
) -> tuple[list[str], np.ndarray]:
    """Return the joint of all nodes with every cell that contradicts the evidence set to 0."""
    names, table = enumerate_joint(network)
    masked = np.zeros_like(table)
    slot = tuple(given.get(name, slice(None)) for name in names)
    masked[slot] = table[slot]
    return names, masked


def case_of(seed: int, most: int = 7) -> tuple[BayesianNetwork, dict[str, int], random.Random]:
    network, rng = random_network(seed, most), random.Random(seed)
    names = list(network.nodes)
    observed = rng.sample(names, rng.randint(0, len(names) - 2) if len(names) > 2 else 0)
    return network, {n: rng.randrange(len(network.states(n))) for n in observed}, rng


@pytest.mark.parametrize("seed", range(20))
def test_most_probable_states_equal_brute_force(seed: int) -> None:
    network, given, rng = case_of(seed)
    names, table = posterior_table(network, given)
    found = Inference(network).most_probable(given)
    assert set(found.states) == set(names) - set(given)
    best = tuple(int(found.states[name]) if name in found.states else given[name] for name in names)
    assert table[best] == pytest.approx(table.max(), abs=1e-15)
    assert found.log_probability == pytest.approx(math.log(table.max()), abs=1e-12)

    free = [name for name in names if name not in given]
    asked = rng.sample(free, rng.randint(1, len(free)))
    others = tuple(axis for axis, name in enumerate(names) if name not in asked)
    marginal = table.sum(others)
    found = Inference(network).marginal_map(asked, given)
    best = tuple(int(found.states[name]) for name in names if name in asked)
    assert marginal[best] == pytest.approx(marginal.max(), abs=1e-14)
    assert found.log_probability == pytest.approx(math.log(marginal.max()), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_soft_evidence_weighs_the_joint(seed: int) -> None:
    network, given, rng = case_of(seed)
    names, table = posterior_table(network, given)
    soft = {name: [rng.random() for _ in network.states(name)] for name in rng.sample(names, 2)}
    for name, likelihood in soft.items():
        shape = [-1 if other == name else 1 for other in names]
        table = table * np.reshape(likelihood, shape)
    answer = Inference(network).query(given=given, likelihood=soft)
    assert answer.log_evidence == pytest.approx(math.log(table.sum()), abs=1e-12)
    for axis, name in enumerate(names):
        exact = table.sum(tuple(i for i in range(len(names)) if i != axis)) / table.sum()
        ours = list(answer.probabilities[name].values())
        np.testing.assert_allclose(ours, exact, atol=1e-12, rtol=0)


def test_a_likelihood_of_one_state_is_hard_evidence() -> None:
    inference = Inference(student_network())
    soft = inference.query(likelihood={"x2": [0, 3.0]})
    hard = inference.query(given={"x2": 1})
    assert soft.log_evidence == pytest.approx(hard.log_evidence + math.log(3), abs=1e-12)
    for name, states in hard.probabilities.items():
        assert soft.probabilities[name] == pytest.approx(dict(states), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_do_equals_the_mutilated_network(seed: int) -> None:
    network, given, rng = case_of(seed)
    free = [name for name in network.nodes if name not in given]
    fixed = {name: rng.randrange(len(network.states(name))) for name in rng.sample(free, 1)}
    nodes = [
        Node(name, Table(np.eye(len(network.states(name)))[fixed[name]])) if name in fixed else node
        for name, node in network.nodes.items()
    ]
    cut = Inference(BayesianNetwork(nodes)).query(given={**given, **fixed})
    for targets in (None, free):
        ours = Inference(network).query(targets, given=given, do=fixed)
        for name, states in ours.probabilities.items():
            assert states == pytest.approx(dict(cut.probabilities[name]), abs=1e-12)
        if given:
            assert ours.log_evidence == pytest.approx(cut.log_evidence, abs=1e-12)


def test_do_is_not_given() -> None:
    inference = Inference(student_network())
    seen = inference.query(["x3"], given={"x2": 1}).probabilities["x3"]["1"]
    done = inference.query(["x3"], do={"x2": 1}).probabilities["x3"]["1"]
    assert (seen, done) == (pytest.approx(546 / 695, abs=1e-12), pytest.approx(0.75, abs=1e-12))
    with pytest.raises(InferenceError, match="both given and set"):
        inference.query(given={"x2": 1}, do={"x2": 1})


@pytest.mark.parametrize("seed", range(15))
def test_rows_equal_single_queries(seed: int) -> None:
    network = random_network(seed)
    rng = np.random.default_rng(seed)
    names = list(network.nodes)[: rng.integers(1, len(network.nodes) + 1)]
    rows = {name: rng.integers(-1, len(network.states(name)), size=40) for name in names}
    inference = Inference(network)
    answer = inference.query_rows(rows)
    some = inference.query_rows(rows, [names[0]])
    np.testing.assert_allclose(
        some.probabilities[names[0]], answer.probabilities[names[0]], atol=1e-13
    )
    np.testing.assert_allclose(some.log_evidence, answer.log_evidence, atol=1e-12)
    for at in range(40):
        given = {name: int(rows[name][at]) for name in names if rows[name][at] >= 0}
        one = inference.query(given=given)
        assert answer.log_evidence[at] == pytest.approx(one.log_evidence, abs=1e-12)
        for name, states in one.probabilities.items():
            ours = answer.probabilities[name][at]
            np.testing.assert_allclose(ours, list(states.values()), atol=1e-13, rtol=0)


def test_rows_are_cut_into_chunks_without_a_seam() -> None:
    network = student_network()
    column = np.arange(5000) % 3 - 1
    answer = Inference(network).query_rows({"x4": column}, ["x1"])
    for state, exact in ((-1, 0.9), (0, None), (1, None)):
        found = answer.probabilities["x1"][column == state, 1]
        if exact is None:
            exact = query(network, ["x1"], given={"x4": state}).probabilities["x1"]["1"]
        np.testing.assert_allclose(found, exact, atol=1e-13)
    assert Inference(network).query_rows({"x4": column[:0]}).log_evidence.shape == (0,)


def test_many_children_of_one_node_do_not_underflow() -> None:
    # Naive Bayes: all 2,000 tables stand in one clique; p(evidence) is about e^-13,000.
    child = Table([[1e-3, 0.999], [1.1e-3, 0.9989]])
    nodes = [Node("c", Table([0.5, 0.5])), *(Node(f"y{i}", child, ("c",)) for i in range(2000))]
    given = {f"y{i}": 0 for i in range(2000)}
    low, high = 2000 * math.log(1e-3), 2000 * math.log(1.1e-3)
    exact = math.log(0.5) + high + math.log1p(math.exp(low - high))
    for targets in (None, ["c"]):
        answer = Inference(BayesianNetwork(nodes)).query(targets, given=given)
        assert answer.log_evidence == pytest.approx(exact, rel=1e-12)
        ratio = answer.probabilities["c"]["0"] / answer.probabilities["c"]["1"]
        assert ratio == pytest.approx(math.exp(low - high), rel=1e-9)
    rows = Inference(BayesianNetwork(nodes)).query_rows({n: np.zeros(3, int) for n in given}, ["c"])
    np.testing.assert_allclose(rows.log_evidence, exact, rtol=1e-12)


def test_tables_below_hidden_children_do_not_underflow() -> None:
    # A hub with 1,500 hidden children, each with an observed child: the messages multiply.
    nodes = [Node("hub", Table([0.3, 0.7]))]
    for i in range(1500):
        nodes.append(Node(f"h{i}", Table([[0.9, 0.1], [0.899, 0.101]]), ("hub",)))
        nodes.append(Node(f"y{i}", Table([[1e-3, 0.999], [1e-3, 0.999]]), (f"h{i}",)))
    given = {f"y{i}": 0 for i in range(1500)}
    answer = Inference(BayesianNetwork(nodes)).query(given=given)
    assert answer.log_evidence == pytest.approx(1500 * math.log(1e-3), rel=1e-12)
    assert answer.probabilities["hub"]["1"] == pytest.approx(0.7, abs=1e-11)
    assert answer.probabilities["h7"]["0"] == pytest.approx(0.3 * 0.9 + 0.7 * 0.899, abs=1e-11)


def test_what_does_not_fit_is_refused_before_it_is_computed() -> None:
    network = student_network()
    cost = Inference(network).cost()
    assert (cost.largest, cost.entries) == (8, 16)
    with pytest.raises(InferenceError, match=r"largest clique, .*likelihood weighting or Gibbs"):
        Inference(network, limit=100).query()
    with pytest.raises(InferenceError, match=r"limit is 9.31e-08 GiB"):
        Inference(network, limit=100).most_probable()
    assert Inference(network, limit=100).query([], given={"x1": 1, "x2": 1}).probabilities == {}
    assert Inference(network).query(["x2"]).probabilities["x2"]["1"] == pytest.approx(0.695)


@pytest.mark.parametrize("side", [28, 40])
def test_a_large_grid_is_refused_at_once_in_one_line(side: int) -> None:
    network = grid(side)
    pairs = {name: 0 for name in network.nodes if "-" in name}
    inference, begun = Inference(network), time.process_time()
    with pytest.raises(InferenceError, match=r", \.\.\. \(\d+ in all\), has") as error:
        inference.query(["x0_0"], given=pairs)
    assert time.process_time() - begun < 1
    assert len(str(error.value)) < 300
    begun = time.process_time()
    assert inference.cost(given=list(pairs)).largest > 2**28
    assert time.process_time() - begun < 1


def test_states_may_be_named_and_stand_alone() -> None:
    # A node with one state, and two components that share nothing.
    network = BayesianNetwork(
        [
            Node("only", Table([1.0], states=("it",))),
            Node("child", Table([[0.25, 0.75]], states=("<5", "12+")), ("only",)),
            Node("other", Table([0.5, 0.5], states=("Asy/Patch", "no"))),
        ]
    )
    answer = Inference(network).query(given={"other": "Asy/Patch"})
    assert answer.probabilities["child"] == {"<5": 0.25, "12+": 0.75}
    assert answer.probabilities["only"] == {"it": 1.0}
    assert answer.log_evidence == pytest.approx(math.log(0.5), abs=1e-15)
    table = joint(network, ["child", "other", "only"])
    assert table.shape == (2, 2, 1)
    assert table[1, 0, 0].item() == pytest.approx(0.375, abs=1e-15)
