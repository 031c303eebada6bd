"""The rules of an adversarial game: what is lowered, what keeps it stable, who moves how often."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ancestral.adversarial.augmentation import Augmentation
from ancestral.adversarial.objectives import OBJECTIVES, Objective

GameLoss: TypeAlias = Literal[
    "relativistic",
    "non-saturating",
    "saturating",
    "least-squares",
    "hinge",
    "wasserstein",
    "kl",
    "reverse-kl",
    "pearson",
    "hellinger",
    "js",
]
"""What the two players lower; see :mod:`ancestral.adversarial.losses` and, for the last five,
:mod:`ancestral.adversarial.divergences`."""

Regulariser: TypeAlias = Literal["r1", "r1-r2", "gradient", "clip"]
"""What holds the critic back: a penalty on its slope at real examples, at generated ones too, or on
how far its slope between the two is from 1 (WGAN-GP); or a bound of its weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GameRules:
    """What every adversarial model can set of its game.

    Args:
        loss: What the players lower.
        regulariser: What holds the critic back.
        penalty: Weight of its penalty, at least 0; of ``clip`` the bound of the weights; 0 is off.
        smoothing: Share by which the labels of real examples are below 1, in [0, 1).
        spectral: Divide each matrix of the critic by its largest singular value.
        augment: What is done to the images that the critic sees.
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
    smoothing: float = 0.0
    spectral: bool = False
    augment: Augmentation = "none"
    updates: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        for name, kind in (
            ("loss", GameLoss),
            ("regulariser", Regulariser),
            ("augment", Augmentation),
        ):
            if (value := getattr(self, name)) not in get_args(kind):
                raise ValueError(
                    f"{name} must be one of {', '.join(get_args(kind))}, got {value!r}"
                )
        if not self.penalty >= 0:
            raise ValueError(f"penalty must be at least 0, got {self.penalty}")
        if len(self.updates) != 2 or min(self.updates) < 1:
            raise ValueError(f"updates must be two numbers of at least 1, got {self.updates}")
        OBJECTIVES[self.loss].with_smoothing(self.smoothing)

    @property
    def objective(self) -> Objective:
        """What each player lowers, as functions of the critic's outputs."""
        return OBJECTIVES[self.loss].with_smoothing(self.smoothing)
