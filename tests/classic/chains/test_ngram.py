import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ancestral.classic import AddK, KneserNey, MarkovChain, NGram, WittenBell
from ancestral.errors import CapabilityError, DataError
from ancestral.networks import query

BEGIN, END = "<s>", "</s>"
SMOOTHINGS = {
    "kneser-ney": KneserNey(),
    "witten-bell": WittenBell(),
    "add-k": AddK(0.3),
}
every_smoothing = pytest.mark.parametrize("smoothing", SMOOTHINGS)
corpora = st.lists(st.lists(st.integers(0, 3), min_size=0, max_size=8), min_size=1, max_size=12)


def tensors(corpus: list[list[int]]) -> list[Tensor]:
    return [torch.tensor(sequence, dtype=torch.int64) for sequence in corpus]


class Plain:
    """The textbook's definitions with dictionaries, one n-gram at a time."""

    def __init__(self, corpus: list[list[int]], order: int, kind: str, events: list) -> None:
        self.order, self.kind, self.events = order, kind, events
        self.raw = defaultdict(Counter)
        for sequence in corpus:
            text = [BEGIN, *sequence, END]
            for n in range(1, order + 1):
                for i in range(max(1, n - 1), len(text)):
                    self.raw[n][tuple(text[i - n + 1 : i + 1])] += 1
        self.counts = dict(self.raw)
        if kind == "kneser-ney":
            for n in range(1, order):
                left = Counter(gram[1:] for gram in self.raw[n + 1])
                self.counts[n] = Counter(
                    {g: c if g[0] == BEGIN else left[g] for g, c in self.raw[n].items()}
                )

    def probability(self, word: int | str, context: tuple) -> float:
        n = len(context) + 1
        followers = {g[-1]: c for g, c in self.counts.get(n, {}).items() if g[:-1] == context}
        total, different, size = sum(followers.values()), len(followers), len(self.events)
        count = followers.get(word, 0)
        if self.kind == "add-k":
            return (count + 0.3) / (total + 0.3 * size)
        lower = self.probability(word, context[1:]) if context else 1 / size
        if total == 0:
            return lower
        if self.kind == "witten-bell":
            return (count + different * lower) / (total + different)
        level = np.array([*self.counts[n].values()])
        lost = (0.0, *KneserNey().discounts(level.astype(float)))
        left = sum(lost[min(c, 3)] for c in followers.values()) / total
        return max(count - lost[min(count, 3)], 0) / total + left * lower


@every_smoothing
@settings(max_examples=40, deadline=None)
@given(corpus=corpora, order=st.integers(1, 4), data=st.data())
def test_probabilities_are_the_textbook_s_and_sum_to_one(
    smoothing: str, corpus: list[list[int]], order: int, data: st.DataObject
) -> None:
    model = NGram(5, order=order, smoothing=SMOOTHINGS[smoothing]).fit(tensors(corpus))
    events = [0, 1, 2, 3, 4, END]
    plain = Plain(corpus, order, smoothing, events)
    for begin in (True, False):
        context = data.draw(st.lists(st.integers(0, 4), max_size=5))
        found = model.probabilities(context, begin=begin)
        assert found.sum().item() == pytest.approx(1, abs=1e-12)
        assert bool((found > 0).all())
        past = tuple(([BEGIN] if begin else []) + context)
        past = past[max(0, len(past) - order + 1) :]
        exact = [plain.probability(word, past) for word in events]
        assert found.tolist() == pytest.approx(exact, abs=1e-12)


@every_smoothing
@settings(max_examples=25, deadline=None)
@given(corpus=corpora, order=st.integers(1, 4), other=corpora)
def test_log_prob_is_the_sum_of_conditionals(
    smoothing: str, corpus: list[list[int]], order: int, other: list[list[int]]
) -> None:
    model = NGram(4, order=order, smoothing=SMOOTHINGS[smoothing]).fit(tensors(corpus))
    found = model.log_prob(tensors(other))
    for sequence, value in zip(other, found.tolist(), strict=True):
        whole = [*sequence, 4]
        exact = sum(math.log(model.probabilities(whole[:t])[whole[t]]) for t in range(len(whole)))
        assert value == pytest.approx(exact, abs=1e-10)
    assert math.isfinite(model.perplexity(tensors(other)))


