"""Structure by score: add, delete or reverse the edge that helps most, until none helps."""

import itertools
import math
from collections.abc import Mapping, Sequence, Set
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ancestral.networks.arguments import check_number
from ancestral.networks.learning.counting import Array, Columns, count
from ancestral.networks.learning.pairs import Found, Variables, pair_counts
from ancestral.networks.learning.scoring import Score, family_score

_LEAST_GAIN = 1e-6
_MOST_ENTRIES = 2**24


def hill_climb(
    columns: Columns,
    *,
    states: Mapping[str, Sequence[str]] | None = None,
    score: Score = "bic",
    equivalent_sample_size: float = 10.0,
    max_parents: int = 4,
    tabu: int = 10,
) -> Found:
    """Search for the structure of highest score, from the graph without edges.

    Both scores are sums over the nodes, so a move costs the scores of one or two families, which
    are kept. The search ends at a local maximum; the direction of an edge is only found where
    the data can tell (structures of one equivalence class have one score).

    Source: Heckerman, Geiger & Chickering 1995; Koller & Friedman 2009, sec. 18.4.

    Args:
        columns: Fully observed state indices, [N] each.
        states: Names of the states of each column to model; "0", "1", ... up to the largest
            index of every column if None.
        score: ``bic`` or ``bdeu``; see :func:`family_score`.
        equivalent_sample_size: Of BDeu, in rows, above 0.
        max_parents: Most parents of a node, at least 1. Families of more than 2^24 table entries
            are never tried.
        tabu: Moves without a better score after which the search ends, at least 0. The best
            move is made even where it lowers the score, never back to a structure already seen;
            the best structure is returned.

    Raises:
        DataError: If there are no data, or a value is not a state.
        ValueError: If a setting is outside its range.

    Example:
        >>> from ancestral.networks import student_network
        >>> import torch
        >>> rows = student_network().sample(5000, generator=torch.Generator().manual_seed(0))
        >>> found = hill_climb(rows)
        >>> sorted(len(parents) for parents in found.structure.parents.values())
        [0, 1, 1, 2]
    """
    if score not in get_args(Score):
        raise ValueError(f"score must be one of {', '.join(get_args(Score))}, got {score!r}")
    check_number("equivalent_sample_size", equivalent_sample_size, above=True)
    if max_parents < 1 or tabu < 0:
        raise ValueError(
            f"max_parents must be at least 1 and tabu at least 0, got {max_parents} and {tabu}"
        )
    variables = Variables.of(columns, states)
    climb = _Climb(_Families(variables, score, equivalent_sample_size), max_parents)
    best, best_score, moves, idle = climb.parents.copy(), climb.score, 0, 0
    seen = {best.tobytes()}
    while idle <= tabu and (move := climb.best_move(seen, losing=tabu > 0)):
        climb.make(move)
        moves += 1
        seen.add(climb.parents.tobytes())
        idle += 1
        if climb.score > best_score + _LEAST_GAIN:
            best, best_score, idle = climb.parents.copy(), climb.score, 0
    names = variables.names
    parents = {n: tuple(names[j] for j in np.flatnonzero(best[i])) for i, n in enumerate(names)}
    return Found(variables.structure(parents), best_score, moves)


class _Families:
    """The scores of families, each computed once."""

    def __init__(self, variables: Variables, score: Score, equivalent_sample_size: float) -> None:
        self.arrays, self.sizes = list(variables.arrays.values()), variables.sizes
        self._score: Score = score
        self._rows = equivalent_sample_size
        self._known: dict[tuple[int, ...], float] = {}
        counts, starts = pair_counts(variables)
        spans = [slice(start, end) for start, end in itertools.pairwise(starts)]
        for child, own in enumerate(spans):
            self._known[child,] = self._of(np.diagonal(counts)[own])
            for parent, other in enumerate(spans):
                if parent != child:
                    self._known[parent, child] = self._of(counts[other, own])

    def score(self, child: int, parents: Sequence[int]) -> float:
        """Return the score of a node with these parents, in increasing order."""
        family = (*parents, child)
        if family not in self._known:
            sizes = [self.sizes[i] for i in family]
            small = math.prod(sizes) <= _MOST_ENTRIES
            self._known[family] = (
                self._of(count([self.arrays[i] for i in family], sizes)) if small else -math.inf
            )
        return self._known[family]

    def _of(self, counts: Array) -> float:
        return family_score(counts, score=self._score, equivalent_sample_size=self._rows)


