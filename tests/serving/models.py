"""Small real models and jobs of every kind, shared by the tests of this folder."""

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import strategies as st
from torch import nn

from ancestral.autoregressive import GPT, GPTParts, GPTShape
from ancestral.autoregressive.decoding import Choice, Decoding
from ancestral.autoregressive.recurrent import RecurrentLM
from ancestral.autoregressive.reduced import Int8LanguageModel
from ancestral.capabilities import LanguageModel, SpecialTokens
from ancestral.classic.chains.language import NGramLanguageModel
from ancestral.serving.jobs import Event, Job
from ancestral.serving.scheduler import Scheduler

V, WINDOW = 24, 96
BOS, EOS, UNK, PAD = SpecialTokens.of(V)
ENDLESS = Decoding(alternatives=2, forbidden=(EOS, PAD))


def sharp(model: GPT | RecurrentLM) -> GPT | RecurrentLM:
    """Weights far from the small initial ones, so that all that was read matters."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model.eval().requires_grad_(False)


def gpt() -> GPT | RecurrentLM:
    return sharp(GPT(V, shape=GPTShape(window=WINDOW, width=16, layers=2, heads=2)))


def modern() -> GPT | RecurrentLM:
    parts = GPTParts(positions="rotary", norm="rms", feed_forward="swiglu", qk_norm=True)
    shape = GPTShape(window=WINDOW, width=16, layers=1, heads=4, key_value_heads=2, head_width=6)
    return sharp(GPT(V, shape=shape, parts=parts))


def trigram() -> NGramLanguageModel:
    text = torch.randint(BOS, (4, 50), generator=torch.Generator().manual_seed(0))
    text[:, 0] = BOS
    return NGramLanguageModel(V, order=3).fit(text)


BUILDERS: dict[str, Callable[[], LanguageModel]] = {
    "gpt": gpt,
    "modern": modern,
    "lstm": lambda: sharp(RecurrentLM(V, cell="lstm", width=12, layers=2)),
    "elman": lambda: sharp(RecurrentLM(V, width=12)),
    "trigram": trigram,
    "gpt-int8": lambda: Int8LanguageModel(gpt()),
}
every_model = pytest.mark.parametrize("name", BUILDERS)


def job(
    length: int,
    max_tokens: int,
    seed: int,
    decoding: Decoding = ENDLESS,
    scored: bool = False,
) -> Job:
    tokens = torch.randint(BOS, (length - 1,), generator=torch.Generator().manual_seed(seed))
    return Job(
        prompt=[BOS, *tokens.tolist()],
        decoding=decoding,
        max_tokens=max_tokens,
        seed=seed,
        score_prompt=scored or max_tokens == 0,
    )


jobs = st.builds(
    job,
    st.one_of(st.integers(1, 8), st.integers(60, WINDOW)),
    st.one_of(st.integers(0, 12), st.integers(20, 40)),
    st.integers(0, 1000),
    st.sampled_from([ENDLESS, ENDLESS.but(keep=0.9), Decoding.greedy()]),
    st.booleans(),
)
"""Short and long, scored or not, some past the window."""


def pump(scheduler: Scheduler) -> None:
    """Step until nothing is left."""
    for _ in range(10_000):
        if not scheduler.step():
            return
    raise AssertionError("the scheduler does not come to an end")


def alone(model: LanguageModel, asked: Job, slots: int = 6) -> list[Event]:
    """What a job is told that nobody shares the model with."""
    scheduler, heard = Scheduler(model, slots=slots, queue=0), list[Event]()
    scheduler.submit(asked, heard.append)
    pump(scheduler)
    return heard


def choices(heard: Sequence[Event]) -> list[Choice]:
    return [event for event in heard if isinstance(event, Choice)]
