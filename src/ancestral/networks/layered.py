"""Layered layout of a directed acyclic graph: where the nodes stand and how the edges run.

The method of Sugiyama: give every node a layer so that edges point one way, put a bend on an edge
for every layer that it passes (so that it never runs through a node), order the layers so that few
edges cross, then place each layer near its neighbours. Plain numbers only: no torch, no SVG.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias

from scipy.optimize import isotonic_regression

from ancestral.networks.dag import DAG

Bend: TypeAlias = tuple[str, str, int]
"""The place where the edge (parent, child) passes the layer of that number."""
Vertex: TypeAlias = str | Bend

BEND_ACROSS = 8.0
GAP_ACROSS = 26.0
GAP_ALONG = 44.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Centres in pixels: ``across`` within a layer and ``along`` the direction of the edges.

    ``bands`` are the first and the last pixel along of each layer; edges may turn only between
    two bands. ``layer`` is each node's; ``bends`` are the across-coordinates of the edge's bends,
    one for each layer between its ends.
    """

    across: Mapping[str, float]
    along: Mapping[str, float]
    layer: Mapping[str, int]
    bands: Sequence[tuple[float, float]]
    bends: Mapping[tuple[str, str], Sequence[float]]
    size: tuple[float, float]


def lay_out(dag: DAG, sizes: Mapping[str, tuple[float, float]]) -> Layout:
    """Lay a graph out whose nodes need so much room, (across, along) in pixels.

    Source: Sugiyama, Tagawa and Toda 1981; the placement by isotonic regression is a least-squares
    form of Gansner et al. 1993, sec. 4.
    """
    layer = assign_layers(dag)
    rows, above, below = _rows(dag, layer)
    rows = _uncross(rows, above, below)
    places = _place(rows, above, below, sizes)
    left = min((places[name] - sizes[name][0] / 2 for name in dag.names), default=0.0)
    left = min([left, *(x - BEND_ACROSS / 2 for x in places.values())])
    right = max((places[name] + sizes[name][0] / 2 for name in dag.names), default=0.0)
    right = max([right, *(x + BEND_ACROSS / 2 for x in places.values())])
    bands, top = [], 0.0
    for row in rows:
        depth = max(sizes[v][1] for v in row if isinstance(v, str))
        bands.append((top, top + depth))
        top += depth + GAP_ALONG
    return Layout(
        across={name: places[name] - left for name in dag.names},
        along={name: sum(bands[layer[name]]) / 2 for name in dag.names},
        layer=layer,
        bands=bands,
        bends={
            (a, b): [places[a, b, i] - left for i in range(layer[a] + 1, layer[b])]
            for a, b in dag.edges
        },
        size=(right - left, max(0.0, top - GAP_ALONG)),
    )


def assign_layers(dag: DAG) -> dict[str, int]:
    """Return each node's layer: the longest path from a root, then pulled towards its children."""
    layer: dict[str, int] = {}
    for name in dag.names:
        layer[name] = max((layer[parent] + 1 for parent in dag.parents(name)), default=0)
    for name in reversed(dag.names):  # Shortens edges wherever more go out than come in.
        children = dag.children(name)
        if len(children) > len(dag.parents(name)):
            layer[name] = min(layer[child] for child in children) - 1
    return layer


def count_crossings(rows: Sequence[Sequence[Vertex]], below: Mapping[Vertex, list[Vertex]]) -> int:
    """Return the number of pairs of edges that cross between neighbouring rows."""
    crossings = 0
    for upper, lower in pairwise(rows):
        index = {vertex: i for i, vertex in enumerate(lower)}
        seen: list[int] = []
        for vertex in upper:
            ends = sorted(index[v] for v in below[vertex])
            crossings += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return crossings


def _rows(
    dag: DAG, layer: Mapping[str, int]
) -> tuple[list[list[Vertex]], dict[Vertex, list[Vertex]], dict[Vertex, list[Vertex]]]:
    """Put nodes and bends into rows, and link each with its neighbours above and below."""
    rows: list[list[Vertex]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for name in dag.names:
        rows[layer[name]].append(name)
    links: list[tuple[Vertex, Vertex]] = []
    for a, b in dag.edges:
        bends: list[Vertex] = [(a, b, i) for i in range(layer[a] + 1, layer[b])]
        for bend, row in zip(bends, rows[layer[a] + 1 : layer[b]], strict=True):
            row.append(bend)
        links += pairwise([a, *bends, b])
    above: dict[Vertex, list[Vertex]] = {v: [] for row in rows for v in row}
    below: dict[Vertex, list[Vertex]] = {v: [] for row in rows for v in row}
    for upper, lower in links:
        below[upper].append(lower)
        above[lower].append(upper)
    return rows, above, below


def _uncross(
    rows: list[list[Vertex]],
    above: Mapping[Vertex, list[Vertex]],
    below: Mapping[Vertex, list[Vertex]],
    *,
    sweeps: int = 24,
) -> list[list[Vertex]]:
    """Order the rows by the barycentre of their neighbours, down and up; keep the best seen."""
    best, fewest = [list(row) for row in rows], count_crossings(rows, below)
    for sweep in range(sweeps):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        neighbours = above if down else below
        order = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for i in order:
            fixed = {vertex: j for j, vertex in enumerate(rows[i - 1 if down else i + 1])}
            key = {
                v: sum(fixed[u] for u in neighbours[v]) / len(neighbours[v]) if neighbours[v] else j
                for j, v in enumerate(rows[i])
            }
            # Every second pair of sweeps lets equal ones change places, to leave a local optimum.
            row = reversed(rows[i]) if sweep % 4 > 1 else rows[i]
            rows[i] = sorted(row, key=key.__getitem__)
        crossings = count_crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _place(
    rows: Sequence[Sequence[Vertex]],
    above: Mapping[Vertex, list[Vertex]],
    below: Mapping[Vertex, list[Vertex]],
    sizes: Mapping[str, tuple[float, float]],
    *,
    sweeps: int = 24,
) -> dict[Vertex, float]:
    """Give each vertex the weighted mean of its neighbours' places, as far as its row has room."""
    steps = {v: sizes[v][0] if isinstance(v, str) else BEND_ACROSS for row in rows for v in row}
    offsets = []
    for row in rows:
        gaps = [(steps[a] + steps[b]) / 2 + GAP_ACROSS for a, b in pairwise(row)]
        offsets.append(list(accumulate(gaps, initial=0.0)))
    places = {
        vertex: offset - line[-1] / 2
        for row, line in zip(rows, offsets, strict=True)
        for vertex, offset in zip(row, line, strict=True)
    }
    for sweep in range(sweeps):
        order = range(len(rows)) if sweep % 2 == 0 else range(len(rows) - 1, -1, -1)
        for i in order:
            wanted, weights = [], []
            for vertex in rows[i]:
                near = [(u, _stiffness(u, vertex)) for u in (*above[vertex], *below[vertex])]
                weight = sum(w for _, w in near)
                wanted.append(
                    sum(places[u] * w for u, w in near) / weight if near else places[vertex]
                )
                weights.append(weight or 0.1)
            free = [w - offset for w, offset in zip(wanted, offsets[i], strict=True)]
            fitted = isotonic_regression(free, weights=weights).x.tolist()
            for vertex, value, offset in zip(rows[i], fitted, offsets[i], strict=True):
                places[vertex] = value + offset
    return places


def _stiffness(a: Vertex, b: Vertex) -> float:
    """How straight the piece of edge between two vertices wants to be: bends most of all."""
    return (1.0, 2.0, 8.0)[isinstance(a, tuple) + isinstance(b, tuple)]