class _Climb:
    """A graph, its score, and what each change of one edge would gain.

    ``parents[v, u]`` says whether u is a parent of v; ``toggles[v, u]`` is the gain of adding u to
    the parents of v, or of removing it.
    """

    def __init__(self, families: _Families, max_parents: int) -> None:
        size = len(families.arrays)
        self._families, self._most = families, max_parents
        self.parents: NDArray[np.bool_] = np.zeros((size, size), dtype=bool)
        self._own = np.array([families.score(v, ()) for v in range(size)])
        self.toggles = np.zeros((size, size))
        for v in range(size):
            self._renew(v)

    @property
    def score(self) -> float:
        """Score of the graph, in nats."""
        return math.fsum(self._own)

    def best_move(self, seen: Set[bytes], *, losing: bool) -> list[tuple[int, int]]:
        """Return the (child, parent) pairs to toggle for the best move, empty if there is none.

        Graphs ``seen`` must not come back; ``losing`` moves may lower the score.
        """
        gains = self._gains()
        for flat in np.argsort(-gains, axis=None) if losing else [int(gains.argmax())]:
            kind, v, u = np.unravel_index(flat, gains.shape)
            if gains[kind, v, u] <= (-math.inf if losing else _LEAST_GAIN):
                break
            pairs = [(int(v), int(u)), (int(u), int(v))][: 1 + int(kind)]
            if not losing or self._toggled(pairs).tobytes() not in seen:
                return pairs
        return []

    def make(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Toggle the parents, and renew what depends on them."""
        self.parents = self._toggled(pairs)
        for v, _ in pairs:
            self._own[v] = self._families.score(v, self._parents_of(v))
            self._renew(v)

    def _gains(self) -> Array:
        """Return the gain of toggling (0) and of reversing (1) each edge, [2, D, D]."""
        below = _reaches(self.parents)  # [a, b]: a path leads from a to b.
        full = self.parents.sum(1) >= self._most
        add = ~self.parents & ~below & ~full[:, None]
        single = np.where(self.parents | add, self.toggles, -math.inf)
        # u -> v can be turned unless another path leads from u to v, through a parent of v.
        strict = below & ~np.eye(len(below), dtype=bool)
        detour = (self.parents.astype(np.float32) @ strict.T.astype(np.float32)) > 0
        turn = self.parents & ~detour & ~full[None, :]
        return np.stack((single, np.where(turn, self.toggles + self.toggles.T, -math.inf)))

    def _toggled(self, pairs: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
        parents = self.parents.copy()
        for v, u in pairs:
            parents[v, u] ^= True
        return parents

    def _renew(self, v: int) -> None:
        now = self._parents_of(v)
        for u in range(len(self.parents)):
            if u in now:
                other = [w for w in now if w != u]
            elif u != v and len(now) < self._most:
                other = sorted((*now, u))
            else:
                self.toggles[v, u] = -math.inf
                continue
            self.toggles[v, u] = self._families.score(v, other) - self._own[v]

    def _parents_of(self, v: int) -> list[int]:
        return np.flatnonzero(self.parents[v]).tolist()


def _reaches(parents: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether a path, perhaps of no edge, leads from a to b, [a, b]."""
    reach = (parents.T | np.eye(len(parents), dtype=bool)).astype(np.float32)
    for _ in range(max(1, (len(parents) - 1).bit_length())):
        reach = (reach @ reach > 0).astype(np.float32)
    return reach > 0
