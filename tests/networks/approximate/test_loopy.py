"""Messages are exact on trees, close with loops, and say whether they settled."""

from pathlib import Path

import numpy as np
import pytest
from tests.networks.approximate.nets import grid

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks import (
    BayesianNetwork,
    LinearGaussian,
    Node,
    Table,
    query,
    read_bif,
    student_network,
)
from ancestral.networks.approximate import loopy_belief_propagation


def polytree(seed: int, nodes: int = 12) -> BayesianNetwork:
    """Return a random network without loops: arcs of a random tree, in random directions."""
    rng = np.random.default_rng(seed)
    parents: dict[int, list[int]] = {index: [] for index in range(nodes)}
    for index in range(1, nodes):
        other = int(rng.integers(index))
        child, parent = (index, other) if rng.random() < 0.5 else (other, index)
        parents[child].append(parent)
    sizes = rng.integers(2, 4, nodes)
    return BayesianNetwork(
        [
            Node(
                f"n{index}",
                Table(rng.dirichlet(np.ones(sizes[index]), sizes[of].tolist())),
                parents=tuple(f"n{parent}" for parent in of),
            )
            for index, of in parents.items()
        ]
    )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_exact_on_trees(seed: int, damping: float) -> None:
    network = polytree(seed)
    given = {"n3": 1, "n8": 0, "n11": 1}
    names = list(network.nodes)
    answer = loopy_belief_propagation(
        network, names, given=given, damping=damping, tolerance=1e-14, iterations=200
    )
    assert answer.diagnostics["converged"] == 1
    exact = query(network, names, given=given).probabilities
    for name in names:
        assert answer.probabilities[name] == pytest.approx(exact[name], abs=1e-12)
    assert answer.standard_errors is None


def test_close_with_loops() -> None:
    network, given = grid(), {"h": 1}
    answer = loopy_belief_propagation(network, list("abcdefg"), given=given)
    assert answer.diagnostics["converged"] == 1
    assert answer.diagnostics["change"] <= 1e-9
    exact = query(network, list("abcdefg"), given=given).probabilities
    off = [abs(p - exact[n][s]) for n, of in answer.probabilities.items() for s, p in of.items()]
    assert 1e-6 < max(off) < 0.15  # An estimate, not the answer: 0.09 here.


def test_too_few_iterations_are_reported() -> None:
    answer = loopy_belief_propagation(grid(), ["a"], given={"h": 1}, iterations=1)
    assert answer.diagnostics["converged"] == 0
    assert answer.diagnostics["iterations"] == 1
    assert answer.diagnostics["change"] > 1e-9


def test_alarm(real_data: Path) -> None:
    network = read_bif(real_data / "bif" / "alarm.bif.gz")
    given = {"HRBP": "HIGH", "CO": "LOW", "BP": "HIGH"}
    names = [name for name in network.nodes if name not in given]
    answer = loopy_belief_propagation(network, names, given=given)
    assert answer.diagnostics["converged"] == 1
    exact = query(network, names, given=given).probabilities
    for name in names:
        assert answer.probabilities[name] == pytest.approx(exact[name], abs=0.15)


def test_evidence_and_mistakes() -> None:
    network = student_network()
    answer = loopy_belief_propagation(network, ["x1", "x2"], given={"x1": 1})
    assert answer.probabilities["x1"] == {"0": 0.0, "1": 1.0}
    assert answer.probabilities["x2"]["1"] == pytest.approx(0.75, abs=1e-12)
    with pytest.raises(ValueError, match=r"damping must be in \[0, 1\), got 1"):
        loopy_belief_propagation(network, ["x1"], damping=1)
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        loopy_belief_propagation(network, ["x1"], iterations=0)
    with pytest.raises(CapabilityError, match="probability tables only"):
        loopy_belief_propagation(BayesianNetwork([Node("x", LinearGaussian())]), ["x"])
    copy = Table([[1.0, 0.0], [0.0, 1.0]])
    never = BayesianNetwork([Node("a", Table([1.0, 0.0])), Node("b", copy, parents=("a",))])
    with pytest.raises(InferenceError, match="the evidence has probability 0: state indices b=1"):
        loopy_belief_propagation(never, ["a"], given={"b": 1})
    both = loopy_belief_propagation(never, ["a"], given={"a": 0, "b": 0})
    assert both.probabilities["a"]["0"] == 1
    with pytest.raises(InferenceError, match="the evidence has probability 0"):
        loopy_belief_propagation(never, ["a"], given={"a": 0, "b": 1})
