"""What a server is asked for, token by token, and what it tells of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ancestral.autoregressive.decoding.continuation import Choice, Constraint, Stop
from ancestral.autoregressive.decoding.settings import Decoding
from ancestral.errors import AncestralError, ConfigError


class BusyError(AncestralError):
    """As many jobs are waiting as may wait; later there is room again."""


class ClosedError(AncestralError):
    """The engine takes no more jobs, or has ended before this one was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A prompt that is to be continued, or only scored.

    Args:
        prompt: Its tokens, BOS first.
        decoding: How a token is chosen.
        max_tokens: Most tokens to generate, at least 0; 0 only together with ``score_prompt``.
        seed: Of its chance, in [0, 2^63).
        stop: Ends it, besides EOS and PAD.
        constraint: What the generated tokens may be.
        score_prompt: Also tell the log-probability of each token of the prompt after the first.

    Raises:
        ConfigError: If ``max_tokens`` or the seed is out of its range.
    """

    prompt: Sequence[int]
    decoding: Decoding
    max_tokens: int
    seed: int
    stop: Stop | None = None
    constraint: Constraint | None = None
    score_prompt: bool = False

    def __post_init__(self) -> None:
        least = 0 if self.score_prompt else 1
        if self.max_tokens < least:
            raise ConfigError(f"max_tokens must be at least {least}, got {self.max_tokens}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must be at least 0 and below 2^63, got {self.seed}")


@dataclass(frozen=True, slots=True)
class PromptScores:
    """What the model thinks of a prompt; told before the first choice.

    Args:
        log_probs: Log-probability of each token after the first given those before, nats, [T - 1].
        alternatives: The most probable tokens in the place of each with their log-probabilities,
            best first; as many as ``decoding.alternatives`` asks for.
    """

    log_probs: list[float]
    alternatives: list[tuple[tuple[int, float], ...]]


@dataclass(frozen=True, slots=True)
class Failed:
    """A job has ended by an error; nothing follows."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Finished:
    """A job has ended as it should; nothing follows."""


Event: TypeAlias = PromptScores | Choice | Failed | Finished
Listener: TypeAlias = Callable[[Event], None]
"""Is told the events of one job, in the engine's thread: it must not block."""


class Ticket:
    """A job that was accepted."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        """Free the job's slot at the next step; no event follows once that has taken effect."""
        self.cancelled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy an engine is, and what it has done.

    Args:
        slots: Jobs that can be under way at once.
        running: Jobs that are under way.
        waiting: Jobs that wait for a slot.
        generated: Tokens that were generated so far.
        read: Tokens of prompts that were read so far.
    """

    slots: int
    running: int
    waiting: int
    generated: int
    read: int
