"""How much of a text stands verbatim in the training corpus, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ancestral.evaluation.measures.estimate import Estimate, ratio_of
from ancestral.evaluation.text.suffix_array import SuffixArray

LEAST = 20
"""Fewest tokens of a match that count as memorised."""


@dataclass(frozen=True, slots=True)
class Match:
    """A stretch of a text that stands verbatim in the corpus.

    Args:
        start: Its first token in the text.
        stop: The token after its last.
    """

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class Memory:
    """The training corpus, ready to be asked.

    Args:
        corpus: The training documents as one stream of token ids, [N]. Special tokens between
            the documents keep matches inside one document.
        least: Fewest tokens of a match, at least 1.

    Example:
        >>> memory = Memory(np.arange(100), least=3)
        >>> memory.matches(np.array([5, 6, 7, 8, 50, 51, 70, 71, 72]))
        [Match(start=0, stop=4), Match(start=6, stop=9)]
    """

    def __init__(self, corpus: NDArray[np.integer], *, least: int = LEAST) -> None:
        if least < 1:
            raise ValueError(f"least must be at least 1, got {least}")
        self.least = least
        self._suffixes = SuffixArray(corpus)

    def matches(self, text: NDArray[np.integer]) -> list[Match]:
        """Return the longest stretches of a text [T] that stand in the corpus, in order.

        Stretches may overlap; one that lies inside another is left out.
        """
        lengths = self._suffixes.longest_matches(text)
        stops = np.arange(len(text)) + lengths
        # A stretch is inside the one before it unless it reaches further.
        before = np.concatenate(([-1], np.maximum.accumulate(stops)[:-1])) if len(text) else stops
        found = np.flatnonzero((lengths >= self.least) & (stops > before))
        return [Match(int(start), int(stops[start])) for start in found]


def covered(matches: Sequence[Match], length: int) -> NDArray[np.bool_]:
    """Return which of so many tokens lie inside one of the matches, bool [length]."""
    inside = np.zeros(length, dtype=bool)
    for match in matches:
        inside[match.start : match.stop] = True
    return inside


def memorised_fraction(memory: Memory, texts: Sequence[NDArray[np.integer]]) -> Estimate:
    """Return the share of all tokens that lie inside verbatim matches with the corpus.

    Args:
        memory: The training corpus.
        texts: Token ids without special tokens, at least 2 texts with a token among them.

    Raises:
        ValueError: If there are fewer than 2 texts, or no token.
    """
    counts = torch.tensor([len(text) for text in texts])
    if len(texts) < 2 or not counts.any():
        raise ValueError(f"need at least 2 texts with tokens, got {len(texts)}")
    inside = torch.tensor([int(covered(memory.matches(text), len(text)).sum()) for text in texts])
    return ratio_of(inside, counts)
