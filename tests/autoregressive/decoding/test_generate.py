import math
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from scipy import stats
from torch import Tensor

from ancestral.autoregressive import GPT, GPTShape
from ancestral.autoregressive.decoding.continuation import StopStrings
from ancestral.autoregressive.decoding.generate import collect, generate
from ancestral.autoregressive.decoding.settings import Decoding, draw, row_generators
from ancestral.autoregressive.recurrent import RecurrentLM
from ancestral.capabilities import LanguageModel
from ancestral.classic.chains.language import NGramLanguageModel
from ancestral.errors import ConfigError, DataError, DivergenceError

V, BOS, EOS, UNK, PAD = 12, 8, 9, 10, 11
PROMPTS = [[BOS], [BOS, 1, 2, 3], [BOS, 4, 5], [BOS, 1, 2, 3]]
NO_END = Decoding(forbidden=(EOS, PAD))


def gpt(window: int = 32) -> GPT:
    torch.manual_seed(0)
    model = GPT(V, shape=GPTShape(window=window, width=16, layers=2, heads=2)).double()
    with torch.no_grad():
        model.output.weight.mul_(40)  # So that the distributions are not flat.
    return model


def bigram() -> NGramLanguageModel:
    text = torch.tensor([[BOS, 1, 2, 3, 1, 2, 4, 1, 3, 3, 2, EOS, BOS, 5, 6, 7, 5, 1, EOS]])
    return NGramLanguageModel(V, order=2).fit(text)


MODELS = {"gpt": gpt, "rnn": lambda: RecurrentLM(V, width=8), "bigram": bigram}
every_model = pytest.mark.parametrize("name", MODELS)


def read(model: LanguageModel, tokens: list[int]) -> Tensor:
    """Logits after each of the tokens of one document, in which a BOS is a token as any other."""
    with torch.no_grad():
        state = model.start(1, length=len(tokens))
        return model.head(model.advance(torch.tensor([tokens]), state))[0]


def uncached(
    model: LanguageModel, prompt: list[int], seed: int, tokens: int, decoding: Decoding
) -> list[int]:
    """The plain loop: all features anew for each token."""
    (generator,) = row_generators(seed, 1)
    history = decoding.history(prompt, vocabulary=V)
    if isinstance(model, torch.nn.Module):
        model.eval()
    for _ in range(tokens):
        logits = read(model, history.tokens)[-1:]
        (token,) = draw(decoding.apply(logits, [history]), [generator])
        history.push(token)
    return history.tokens[len(prompt) :]


@every_model
def test_batch_is_each_row_alone_and_uncached(name: str) -> None:
    model = MODELS[name]()
    together = collect(
        generate(model, PROMPTS, NO_END, max_tokens=20, generators=row_generators(5, 4))
    )
    for number, prompt in enumerate(PROMPTS):
        alone = collect(
            generate(
                model, [prompt], NO_END, max_tokens=20, generators=row_generators(5 + number, 1)
            )
        )
        assert alone[0].tokens == together[number].tokens
        assert alone[0].tokens == uncached(model, prompt, 5 + number, 20, NO_END)
    assert together[1].tokens != together[3].tokens  # The same prompt, another seed.
    assert {row.reason for row in together} == {"length"}


@every_model
def test_log_probs_are_the_models(name: str) -> None:
    model = MODELS[name]()
    decoding = Decoding(temperature=2.0, alternatives=3)
    rows = collect(
        generate(model, PROMPTS, decoding, max_tokens=15, generators=row_generators(1, 4))
    )
    for prompt, row in zip(PROMPTS, rows, strict=True):
        log_probs = read(model.eval(), (prompt + row.tokens)[:-1]).log_softmax(-1)
        log_probs = log_probs[len(prompt) - 1 :]
        expected = log_probs.gather(1, torch.tensor(row.tokens)[:, None])[:, 0].tolist()
        assert row.log_probs == pytest.approx(expected, abs=1e-5)
        for line, told in zip(log_probs, row.alternatives, strict=True):
            assert [p for _, p in told] == pytest.approx(line.topk(3).values.tolist(), abs=1e-5)


def test_rows_end_where_they_should() -> None:
    model = bigram()
    rows = collect(
        generate(
            model, [[BOS]] * 200, Decoding.plain(), max_tokens=6, generators=row_generators(0, 200)
        )
    )
    for row in rows:
        assert not {EOS, PAD} & set(row.tokens[:-1])
        assert row.reason == ("stop" if row.tokens[-1] in (EOS, PAD) else "length")
        assert row.reason == "stop" or len(row.tokens) == 6
    assert Counter(row.reason for row in rows).keys() == {"stop", "length"}
    stopped = collect(
        generate(model, [[BOS]], NO_END, max_tokens=50, stop=lambda tokens: len(tokens) == 7)
    )
    assert (len(stopped[0].tokens), stopped[0].reason) == (7, "stop")


def test_equal_prompts_are_read_once() -> None:
    model, rows = gpt(), []
    start = model.start
    model.start = lambda number, *, length: rows.append(number) or start(number, length=length)  # type: ignore[method-assign]
    next(generate(model, PROMPTS, max_tokens=3))
    assert rows == [3]


