"""IT-03: the coding interpretation of entropy."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.information import cross_entropy, entropy, huffman_code, huffman_lengths


def law(weights: list[int]) -> torch.Tensor:
    p = torch.tensor(weights, dtype=torch.float64)
    return p / p.sum()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=2, max_size=40))
def test_a_huffman_code_is_within_one_bit_of_the_entropy(weights: list[int]) -> None:
    p = law(weights)
    lengths = huffman_lengths(p)
    bits = float(entropy(p, base=2))
    mean = (p * lengths).sum().item()
    assert bits - 1e-12 <= mean < bits + 1
    # A full prefix code: Kraft's sum is 1.
    assert (0.5**lengths).sum().item() == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=2, max_size=5).filter(any))
def test_no_other_prefix_code_is_shorter(weights: list[int]) -> None:
    p = law(weights)
    best = (
        min(
            (p * torch.tensor(lengths)).sum().item()
            for lengths in itertools.product(range(1, len(weights)), repeat=len(weights))
            if sum(0.5**length for length in lengths) <= 1
        )
        if len(weights) > 2
        else 1.0
    )
    assert (p * huffman_lengths(p)).sum().item() == pytest.approx(best, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=20))
def test_no_word_begins_with_another(weights: list[int]) -> None:
    p = law(weights)
    words = huffman_code(p)
    assert [len(word) for word in words] == huffman_lengths(p).tolist()
    for first, second in itertools.permutations(words, 2):
        assert not second.startswith(first)


def test_a_code_made_for_another_law_costs_the_cross_entropy() -> None:
    q = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
    p = q.flip(0)
    cost = (p * huffman_lengths(q)).sum().item()
    assert cost == pytest.approx(float(cross_entropy(p, q, base=2)), abs=1e-12)
    assert cost > float(entropy(p, base=2))


def test_edges() -> None:
    assert huffman_lengths(torch.tensor([1.0])).tolist() == [0]
    assert huffman_code(torch.tensor([1.0])) == [""]
    with pytest.raises(ValueError, match=r"p must be \[N\]"):
        huffman_lengths(torch.full((2, 2), 0.5))
