import itertools
import re
from collections import Counter
from itertools import pairwise
from typing import Self

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from ancestral.autoregressive import GPT, GPTShape
from ancestral.autoregressive.decoding import (
    Constraint,
    Decoding,
    StopStrings,
    collect,
    generate,
)
from ancestral.autoregressive.decoding.constrained import Grammar
from ancestral.autoregressive.decoding.speculative import NGramLookup, speculate
from ancestral.classic.chains.language import LastTokens
from ancestral.nn.key_value_cache import checked_counts

V, BOS, EOS, UNK, PAD = 7, 3, 4, 5, 6


class TableModel(nn.Module):
    """The last token alone matters: a language model as fast as one can be."""

    vocabulary = V
    window = None

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = 1.5 * torch.randn(V, V, generator=generator, dtype=torch.float64)

    def features(self, tokens: Tensor) -> Tensor:
        return tokens

    def head(self, features: Tensor) -> Tensor:
        return self.table[features]

    def start(self, rows: int, *, length: int) -> LastTokens:
        del length
        tokens = torch.full((rows, 1), -1, dtype=torch.int64)
        return LastTokens(tokens, torch.zeros(rows, dtype=torch.int64))

    def advance(self, tokens: Tensor, state: LastTokens, *, counts: Tensor | None = None) -> Tensor:
        state.lengths.add_(checked_counts(counts, *tokens.shape))
        return tokens


class Rising:
    """No token may be below the one before it; EOS and PAD always may come."""

    def __init__(self, least: int = 0) -> None:
        self.least = least

    def fresh(self) -> Self:
        return type(self)()

    def copy(self) -> Self:
        return type(self)(self.least)

    def allowed(self) -> Tensor:
        return torch.arange(V) >= self.least

    def accept(self, token: int) -> None:
        assert token >= self.least
        self.least = token


def expected(
    model: TableModel, prompt: list[int], decoding: Decoding, constraint: Constraint | None
) -> dict[tuple[int, ...], float]:
    """Return the law of the two next tokens, by the plain rules."""
    found = {}
    for pair in itertools.product(range(V), repeat=2):
        history = decoding.history(prompt, vocabulary=V)
        law, held, tokens = 1.0, constraint and constraint.fresh(), prompt
        for token in pair:
            logits = model.table[tokens[-1]].clone()
            if held is not None:
                logits[~held.allowed()] = -torch.inf
            law *= float(decoding.apply(logits[None], [history]).softmax(-1)[0, token])
            tokens = [*tokens, token]
            if law == 0 or token in (EOS, PAD):
                break
            history.push(token)
            if held is not None:
                held.accept(token)
        if law > 0:
            found[tuple(tokens[len(prompt) :])] = law
    assert sum(found.values()) == pytest.approx(1)
    return found


def p_value(counts: Counter[tuple[int, ...]], law: dict[tuple[int, ...], float], n: int) -> float:
    assert set(counts) <= set(law)
    rare = [tokens for tokens, p in law.items() if n * p < 8]
    groups = [[tokens] for tokens in law if tokens not in rare] + ([rare] if rare else [])
    seen = [sum(counts[tokens] for tokens in group) for group in groups]
    chance = [n * sum(law[tokens] for tokens in group) for group in groups]
    return float(stats.chisquare(seen, chance).pvalue)


def drawn(
    draft: TableModel | NGramLookup, decoding: Decoding, constraint: Constraint | None, n: int
) -> Counter[tuple[int, ...]]:
    generator = torch.Generator().manual_seed(0)
    counts: Counter[tuple[int, ...]] = Counter()
    for _ in range(n):
        passes = speculate(
            TableModel(0), [BOS, 0, 1, 0], decoding, draft, max_tokens=2, generator=generator,
            ahead=2, constraint=constraint,
        )  # fmt: skip
        counts[tuple(choice.token for choices in passes for choice in choices)] += 1
    return counts


RULED = Decoding(temperature=0.9, top_k=5, top_p=0.95, repetition_penalty=1.3)


