"""Random networks, and the plain way to answer them: the whole joint table."""

import random
from itertools import product

import numpy as np
import torch

from ancestral.networks import BayesianNetwork, Node, Table


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


def grid(side: int) -> BayesianNetwork:
    """Build a grid of side x side nodes of two states, each pair of neighbours in one table."""
    root, pair = Table([0.5, 0.5]), Table([[[0.9, 0.1], [0.4, 0.6]], [[0.4, 0.6], [0.9, 0.1]]])
    nodes = []
    for i, j in product(range(side), repeat=2):
        nodes.append(Node(f"x{i}_{j}", root))
        for k, m in ((i + 1, j), (i, j + 1)):
            if k < side and m < side:
                scope = (f"x{i}_{j}", f"x{k}_{m}")
                nodes.append(Node(f"{scope[0]}-{scope[1]}", pair, scope))
    return BayesianNetwork(nodes)


def enumerate_joint(network: BayesianNetwork) -> tuple[list[str], np.ndarray]:
    """Multiply the whole joint table out: the plain way."""
    names = list(network.nodes)
    shape = [len(network.states(name)) for name in names]
    cells = torch.tensor(list(product(*map(range, shape))))
    log_p = network.log_prob({name: cells[:, i] for i, name in enumerate(names)})
    return names, log_p.exp().numpy().reshape(shape)
