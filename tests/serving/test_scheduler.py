import gc
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.models import (
    BOS,
    BUILDERS,
    ENDLESS,
    EOS,
    PAD,
    WINDOW,
    V,
    alone,
    choices,
    every_model,
    gpt,
    job,
    jobs,
    pump,
    trigram,
)
from torch import Tensor

from ancestral.autoregressive.decoding import Decoding, collect, generate, row_generators
from ancestral.autoregressive.decoding.constrained import Grammar
from ancestral.capabilities import LanguageModel
from ancestral.classic.chains.language import LastTokens, NGramLanguageModel
from ancestral.errors import ConfigError, DataError, DivergenceError
from ancestral.serving.jobs import (
    BusyError,
    ClosedError,
    Event,
    Failed,
    Finished,
    Job,
    PromptScores,
    Ticket,
)
from ancestral.serving.scheduler import Scheduler


@cache
def model_of(name: str) -> LanguageModel:
    return BUILDERS[name]()


def ignore(event: Event) -> None:
    """Of a job whose events do not matter."""


@pytest.mark.bits
@every_model
@settings(max_examples=8, deadline=None)
@given(
    asked=st.lists(st.tuples(jobs, st.none() | st.integers(0, 12)), min_size=1, max_size=9),
    pauses=st.lists(st.integers(0, 5), min_size=9, max_size=9),
)
def test_a_stream_is_bit_equal_whatever_else_comes_and_goes(
    name: str, asked: list[tuple[Job, int | None]], pauses: list[int]
) -> None:
    """In float32: all events, log-probabilities included, are those of the job alone."""
    model = model_of(name)
    scheduler = Scheduler(model, slots=6, queue=3)
    heard: list[list[Event]] = [[] for _ in asked]
    tickets: list[tuple[Ticket, int | None]] = []
    frozen: dict[int, int] = {}
    for (one, patience), events, pause in zip(asked, heard, pauses, strict=False):
        tickets.append((scheduler.submit(one, events.append), patience))
        for _ in range(pause):
            scheduler.step()
            for number, (ticket, patience_left) in enumerate(tickets):
                # Who is impatient leaves after so many events.
                if patience_left is not None and len(heard[number]) > patience_left:
                    ticket.cancel()
                    frozen.setdefault(number, len(heard[number]))
    pump(scheduler)
    assert (scheduler.load.running, scheduler.load.waiting) == (0, 0)
    for number, ((one, _), events) in enumerate(zip(asked, heard, strict=True)):
        expected = alone(model, one)
        assert expected[-1] == Finished()
        assert events == expected[: frozen.get(number)]


@pytest.mark.parametrize("name", ["gpt", "modern", "lstm", "trigram"])
def test_streams_are_those_of_generate(name: str) -> None:
    model = BUILDERS[name]()
    if isinstance(model, torch.nn.Module):
        model = model.double()  # Where batches of other sizes agree but for the last bits.
    asked = [job(1, 9, 0), job(WINDOW, 70, 1), job(65, 40, 2), job(3, 120, 3), job(64, 1, 4)]
    asked += [job(70, 60, 5, ENDLESS.but(keep=1.0)), job(5, 110, 6, ENDLESS.but(keep=0.0))]
    scheduler, heard = Scheduler(model, slots=3), [list[Event]() for _ in asked]
    for one, events in zip(asked, heard, strict=True):
        scheduler.submit(one, events.append)
    pump(scheduler)
    for one, events in zip(asked, heard, strict=True):
        (expected,) = collect(
            generate(
                model,
                [one.prompt],
                one.decoding,
                max_tokens=one.max_tokens,
                generators=row_generators(one.seed, 1),
            )
        )
        found = choices(events)
        assert [choice.token for choice in found] == expected.tokens
        assert [choice.log_prob for choice in found] == pytest.approx(expected.log_probs)
        assert [choice.reason for choice in found] == [None] * (one.max_tokens - 1) + ["length"]
        assert events[-1] == Finished()
    assert scheduler.load.generated == sum(one.max_tokens for one in asked)


def test_a_job_goes_past_its_slot_and_the_groups() -> None:
    """With more slots than a group has rows, which make room for each other when jobs end."""
    model = model_of("gpt")
    asked = [job(1 + seed % 5, 3 + seed * 7 % 23, seed) for seed in range(50)]
    scheduler, heard = Scheduler(model, slots=33), [list[Event]() for _ in asked]
    for one, events in zip(asked, heard, strict=True):
        scheduler.submit(one, events.append)
    pump(scheduler)
    for one, events in zip(asked, heard, strict=True):
        assert events == alone(model, one, slots=33)


