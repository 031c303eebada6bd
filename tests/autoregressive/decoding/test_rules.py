import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from ancestral.autoregressive.decoding import penalties, rules
from ancestral.autoregressive.decoding.seen import History, Seen

INF = math.inf
seeds = st.integers(0, 2**31)
laws = settings(deadline=None, max_examples=60)


def some_logits(seed: int, *, ties: bool = False, size: int = 40) -> Tensor:
    logits = 3 * torch.randn(2, size, generator=torch.Generator().manual_seed(seed)).double()
    return logits.round() if ties else logits


def tokens_of(seed: int, length: int, size: int = 40) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(size, (length,), generator=generator).tolist()


def kept(logits: Tensor) -> list[set[int]]:
    return [set((row > -INF).nonzero().flatten().tolist()) for row in logits]


def shortest_prefix(order: list[int], probability: list[float], mass: float) -> set[int]:
    total, found = 0.0, set()
    for token in order:
        found.add(token)
        total += probability[token]
        if total >= mass - 1e-12:
            break
    return found


@laws
@given(seed=seeds, ties=st.booleans(), k=st.integers(1, 60))
def test_top_k_is_the_first_k_of_a_stable_sort(seed: int, ties: bool, k: int) -> None:
    logits = some_logits(seed, ties=ties)
    found = rules.top_k(logits, k)
    for row, it in zip(logits.tolist(), kept(found), strict=True):
        assert it == set(sorted(range(len(row)), key=lambda token: (-row[token], token))[:k])
    assert torch.equal(found[found > -INF], logits[found > -INF])


@laws
@given(seed=seeds, ties=st.booleans(), p=st.floats(0.01, 0.999), size=st.sampled_from([40, 3000]))
def test_top_p_is_the_shortest_prefix(seed: int, ties: bool, p: float, size: int) -> None:
    logits = some_logits(seed, ties=ties, size=size)
    probability = logits.softmax(-1).tolist()
    for row, it in zip(probability, kept(rules.top_p(logits, p)), strict=True):
        order = sorted(range(size), key=lambda token: (-row[token], token))
        assert it == shortest_prefix(order, row, p)


@laws
@given(seed=seeds, mass=st.floats(0.01, 0.999), size=st.sampled_from([40, 3000]))
def test_typical_is_the_nearest_to_the_entropy(seed: int, mass: float, size: int) -> None:
    logits = some_logits(seed, size=size)
    log_p = logits.log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum(-1, keepdim=True)
    strange = (-log_p - entropy).abs().tolist()
    for row, key, it in zip(
        log_p.exp().tolist(), strange, kept(rules.typical(logits, mass)), strict=True
    ):
        assert it == shortest_prefix(sorted(range(size), key=key.__getitem__), row, mass)


@laws
@given(seed=seeds, share=st.floats(0, 1))
def test_min_p_is_a_share_of_the_largest(seed: int, share: float) -> None:
    logits = some_logits(seed)
    probability = logits.softmax(-1)
    for row, it in zip(probability, kept(rules.min_p(logits, share)), strict=True):
        assert it == set((row >= share * row.max() * (1 - 1e-12)).nonzero().flatten().tolist())


@laws
@given(seed=seeds, k=st.integers(1, 40), p=st.floats(0.05, 0.99))
def test_cuts_agree_with_transformers(seed: int, k: int, p: float) -> None:
    logits, ids = some_logits(seed).float(), torch.zeros(2, 1, dtype=torch.int64)
    for ours, theirs in (
        (rules.top_k(logits, k), TopKLogitsWarper(k)),
        (rules.top_p(logits, p), TopPLogitsWarper(p)),
        (rules.min_p(logits, p), MinPLogitsWarper(p)),
        (rules.typical(logits, p), TypicalLogitsWarper(p)),
    ):
        torch.testing.assert_close(ours, theirs(ids, logits.clone()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rules_at_their_ends(dtype: torch.dtype) -> None:
    logits = some_logits(0, ties=True).to(dtype)
    for found in (
        rules.top_k(logits, 99), rules.top_p(logits, 1), rules.min_p(logits, 0),
        rules.typical(logits, 1), rules.temperature(logits, 1),
    ):  # fmt: skip
        torch.testing.assert_close(found.softmax(-1), logits.softmax(-1))
    first = logits.argmax(-1).tolist()
    for found in (rules.top_k(logits, 1), rules.top_p(logits, 1e-9), rules.temperature(logits, 0)):
        assert kept(found) == [{int(token)} for token in first]
    equals = [set((row == row.max()).nonzero().flatten().tolist()) for row in logits]
    assert kept(rules.min_p(logits, 1)) == equals


def test_temperature_spreads_from_the_argmax_to_the_uniform() -> None:
    logits = some_logits(1, size=10).float()
    entropies = []
    for value in (1e-6, 0.1, 0.5, 1, 2, 5, 10, 1e6):
        p = rules.temperature(logits, value).softmax(-1)
        torch.testing.assert_close(p, (logits.double() / value).softmax(-1).float())
        entropies.append(torch.special.entr(p).sum(-1))
    assert (torch.stack(entropies).diff(dim=0) >= -1e-6).all()
    assert torch.equal(rules.temperature(logits, 1e-6).argmax(-1), logits.argmax(-1))
    assert ((p - 0.1).abs() < 1e-4).all()
    assert not rules.temperature(torch.tensor([[1.0, -INF]]), 1e-6).isnan().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_temperature_past_the_type_of_the_logits_is_its_limit(dtype: torch.dtype) -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0, -INF]], dtype=dtype)
    greedy = rules.temperature(logits, 0)
    assert greedy.tolist() == [[-INF, 0, -INF, -INF]]
    least = 1e-300 if dtype == torch.float32 else 5e-324  # The latter is no 0: both maxima stay.
    expected = greedy if dtype == torch.float32 else torch.tensor([[-INF, 0, 0, -INF]], dtype=dtype)
    assert torch.equal(rules.temperature(logits, least), expected)
    flat = rules.temperature(logits, 1.7e308).softmax(-1)
    torch.testing.assert_close(flat, torch.tensor([[1, 1, 1, 0]], dtype=dtype) / 3)


