"""Where a run stands: with the game's state, all that a resumed run needs."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands after a step.

    Args:
        step: Steps made.
        seconds: Training time so far.
        best: The best validated figure, or None before the first validation.
        best_step: The step of that validation; 0 before the first.
        bad: Validations since then.

    Example:
        >>> Progress.from_json(Progress(step=3, seconds=0.5).to_json()).step
        3
    """

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    bad: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the progress that :meth:`to_json` described."""
        return cls(**fields)

    def improves(self, figure: float, *, higher: bool) -> bool:
        """Return whether a figure is better than the best; one that is not finite never is."""
        if not math.isfinite(figure):
            return False
        return self.best is None or (figure > self.best if higher else figure < self.best)