@every_model
def test_prompts_are_scored_as_by_log_prob(name: str) -> None:
    model = model_of(name)
    for length in (2, 64, 65, WINDOW, WINDOW + 1):
        one = job(length, 0, length)
        heard = alone(model, one)
        scores, end = heard
        assert isinstance(scores, PromptScores)
        assert end == Finished()
        assert len(scores.log_probs) == len(scores.alternatives) == length - 1
        tokens = torch.tensor([one.prompt])
        lines = model.head(model.features(tokens[:, :-1])).log_softmax(-1)[0]
        expected = lines.gather(1, tokens[0, 1:, None])[:, 0].tolist()
        # Eight bits: a row of the head is off by about 1%, the attention's rest by float32.
        off = 0.2 if name == "gpt-int8" else 1e-3
        assert scores.log_probs == pytest.approx(expected, abs=off)
        if isinstance(model, NGramLanguageModel) or hasattr(model, "log_prob"):
            total = model.log_prob(tokens)
            assert sum(scores.log_probs) == pytest.approx(float(total), rel=1e-4)
        for line, told in zip(lines, scores.alternatives, strict=True):
            assert [p for _, p in told] == pytest.approx(line.topk(2).values.tolist(), abs=off)


@pytest.mark.bits
def test_scores_change_nothing_of_the_stream() -> None:
    for length in (1, 64, 70):
        plain, scored = (alone(model_of("gpt"), job(length, 9, 0, scored=s)) for s in (False, True))
        assert isinstance(scored[0], PromptScores)
        assert scored[1:] == plain
    assert alone(model_of("gpt"), job(1, 0, 0)) == [PromptScores([], []), Finished()]


def test_a_long_prompt_does_not_stall_the_others() -> None:
    scheduler, heard = Scheduler(model_of("lstm")), [list[Event]() for _ in range(3)]
    scheduler.submit(job(2, 50, 0), heard[0].append)
    scheduler.step()
    scheduler.submit(job(64 * 10, 5, 1), heard[1].append)
    scheduler.submit(job(10, 5, 2), heard[2].append)
    for _ in range(8):
        before = len(heard[0])
        scheduler.step()
        assert len(heard[0]) == before + 1
    assert not heard[1]
    assert heard[2][-1] == Finished()
    pump(scheduler)
    assert heard[1][-1] == Finished()


def test_stops_and_constraints_are_each_rows_own() -> None:
    pieces = [chr(97 + token).encode() for token in range(V - 4)] + [b""] * 4
    grammar = Grammar.regex("(ab|cd)+", pieces)
    base = job(4, 12, 0, ENDLESS.but(forbidden=()))
    asked = [
        Job(
            prompt=base.prompt, decoding=base.decoding, max_tokens=12, seed=seed, constraint=grammar
        )
        for seed in range(4)
    ]
    asked += [
        Job(
            prompt=base.prompt,
            decoding=ENDLESS,
            max_tokens=12,
            seed=9,
            stop=lambda tokens: len(tokens) == 7,
        )
    ]
    scheduler, heard = Scheduler(model_of("gpt")), [list[Event]() for _ in asked]
    for one, events in zip(asked, heard, strict=True):
        scheduler.submit(one, events.append)
    pump(scheduler)
    for events in heard[:4]:
        text = "".join(chr(97 + choice.token) for choice in choices(events) if choice.token != EOS)
        assert text.replace("ab", "").replace("cd", "") in ("", "a", "c")
        assert text
    assert (len(choices(heard[4])), choices(heard[4])[-1].reason) == (7, "stop")