def test_cuts_compose_on_what_is_left() -> None:
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()
    assert kept(rules.top_p(rules.top_k(logits, 2), 0.57)) == [{0}]  # 0.4 / 0.7 = 0.571.


@laws
@given(seed=seeds, length=st.integers(0, 90), penalty=st.floats(1, 3))
def test_penalties_are_their_loops(seed: int, length: int, penalty: float) -> None:
    logits = some_logits(seed)
    rows = [tokens_of(seed + 1, length), tokens_of(seed + 2, length // 2)]
    starts = [len(row) // 2 for row in rows]
    seen = Seen.of(rows, prompts=starts, exempt={3})
    counted, usual = logits.clone(), logits.clone()
    frequency, presence = logits.clone(), logits.clone()
    for b, (row, start) in enumerate(zip(rows, starts, strict=True)):
        for token in set(row) - {3}:
            scale = penalty ** row.count(token)
            counted[b, token] *= 1 / scale if logits[b, token] > 0 else scale
            usual[b, token] *= 1 / penalty if logits[b, token] > 0 else penalty
            frequency[b, token] -= penalty * row[start:].count(token)
            presence[b, token] -= penalty * (token in row[start:])
    found = penalties.counted_repetition_penalty(logits, seen, penalty)
    torch.testing.assert_close(found, counted)
    assert (found <= logits).all()
    torch.testing.assert_close(penalties.repetition_penalty(logits, seen, penalty), usual)
    torch.testing.assert_close(penalties.frequency_penalty(logits, seen, penalty), frequency)
    torch.testing.assert_close(penalties.presence_penalty(logits, seen, penalty), presence)
    same = penalties.counted_repetition_penalty(logits, seen, 1.0)
    assert torch.equal(same, logits)


@laws
@given(seed=seeds, length=st.integers(1, 60), n=st.integers(1, 4))
def test_penalties_agree_with_transformers(seed: int, length: int, n: int) -> None:
    logits = some_logits(seed, size=5).float()
    rows = [tokens_of(seed + i, length, size=5) for i in range(2)]
    ids = torch.tensor(rows)
    ours = penalties.repetition_penalty(logits, Seen.of(rows), 1.3)
    torch.testing.assert_close(ours, RepetitionPenaltyLogitsProcessor(1.3)(ids, logits.clone()))
    completions = [History(row, ngram=n).completions for row in rows]
    theirs = NoRepeatNGramLogitsProcessor(n)(ids, logits.clone())
    for b in range(2):  # Where all is forbidden we forbid nothing.
        if (theirs[b] == -INF).all():
            theirs[b] = logits[b]
    torch.testing.assert_close(penalties.ngram_penalty(logits, completions), theirs)


def test_ngram_penalty_may_be_finite() -> None:
    found = penalties.ngram_penalty(torch.zeros(2, 3), [{1}, set()], 2.5)
    assert found.tolist() == [[0, -2.5, 0], [0, 0, 0]]


@laws
@given(seed=seeds, n=st.integers(0, 3))
def test_history_copy_goes_on_alone(seed: int, n: int) -> None:
    row = tokens_of(seed, 200, size=150)
    history = History(row[:70], ngram=n).extend(row[70:100])
    twin = history.copy().extend(row[100:])
    assert history.tokens == row[:100]
    for it, end in ((history, 100), (twin, 200)):
        fresh = History(row[:70], ngram=n).extend(row[70:end])
        np.testing.assert_array_equal(it.counts, fresh.counts)
        assert it.completions == fresh.completions


BOOK = 60_198


def vocabulary_logits(shape: str) -> Tensor:
    """Return logits over the book's vocabulary, as peaked, as uneven or as flat as they come."""
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(1, BOOK, generator=generator, dtype=torch.float64)
    if shape == "peaked":
        ranks = torch.randperm(BOOK, generator=generator)[None] + 1
        return noise - 2.4 * ranks.log()
    return noise * {"uneven": 2.0, "flat": 0.5, "equal": 0.0}[shape]


@pytest.mark.parametrize("mass", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("shape", ["peaked", "uneven", "flat", "equal"])
def test_partial_selection_is_the_plain_sort(shape: str, mass: float) -> None:
    logits = vocabulary_logits(shape)
    log_p = logits.log_softmax(-1)[0].numpy()
    entropy = -(np.exp(log_p) @ log_p)
    keys = {rules.top_p: -log_p, rules.typical: np.abs(-log_p - entropy)}
    for rule, key in keys.items():
        order = np.argsort(key, kind="stable")
        reached = np.exp(log_p[order]).cumsum()
        least, most = (int(np.searchsorted(reached, mass + eps)) + 1 for eps in (-1e-9, 1e-9))
        found = rule(logits, mass)[0]
        chosen = (found > -INF).numpy()
        # The sums are rounded in another order: a token at the edge may go either way.
        assert least <= chosen.sum() <= most
        if shape != "equal" or rule is rules.top_p:
            assert chosen[order[:least]].all()
        assert torch.equal(found[chosen], logits[0][chosen])
