"""Ctrl-C between steps, never inside one: the first asks, the second insists."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """While it is entered, SIGINT and SIGTERM set ``asked`` instead of breaking the step.

    A second signal raises ``KeyboardInterrupt`` at once, except inside :meth:`held`: saving takes
    less time than a third one. Outside of the main thread, where Python allows no handlers,
    nothing is changed.

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
        again = self.asked
        self.number = self.number or number
        if again and not self._held:
            raise KeyboardInterrupt
