"""Generation of 256 tokens by the book's GPT against ``transformers``, and what a token costs."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ancestral.autoregressive import GPT, GPTShape
from ancestral.autoregressive.decoding import (
    Decoding,
    Generated,
    collect,
    generate,
    row_generators,
)
from ancestral.autoregressive.decoding.speculative import NGramLookup, speculate
from ancestral.autoregressive.reduced import Int8LanguageModel
from ancestral.capabilities import LanguageModel
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks import book_generation
from benchmarks.gpt_step import VOCABULARY, peer_model
from benchmarks.harness import Result, compare

WINDOW, TOKENS = 512, 256
# No row may end before its time on either side.
SAMPLED = Decoding.plain().but(top_k=50, temperature=0.8, forbidden=tuple(range(60_194, 60_198)))


def _model(*, window: int = WINDOW) -> GPT:
    torch.manual_seed(0)
    return GPT(VOCABULARY, shape=GPTShape(window=window)).eval()


def ours(model: LanguageModel, batch: int, tokens: int = TOKENS) -> Callable[[], object]:
    """Generate with top-k and a temperature."""
    prompts = [[60_194, *range(8)]] * batch
    generators = row_generators(0, batch)

    def run_() -> None:
        steps = generate(model, prompts, SAMPLED, max_tokens=tokens, generators=generators)
        assert all(len(row.tokens) == tokens for row in collect(steps))

    return run_


def peer(batch: int, tokens: int = TOKENS) -> Callable[[], object]:
    """Generate by ``transformers`` with its cache, the same sizes and rules, in float32."""
    from transformers import GenerationConfig

    model: Any = peer_model(WINDOW).eval()
    how = GenerationConfig(
        do_sample=True,
        top_k=50,
        temperature=0.8,
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        use_cache=True,
        pad_token_id=VOCABULARY - 1,
        eos_token_id=None,
    )
    prompt = torch.tensor([[60_194, *range(8)]] * batch)
    mask = torch.ones_like(prompt)

    def run_() -> None:
        with torch.inference_mode():
            found = model.generate(prompt, attention_mask=mask, generation_config=how)
        assert found.shape == (batch, 9 + tokens)

    return run_


def run() -> Iterator[Result]:
    """Yield the comparisons."""
    model = _model()
    eight = Int8LanguageModel(model)
    for batch, bar, reduced in ((1, 1.25, 2.2), (16, 1.4, 2.6)):
        theirs = ("transformers with its cache, float32", peer(batch))
        forms = (("float32", model, bar), ("int8 weights", eight, reduced))
        for name, form, asked in forms:
            yield compare(
                f"256 tokens, batch {batch}, {name}",
                ours=ours(form, batch),
                peer=theirs,
                bar=asked,
                rounds=5,
            )
    for name, form, bar in (("float32", model, 20), ("int8 weights", eight, 40)):
        listing = book_generation.make(model, tokens=1), book_generation.make(model, tokens=TOKENS)
        yield compare(
            f"{TOKENS} tokens, the book's rules, {name}",
            ours=_book_rules(form),
            peer=("the book's listing as printed", _first_short(*listing)),
            bar=bar,
            rounds=1,
        )
    yield _flat(model)
    yield _repeats(model)


def _first_short(warm: Callable[[], object], call: Callable[[], object]) -> Callable[[], object]:
    """Make one token in the first call, which is not timed, for all take a minute."""
    calls = iter((warm,))
    return lambda: next(calls, call)()


def _book_rules(model: LanguageModel) -> Callable[[], object]:
    """Generate by the book's own settings: temperature, top-k and a penalty that counts."""
    prompt = [60_194, *range(8)]
    decoding = Decoding(forbidden=tuple(range(60_194, 60_198)))
    generators = row_generators(0, 1)
    return lambda: collect(
        generate(model, [prompt], decoding, max_tokens=TOKENS, generators=generators)
    )


def _repeats(model: GPT) -> Result:
    """Speculate by what stood before, on a text that repeats, against plain generation.

    The model has learned the text, else it would not go on with it.
    """
    greedy, verse = Decoding.greedy(), torch.arange(1, 9).tile(25)
    prompt = [60_194, *verse[:64].tolist()]
    rows = torch.cat([torch.tensor([60_194]), verse])[None].tile(2, 1)
    game = Game(model.players(), Options(batch_size=2, max_grad_norm=1.0), seed=0)
    for _ in train(game, Rows(rows), budget=Budget(steps=25)):
        pass
    model.eval()

    def plain() -> list[Generated]:
        return collect(generate(model, [prompt], greedy, max_tokens=128))

    def fast() -> list[Generated]:
        return collect(speculate(model, prompt, greedy, NGramLookup(), max_tokens=128))

    (text,) = plain()
    assert text.tokens == verse[64:192].tolist()
    assert [text.tokens] == [row.tokens for row in fast()]
    return compare(
        "greedy, a text that repeats, drafts by look-up",
        ours=fast,
        peer=("plain generation of ours", plain),
        bar=1.5,
        rounds=5,
    )


def _flat(model: GPT) -> Result:
    """Compare the cost of the tokens 64 to 128 with that of the tokens 384 to 448."""
    steps = generate(model, [[60_194]], SAMPLED, max_tokens=449, generators=row_generators(0, 1))
    stamps = [time.perf_counter() for _ in steps]
    costs = torch.tensor(stamps, dtype=torch.float64).diff()
    places = torch.arange(len(costs)).double()
    slope = float(torch.stack((places, costs)).cov()[0, 1] / places.var())
    early, late = float(costs[64:128].median()), float(costs[384:448].median())
    return Result(
        name="cost of a token at position 400 against one at position 100",
        peer="position 400",
        ours_seconds=early,
        peer_seconds=late,
        ratio=early / late,
        rounds=[],
        bar=0.8,
        note=f"slope {1e6 * slope:.3f} us a token per position",
    )
