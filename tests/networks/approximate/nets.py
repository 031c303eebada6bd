"""Small networks whose posteriors are known exactly."""

import numpy as np

from ancestral.networks import BayesianNetwork, Node, Table, query
from ancestral.networks.approximate import Estimate


def grid(seed: int = 2, sparse: bool = False) -> BayesianNetwork:
    """Return eight nodes of 2 to 4 states with loops; ``sparse`` puts zeros into the tables."""
    rng = np.random.default_rng(seed)
    parents = {"a": "", "b": "a", "c": "a", "d": "bc", "e": "b", "f": "de", "g": "dc", "h": "gf"}
    sizes = dict(zip(parents, (2, 3, 2, 4, 2, 3, 2, 3), strict=True))
    nodes = []
    for name, of in parents.items():
        table = rng.dirichlet(np.ones(sizes[name]), [sizes[parent] for parent in of])
        if sparse:
            table[..., 0] = np.where(rng.random(table.shape[:-1]) < 0.3, 0, table[..., 0])
            table /= table.sum(-1, keepdims=True)
        nodes.append(Node(name, Table(table), parents=tuple(of)))
    return BayesianNetwork(nodes)


def assert_within(
    network: BayesianNetwork, answer: Estimate, given: dict[str, int | str], errors: float = 5
) -> None:
    """Hold an estimate against the exact posterior, by its own standard errors."""
    exact = query(network, list(answer.probabilities), given=given).probabilities
    assert answer.standard_errors is not None
    for name, found in answer.probabilities.items():
        assert sum(found.values()) == 1 or abs(sum(found.values()) - 1) < 1e-9
        for state, p in found.items():
            error = answer.standard_errors[name][state]
            assert abs(p - exact[name][state]) <= errors * error + 1e-12, (name, state)
