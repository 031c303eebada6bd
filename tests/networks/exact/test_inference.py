import math
import random
from itertools import product

import numpy as np
import pytest
import torch

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


def random_network(seed: int, most: int = 9) -> BayesianNetwork:
    """Build a random DAG of up to ``most`` nodes with 2 or 3 states and at most 3 parents."""
    rng = random.Random(seed)
    numpy_rng = np.random.default_rng(seed)
    names = [f"x{i}" for i in range(rng.randint(2, most))]
    sizes = {name: rng.choice([2, 2, 3]) for name in names}
    nodes = []
    for i, name in enumerate(names):
        parents = tuple(rng.sample(names[:i], min(i, rng.randint(0, 3))))
        shape = [sizes[parent] for parent in parents]
        nodes.append(
            Node(name, Table(numpy_rng.dirichlet(np.ones(sizes[name]), size=shape)), parents)
        )
    rng.shuffle(nodes)
    return BayesianNetwork(nodes)


def enumerate_joint(network: BayesianNetwork) -> tuple[list[str], np.ndarray]:
    """Multiply the whole joint table out: the plain way."""
    names = list(network.nodes)
    shape = [len(network.states(name)) for name in names]
    cells = torch.tensor(list(product(*map(range, shape))))
    log_p = network.log_prob({name: cells[:, i] for i, name in enumerate(names)})
    return names, log_p.exp().numpy().reshape(shape)


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


def test_posterior_draws_match_the_exact_posterior(generator: torch.Generator) -> None:
    for seed in (1, 5, 11):
        network = random_network(seed, most=6)
        leaf = list(network.nodes)[-1]
        n = 40_000
        evidence = torch.arange(2).repeat(n // 2)
        draws = network.sample(n, given={leaf: evidence}, generator=generator)
        for state in (0, 1):
            rows = evidence == state
            exact = query(network, list(network.nodes), given={leaf: state}).probabilities
            for name in network.nodes:
                for index, p in enumerate(exact[name].values()):
                    share = (draws[name][rows] == index).double().mean().item()
                    error = (p * (1 - p) / (n / 2)) ** 0.5
                    assert share == pytest.approx(p, abs=5 * error + 1e-12)


def test_impossible_evidence_is_an_error() -> None:
    network = BayesianNetwork(
        [Node("a", Table([1.0, 0.0])), Node("b", Table([[0.5, 0.5], [0.1, 0.9]]), ("a",))]
    )
    with pytest.raises(InferenceError, match=r"evidence has probability 0: .*a=1"):
        query(network, ["b"], given={"a": 1})
    below = BayesianNetwork(
        [Node("a", Table([1.0, 0.0])), Node("b", Table([[1.0, 0.0], [0.1, 0.9]]), ("a",))]
    )
    with pytest.raises(InferenceError, match="evidence has probability 0"):
        below.sample(3, given={"b": 1})


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
