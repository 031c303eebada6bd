"""Texts to look at, with what stands verbatim in the training corpus marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ancestral.data.text import Tokenizer
from ancestral.evaluation.text.memorised import Memory, covered


@dataclass(frozen=True, slots=True)
class Passage:
    """One text.

    Args:
        pieces: The text in pieces, each with whether it stands verbatim in the corpus.
        longest: The longest stretch that does, empty without one.
        tokens: Tokens of that stretch.
    """

    pieces: tuple[tuple[str, bool], ...]
    longest: str = ""
    tokens: int = 0

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(text for text, _ in self.pieces)


@dataclass(frozen=True, slots=True)
class Passages:
    """Generated texts, and the longest copies among them and among held-out human texts.

    Args:
        shown: Generated texts to read.
        copies: The longest stretches copied by any generated text, longest first.
        human: The same of as much held-out human text.
        least: Fewest tokens of a copy.
    """

    shown: tuple[Passage, ...]
    copies: tuple[Passage, ...]
    human: tuple[Passage, ...]
    least: int


def passage(text: NDArray[np.integer], memory: Memory, tokenizer: Tokenizer) -> Passage:
    """Return a text [T] of token ids with its copies marked."""
    matches = memory.matches(text)
    inside = covered(matches, len(text))
    edges = [0, *(np.flatnonzero(np.diff(inside)) + 1).tolist(), len(text)]
    pieces = tuple(
        (tokenizer.decode(text[a:b].tolist()), bool(inside[a])) for a, b in pairwise(edges) if a < b
    )
    best = max(matches, key=len, default=None)
    if best is None:
        return Passage(pieces)
    return Passage(pieces, tokenizer.decode(text[best.start : best.stop].tolist()), len(best))


def most_copied(passages: Sequence[Passage], most: int = 5) -> tuple[Passage, ...]:
    """Return the passages with the longest copies, longest first, without those of none."""
    found = sorted((one for one in passages if one.tokens), key=lambda one: -one.tokens)
    return tuple(found[:most])
