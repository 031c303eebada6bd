"""Clique potentials: products of tables with the states of the observed nodes left open."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ancestral.networks.exact.junction_tree import Clique
from ancestral.networks.exact.tables import Array, Tables
from ancestral.networks.exact.triangulation import bits

FLOOR = -400.0
"""Products that could fall below exp of this are scaled as they are formed."""
BIG = 1 << 20
"""Cliques of more entries are filled from their tables every time, to save memory."""
_OPEN = 1 << 15
"""Most entries of a product that is made in advance for every state of the observed nodes."""


@dataclass(slots=True)
class Factor:
    """A table whose rows are the joint states of some observed nodes.

    Args:
        known: Pairs (observed node, stride): the row of a case is the sum of state x stride.
        rows: [K, entries]; the entries are those of ``shape``.
        shape: Shape that broadcasts against the clique's; () for a number.
    """

    known: tuple[tuple[int, int], ...]
    rows: Array
    shape: tuple[int, ...]
    columns: Array | None = None  # The rows' transpose, made when many cases are first asked.

    def pick(self, values: Sequence[int] | Array) -> Array:
        """Return the entries for every case, [entries, B]; [entries, 1] if all are alike.

        ``values`` are states by node, [nodes], or by node and case, an array [nodes, B].
        """
        if not self.known:
            return self.rows[0][:, None]
        row = sum([values[node] * stride for node, stride in self.known])
        if isinstance(row, np.ndarray):
            if self.columns is None:
                self.columns = np.ascontiguousarray(self.rows.T)
            return self.columns.take(row, axis=1)
        return self.rows[row][:, None]


def clique_factors(
    tables: Tables, clique: Clique, nodes: Sequence[int], known: int
) -> list[Factor]:
    """Return the factors whose product is the potential of a clique that holds the nodes' tables.

    The set ``known`` has the observed nodes; a clique with no nodes stands for tables that are
    wholly observed.
    """
    if not nodes:
        return []
    union = 0
    for node in nodes:
        union |= tables.families[node]
    union &= known
    seen = list(bits(union))
    rows = math.prod([tables.sizes[node] for node in seen])
    # Products of many small numbers are left open too: they are scaled as they are formed.
    if clique.entries * rows <= _OPEN and sum(map(tables.floor, nodes)) > FLOOR:
        return [_product(tables, clique, nodes, seen)]
    still = [node for node in nodes if not tables.families[node] & known]
    if sum(map(tables.floor, still)) < FLOOR or clique.entries > BIG:
        factors = [_product(tables, clique, [node], []) for node in still]
    else:
        factors = [_product(tables, clique, still, [])] if still else []
    for node in nodes:
        if open_nodes := [v for v in seen if tables.families[node] >> v & 1]:
            factors.append(_product(tables, clique, [node], open_nodes))
    return factors


def _product(tables: Tables, clique: Clique, nodes: Sequence[int], seen: Sequence[int]) -> Factor:
    axes = [*seen, *clique.nodes]
    place = {node: at for at, node in enumerate(axes)}
    result: Array | None = None
    for node in nodes:
        scope = tables.scopes[node]
        order = sorted(range(len(scope)), key=[place[v] for v in scope].__getitem__)
        shape = [1] * len(axes)
        for v in scope:
            shape[place[v]] = tables.sizes[v]
        table = tables.arrays[node].transpose(order).reshape(shape)
        result = table if result is None else result * table
    assert result is not None
    count = len(seen)
    if len(nodes) > 1:  # Several tables may still not reach every axis.
        result = np.broadcast_to(result, [tables.sizes[v] for v in axes])
    shape = result.shape[count:]
    strides, step = [], 1
    for node in reversed(seen):
        strides.append((node, step))
        step *= tables.sizes[node]
    return Factor(tuple(strides), np.ascontiguousarray(result.reshape(step, -1)), shape)
