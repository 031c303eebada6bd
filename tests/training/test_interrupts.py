import signal
import threading

import pytest

from ancestral.training import interrupts as module
from ancestral.training.interrupts import Interrupts


def test_the_first_asks_and_a_later_one_insists(monkeypatch: pytest.MonkeyPatch) -> None:
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert interrupts.asked
        signal.raise_signal(signal.SIGTERM)  # In a hurry: the same wish, twice.
        assert interrupts.number == signal.SIGINT
        monkeypatch.setattr(module, "INSISTS", -1.0)
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_other_threads_change_nothing() -> None:
    seen = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.append((interrupts.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.getsignal(signal.SIGINT))]
