"""Counts of all n-grams of a corpus, level by level, as sorted arrays of whole numbers.

The key of an n-gram is (index of its first n - 1 tokens one level below) * base + last token. So
the n-grams that share a context lie side by side, and a look-up is one binary search a level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.classic.chains.recursions import Array
from ancestral.classic.chains.sequences import check_lengths, check_states
from ancestral.errors import DataError

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stream:
    """Sequences one after the other, each with its begin, and its end where it is an event.

    Args:
        tokens: [M]; ``base - 1`` is begin, ``base - 2`` is end.
        place: Place in its sequence, 0 for begin, [M].
        row: Number of its sequence, [M].
    """

    tokens: Whole
    place: Whole
    row: Whole


@dataclass(frozen=True, slots=True)
class Level:
    """All different n-grams of one n.

    Args:
        keys: Sorted, [G].
        counts: How often each occurs, [G].
        suffix: Index of its last n - 1 tokens one level below, [G].
        begins: Whether it starts with the begin of a sequence, [G].
    """

    keys: Whole
    counts: Whole
    suffix: Whole
    begins: NDArray[np.bool_]


def stream(
    x: Tensor | Sequence[Tensor], lengths: Tensor | None, *, vocabulary: int, ends: bool
) -> Stream:
    """Lay sequences [T], [N, T] with lengths, or a list of [T_i], one after the other.

    Raises ValueError if the shape is none of these; DataError if there is no sequence, none has an
    event, or a token is not 0 to vocabulary - 1.
    """
    if not isinstance(x, Tensor):
        parts = [_part(part) for part in x]
        steps = np.array([len(part) for part in parts], dtype=np.int64)
        flat = torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)
    else:
        rows = x[None] if x.ndim == 1 else x
        steps = check_lengths(rows, lengths)
        flat = rows.detach().cpu()[torch.arange(rows.shape[1]) < torch.from_numpy(steps)[:, None]]
    tokens = check_states(flat[None], vocabulary, name="x", missing=False)[0]
    if len(steps) == 0:
        check_lengths(torch.empty(0, 0), None)  # Raises: there is no sequence.
    if not ends and not steps.any():
        raise DataError("the sequences must hold at least 1 token, got none")
    whole = steps + 1 + ends
    first = np.cumsum(whole) - whole
    row = np.repeat(np.arange(len(steps)), whole)
    place = np.arange(whole.sum()) - first[row]
    found = np.full(whole.sum(), vocabulary)
    found[first] = vocabulary + 1
    found[(place > 0) & (place <= steps[row])] = tokens
    return Stream(found, place, row)


def _part(part: Tensor | Sequence[int]) -> Tensor:
    """Return one sequence [T]; an empty one has no type of its own."""
    tokens = torch.as_tensor(part).detach().cpu()
    if tokens.ndim != 1:
        raise ValueError(f"each sequence of a list must have shape [T], got {list(tokens.shape)}")
    return tokens if len(tokens) else tokens.long()


def count(corpus: Stream, *, base: int, order: int) -> list[Level]:
    """Return the levels 1 to ``order``; begin itself is a 1-gram, as the context that it is."""
    levels: list[Level] = []
    before = np.zeros(len(corpus.tokens), dtype=np.int64)  # Of the empty gram.
    for n in range(1, order + 1):
        valid = np.flatnonzero(corpus.place >= n - 1)
        context = before[valid] if n == 1 else before[valid - 1]
        keys, where, inverse, counts = np.unique(
            context * base + corpus.tokens[valid],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        example = valid[where]
        levels.append(Level(keys, counts, before[example], corpus.place[example] == n - 1))
        before = np.full(len(corpus.tokens), -1)
        before[valid] = inverse
    return levels


def continuations(levels: Sequence[Level]) -> list[Array]:
    """Return how many different tokens come before each n-gram; raw counts at the top level.

    Nothing comes before the begin of a sequence, so n-grams that start with it keep their counts.

    Source: Kneser & Ney 1995; Chen & Goodman 1999, eq. 20; Heafield et al. 2013, sec. 3.
    """
    found = []
    for level, above in pairwise(levels):
        different = np.bincount(above.suffix, minlength=len(level.keys))
        found.append(np.where(level.begins, level.counts, different).astype(np.float64))
    return [*found, levels[-1].counts.astype(np.float64)]


def find(keys: Whole, wanted: Whole) -> Whole:
    """Return the index of each key in sorted keys, -1 where it is not there."""
    if len(keys) == 0:
        return np.full(wanted.shape, -1)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)


def taken(values: Array, at: Whole, otherwise: float) -> Array:
    """Return the values at indices; ``otherwise`` where the index is -1."""
    if len(values) == 0:
        return np.full(at.shape, otherwise)
    return np.where(at >= 0, values[at], otherwise)
