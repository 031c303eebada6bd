"""What can be prepared from the graph alone, before the numbers of the tables are read."""

from dataclasses import dataclass
from typing import NamedTuple

from ancestral.networks.exact.junction_tree import Clique, JunctionTree, junction_tree
from ancestral.networks.exact.size import ENTRY, check_size, cost_of
from ancestral.networks.exact.tables import Tables
from ancestral.networks.exact.triangulation import bits, moralise, triangulate


class Question(NamedTuple):
    """What a compiled program depends on: sets of nodes, not their states.

    Args:
        observed: Nodes with evidence.
        cut: Nodes set by an intervention: known, and without a table.
        soft: Nodes with a likelihood.
        relevant: Nodes that take part; the others are barren.
        together: Nodes that must share a clique.
    """

    observed: int
    cut: int
    soft: int
    relevant: int
    together: int


@dataclass(frozen=True, slots=True)
class Link:
    """How a separator fits the array of the parent clique: runs of kept and of dropped axes."""

    parent: tuple[int, ...]
    message: tuple[int, ...]
    dropped: tuple[int, ...]

    def shapes(self, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the shapes of the parent and of the message with ``count`` cases."""
        if count == 1:
            return self.parent, self.message
        return (
            (*self.parent[:-1], self.parent[-1] * count),
            (*self.message[:-1], self.message[-1] * count),
        )


class Structure:
    """A junction tree for one question and the place of every table in it.

    Args:
        tables: The network.
        question: The sets of nodes.
        limit: Most bytes to use.

    Raises:
        InferenceError: If the computation would need more than ``limit``.
    """

    def __init__(self, tables: Tables, question: Question, limit: float) -> None:
        self.question = question
        self.known = (question.observed | question.cut) & question.relevant
        self.hidden = question.relevant & ~self.known
        held = list(bits(question.relevant & ~question.cut))
        scopes = [tables.families[node] & self.hidden for node in held]
        adjacency = moralise([*scopes, question.together & self.hidden], len(tables.sizes))
        order = triangulate(adjacency, tables.sizes, self.hidden, room=limit / ENTRY)
        self.tree = junction_tree(order, tables.sizes)
        self.cost = cost_of(tables, self.tree)
        check_size(self.cost, limit)
        position = self.tree.position
        self.assigned: list[list[int]] = [[] for _ in self.tree.cliques]
        self.alone: list[int] = []  # Tables that are wholly observed.
        for node, scope in zip(held, scopes, strict=True):
            if scope:
                first = min(bits(scope), key=position.__getitem__)
                self.assigned[self.tree.home[first]].append(node)
            else:
                self.alone.append(node)
        self.links = [
            _link(clique, self.tree.cliques[clique.parent]) if clique.parent >= 0 else None
            for clique in self.tree.cliques
        ]
        self.smallest = _smallest(self.tree)

    def holder(self, nodes: int) -> int:
        """Return the index of a clique that holds a set of hidden nodes, joined by some table."""
        return self.tree.home[min(bits(nodes), key=self.tree.position.__getitem__)]


def _link(clique: Clique, parent: Clique) -> Link:
    shared = set(clique.nodes[len(clique.nodes) - clique.separator :])
    lengths: list[int] = []
    kept: list[bool] = []
    for node, size in zip(parent.nodes, parent.shape, strict=True):
        if kept and kept[-1] == (node in shared):
            lengths[-1] *= size
        else:
            lengths.append(size)
            kept.append(node in shared)
    if not kept[-1]:  # The axis of the cases stands last and is kept.
        lengths.append(1)
        kept.append(True)
    return Link(
        tuple(lengths),
        tuple([n if keep else 1 for n, keep in zip(lengths, kept, strict=True)]),
        tuple([axis for axis, keep in enumerate(kept) if not keep]),
    )


def _smallest(tree: JunctionTree) -> dict[int, int]:
    """Return for each hidden node the index of the smallest clique that holds it."""
    found: dict[int, int] = {}
    sizes = [clique.entries for clique in tree.cliques]
    for at, clique in enumerate(tree.cliques):
        for node in clique.nodes:
            if node not in found or sizes[at] < sizes[found[node]]:
                found[node] = at
    return found
