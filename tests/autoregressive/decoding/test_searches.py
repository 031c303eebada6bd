import itertools
import json
import math
import re

import pytest
import torch
from scipy import stats
from torch.nn import functional

from ancestral.autoregressive import GPT, GPTShape
from ancestral.autoregressive.decoding.beam import Beam, beam_search
from ancestral.autoregressive.decoding.constrained import Grammar
from ancestral.autoregressive.decoding.contrastive import contrastive_search
from ancestral.autoregressive.decoding.generate import collect, generate
from ancestral.autoregressive.decoding.settings import Decoding, row_generators
from ancestral.autoregressive.decoding.speculative import NGramLookup, speculate
from ancestral.capabilities import LanguageModel
from ancestral.classic.chains.language import NGramLanguageModel
from ancestral.errors import CapabilityError, ConfigError

V, BOS, EOS, UNK, PAD = 7, 3, 4, 5, 6


def gpt(seed: int = 0, window: int = 64, vocabulary: int = V) -> GPT:
    torch.manual_seed(seed)
    model = GPT(vocabulary, shape=GPTShape(window=window, width=16, layers=2, heads=2)).double()
    with torch.no_grad():
        model.output.weight.mul_(30)
    return model.eval()


def ngram(order: int, text: list[int]) -> NGramLanguageModel:
    return NGramLanguageModel(V, order=order).fit(torch.tensor([text]))


def log_prob(model: LanguageModel, prompt: list[int], tokens: tuple[int, ...]) -> float:
    whole = (prompt + list(tokens))[:-1]
    with torch.no_grad():
        state = model.start(1, length=len(whole))
        found = model.head(model.advance(torch.tensor([whole]), state))
    found = found.double().log_softmax(-1)[0]
    found = found[len(prompt) - 1 :]
    return sum(float(line[token]) for line, token in zip(found, tokens, strict=True))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_wide_beam_is_brute_force(penalty: float) -> None:
    model, prompt, steps = gpt(), [BOS, 1], 3
    ends = {EOS, PAD}
    every = [
        tokens
        for size in range(1, steps + 1)
        for tokens in itertools.product(range(V), repeat=size)
        if not ends & set(tokens[:-1]) and (size == steps or tokens[-1] in ends)
    ]
    scores = {tokens: log_prob(model, prompt, tokens) / len(tokens) ** penalty for tokens in every}
    best = max(scores, key=scores.__getitem__)
    found = beam_search(
        model, prompt, Beam(beams=V**steps, max_tokens=steps, length_penalty=penalty)
    )
    assert found[0].tokens == best
    assert found[0].score == pytest.approx(scores[best], abs=1e-9)
    assert sum(math.exp(h.log_prob) for h in found) == pytest.approx(1, abs=1e-9)


def test_one_beam_is_greedy_and_more_are_never_below_it_when_they_hold_it() -> None:
    model = gpt()
    for first in range(3):
        (row,) = collect(generate(model, [[BOS, first]], Decoding.greedy(), max_tokens=12))
        (one,) = beam_search(model, [BOS, first], Beam(beams=1, max_tokens=12))
        assert list(one.tokens) == row.tokens
        assert one.log_prob == pytest.approx(sum(row.log_probs), abs=1e-6)


def test_beams_score_at_least_as_greedy_on_most_prompts() -> None:
    model, better = gpt(), 0
    prompts = [[BOS, *pair] for pair in itertools.product(range(3), repeat=3)]
    for prompt in prompts:
        one, five = (
            beam_search(model, prompt, Beam(beams=b, max_tokens=10, length_penalty=0))[0].score
            for b in (1, 5)
        )
        better += five >= one - 1e-9
    assert better >= 0.9 * len(prompts)  # A beam may lose the greedy path on the way; seldom.


