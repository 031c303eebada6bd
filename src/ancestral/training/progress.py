"""Where a run stands: with the game's state, all that a resumed run needs."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from ancestral.training.budget import LEVELS, Pace, pace_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands after a step.

    Args:
        step: Steps made.
        seconds: Training time so far.
        best: The best validated figure, or None before the first validation.
        best_step: The step of the latest validation as good as that; 0 before the first.
        bad: Validations since the best.
        pace: What the clock has read, where it ends the run.

    Example:
        >>> Progress.from_json(Progress(step=3, seconds=0.5).to_json()).step
        3
    """

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    bad: int = 0
    pace: Pace = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the progress that :meth:`to_json` described."""
        return cls(**{**fields, "pace": pace_of(fields.get("pace", ()))})

    def paced(self, step: int, share: float) -> Self:
        """Return the progress with the share of the budget that a step was begun at."""
        level = round(share * LEVELS)
        if self.pace and self.pace[-1][1] == level:
            return self
        return replace(self, pace=(*self.pace, (step, level)))

    def improves(self, figure: float, *, higher: bool) -> bool:
        """Return whether a figure is better than the best; one that is not finite never is."""
        if not math.isfinite(figure):
            return False
        return self.best is None or (figure > self.best if higher else figure < self.best)

    def judged(
        self, figure: float, *, higher: bool, tolerance: float = 0.0, settled: bool = True
    ) -> Self:
        """Return the progress after a validation at its step.

        Args:
            figure: What the validation found.
            higher: Whether higher is better.
            tolerance: A figure this near to the best counts as equal to it, and of equals the
                later is kept.
            settled: Whether the model has its last form; before, the latest weights are kept and
                set no figure to be beaten.
        """
        if not settled and math.isfinite(figure):
            return replace(self, best_step=self.step)
        if self.improves(figure, higher=higher):
            return replace(self, best=figure, best_step=self.step, bad=0)
        gap = math.inf if self.best is None else abs(figure - self.best)
        kept = self.step if gap < tolerance else self.best_step
        return replace(self, best_step=kept, bad=self.bad + 1)
