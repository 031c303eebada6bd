"""How far long work is, and how long it may take: lines for logs, and what computations tell."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

EVERY = 30.0
"""A line at least as often, in seconds, beside one for every tenth."""

PATIENCE = 1.5
"""Seconds before the first line: what ends sooner needs none."""


class Lines:
    """Writes to standard error how far work is: every tenth, or every 30 seconds.

    Args:
        patience: Seconds before the first line.

    Example:
        >>> Lines().turn("fit", 0.1, "step 10")
    """

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._title = ""
        self._begun = self._told = 0.0
        self._tenth = 0

    def turn(self, title: str, done: float, note: str = "") -> None:
        """Tell what is being done, the share of it done, 0 to 1, and a remark."""
        now, tenth = time.monotonic(), int(10 * min(done, 1.0) + 1e-9)
        if title != self._title:
            self._title, self._begun, self._told, self._tenth = title, now, now, 0
        spent = now - self._begun
        if spent < self.patience or not (tenth > self._tenth or now - self._told >= EVERY):
            return
        self._told, self._tenth = now, tenth
        left = f", {_time(spent * (1 - done) / done)} left" if 0 < done < 1 else ""
        words = f"{title}: {min(done, 1.0):.0%} after {_time(spent)}{left}  {note}"
        sys.stderr.write(f"{words.rstrip()}\n")
        sys.stderr.flush()


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


@dataclass(slots=True)
class _Watch:
    tell: Callable[[float], object]
    end: float
    share: float = 0.0


_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(
    tell: Callable[[float], object] | None = None, *, seconds: float = math.inf
) -> Iterator[None]:
    """Listen to a long computation in the block: it tells its share and may take so long.

    Args:
        tell: Called with the share done, 0 to 1, again and again, also where it has not risen;
            None: whoever listens already.
        seconds: Of its work; what comes then is left to it.

    Example:
        >>> shares = []
        >>> with watched(shares.append):
        ...     beat(0.5)
        ...     beat()
        >>> shares, time_left()
        ([0.5, 0.5], inf)
    """
    outer = _watch.get()
    if tell is None:
        tell = _silent if outer is None else outer.tell
    token = _watch.set(_Watch(tell, time.monotonic() + seconds))
    try:
        yield
    finally:
        _watch.reset(token)


def beat(share: float | None = None) -> None:
    """Tell whoever listens that the work goes on, and the share that is done, where it is known."""
    if (watch := _watch.get()) is not None:
        watch.share = watch.share if share is None else share
        watch.tell(watch.share)


def time_left() -> float:
    """Return the seconds that the work may still take; infinite where nobody has said."""
    watch = _watch.get()
    return math.inf if watch is None else watch.end - time.monotonic()


def _silent(_: float) -> None:
    """Tell nobody."""
