import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestral.evaluation.text.suffix_array import SuffixArray

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=40)


@given(tokens)
def test_suffixes_are_sorted(corpus: list[int]) -> None:
    order = SuffixArray(np.array(corpus)).order
    suffixes = [corpus[i:] for i in order]
    assert suffixes == sorted(suffixes)
    assert sorted(order.tolist()) == list(range(len(corpus)))


@given(tokens, st.lists(st.integers(-1, 4), max_size=30))
def test_longest_matches_are_those_of_brute_force(corpus: list[int], query: list[int]) -> None:
    found = SuffixArray(np.array(corpus)).longest_matches(np.array(query, dtype=int))
    assert found.tolist() == [_longest(corpus, query[i:]) for i in range(len(query))]


def test_the_longest_repeat_does_not_matter() -> None:
    order = SuffixArray(np.zeros(1000, dtype=int)).order
    assert order.tolist() == list(range(999, -1, -1))


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(ValueError, match=r"N at least 1, got \[0\]"):
        SuffixArray(np.array([], dtype=int))


def _longest(corpus: list[int], query: list[int]) -> int:
    length = 0
    while length < len(query) and any(
        corpus[i : i + length + 1] == query[: length + 1] for i in range(len(corpus) - length)
    ):
        length += 1
    return length
