"""Where one node at a time cannot move: tables that tie the nodes that are not observed."""

from collections.abc import Mapping

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ancestral.networks.arguments import to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork

NEARLY = 1e-3
"""An entry of a table counts as 0 at this share of its largest: a chain that draws from it waits
a thousand sweeps."""


def tied_nodes(network: BayesianNetwork, evidence: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Return the groups of hidden nodes whose common table falls apart under moves of one node.

    Of each table, under the evidence (state indices), the joint states of its hidden nodes that are
    possible make a graph, with an edge where one node differs. Where it is in several parts, a
    chain that draws one node at a time never goes from one to another (where entries are exactly
    0), or hardly ever. It is enough for chains to be shut in, and not needed: several tables can do
    it together. The owner of a table comes first where it is hidden, then its parents.

    Source: Koller & Friedman 2009, sec. 12.3.4 (irreducibility of Gibbs chains).
    """
    found = []
    for name, node in network.nodes.items():
        scope = (*node.parents, name)
        hidden = [each for each in scope if each not in evidence]
        if len(hidden) < 2:
            continue
        table = to_numpy(network.table(name).probabilities)
        table = table[tuple(evidence.get(each, slice(None)) for each in scope)]
        if _parts(table > NEARLY * table.max()) > 1:
            found.append((*(each for each in (name,) if each in hidden), *_without(hidden, name)))
    return found


def warning_of(groups: list[tuple[str, ...]], *, most: int = 4) -> str:
    """Return the one line that says what the groups mean for Gibbs sampling."""
    named = "; ".join(", ".join(group) for group in groups[:most])
    more = f" and {len(groups) - most} more" if len(groups) > most else ""
    return (
        f"tables that are deterministic, or nearly, tie hidden nodes together ({named}{more}): "
        "chains that move one node at a time may never leave the region where they began, and "
        "R-hat shows it only if they began in different ones; ask an exact method"
    )


def _without(names: list[str], name: str) -> list[str]:
    return [each for each in names if each != name]


def _parts(possible: np.ndarray) -> int:
    """Return in how many parts the true entries fall, two joined where one coordinate differs."""
    places = np.arange(possible.size).reshape(possible.shape)
    starts, ends = [], []
    for axis, size in enumerate(possible.shape):
        # Along one axis any entry reaches any other: neighbours in the list are enough.
        line = np.moveaxis(possible, axis, -1).ravel()
        at = np.flatnonzero(line)
        place = np.moveaxis(places, axis, -1).ravel()[at]
        same = at[1:] // size == at[:-1] // size
        starts.append(place[:-1][same])
        ends.append(place[1:][same])
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(possible.size,) * 2)
    _, part = connected_components(graph, directed=False)
    return len(np.unique(part[possible.ravel()]))
