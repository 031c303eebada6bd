"""What a server allows: sizes, numbers and times, all bounded."""

from dataclasses import dataclass

from ancestral.errors import ConfigError
from ancestral.settings import at_least

LONGEST_PROMPT = 8192
"""Tokens of a prompt for a model without a window, if nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server allows.

    Args:
        slots: Texts that are written side by side.
        queue: Texts that may wait for a slot; who comes then is told to come back.
        max_tokens: Most tokens of a text that one may ask for.
        max_prompt: Most tokens of a prompt, BOS not counted; None for what the model can read.
        max_body: Most bytes of a request.
        timeout: Seconds after which a request is ended, waiting included.
        grace: Seconds that what has begun is given to end, once the server is asked to.

    Raises:
        ConfigError: If a value is out of its range.

    Example:
        >>> Limits(slots=4, queue=0).texts
        4
    """

    slots: int = 16
    queue: int = 64
    max_tokens: int = 4096
    max_prompt: int | None = None
    max_body: int = 2**20
    timeout: float = 600.0
    grace: float = 25.0

    def __post_init__(self) -> None:
        at_least(self, slots=1, queue=0, max_tokens=1, max_prompt=1, max_body=1)
        for name in ("timeout", "grace"):
            if not 0 < getattr(self, name) <= 10**6:
                raise ConfigError(
                    f"{name} must be above 0 and at most a million seconds, "
                    f"got {getattr(self, name)}"
                )

    @property
    def texts(self) -> int:
        """The most texts that one request may ask for: more would never find room."""
        return self.slots + self.queue

    def prompt(self, window: int | None) -> int:
        """Return the most tokens of a prompt, BOS not counted, for a model with such a window."""
        able = LONGEST_PROMPT if window is None else window - 1
        if self.max_prompt is None:
            return able
        return self.max_prompt if window is None else min(self.max_prompt, able)
