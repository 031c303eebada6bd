"""How long training lasts: seconds, steps or epochs."""

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from ancestral.errors import ConfigError

LEVELS = 200
"""The clock is read in so many parts of a budget in seconds, so that what it read can be kept."""

Pace: TypeAlias = tuple[tuple[int, int], ...]
"""The steps at which a new part of the clock was first read, each with the number of the part."""

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The end of training, and the clock of its schedule; exactly one of the three is set.

    Args:
        seconds: Wall-clock time spent inside the training iterator: steps and validation, not
            what the caller does between reports.
        steps: Iterations of the game, counted from the start of the run, not from a resume.
        epochs: Passes over the training split.
        pace: With ``steps``: what the clock read in a run that ended by it, to be repeated.

    Raises:
        ConfigError: If none or several are set, or the one is not above zero, or there is a pace
            without steps.

    Example:
        >>> Budget.parse("5m").seconds
        300.0
    """

    seconds: float | None = None
    steps: int | None = None
    epochs: float | None = None
    pace: Pace | None = None

    def __post_init__(self) -> None:
        if self.pace is not None:
            object.__setattr__(self, "pace", pace_of(self.pace))
            if self.steps is None:
                raise ConfigError("a pace needs steps: it is what the clock read in a run of these")
        named = {"seconds": self.seconds, "steps": self.steps, "epochs": self.epochs}
        given = {name: value for name, value in named.items() if value is not None}
        if len(given) != 1:
            got = ", ".join(given) or "none"
            raise ConfigError(f"exactly one of seconds, steps and epochs must be set, got {got}")
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise ConfigError(f"{name} must be finite and above 0, got {value}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the budget that ``30s``, ``5m`` or ``1.5h`` names.

        Raises:
            ConfigError: If the text is not a positive number and one of the units s, m, h.
        """
        match = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([smh])", text.strip())
        if match is None:
            raise ConfigError(f"budget must be a time such as 30s, 5m or 1h, got {text!r}")
        seconds = float(match[1]) * _SECONDS[match[2]]
        if seconds <= 0:
            raise ConfigError(f"budget must be above 0, got {text!r}")
        return cls(seconds=seconds)

    def total_steps(self, examples: int, per_step: int) -> int | None:
        """Return the number of the last step, or None where only the clock knows.

        Args:
            examples: Size of the training split.
            per_step: Examples that one step consumes, over all ranks.
        """
        if self.epochs is not None:
            return max(1, math.ceil(self.epochs * examples / per_step))
        return self.steps

    def progress(self, done: int, total: int | None, seconds: float) -> float:
        """Return the share of the budget already spent, in [0, 1]; of seconds, in whole levels.

        Args:
            done: Steps made.
            total: What :meth:`total_steps` returned.
            seconds: Training time so far.
        """
        if self.pace:
            place = bisect_right(self.pace, (done + 1, LEVELS))
            return self.pace[place - 1][1] / LEVELS if place else 0.0
        if total is not None:
            return min(1.0, done / total)
        if self.seconds is None:
            return 0.0
        return min(LEVELS, math.floor(LEVELS * seconds / self.seconds)) / LEVELS


def pace_of(pairs: Sequence[Sequence[int]]) -> Pace:
    """Return a pace as JSON and TOML hold it."""
    return tuple((int(step), int(level)) for step, level in pairs)


def budget_text(budget: Budget | None) -> str:
    """Return a budget in words."""
    if budget is None:
        return ""
    if budget.seconds is not None:
        return f"{budget.seconds:g}s"
    return f"{budget.steps} steps" if budget.steps is not None else f"{budget.epochs:g} epochs"