def test_groups_differ() -> None:
    model = gpt()
    found = beam_search(model, [BOS], Beam(beams=3, groups=3, diversity=1e3, max_tokens=1))
    assert len({hypothesis.tokens for hypothesis in found}) == 3
    same = beam_search(model, [BOS], Beam(beams=3, groups=3, diversity=0.0, max_tokens=1))
    assert len({hypothesis.tokens for hypothesis in same}) == 1


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding.plain(),
        Decoding(temperature=0.7, top_k=4, top_p=0.9, repetition_penalty=1.5),
    ],
)
@pytest.mark.slow
@pytest.mark.parametrize("draft", ["bigram", "lookup", "gpt"])
def test_speculation_draws_from_the_target(decoding: Decoding, draft: str) -> None:
    text = [BOS, 0, 1, 2, 0, 1, 0, 2, 2, 1, EOS, BOS, 1, 1, 0, 2, EOS]
    target = ngram(3, text)
    drafts = {"bigram": ngram(1, text), "lookup": NGramLookup(shortest=1), "gpt": gpt(1)}
    prompt, n = [BOS, 0, 1, 0], 5_000
    generator = torch.Generator().manual_seed(0)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(n):
        passes = speculate(
            target, prompt, decoding, drafts[draft], max_tokens=2, generator=generator, ahead=2
        )
        tokens = tuple(choice.token for choices in passes for choice in choices)
        counts[tokens] = counts.get(tokens, 0) + 1
    expected: dict[tuple[int, ...], float] = {}
    for a in range(V):
        p = _next(target, prompt, decoding)[a]
        if a in (EOS, PAD):
            expected[a,] = p
            continue
        for b, q in enumerate(_next(target, [*prompt, a], decoding, start=len(prompt))):
            expected[a, b] = p * q
    assert set(counts) <= {tokens for tokens, p in expected.items() if p > 0}
    rare = [tokens for tokens, p in expected.items() if 0 < n * p < 8]
    common = [tokens for tokens, p in expected.items() if n * p >= 8]
    seen = [counts.get(tokens, 0) for tokens in common] + [sum(counts.get(t, 0) for t in rare)]
    chance = [n * expected[t] for t in common] + [n * sum(expected[t] for t in rare)]
    if not rare:
        seen, chance = seen[:-1], chance[:-1]
    assert stats.chisquare(seen, chance).pvalue > 1e-3


def _next(
    model: LanguageModel, tokens: list[int], decoding: Decoding, start: int | None = None
) -> list[float]:
    history = decoding.history(tokens[:start], vocabulary=V).extend(tokens[start:] if start else [])
    logits = model.head(model.features(torch.tensor([tokens])))[:, -1].double()
    return decoding.apply(logits, [history]).softmax(-1)[0].tolist()


@pytest.mark.parametrize("draft", [NGramLookup(), gpt(0), gpt(3)])
def test_greedy_speculation_is_greedy(draft: GPT | NGramLookup) -> None:
    model, decoding = gpt(), Decoding.greedy().but(forbidden=(EOS, PAD))
    (row,) = collect(generate(model, [[BOS, 1, 2]], decoding, max_tokens=50))
    passes = list(speculate(model, [BOS, 1, 2], decoding, draft, max_tokens=50, ahead=5))
    assert collect(passes)[0].tokens == row.tokens
    assert collect(passes)[0].log_probs == pytest.approx(row.log_probs, abs=1e-9)


def test_the_model_as_its_own_draft_is_always_right() -> None:
    model, decoding = gpt(), Decoding(forbidden=(EOS, PAD))
    passes = list(speculate(model, [BOS], decoding, model, max_tokens=42, ahead=5))
    assert [len(choices) for choices in passes] == [6] * 7


def test_speculation_goes_past_the_window() -> None:
    model, decoding = gpt(window=16), Decoding(forbidden=(EOS, PAD))
    for draft in (NGramLookup(), gpt(1, window=12)):
        (row,) = collect(speculate(model, [BOS, 1], decoding, draft, max_tokens=80, ahead=4))
        assert (len(row.tokens), row.reason) == (80, "length")


