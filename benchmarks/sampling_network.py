"""100,000 ancestral samples of alarm: ours against pyAgrum's generator in C++."""

from collections.abc import Iterator

import numpy as np
import pyagrum
import torch

from ancestral.networks import BayesianNetwork, read_network
from benchmarks.bif import data_folder
from benchmarks.harness import Result, compare

ROWS = 100_000


def run() -> Iterator[Result]:
    """Yield the comparison; every marginal of both agrees within 5 standard errors."""
    network = read_network(data_folder() / "alarm.bif.gz")
    peer = as_peer(network)
    draws = network.sample(ROWS, generator=torch.Generator().manual_seed(0))
    exact = pyagrum.LazyPropagation(peer)
    for name, column in draws.items():
        share = np.bincount(column.numpy(), minlength=len(network.states(name))) / ROWS
        expected = exact.posterior(name).toarray()
        off = np.abs(share - expected) - 5 * np.sqrt(expected * (1 - expected) / ROWS)
        if off.max() > 0:
            raise SystemExit(f"the marginal of {name} is off by {off.max():.2g}")

    def theirs() -> None:
        generator = pyagrum.BNDatabaseGenerator(peer)
        generator.drawSamples(ROWS)

    yield compare(
        "100k ancestral samples of alarm",
        ours=lambda: network.sample(ROWS),
        peer=("pyAgrum", theirs),
        bar=10,
        rounds=7,
        note="ours as int64 columns, the peer inside its own database",
    )


def as_peer(network: BayesianNetwork) -> pyagrum.BayesNet:
    """Hand a network to pyAgrum through its interface: its readers keep float32."""
    peer = pyagrum.BayesNet()
    for name in network.nodes:
        peer.add(pyagrum.LabelizedVariable(name, name, list(network.states(name))))
    for name, node in network.nodes.items():
        for parent in node.parents:
            peer.addArc(parent, name)
    for name, node in network.nodes.items():
        table = peer.cpt(name)
        order = list(table.names)[::-1]
        axes = [(*node.parents, name).index(each) for each in order]
        table[:] = network.table(name).probabilities.permute(axes).contiguous().numpy()
    return peer
