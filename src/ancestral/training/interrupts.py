"""Ctrl-C between steps, never inside one: the first asks, the second insists."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INSISTS = 1.0
"""Seconds after which a further signal is not the same one given twice."""


class Interrupts:
    """While it is entered, SIGINT and SIGTERM set ``asked`` instead of breaking the step.

    One that comes more than a second later raises ``KeyboardInterrupt`` at once, except inside
    :meth:`held`: nobody who presses twice in a hurry loses the step that is being saved. Outside
    of the main thread, where Python allows no handlers, nothing is changed.

    Attributes:
        number: Of the first signal; 0 before it.

    Example:
        >>> with Interrupts() as interrupts:
        ...     interrupts.asked
        False
    """

    def __init__(self) -> None:
        self.number = 0
        self._held = False
        self._since = 0.0
        self._before: dict[int, object] = {}

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self.number != 0

    def __enter__(self) -> "Interrupts":
        """Take the signals."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType] - as it was
        self._before = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing break the body: a file is being written."""
        self._held, before = True, self._held
        try:
            yield
        finally:
            self._held = before

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        now = time.monotonic()
        if not self.asked:
            self.number, self._since = number, now
        elif now - self._since > INSISTS and not self._held:
            raise KeyboardInterrupt
