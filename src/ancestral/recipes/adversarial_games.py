"""The rules of an adversarial game by settings: what all families of adversarial models share."""

from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor

from ancestral.adversarial.gan import AdversarialNetworks
from ancestral.adversarial.rules import GameLoss, GameRules, Regulariser
from ancestral.adversarial.truncation import sample_truncated
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import Shape
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.settings import Size, at_least, chosen, require

GAME = ("loss", "regulariser", "penalty", "updates")
"""The settings of the game, fields of ``GameConfig`` and of ``GameRules``."""

_PENALTIES: dict[Kind, float] = {"vectors": 0.02, "images": 0.5, "mixed": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class GameConfig:
    """An adversarial game.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: by the data.
        loss: What the players lower.
        regulariser: What holds the critic back: a penalty on its slope at real examples, or at
            those that are generated too.
        penalty: Weight of the regulariser, at least 0; None: 0.02, or 0.5 for the many pixels of
            images and 1 for the many cells of mixed tables.
        updates: Updates of the critic and of the generator in one step.
    """

    size: Size = "small"
    latent: int = chosen()
    loss: GameLoss = "non-saturating"
    regulariser: Regulariser = "r1"
    penalty: float = chosen()
    updates: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        at_least(self, latent=1, penalty=0)
        require(self, "updates", min(self.updates) >= 1, "two numbers of at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the weight of the regulariser."""
        penalty = _PENALTIES[shape.kind] if self.penalty is None else self.penalty
        return replace(self, penalty=penalty)

    def rules(self) -> GameRules:
        """Return the rules, of a resolved config."""
        return GameRules(**{name: getattr(self, name) for name in GAME})


@dataclass(frozen=True, slots=True, kw_only=True)
class GANSampling:
    """How a GAN is sampled; see :mod:`ancestral.adversarial.truncation`.

    Args:
        truncation: Normal latents are drawn within so many standard deviations, above 0: fewer
            modes, each nearer to its middle; None: all of them.
    """

    truncation: float | None = chosen("off")

    def __post_init__(self) -> None:
        require(self, "truncation", self.truncation is None or self.truncation > 0, "above 0")


def check_game(_config: GameConfig, data: Dataset, *, name: str, labelled: bool = False) -> None:
    """Refuse data without the labels that are needed, and too few to choose the weights by."""
    if len(data.validation) < 2:
        raise ConfigError(
            f"{name} is chosen by a distance to the validation split, which must have at least 2 "
            f"examples, got {len(data.validation)}: give more data, or leave {name} out"
        )
    if labelled and not data.labels:
        raise ConfigError(
            f"{name} is given the label of each example, {data.name} has none: take gan"
        )


def _draw(
    model: AdversarialNetworks,
    n: int,
    sampling: GANSampling,
    **how: Any,  # noqa: ANN401 - what is given, the generator
) -> Tensor:
    return sample_truncated(model, n, sampling.truncation, **how)


CHOSEN_AND_DRAWN: dict[str, Any] = {
    "chosen_by": figures.SLICED_WASSERSTEIN,
    "sampling": GANSampling,
    "draw": _draw,
}
"""What all recipes of adversarial models have alike: losses of a game say little."""
