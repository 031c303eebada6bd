"""Elimination orders of undirected graphs: which node to sum out next.

Sets of nodes are Python integers, bit ``v`` for node ``v``: union, difference and size are single
operations on machine words.
"""

import heapq
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_LARGE, _HUGE = 1 << 19, 1 << 25
"""From this many table entries on, other orders are tried as well: few, and many."""
_FEW, _MANY = 8, 40
_HOPELESS, _ROOM = 1 << 8, 1 << 34
"""A factor by which no other order has fewer entries, and the entries that there is room for."""


@dataclass(frozen=True, slots=True)
class Order:
    """Nodes in the order in which they are summed out.

    Args:
        nodes: The order.
        neighbours: For each node of it, the set of its neighbours at that moment.
        entries: Number of table entries of all the cliques ``{node} | neighbours``.
    """

    nodes: list[int]
    neighbours: list[int]
    entries: int


def bits(mask: int) -> Iterator[int]:
    """Return the members of a set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def moralise(scopes: Iterable[int], size: int) -> list[int]:
    """Return the neighbours of each of ``size`` nodes when each scope is joined up."""
    adjacency = [0] * size
    for scope in scopes:
        for node in bits(scope):
            adjacency[node] |= scope
    return [around & ~(1 << node) for node, around in enumerate(adjacency)]


def triangulate(
    adjacency: Sequence[int],
    sizes: Sequence[int],
    first: int,
    last: int = 0,
    *,
    room: float = math.inf,
) -> Order:
    """Return a good order that sums out all of the set ``first`` and then all of ``last``.

    Min-fill with ties to the smaller clique; where that is large, min-fill and weighted min-fill
    with randomly enlarged scores are tried too, and the order with the fewest entries is taken.
    ``adjacency`` has the neighbours of each node, ``sizes`` its number of states. Orders of more
    than ``room`` entries are of no use: none is looked for where that is hopeless.

    Source: Koller & Friedman 2009, sec. 9.4.3 and algorithm 9.4.
    """
    best = _Greedy(adjacency, sizes).run(first, last)
    assert best is not None  # Without a bound a run ends.
    if best.entries < _LARGE or best.entries > _HOPELESS * min(room, _ROOM):
        return best
    rng = random.Random(0)
    for trial in range(_FEW if best.entries < _HUGE else _MANY):
        greedy = _Greedy(adjacency, sizes, weighted=trial % 2 == 0, rng=rng if trial else None)
        best = greedy.run(first, last, bound=min(best.entries, room)) or best
    return best


class _Greedy:
    """One run; what each elimination would join is kept up to date edge by edge."""

    def __init__(
        self,
        adjacency: Sequence[int],
        sizes: Sequence[int],
        *,
        weighted: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        self.adjacency = list(adjacency)
        self.sizes = sizes
        self.weight = list(sizes) if weighted else [1] * len(sizes)
        self.weighted = weighted
        self.rng = rng
        self.fill = [0] * len(sizes)
        self.entries = list(sizes)
        self.stamp = [0] * len(sizes)
        self.heap: list[tuple[float, int, int, int]] = []

    def run(self, first: int, last: int, bound: float = math.inf) -> Order | None:
        """Return the order, or None as soon as it has at least ``bound`` entries."""
        self._score(first | last)
        order = Order([], [], 0)
        total = 0
        for group in (first, last):
            left = group
            self.heap = [self._key(node) for node in bits(group)]
            heapq.heapify(self.heap)
            while left:
                _, _, node, stamp = heapq.heappop(self.heap)
                if not left >> node & 1 or stamp != self.stamp[node]:
                    continue  # Out of date: a newer entry is in the heap.
                total += self.entries[node]
                if total >= bound:
                    return None
                left ^= 1 << node
                order.nodes.append(node)
                order.neighbours.append(self.adjacency[node])
                for other in bits(self._eliminate(node) & left):
                    self.stamp[other] += 1
                    heapq.heappush(self.heap, self._key(other))
        return Order(order.nodes, order.neighbours, total)

    def _key(self, node: int) -> tuple[float, int, int, int]:
        noise = 1 + self.rng.random() if self.rng else 1
        return (self.fill[node] * noise, self.entries[node], node, self.stamp[node])

    def _measure(self, mask: int) -> int:
        if not self.weighted:
            return mask.bit_count()
        return sum(self.weight[node] for node in bits(mask))

    def _score(self, nodes: int) -> None:
        for node in bits(nodes):
            around = self.adjacency[node]
            fill, entries = 0, self.sizes[node]
            for other in bits(around):
                missing = around & ~self.adjacency[other] & ~(1 << other)
                entries *= self.sizes[other]
                if missing:
                    fill += self.weight[other] * self._measure(missing)
            self.fill[node], self.entries[node] = fill // 2, entries

    def _eliminate(self, node: int) -> int:
        """Join the node's neighbours, take it out, and return the nodes whose score changed."""
        adjacency, around = self.adjacency, self.adjacency[node]
        touched = around
        if self.fill[node]:
            for a in bits(around):
                for b in bits(around & ~adjacency[a] & ~(1 << a)):
                    touched |= self._join(a, b)
        weight, size = self.weight[node], self.sizes[node]
        for other in bits(around):
            adjacency[other] ^= 1 << node
            apart = adjacency[other] & ~around
            if apart:
                self.fill[other] -= weight * self._measure(apart)
            self.entries[other] //= size
        return touched & ~(1 << node)

    def _join(self, a: int, b: int) -> int:
        adjacency, weight = self.adjacency, self.weight
        common = adjacency[a] & adjacency[b]
        for other in bits(common):
            self.fill[other] -= weight[a] * weight[b]
        self.fill[a] += weight[b] * self._measure(adjacency[a] & ~adjacency[b])
        self.fill[b] += weight[a] * self._measure(adjacency[b] & ~adjacency[a])
        adjacency[a] |= 1 << b
        adjacency[b] |= 1 << a
        self.entries[a] *= self.sizes[b]
        self.entries[b] *= self.sizes[a]
        return common
