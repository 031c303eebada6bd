import math
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ancestral.autoregressive.decoding import Choice, Decoding, collect, generate, row_generators
from ancestral.autoregressive.decoding.constrained import Grammar
from ancestral.autoregressive.gpt import GPT, GPTParts, GPTShape
from ancestral.autoregressive.recurrent import RecurrentLM
from ancestral.autoregressive.reduced import Int8LanguageModel
from ancestral.capabilities import LanguageModel, SpecialTokens
from ancestral.classic.chains.language import NGramLanguageModel
from ancestral.errors import ConfigError, DataError, DivergenceError
from ancestral.serving.jobs import (
    BusyError,
    ClosedError,
    Event,
    Failed,
    Finished,
    Job,
    PromptScores,
)
from ancestral.serving.scheduler import Scheduler

V, WINDOW = 24, 96
BOS, EOS, UNK, PAD = SpecialTokens.of(V)
DECODING = Decoding(alternatives=2, forbidden=(EOS, PAD))


def sharp(model: GPT | RecurrentLM) -> GPT | RecurrentLM:
    """Weights far from the small initial ones, so that all that was read matters."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model.requires_grad_(False)


def gpt() -> GPT | RecurrentLM:
    return sharp(GPT(V, shape=GPTShape(window=WINDOW, width=16, layers=2, heads=2)))


def modern() -> GPT | RecurrentLM:
    parts = GPTParts(positions="rotary", norm="rms", feed_forward="swiglu", qk_norm=True)
    shape = GPTShape(window=WINDOW, width=16, layers=1, heads=4, key_value_heads=2, head_width=6)
    return sharp(GPT(V, shape=shape, parts=parts))


def trigram() -> NGramLanguageModel:
    text = torch.randint(UNK, (4, 50), generator=torch.Generator().manual_seed(0))
    text[:, 0] = BOS
    return NGramLanguageModel(V, order=3).fit(text.masked_fill_(text == EOS, 3))


BUILDERS: dict[str, Callable[[], LanguageModel]] = {
    "gpt": gpt,
    "modern": modern,
    "lstm": lambda: sharp(RecurrentLM(V, cell="lstm", width=12, layers=2)),
    "elman": lambda: sharp(RecurrentLM(V, width=12)),
    "trigram": trigram,
    "gpt-int8": lambda: Int8LanguageModel(gpt()),
}
MODELS = {name: build() for name, build in BUILDERS.items()}
every_model = pytest.mark.parametrize("name", MODELS)


def job(length: int, max_tokens: int, seed: int, decoding: Decoding = DECODING) -> Job:
    tokens = torch.randint(BOS, (length - 1,), generator=torch.Generator().manual_seed(seed))
    return Job(
        prompt=[BOS, *tokens.tolist()],
        decoding=decoding,
        max_tokens=max_tokens,
        seed=seed,
        score_prompt=max_tokens == 0 or seed % 2 == 0,
    )


jobs = st.builds(
    job,
    st.one_of(st.integers(1, 8), st.integers(60, WINDOW)),
    st.one_of(st.integers(0, 12), st.integers(20, 40)),
    st.integers(0, 1000),
    st.sampled_from([DECODING, DECODING.but(keep=0.9), Decoding.greedy()]),
)


def alone(model: LanguageModel, asked: Job, slots: int = 6) -> list[Event]:
    scheduler, heard = Scheduler(model, slots=slots, queue=0, room=room(model)), list[Event]()
    scheduler.submit(asked, heard.append)
    pump(scheduler)
    return heard


def room(model: LanguageModel) -> int | None:
    return model.window and WINDOW


def pump(scheduler: Scheduler) -> None:
    for _ in range(10_000):
        if not scheduler.step():
            return
    raise AssertionError("the scheduler does not come to an end")


def tokens(heard: Sequence[Event]) -> list[int]:
    return [event.token for event in heard if isinstance(event, Choice)]


@every_model
@settings(max_examples=12, deadline=None)
@given(asked=st.lists(st.tuples(st.integers(0, 20), jobs), min_size=1, max_size=8))
def test_a_stream_is_bit_equal_whatever_else_is_served(
    name: str, asked: list[tuple[int, Job]]
) -> None:
    """In float32: all events, log-probabilities included, are those of the job alone."""
    model = MODELS[name]
    scheduler = Scheduler(model, slots=6, queue=9)
    heard: list[list[Event]] = [[] for _ in asked]
    for number in range(21):
        for (when, one), listener in zip(asked, heard, strict=True):
            if when == number:
                scheduler.submit(one, listener.append)
        scheduler.step()
    pump(scheduler)
    for (_, one), events in zip(asked, heard, strict=True):
        assert events == alone(model, one)
        assert events[-1] == Finished()