@every_smoothing
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("ends", [True, False])
def test_the_model_is_its_network(smoothing: str, order: int, ends: bool) -> None:
    corpus = tensors([[0, 1, 0, 1, 1], [1, 0, 2], [0, 1]])
    model = NGram(3, order=order, smoothing=SMOOTHINGS[smoothing], ends=ends).fit(corpus)
    network = model.network(3)
    x = torch.tensor(list(itertools.product(range(3), repeat=3)))
    values = {f"x{t + 1}": x[:, t] for t in range(3)}
    if ends:
        network = model.network(4)
        values["x4"] = torch.full((27,), 3)
    torch.testing.assert_close(model.log_prob(x), network.log_prob(values), rtol=0, atol=1e-12)
    if not ends:
        assert model.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-12)
        third = query(network, ["x3"]).probabilities["x3"]["1"]
        exact = model.log_prob(x[x[:, 2] == 1]).exp().sum().item()
        assert third == pytest.approx(exact, abs=1e-12)


@pytest.mark.bits
def test_input_forms_agree() -> None:
    padded = torch.tensor([[0, 1, 2], [1, 0, -1]])
    lengths, listed = torch.tensor([3, 2]), tensors([[0, 1, 2], [1, 0]])
    one, two = NGram(3).fit(padded, lengths=lengths), NGram(3).fit(listed)
    assert torch.equal(one.log_prob(padded, lengths=lengths), two.log_prob(listed))
    assert torch.equal(one.log_prob(listed[0])[0], two.log_prob(listed)[0])


@every_smoothing
def test_draws_have_the_probabilities_of_the_model(smoothing: str) -> None:
    source = torch.randint(3, (20, 6), generator=torch.Generator().manual_seed(3))
    model = NGram(4, order=3, smoothing=SMOOTHINGS[smoothing]).fit(source)
    n, generator = 20_000, torch.Generator().manual_seed(0)
    for context, begin in (([], True), ([0, 1], True), ([3], False), ([1, 3], False)):
        draws = model.sample(n, length=2, context=context, begin=begin, generator=generator)
        first = torch.where(draws[:, 0] < 0, 4, draws[:, 0])
        exact = model.probabilities(context, begin=begin)
        found = torch.bincount(first, minlength=5) / n
        # Five standard errors of a frequency.
        assert bool(((found - exact).abs() < 5 * (exact * (1 - exact) / n).sqrt()).all())
        kept = draws[:, 1][draws[:, 0] == 1]
        exact = model.probabilities([*context, 1], begin=begin)
        found = torch.bincount(torch.where(kept < 0, 4, kept), minlength=5) / len(kept)
        bound = 5 * (exact * (1 - exact) / len(kept)).sqrt()
        assert bool(((found - exact).abs() < bound).all())
        assert (draws[draws[:, 0] < 0] == -1).all()


def test_without_ends_every_draw_is_whole() -> None:
    model = NGram(3, order=2, ends=False).fit(torch.tensor([0, 1, 2, 0, 1, 1]))
    draws = model.sample(50, length=7)
    assert draws.shape == (50, 7)
    assert draws.min() >= 0
    assert draws.max() <= 2
    assert model.probabilities().shape == (3,)


@every_smoothing
def test_a_bigram_beats_a_unigram_on_a_markov_source(smoothing: str) -> None:
    source = MarkovChain(10)
    noise = torch.rand(10, 10, generator=torch.Generator().manual_seed(0)).log().neg().double()
    source.tables[1].copy_(noise**3 / (noise**3).sum(1, keepdim=True))
    x, held_out = (
        source.sample(100, length=50, generator=torch.Generator().manual_seed(s)) for s in (1, 2)
    )
    found = [
        NGram(10, order=n, smoothing=SMOOTHINGS[smoothing], ends=False).fit(x).perplexity(held_out)
        for n in (1, 2)
    ]
    assert found[1] < found[0]
    assert found[1] == pytest.approx(source.perplexity(held_out), rel=0.05)