@pytest.mark.slow
def test_thirty_thousand_draws_are_those_of_the_target() -> None:
    decoding = Decoding(temperature=0.9, top_k=None, top_p=0.95, repetition_penalty=1)
    decoding = decoding.but(forbidden=(EOS, PAD))
    law = decoding.apply(TableModel(0).table, []).softmax(-1)
    counts = torch.zeros(V, V, dtype=torch.float64)
    target, draft = TableModel(0).eval(), TableModel(1).eval()
    for seed in range(60):
        (row,) = collect(
            speculate(
                target, [BOS], decoding, draft, max_tokens=500, ahead=3,
                generator=torch.Generator().manual_seed(seed),
            )
        )  # fmt: skip
        for pair in pairwise([BOS, *row.tokens]):
            counts[pair] += 1
    assert counts.sum() == 30_000
    assert (counts[law == 0] == 0).all()
    # A chain of which each step is drawn from the row of its last token: a chi-square a row.
    chance = counts.sum(1, keepdim=True) * law
    some = chance >= 8
    assert chance[some].sum() > 29_900
    statistic = float(((counts - chance)[some].square() / chance[some]).sum())
    freedom = int(some.sum()) - int(some.any(1).sum())
    assert freedom >= 10
    # Chance alone fails this one time in a thousand; the seeds are fixed.
    assert stats.chi2.sf(statistic, freedom) > 1e-3


@pytest.mark.parametrize("draft", [TableModel(1), NGramLookup(shortest=1)])
def test_under_a_constraint_draws_are_those_of_the_target(draft: TableModel | NGramLookup) -> None:
    n = 1_500
    law = expected(TableModel(0), [BOS, 0, 1, 0], RULED, Rising())
    assert len(law) < len(expected(TableModel(0), [BOS, 0, 1, 0], RULED, None))
    assert p_value(drawn(draft, RULED, Rising(), n), law, n) > 1e-3


PIECES = [*(bytes([c]) for c in range(32, 127)), b"ab", b"12", b"", b"", b"", b""]


def gpt(seed: int) -> GPT:
    torch.manual_seed(seed)
    shape = GPTShape(window=64, width=16, layers=2, heads=2)
    model = GPT(len(PIECES), shape=shape).double()
    with torch.no_grad():
        model.output.weight.mul_(30)
    return model.eval()


@pytest.mark.parametrize("draft", [NGramLookup(shortest=1), gpt(0), gpt(1)])
def test_greedy_speculation_in_a_grammar_is_greedy(draft: GPT | NGramLookup) -> None:
    model, bos = gpt(0), len(PIECES) - 4
    pattern = r"(ab-){2,4}[0-9]{3}x?"
    grammar = Grammar.regex(pattern, PIECES)
    (plain,) = collect(
        generate(model, [[bos]], Decoding.greedy(), max_tokens=40, constraint=grammar)
    )
    passes = list(
        speculate(model, [bos], Decoding.greedy(), draft, max_tokens=40, constraint=grammar)
    )
    (row,) = collect(passes)
    assert (row.tokens, row.reason) == (plain.tokens, "stop")
    assert row.log_probs == pytest.approx(plain.log_probs, abs=1e-9)
    assert re.fullmatch(pattern, b"".join(PIECES[token] for token in row.tokens).decode())
    if isinstance(draft, GPT):  # Also where it guesses right: fewer passes than tokens.
        assert (
            len(passes) < len(row.tokens) or draft.output.weight[0, 0] != model.output.weight[0, 0]
        )


@pytest.mark.parametrize("draft", [NGramLookup(shortest=1), gpt(0), gpt(1)])
def test_speculation_ends_at_a_stop_string(draft: GPT | NGramLookup) -> None:
    model, bos = gpt(0), len(PIECES) - 4
    decoding = Decoding.greedy().but(forbidden=tuple(range(bos, len(PIECES))))

    def decode(tokens: list[int]) -> str:
        return b"".join(PIECES[token] for token in tokens).decode()

    (free,) = collect(generate(model, [[bos]], decoding, max_tokens=40))
    text = decode(free.tokens)
    stop = StopStrings([text[17:19]], decode)  # pyright: ignore[reportArgumentType]
    (plain,) = collect(generate(model, [[bos]], decoding, max_tokens=40, stop=stop))
    (row,) = collect(speculate(model, [bos], decoding, draft, max_tokens=40, stop=stop))
    assert (row.tokens, row.reason) == (plain.tokens, "stop")
    assert len(row.tokens) < 40
