"""Steps that a broken model may fail: the failure is kept as a note, the evaluation goes on."""

from collections.abc import Callable
from typing import TypeVar

from ancestral.errors import AncestralError

T = TypeVar("T")


class Attempts:
    """Runs steps and collects what went wrong, one sentence each.

    Example:
        >>> attempts = Attempts()
        >>> attempts("log_prob", lambda: 1 / 0) is None
        True
        >>> attempts.notes
        ['log_prob: division by zero']
    """

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __call__(self, what: str, step: Callable[[], T]) -> T | None:
        """Return what ``step`` returns, or None with a note if it fails with a number's error."""
        try:
            return step()
        # torch says ValueError and RuntimeError of parameters and matrices that are not finite.
        except (AncestralError, ArithmeticError, ValueError, RuntimeError) as error:
            said = error.line if isinstance(error, AncestralError) else str(error)
            reason = (said or type(error).__name__).splitlines()[0]
            self.notes.append(f"{what}: {reason}")
            return None
