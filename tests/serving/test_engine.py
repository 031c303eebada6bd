import threading
from collections.abc import Sequence

import pytest
from tests.serving.models import BOS, ENDLESS, alone, choices, gpt, job, trigram

from ancestral.serving.engine import Engine
from ancestral.serving.jobs import BusyError, ClosedError, Event, Failed, Finished, Job


class Ear:
    """Hears the events of a job in another thread, and can be waited for."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.ended = threading.Event()
        self.begun = threading.Event()

    def __call__(self, event: Event) -> None:
        self.heard.append(event)
        self.begun.set()
        if isinstance(event, Finished | Failed):
            self.ended.set()


def test_many_threads_hear_what_each_would_hear_alone() -> None:
    model = gpt()
    asked = [job(1 + 9 * seed, 20 + seed, seed) for seed in range(8)]
    expected = [alone(model, one, slots=3) for one in asked]
    engine, ears = Engine(model, slots=3), [Ear() for _ in asked]
    threads = [
        threading.Thread(target=engine.submit, args=pair) for pair in zip(asked, ears, strict=True)
    ]
    for thread in threads:
        thread.start()
    for ear in ears:
        assert ear.ended.wait(60)
    for thread in threads:
        thread.join()
    assert [ear.heard for ear in ears] == expected
    assert engine.close(timeout=60)
    load = engine.load
    assert (load.slots, load.running, load.waiting) == (3, 0, 0)
    assert load.generated == sum(one.max_tokens for one in asked)
    assert load.read == sum(len(one.prompt) for one in asked)


def test_close_finishes_what_was_accepted_and_takes_no_more() -> None:
    engine, ears = Engine(trigram(), slots=2), [Ear() for _ in range(5)]
    for seed, ear in enumerate(ears):
        engine.submit(job(3, 30, seed), ear)
    assert engine.close(timeout=60)
    for ear in ears:
        assert (len(choices(ear.heard)), ear.heard[-1]) == (30, Finished())
    with pytest.raises(ClosedError, match="takes no more jobs"):
        engine.submit(job(3, 30, 0), Ear())
    assert engine.close(timeout=60)  # Twice is once.


def test_close_ends_what_takes_too_long() -> None:
    engine, ears = Engine(gpt(), slots=1), [Ear(), Ear()]
    for ear in ears:  # The one under way, and one that waits.
        engine.submit(job(3, 10**9, 0), ear)
    assert ears[0].begun.wait(60)
    assert not engine.close(timeout=0.05)
    for ear in ears:
        assert isinstance(ear.heard[-1], Failed)
        assert isinstance(ear.heard[-1].error, ClosedError)
    assert len(choices(ears[1].heard)) == 0


def test_a_cancelled_job_makes_room() -> None:
    engine, first, second = Engine(gpt(), slots=1, queue=1), Ear(), Ear()
    ticket = engine.submit(job(3, 10**9, 0), first)
    assert first.begun.wait(60)
    engine.submit(job(3, 5, 1), second)
    with pytest.raises(BusyError):
        engine.submit(job(3, 5, 1), Ear())
    ticket.cancel()
    assert second.ended.wait(60)
    assert (len(choices(second.heard)), second.heard[-1]) == (5, Finished())
    assert engine.close(timeout=60)
    assert len(first.heard) == len(choices(first.heard))  # Nothing but choices: no end is told.


def test_a_stop_that_fails_ends_its_job_and_not_the_engine() -> None:
    def broken(tokens: Sequence[int]) -> bool:
        raise KeyError(tokens[-1])

    engine, ear, other = Engine(trigram()), Ear(), Ear()
    engine.submit(Job(prompt=[BOS], decoding=ENDLESS, max_tokens=3, seed=0, stop=broken), ear)
    assert ear.ended.wait(60)
    (failed,) = ear.heard
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, KeyError)
    engine.submit(job(3, 5, 1), other)
    assert other.ended.wait(60)
    assert engine.close(timeout=60)