def test_contrastive_search_is_its_definition() -> None:
    model, k, alpha = gpt(), 4, 0.6
    (row,) = collect(contrastive_search(model, [BOS, 1], top_k=k, alpha=alpha, max_tokens=12))
    tokens = [BOS, 1]
    for token in row.tokens:
        with torch.no_grad():
            past = model.features(torch.tensor([tokens]))[0]
            probable = model.head(past[-1]).softmax(-1).topk(k)
            scores = []
            for p, v in zip(*probable, strict=True):
                h = model.features(torch.tensor([[*tokens, int(v)]]))[0, -1]
                alike = max(functional.cosine_similarity(h, other, dim=0) for other in past)
                scores.append(float((1 - alpha) * p - alpha * alike))
        assert token == int(probable.indices[scores.index(max(scores))])
        tokens.append(token)
    (greedy,) = collect(generate(model, [[BOS, 1]], Decoding.greedy(), max_tokens=12))
    (zero,) = collect(contrastive_search(model, [BOS, 1], alpha=0, max_tokens=12))
    assert zero.tokens == greedy.tokens
    steps = contrastive_search(
        model, [BOS, 1], top_k=k, alpha=alpha, max_tokens=12, stop=lambda new: len(new) == 3
    )
    (short,) = collect(steps)
    assert (short.tokens, short.reason) == (row.tokens[:3], "stop")
    with pytest.raises(CapabilityError, match="features that are vectors"):
        contrastive_search(ngram(2, [BOS, 1, EOS]), [BOS], max_tokens=2)  # Before the first step.


PIECES = [*(bytes([c]) for c in range(32, 127)), b'{"', b'":', b"ab", b"12", b"", b"", b"", b""]


def test_text_fits_its_grammar() -> None:
    size = len(PIECES)
    model = gpt(vocabulary=size)
    bos = size - 4
    pattern = r"[ab]{3,5}-\d+"
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer", "maximum": 99}, "b": {"enum": ["x", "y"]}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    decoding = Decoding(temperature=1.5, repetition_penalty=1.2, top_p=0.95)
    for grammar, fits in (
        (Grammar.regex(pattern, PIECES), lambda text: re.fullmatch(pattern, text)),
        (Grammar.json(schema, PIECES), lambda text: set(json.loads(text)) == {"a", "b"}),
    ):
        rows = collect(
            generate(
                model, [[bos]] * 8, decoding, max_tokens=60, constraint=grammar,
                generators=row_generators(0, 8),
            )
        )  # fmt: skip
        ended = [row for row in rows if row.reason == "stop"]
        assert ended
        for row in ended:
            assert fits(b"".join(PIECES[token] for token in row.tokens).decode())
    with pytest.raises(ConfigError, match=r"the grammar cannot be read: .*: unclosed group$"):
        Grammar.regex("(", PIECES)
    with pytest.raises(ConfigError, match="the grammar cannot be read"):
        Grammar.json({"type": "nonsense"}, PIECES)


@pytest.mark.parametrize(("pattern", "before"), [("xby", 0), ("x", 0), ("axb", 1), ("aé", 1)])
def test_what_no_token_spells_is_refused_and_not_skipped(pattern: str, before: int) -> None:
    grammar = Grammar.regex(pattern, [b"a", b"b", b"ab", b"", b"", b"", b""])
    for _ in range(before):
        assert grammar.allowed().nonzero().flatten().tolist() == [0]
        grammar.accept(0)
    with pytest.raises(ConfigError, match="followed: it asks for characters that no token"):
        grammar.allowed()


def test_mistakes_are_refused() -> None:
    model = gpt()
    for wrong in ({"beams": 0}, {"groups": 3}, {"diversity": -1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Beam(**wrong)
    with pytest.raises(ConfigError, match="ahead must be at least 1"):
        speculate(model, [BOS], Decoding(), NGramLookup(), ahead=0)
    with pytest.raises(ConfigError, match="draft must have the model's vocabulary of 7, got 9"):
        speculate(model, [BOS], Decoding(), gpt(vocabulary=9))
    with pytest.raises(ConfigError, match="alpha"):
        contrastive_search(model, [BOS], alpha=2)
    with pytest.raises(ConfigError, match="shortest"):
        NGramLookup(shortest=0)