def test_the_door_refuses_what_cannot_be_served() -> None:
    scheduler = Scheduler(model_of("gpt"), slots=1, queue=1)
    plain = Decoding.greedy()

    def submit(prompt: list[int], max_tokens: int = 1, **changes: object) -> None:
        scored = max_tokens == 0
        decoding = plain.but(**changes)  # pyright: ignore[reportArgumentType]
        scheduler.submit(
            Job(
                prompt=prompt,
                decoding=decoding,
                max_tokens=max_tokens,
                seed=0,
                score_prompt=scored,
            ),
            ignore,
        )

    for prompt, message in (
        ([], "at least one token"), ([BOS, V], f"has token {V}"),
        ([BOS] * (WINDOW + 1), f"has {WINDOW + 1} tokens; the window holds {WINDOW}"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=message):
            submit(prompt)
    for prompt in ([], [BOS, V], [V], [BOS] * (WINDOW + 2)):
        with pytest.raises(DataError):
            submit(prompt, max_tokens=0)
    with pytest.raises(ConfigError, match=f"forbidden must be 0 to {V - 1}"):
        submit([BOS], forbidden=(V,))
    with pytest.raises(ConfigError, match="max_tokens must be at least 1, got 0"):
        Job(prompt=[BOS], decoding=plain, max_tokens=0, seed=0)
    with pytest.raises(ConfigError, match="seed must be at least 0"):
        Job(prompt=[BOS], decoding=plain, max_tokens=1, seed=-1)
    assert scheduler.idle
    submit([BOS] * (WINDOW + 1), max_tokens=0)
    submit([BOS])
    with pytest.raises(BusyError, match="1 jobs are under way and 1 wait"):
        submit([BOS])
    scheduler.close()
    with pytest.raises(ClosedError):
        submit([BOS])
    pump(scheduler)
    assert scheduler.load.read == WINDOW + 1
    for changes in ({"slots": 0}, {"queue": -1}, {"room": 0}, {"room": WINDOW + 1}):
        with pytest.raises(ConfigError, match=next(iter(changes))):
            Scheduler(model_of("gpt"), **changes)


def test_room_is_a_promise_where_there_is_no_window() -> None:
    scheduler, heard = Scheduler(model_of("lstm"), room=40), list[Event]()
    with pytest.raises(DataError, match="need room for 41 tokens; there is room for 40"):
        scheduler.submit(job(30, 12, 0), heard.append)
    scheduler.submit(job(30, 11, 0), heard.append)
    pump(scheduler)
    assert len(choices(heard)) == 11


def test_a_diverging_job_ends_alone_and_leaves_nothing_behind() -> None:
    model = gpt()
    greedy = Decoding.greedy().but(forbidden=(EOS, BOS, PAD))
    sick = Job(prompt=[BOS, 3], decoding=greedy, max_tokens=9, seed=0)
    first, poison = (choice.token for choice in choices(alone(model, sick))[:2])
    wanted = job(1, 30, 0, ENDLESS.but(forbidden=(poison, EOS)))
    expected = alone(model, wanted)
    assert poison != first
    with torch.no_grad():
        model.get_parameter("tokens.weight")[poison] = torch.nan
    scheduler, heard = Scheduler(model, slots=6), [list[Event]() for _ in range(4)]
    for one, events in zip((sick, wanted, sick), heard, strict=False):
        scheduler.submit(one, events.append)
    for _ in range(9):
        scheduler.step()
    scheduler.submit(wanted, heard[3].append)  # In the place of one that failed.
    pump(scheduler)
    for events in (heard[0], heard[2]):
        assert [choice.token for choice in choices(events)] == [first, poison]
        assert isinstance(events[-1], Failed)
        assert isinstance(events[-1].error, DivergenceError)
    assert heard[1] == heard[3] == expected


class Fragile(NGramLanguageModel):
    """Breaks at a token."""

    broken = -1

    def advance(self, tokens: Tensor, state: LastTokens, *, counts: Tensor | None = None) -> Tensor:
        if bool((tokens == self.broken).any()):
            raise RuntimeError("a fault")
        return super().advance(tokens, state, counts=counts)


def test_a_fault_of_the_model_ends_who_shares_it_and_not_the_engine() -> None:
    whole = trigram()
    model = Fragile(V, order=3)
    model.load_state_dict(whole.state_dict())
    model.chain = whole.chain
    expected = [alone(whole, job(2, 9, seed)) for seed in range(3)]
    scheduler, heard = Scheduler(model, slots=6), [list[Event]() for _ in range(3)]
    for seed, events in enumerate(heard):
        scheduler.submit(job(2, 9, seed), events.append)
    for _ in range(4):
        scheduler.step()
    model.broken = choices(heard[0])[-1].token
    scheduler.step()
    for events in heard:
        assert isinstance(events[-1], Failed)
        assert str(events[-1].error) == "a fault"
    assert scheduler.idle
    lone: list[Event] = []
    scheduler.submit(
        Job(prompt=[model.broken], decoding=ENDLESS, max_tokens=1, seed=0), lone.append
    )
    assert not scheduler.step()
    assert isinstance(lone[0], Failed)
    model.broken = -1
    again: list[Event] = []
    scheduler.submit(job(2, 9, 1), again.append)
    pump(scheduler)
    assert again == expected[1]


def test_a_listener_that_fails_ends_its_job_only(caplog: pytest.LogCaptureFixture) -> None:
    def deaf(event: Event) -> None:
        raise OSError(f"cannot hear {event}")

    scheduler, heard = Scheduler(model_of("gpt")), list[Event]()
    scheduler.submit(job(2, 9, 0), deaf)
    scheduler.submit(job(2, 9, 1), heard.append)
    pump(scheduler)
    assert heard == alone(model_of("gpt"), job(2, 9, 1), slots=16)
    assert caplog.text.count("a listener failed") == 1


def test_nothing_grows_over_a_thousand_jobs() -> None:
    scheduler = Scheduler(model_of("gpt"), slots=20)

    def serve(count: int) -> tuple[int, int]:
        for seed in range(count):
            ticket = scheduler.submit(job(1 + seed % 3, 1 + seed % 3, seed), ignore)
            if seed % 5 == 0:
                ticket.cancel()
            if seed % 16 == 15:
                pump(scheduler)
        pump(scheduler)
        gc.collect()
        tensors = [item for item in gc.get_objects() if issubclass(type(item), Tensor)]
        return len(tensors), sum(tensor.nbytes for tensor in tensors)

    first = serve(100)
    assert serve(900) == first
