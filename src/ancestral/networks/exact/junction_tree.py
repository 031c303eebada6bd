"""Junction trees: cliques that hold every table, joined by the variables they share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ancestral.networks.exact.triangulation import Order, bits


@dataclass(frozen=True, slots=True)
class Clique:
    """One clique.

    Args:
        nodes: Its variables, in the order of elimination: those it shares with its parent last.
        separator: How many of them it shares with its parent.
        parent: Index of its parent; -1 for a root.
        shape: Numbers of states of ``nodes``.
        entries: Number of entries of its table.
        own: Number of joint states of those it does not share with its parent.
    """

    nodes: tuple[int, ...]
    separator: int
    parent: int
    shape: tuple[int, ...]
    entries: int = field(init=False)
    own: int = field(init=False)

    def __post_init__(self) -> None:
        own = math.prod(self.shape[: len(self.shape) - self.separator])
        object.__setattr__(self, "entries", math.prod(self.shape))
        object.__setattr__(self, "own", own)


@dataclass(frozen=True, slots=True)
class JunctionTree:
    """Cliques, parents before children, and the clique at which each variable is summed out.

    A table belongs at the home of the variable of its scope that is eliminated first. A graph
    of several components gives a forest: several roots.
    """

    cliques: list[Clique]
    home: dict[int, int]
    position: dict[int, int]


def junction_tree(order: Order, sizes: Sequence[int]) -> JunctionTree:
    """Build the tree of the maximal cliques of an elimination order.

    Source: Blair and Peyton 1993, An introduction to chordal graphs and clique trees, alg. 4.3.
    """
    position = {node: at for at, node in enumerate(order.nodes)}
    home: dict[int, int] = {}
    members: list[list[int]] = []  # Newest first in each: the order of elimination.
    sets: list[int] = []
    parents: list[int] = []
    shared: list[int] = []
    for node, around in zip(reversed(order.nodes), reversed(order.neighbours), strict=True):
        following = sorted(bits(around), key=position.__getitem__)
        above = home[following[0]] if following else -1
        if following and sets[above] == around:
            members[above].insert(0, node)
            sets[above] |= 1 << node
            home[node] = above
            continue
        home[node] = len(members)
        members.append([node, *following])
        sets.append(around | 1 << node)
        parents.append(above)
        shared.append(len(following))
    cliques = [
        Clique(tuple(nodes), count, parent, tuple([sizes[node] for node in nodes]))
        for nodes, count, parent in zip(members, shared, parents, strict=True)
    ]
    return JunctionTree(cliques, home, position)
