"""The rules of an adversarial game: what is lowered, what keeps it stable, who moves how often."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ancestral.adversarial.losses import OBJECTIVES, Objective

GameLoss: TypeAlias = Literal["relativistic", "non-saturating", "saturating"]
"""What the two players lower, by name; see :mod:`ancestral.adversarial.losses`."""

Regulariser: TypeAlias = Literal["r1", "r1-r2"]
"""What holds the critic back: a penalty on its slope at real examples, at generated ones too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GameRules:
    """What every adversarial model can set of its game.

    Args:
        loss: What the players lower.
        regulariser: What holds the critic back.
        penalty: Weight of the regulariser, at least 0; 0 is off.
        updates: Updates of the critic and of the generator in one iteration, each at least 1.

    Raises:
        ValueError: If a setting is outside its range.

    Example:
        >>> GameRules(loss="relativistic").objective.paired
        True
    """

    loss: GameLoss = "non-saturating"
    regulariser: Regulariser = "r1"
    penalty: float = 0.05
    updates: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        for name, names in (("loss", tuple(OBJECTIVES)), ("regulariser", get_args(Regulariser))):
            if (value := getattr(self, name)) not in names:
                raise ValueError(f"{name} must be one of {', '.join(names)}, got {value!r}")
        if not self.penalty >= 0:
            raise ValueError(f"penalty must be at least 0, got {self.penalty}")
        if len(self.updates) != 2 or min(self.updates) < 1:
            raise ValueError(f"updates must be two numbers of at least 1, got {self.updates}")

    @property
    def objective(self) -> Objective:
        """What each player lowers, as functions of logits."""
        return OBJECTIVES[self.loss]