def test_kneser_ney_knows_francisco() -> None:
    """Frequent, but only after one word: unlikely after any other (Chen & Goodman, sec. 2.7)."""
    corpus = tensors([[0, 1]] * 30 + [[2, 3], [4, 3], [5, 3], [2, 4], [4, 5]])
    after_new = {
        name: NGram(7, order=2, smoothing=smoothing).fit(corpus).probabilities([6])
        for name, smoothing in SMOOTHINGS.items()
    }
    assert after_new["kneser-ney"][1] < after_new["kneser-ney"][3]
    assert after_new["witten-bell"][1] > after_new["witten-bell"][3]


def test_discounts_of_chen_and_goodman_and_their_fallbacks() -> None:
    def counts(*numbers: int) -> np.ndarray:
        return np.repeat(np.arange(1.0, 5.0), numbers)

    share = 100 / (100 + 2 * 40)
    exact = (1 - 2 * share * 40 / 100, 2 - 3 * share * 20 / 40, 3 - 4 * share * 12 / 20)
    assert KneserNey().discounts(counts(100, 40, 20, 12)) == pytest.approx(exact)
    assert KneserNey().discounts(counts(100, 40, 20, 0)) == pytest.approx((share,) * 3)
    assert KneserNey().discounts(counts(10, 1, 9, 1)) == pytest.approx((10 / 12,) * 3)
    assert KneserNey().discounts(counts(5, 0, 1, 1)) == (0.5, 1.0, 1.5)
    assert KneserNey().discounts(counts(0, 0, 0, 0)) == (0.5, 1.0, 1.5)


@every_smoothing
@pytest.mark.parametrize("corpus", [[[]], [[0]], [[0], [0]], [[0, 0, 0, 0, 0]]])
def test_toy_corpora_do_not_abort(smoothing: str, corpus: list[list[int]]) -> None:
    model = NGram(3, order=5, smoothing=SMOOTHINGS[smoothing]).fit(tensors(corpus))
    assert math.isfinite(model.perplexity(tensors([[0, 1, 2, 2, 2, 2], []])))
    assert model.sample(5, length=4).shape == (5, 4)
    assert model.probabilities([2, 2, 2, 2, 2]).sum().item() == pytest.approx(1)


def test_bits_per_character_and_perplexity_are_the_same_information() -> None:
    x = torch.tensor([[0, 1, 2, 1], [2, 2, 1, 0]])
    model = NGram(3).fit(x)
    nats = -model.log_prob(x).sum().item()
    assert model.perplexity(x) == pytest.approx(math.exp(nats / 10))
    assert model.bits_per_character(x, characters=25) == pytest.approx(nats / math.log(2) / 25)


def test_saving_repr_and_a_second_fit() -> None:
    x = torch.randint(4, (10, 6), generator=torch.Generator().manual_seed(0))
    model = NGram(4, order=3).fit(x)
    other = NGram(4, order=3)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.log_prob(x), model.log_prob(x))
    assert other.fit(x[:2]) is other
    fresh = NGram(4, order=3).fit(x[:2])
    assert torch.equal(other.log_prob(x), fresh.log_prob(x))
    assert "order=3" in repr(model)
    assert model.graph["p"].parents("x4") == ("x2", "x3")


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        NGram(3, order=0)
    with pytest.raises(ValueError, match="k must be above 0, got 0"):
        AddK(0)
    model = NGram(3)
    with pytest.raises(CapabilityError, match="call fit first"):
        model.log_prob(torch.tensor([0]))
    with pytest.raises(DataError, match="x must hold states 0 to 2, got 3"):
        model.fit(torch.tensor([0, 3]))
    with pytest.raises(DataError, match="at least 1 sequence"):
        model.fit([])
    model.fit(torch.tensor([0, 1]))
    with pytest.raises(DataError, match="context must hold states 0 to 2, got 9"):
        model.probabilities([9])
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        model.sample(1, length=0)
    with pytest.raises(ValueError, match="characters must be at least 1, got 0"):
        model.bits_per_character(torch.tensor([0]), characters=0)
    with pytest.raises(ValueError, match="at most 1048576 entries"):
        NGram(200, order=3).network(3)
