"""Variety of generated text."""

import re
from collections.abc import Sequence
from itertools import pairwise

_WORD = re.compile(r"\w+")


def distinct_pairs(texts: Sequence[str]) -> float | None:
    """Return the share of different pairs of neighbouring words among all pairs, in (0, 1].

    It falls as texts grow longer: compare equal amounts only.

    Source: Li et al. 2016, A Diversity-Promoting Objective Function for Neural Conversation
    Models, arXiv:1510.03055, sec. 5 (distinct-2).

    Args:
        texts: Pairs do not reach across texts.

    Returns:
        The share; None where there is no pair.

    Example:
        >>> distinct_pairs(["a b a b", "a b"])
        0.5
    """
    pairs = []
    for text in texts:
        words = _WORD.findall(text.lower())
        pairs += pairwise(words)
    return len(set(pairs)) / len(pairs) if pairs else None