@pytest.mark.parametrize("keep", [0.0, 0.5, 1.0])
def test_window_slides_as_stated(keep: float) -> None:
    window, model = 8, gpt(window=8).eval()
    decoding = Decoding.greedy().but(keep=keep, forbidden=(EOS, PAD))
    rows = collect(generate(model, [[BOS, 1, 2], [BOS] + [3] * 7], decoding, max_tokens=30))
    for prompt, row in zip(([BOS, 1, 2], [BOS] + [3] * 7), rows, strict=True):
        tokens, held = list(prompt), list(prompt)
        for token in row.tokens:
            with torch.no_grad():
                state = model.start(1, length=window)
                logits = model.head(model.advance(torch.tensor([held]), state))[0, -1]
            logits[[EOS, PAD]] = -math.inf
            assert token == int(logits.argmax())
            tokens.append(token)
            kept = min(int(keep * window), window - 1)
            held = [*held, token] if len(held) < window else tokens[-kept - 1 :]


def test_order_is_as_stated() -> None:
    whole = Decoding(
        typical=0.9, top_p=0.9, min_p=0.1, frequency_penalty=1, presence_penalty=1,
        no_repeat_ngram=2, forbidden=(0,),
    )  # fmt: skip
    assert [name for name, _ in whole.rules] == [
        "forbidden", "repetition_penalty", "frequency_penalty", "presence_penalty",
        "no_repeat_ngram", "temperature", "top_k", "typical", "top_p", "min_p",
    ]  # fmt: skip
    history = whole.history([1, 2, 1], vocabulary=V)
    expected = logits = torch.randn(1, V, generator=torch.Generator().manual_seed(0))
    for _, rule in whole.rules:
        expected = rule(expected, [history])
    assert torch.equal(whole.apply(logits, [history]), expected)
    book = Decoding()
    history = book.history([BOS, 1, 1, 2], vocabulary=V)  # Penalty, temperature, top-k: by hand.
    by_hand = logits[0].double().clone()
    for token, count in ((1, 2), (2, 1)):
        by_hand[token] *= 1.01 ** (-count if by_hand[token] > 0 else count)
    found = book.apply(logits, [history]).softmax(-1)[0].double()
    torch.testing.assert_close(found, (by_hand / 0.8).softmax(-1), atol=1e-6, rtol=0)


def test_no_ngram_comes_twice() -> None:
    decoding = Decoding(no_repeat_ngram=3, forbidden=(EOS, PAD))
    (row,) = collect(
        generate(bigram(), [[BOS]], decoding, max_tokens=400, generators=row_generators(0, 1))
    )
    grams = Counter(zip(row.tokens, row.tokens[1:], row.tokens[2:], strict=False))
    assert max(grams.values()) == 1


def test_draws_follow_the_distribution() -> None:
    logits = torch.randn(700, generator=torch.Generator().manual_seed(0)).double()
    logits[::3] = -math.inf
    n = 100_000
    found = draw(logits.expand(n, -1), row_generators(0, 1) * n)
    counts = torch.bincount(torch.tensor(found), minlength=700)
    p = logits.softmax(-1)
    assert (counts[p == 0] == 0).all()
    assert stats.chisquare(counts[p > 0], n * p[p > 0]).pvalue > 1e-4


def test_stop_strings_may_span_tokens() -> None:
    pieces = ["a", "b", "é", "."]

    def decode(tokens: Sequence[int]) -> str:
        return "".join(pieces[token] for token in tokens)

    stop = StopStrings(["é.", "bbb"], decode)
    assert [stop([0] * 20 + tail) for tail in ([2], [2, 3], [1, 1], [1, 1, 1])] == [
        False, True, False, True,
    ]  # fmt: skip
    assert stop.cut("abé.a") == "ab"


class Broken(NGramLanguageModel):
    def head(self, features: Tensor) -> Tensor:
        return super().head(features) * math.nan


def test_mistakes_are_told_in_one_line() -> None:
    model = gpt(window=8)
    for prompts, message in (
        ([], "at least one prompt"), ([[]], r"prompts\[0\]"),
        ([[BOS] * 9], "has 9 tokens; the window holds 8"), ([[BOS, V]], f"has token {V}"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=message):
            generate(model, prompts)
    with pytest.raises(ConfigError, match="max_tokens must be at least 1, got 0"):
        generate(model, [[BOS]], max_tokens=0)
    with pytest.raises(ConfigError, match="generators must be as many as prompts, 1, got 2"):
        generate(model, [[BOS]], generators=row_generators(0, 2))
    with pytest.raises(ConfigError, match="forbidden must be 0 to 11, got 12"):
        generate(model, [[BOS]], Decoding(forbidden=(V,)))
    broken = Broken(V, order=1).fit(torch.tensor([[BOS, 1, EOS]]))
    with pytest.raises(DivergenceError, match="the largest logit must be finite, got nan"):
        next(generate(broken, [[BOS]]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1), ("temperature", math.inf), ("temperature", math.nan), ("top_k", 0),
        ("top_p", 0), ("top_p", 1.5), ("typical", 0), ("min_p", 2), ("repetition_penalty", 0.5),
        ("frequency_penalty", math.nan), ("no_repeat_ngram", -1), ("ngram_penalty", -1),
        ("keep", 2),
    ],
)  # fmt: skip
def test_settings_are_checked(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        Decoding(**{name: value})


def test_training_mode_is_kept_and_dropout_is_off() -> None:
    model = gpt().train()
    first, second = (
        collect(generate(model, [[BOS, 1]], Decoding.greedy(), max_tokens=10)) for _ in range(2)
    )
    assert first == second
    assert model.training
