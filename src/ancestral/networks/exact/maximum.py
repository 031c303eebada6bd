"""The most probable states, by elimination with maxima."""

import math
from collections.abc import Sequence

import numpy as np

from ancestral.networks.exact.evidence import Case
from ancestral.networks.exact.junction_tree import junction_tree
from ancestral.networks.exact.size import ENTRY, check_size, cost_of
from ancestral.networks.exact.tables import Array, Tables
from ancestral.networks.exact.triangulation import bits, moralise, triangulate

_Factor = tuple[tuple[int, ...], Array]


def maximise(
    tables: Tables, nodes: Sequence[int], case: Case, limit: float
) -> tuple[dict[int, int], float]:
    """Return the states of ``nodes`` that are most probable together, and the log of that, nats.

    The other nodes are summed out first, then these are maximised out one by one, and their states
    read off in the opposite order. The log is -inf if the evidence is impossible. Raises
    InferenceError if it would need more than ``limit`` bytes.

    Source: Koller & Friedman 2009, algorithms 13.1 and 13.2 (max-product elimination).
    """
    over = sum(1 << node for node in nodes)
    relevant = tables.relevant([*nodes, *bits(case.observed | case.weighed)], case.cut)
    hidden = relevant & ~case.known
    factors = [_slice(tables, node, case) for node in bits(relevant & ~case.cut)]
    factors += [_weight(node, likelihood, case) for node, likelihood in case.soft]
    scopes = [sum(1 << v for v in scope) for scope, _ in factors]
    adjacency, room = moralise(scopes, len(tables.sizes)), limit / ENTRY
    order = triangulate(adjacency, tables.sizes, hidden & ~over, hidden & over, room=room)
    check_size(cost_of(tables, junction_tree(order, tables.sizes)), limit)
    place = {node: at for at, node in enumerate(order.nodes)}
    log_scale = 0.0
    best: list[tuple[int, tuple[int, ...], Array]] = []
    for node in order.nodes:
        bucket = [factor for factor in factors if node in factor[0]]
        factors = [factor for factor in factors if node not in factor[0]]
        scope, table = _product(tables, bucket, place)  # The node itself comes first.
        if over >> node & 1:
            best.append((node, scope[1:], table.argmax(0)))
        message = table.max(0) if over >> node & 1 else table.sum(0)
        peak = float(message.max())
        if peak <= 0:
            return {}, -math.inf
        log_scale += math.log(peak)
        factors.append((scope[1:], message / peak))
    for _, number in factors:
        if number <= 0:
            return {}, -math.inf
        log_scale += math.log(number)
    states: dict[int, int] = {}
    for node, scope, choice in reversed(best):
        states[node] = int(choice[tuple(states[v] for v in scope)])
    return states, log_scale


def _slice(tables: Tables, node: int, case: Case) -> _Factor:
    scope = tables.scopes[node]
    index = tuple(case.values[v] if case.known >> v & 1 else slice(None) for v in scope)
    return tuple(v for v in scope if not case.known >> v & 1), tables.arrays[node][index]


def _weight(node: int, likelihood: Array, case: Case) -> _Factor:
    """Return soft evidence as a factor, a number where the state is known."""
    known = case.known >> node & 1
    return ((), likelihood[case.values[node]]) if known else ((node,), likelihood)


def _product(
    tables: Tables, factors: Sequence[_Factor], place: dict[int, int]
) -> tuple[tuple[int, ...], Array]:
    scope = tuple(sorted({v for names, _ in factors for v in names}, key=place.__getitem__))
    result = np.ones([tables.sizes[v] for v in scope])
    for names, table in factors:
        order = sorted(range(len(names)), key=[place[v] for v in names].__getitem__)
        result *= table.transpose(order).reshape(
            [tables.sizes[v] if v in names else 1 for v in scope]
        )
    return scope, result
