"""Counting alarm's 37 tables from 100,000 rows in memory: ours against pyAgrum's learner."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyagrum
import torch

from ancestral.networks import BayesianNetwork, read_bif
from ancestral.networks.learning import fit_tables
from benchmarks.harness import Result, compare

ROWS = 100_000
FOLDER = Path(os.environ.get("ANCESTRAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Holds ``bif/alarm.bif.gz``, of the network repository of the bnlearn package."""


def run() -> Iterator[Result]:
    """Yield the comparison: both hold the rows in memory and return all tables, which are equal."""
    network = read_bif(FOLDER / "bif" / "alarm.bif.gz")
    rows = network.sample(ROWS, generator=torch.Generator().manual_seed(0))
    columns = {name: value.numpy().astype(np.uint8) for name, value in rows.items()}
    template = peer_network(network)
    learner = _learner(template, columns)
    learner.setNumberOfThreads(torch.get_num_threads())
    learner.useNoPrior()
    dag = template.dag()
    _check(network, columns, learner.learnParameters(dag))
    yield compare(
        "tables of alarm from 100k rows in memory",
        ours=lambda: fit_tables(network, columns),
        peer=("pyAgrum", lambda: learner.learnParameters(dag)),
        bar=2,
        rounds=15,
        note="tables equal to 1e-6; ours is on one thread",
    )


def peer_network(network: BayesianNetwork) -> pyagrum.BayesNet:
    """Return the graph in pyAgrum, its states named by index."""
    template = pyagrum.BayesNet()
    for name in network.nodes:
        labels = [str(index) for index in range(len(network.states(name)))]
        template.add(pyagrum.LabelizedVariable(name, "", labels))
    for parent, child in network.graph.edges:
        template.addArc(parent, child)
    return template


def _learner(template: pyagrum.BayesNet, columns: dict[str, np.ndarray]) -> pyagrum.BNLearner:
    """Return a learner that has read the rows into memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        table = np.stack(list(columns.values()), axis=1)
        np.savetxt(path, table, "%d", delimiter=",", header=",".join(columns), comments="")
        return pyagrum.BNLearner(str(path), template)


def _check(
    network: BayesianNetwork, columns: dict[str, np.ndarray], learned: pyagrum.BayesNet
) -> None:
    fitted = fit_tables(network, columns)
    for name, node in fitted.nodes.items():
        cpt = learned.cpt(name)
        # Its array has the node's axis last and the parents' in the reverse of their order.
        order = [*reversed(cpt.names[1:]), name]
        table = cpt.toarray().transpose([order.index(n) for n in (*node.parents, name)])
        ours = fitted.table(name).probabilities.numpy()
        if not np.allclose(ours, table, atol=1e-6):
            raise AssertionError(f"the tables of {name!r} differ by {abs(ours - table).max():.2g}")
