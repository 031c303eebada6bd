"""Real networks against pyAgrum, and one that it cannot read against brute force."""

import math
import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.errors import InferenceError
from ancestral.networks import BayesianNetwork, Inference, joint, query, read_bif

gum = pytest.importorskip("pyagrum")

NAMES = ["asia", "alarm", "insurance", "hailfinder", "hepar2", "win95pts", "andes"]


def peer_of(network: BayesianNetwork) -> "gum.BayesNet":
    """Hand a network over in float64 (its file reader keeps float32); node i is called ``ni``."""
    twin, names = gum.BayesNet(), {name: f"n{at}" for at, name in enumerate(network.nodes)}
    for name, short in names.items():
        twin.add(gum.RangeVariable(short, "", 0, len(network.states(name)) - 1))
    for name, node in network.nodes.items():
        for parent in node.parents:
            twin.addArc(names[parent], names[name])
    for name, node in network.nodes.items():
        axes = [names[other] for other in (*node.parents, name)]
        table = network.table(name).probabilities.numpy()
        cpt = twin.cpt(names[name])
        order = [axes.index(other) for other in reversed(cpt.names)]
        cpt[:] = np.ascontiguousarray(table.transpose(order))
    return twin


def evidence_sets(network: BayesianNetwork, count: int) -> list[dict[str, int]]:
    """Return evidence on up to 8 random nodes, drawn from the network so that it is possible."""
    rng, found = random.Random(0), []
    draws = network.sample(count, generator=torch.Generator().manual_seed(0))
    for at in range(count):
        names = rng.sample(list(network.nodes), rng.randint(1, min(8, len(network.nodes) // 2)))
        found.append({name: int(draws[name][at]) for name in names})
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_posteriors_equal_those_of_pyagrum(name: str, real_data: Path) -> None:
    network = read_bif(real_data / "bif" / f"{name}.bif.gz")
    twin, inference = peer_of(network), Inference(network)
    index = {node: f"n{at}" for at, node in enumerate(network.nodes)}
    for given in evidence_sets(network, 20):
        ours = inference.query(given=given)
        peer = gum.LazyPropagation(twin)
        peer.setEvidence({index[node]: state for node, state in given.items()})
        peer.makeInference()
        assert ours.log_evidence == pytest.approx(math.log(peer.evidenceProbability()), abs=1e-10)
        for node, states in ours.probabilities.items():
            theirs = peer.posterior(index[node]).toarray()
            np.testing.assert_allclose(list(states.values()), theirs, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", ["asia", "alarm"])
def test_rows_of_a_real_network_equal_its_queries(name: str, real_data: Path) -> None:
    network = read_bif(real_data / "bif" / f"{name}.bif.gz")
    inference = Inference(network)
    sets = evidence_sets(network, 20)
    rows = {node: np.full(20, -1) for node in network.nodes}
    for at, given in enumerate(sets):
        for node, state in given.items():
            rows[node][at] = state
    answer = inference.query_rows(rows)
    for at, given in enumerate(sets):
        for node, states in inference.query(given=given).probabilities.items():
            ours = answer.probabilities[node][at]
            np.testing.assert_allclose(ours, list(states.values()), atol=1e-13, rtol=0)


def test_child_agrees_with_brute_force_on_its_ancestral_parts(real_data: Path) -> None:
    network = read_bif(real_data / "bif" / "child.bif.gz")
    rng = random.Random(0)
    checked = 0
    for name in network.nodes:
        above = sorted(network.graph.ancestors(name) | {name})
        cells = math.prod(len(network.states(other)) for other in above)
        if len(above) < 2 or cells > 50_000:
            continue
        part = BayesianNetwork([network.nodes[other] for other in above])
        states = torch.tensor(list(product(*(range(len(network.states(n))) for n in above))))
        log_p = part.log_prob({other: states[:, at] for at, other in enumerate(above)})
        table = log_p.exp().numpy().reshape([len(network.states(other)) for other in above])
        seen = rng.choice([other for other in above if other != name])
        for state in range(len(network.states(seen))):
            axes = tuple(at for at, other in enumerate(above) if other not in (name, seen))
            both = table.sum(axes)
            row = np.take(both, state, axis=0 if above.index(seen) < above.index(name) else 1)
            ours = list(query(network, [name], given={seen: state}).probabilities[name].values())
            np.testing.assert_allclose(ours, row / row.sum(), atol=1e-12, rtol=0)
        checked += 1
    assert checked >= 8
    assert joint(network, ["BirthAsphyxia", "Age", "Grunting"]).sum().item() == pytest.approx(1)


def test_a_network_that_does_not_fit_is_refused_at_once(real_data: Path) -> None:
    network = read_bif(real_data / "bif" / "munin1.bif.gz")
    with pytest.raises(InferenceError, match=r"GiB, the limit is 0.5 GiB: its largest clique"):
        Inference(network, limit=2**29).query()
    assert Inference(network).cost(["R_APB_FORCE"]).entries > 0
