"""What an exact answer would cost, before it is computed."""

from dataclasses import dataclass

from ancestral.errors import InferenceError
from ancestral.networks.arguments import listed
from ancestral.networks.exact.junction_tree import JunctionTree
from ancestral.networks.exact.potentials import BIG
from ancestral.networks.exact.tables import Tables

LIMIT = 2 << 30
"""Default for the most bytes that one program may hold."""

ENTRY = 8
"""Bytes of an entry."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The size of an exact computation.

    Args:
        largest: Entries of the largest clique.
        entries: Entries of all cliques.
        nodes: The nodes of the largest clique.
        size: Bytes of memory: the cliques, those of moderate size once more with the evidence
            open, and the messages.
    """

    largest: int
    entries: int
    nodes: tuple[str, ...]
    size: int


def cost_of(tables: Tables, tree: JunctionTree) -> Cost:
    """Return what a junction tree costs."""
    sizes = [clique.entries for clique in tree.cliques]
    if not sizes:
        return Cost(1, 1, (), 8)
    at = max(range(len(sizes)), key=sizes.__getitem__)
    names = tuple(tables.names[node] for node in tree.cliques[at].nodes)
    opened = sum([size for size in sizes if size <= BIG])
    messages = sum([clique.entries // clique.own for clique in tree.cliques])
    return Cost(sizes[at], sum(sizes), names, ENTRY * (sum(sizes) + opened + 2 * messages))


def check_size(cost: Cost, limit: float) -> None:
    """Refuse what does not fit.

    Raises InferenceError if the computation would need more than ``limit`` bytes.
    """
    if cost.size > limit:
        raise InferenceError(
            f"an exact answer needs about {cost.size / 2**30:.3g} GiB, the limit is "
            f"{limit / 2**30:.3g} GiB: its largest clique, {listed(cost.nodes, 8)}, "
            f"has {cost.largest:.3g} entries. Raise limit=, or estimate by likelihood weighting or "
            f"Gibbs sampling"
        )
