"""All places where a sequence of tokens stands in a corpus, by one sorted array."""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_END = np.iinfo(np.int64).min
"""What stands past the end of the corpus: smaller than any token, and equal to none."""


class SuffixArray:
    """The suffixes of a corpus in lexicographic order.

    It is made by prefix doubling: after step k all suffixes are ordered by their first 2^k
    tokens, so a corpus of N tokens with longest repeat R takes O(N log N log R).

    Source: Manber & Myers 1993, Suffix Arrays: A New Method for On-Line String Searches, SIAM
    Journal on Computing 22(5), sec. 3.

    Args:
        corpus: Token ids, at least 0, [N] with N at least 1.

    Raises:
        ValueError: If the corpus is empty or has another shape.

    Example:
        >>> found = SuffixArray(np.array([1, 2, 3, 1, 2, 4]))
        >>> found.order.tolist()
        [0, 3, 1, 4, 2, 5]
        >>> found.longest_matches(np.array([7, 1, 2, 4, 9])).tolist()
        [0, 3, 2, 1, 0]
    """

    def __init__(self, corpus: NDArray[np.integer]) -> None:
        if corpus.ndim != 1 or len(corpus) == 0:
            raise ValueError(f"corpus must be [N] with N at least 1, got {list(corpus.shape)}")
        self.corpus: Integers = np.asarray(corpus, dtype=np.int64)
        self.order: Integers = _sorted_suffixes(self.corpus)

    def longest_matches(self, query: NDArray[np.integer], *, start: int = 0) -> Integers:
        """Return, for each position of a query, the longest stretch from there in the corpus.

        Args:
            query: Token ids, [Q]. An id below 0 matches nothing.
            start: First position that is asked about.

        Returns:
            Lengths in tokens, int64 [Q - start].
        """
        query = np.asarray(query, dtype=np.int64)
        lengths = np.zeros(len(query) - start, dtype=np.int64)
        live = np.arange(len(lengths))
        low, high = np.zeros_like(lengths), np.full_like(lengths, len(self.order))
        for depth in range(len(query)):
            live = live[live + start + depth < len(query)]
            wanted = query[live + start + depth]
            low[live], high[live] = (
                self._edge(low[live], high[live], wanted, depth),
                self._edge(low[live], high[live], wanted + 1, depth),
            )
            live = live[low[live] < high[live]]
            if len(live) == 0:
                break
            lengths[live] = depth + 1
        return lengths

    def _edge(self, low: Integers, high: Integers, wanted: Integers, depth: int) -> Integers:
        """Return the first place in [low, high) whose token at ``depth`` is at least wanted."""
        low, high = low.copy(), high.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            at = self.order[np.minimum(middle, len(self.order) - 1)] + depth
            token = self.corpus[np.minimum(at, len(self.corpus) - 1)]
            token = np.where(at < len(self.corpus), token, _END)
            below = open_ & (token < wanted)
            low = np.where(below, middle + 1, low)
            high = np.where(open_ & ~below, middle, high)
        return low


def _sorted_suffixes(corpus: Integers) -> Integers:
    rank = np.unique(corpus, return_inverse=True)[1].astype(np.int64)
    width, n = 1, len(corpus)
    while True:
        following = np.zeros(n, dtype=np.int64)  # 0: past the end, before any rank.
        following[: n - width] = rank[width:] + 1
        key = rank * (n + 1) + following
        order = np.argsort(key, kind="stable")
        step = np.ones(n, dtype=np.int64)
        step[0] = 0
        np.not_equal(key[order[1:]], key[order[:-1]], out=step[1:], casting="unsafe")
        rank = np.empty(n, dtype=np.int64)
        rank[order] = np.cumsum(step)
        width *= 2
        if rank[order[-1]] == n - 1 or width >= n:
            return order
