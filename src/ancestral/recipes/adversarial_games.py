"""The rules of an adversarial game by settings: what all families of adversarial models share."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from torch import Tensor

from ancestral.adversarial.augmentation import Augmentation
from ancestral.adversarial.gan import AdversarialNetworks
from ancestral.adversarial.objectives import OBJECTIVES
from ancestral.adversarial.rules import GameLoss, GameRules, Regulariser
from ancestral.adversarial.truncation import sample_truncated
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import Shape
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.settings import Size, at_least, chosen, require, shares
from ancestral.training.options import Options

GAME = ("loss", "regulariser", "penalty", "smoothing", "spectral", "augment", "updates")
"""The settings of the game, fields of ``RulesConfig`` and of ``GameRules``."""

UNCLIPPED = 100.0
"""A norm that gradients reach where a game breaks down; with one, it is reported at every step."""

IMAGE_GAME = Options(
    batch_size=64,
    learning_rate=2e-3,
    betas=(0.5, 0.99),
    weight_decay=0.0,
    max_grad_norm=UNCLIPPED,
    ema_decay=0.999,
    validate_every=200,
    channels_last=True,
    large_products=True,
)
"""How networks of images play, by convolutions."""

_PENALTIES: dict[Kind, float] = {"vectors": 0.02, "images": 0.5, "mixed": 1.0}
_REGULARISERS: dict[GameLoss, Regulariser] = {"wasserstein": "gradient", "relativistic": "r1-r2"}
_SLOPES: dict[Kind, float] = {"vectors": 0.1}
"""Weights of ``gradient``, else 10: a firmer hand is slow to find the modes of a few columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesConfig:
    """The rules of an adversarial game.

    Args:
        size: Width of the layers: tiny, small or medium.
        loss: What the players lower.
        regulariser: What holds the critic back: a penalty on its slope at real examples (``r1``),
            at generated ones too, or of WGAN-GP (``gradient``), or a bound of its weights; None:
            ``gradient`` of the loss ``wasserstein``, ``r1-r2`` of ``relativistic``, else ``r1``.
        penalty: Weight of the regulariser, at least 0; None: 10 of ``gradient``, 0.1 of vectors
            and a bound of 0.01 of ``clip``, else 0.02, or 0.5 for the many pixels of images and 1
            for the many cells of mixed tables.
        smoothing: Share by which labels of real examples are below 1 for the critic, in [0, 1).
        spectral: Divide each matrix of the critic by its largest singular value.
        augment: What is done to images before the critic sees them, for small data.
        updates: Updates of the critic and of the generator in one step; None: 5,1 of the loss
            ``wasserstein``, else 1,1.
    """

    size: Size = "small"
    loss: GameLoss = "non-saturating"
    regulariser: Literal["r1", "r1-r2", "gradient", "clip"] = chosen()
    penalty: float = chosen()
    smoothing: float = 0.0
    spectral: bool = False
    augment: Augmentation = "none"
    updates: tuple[int, int] = chosen()

    def __post_init__(self) -> None:
        at_least(self, penalty=0)
        shares(self, "smoothing")
        whole = self.updates is None or min(self.updates) >= 1
        require(self, "updates", whole, "two numbers of at least 1")
        labels = OBJECTIVES[self.loss].smoothed is not None
        require(self, "smoothing", labels or not self.smoothing, f"0 with loss={self.loss}")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the regulariser, its weight, and the updates."""
        plain = self.augment == "none" or shape.kind == "images"
        require(self, "augment", plain, f"none: {shape.kind} are no images")
        by_kind = _PENALTIES[shape.kind]
        regulariser = self.regulariser or _REGULARISERS.get(self.loss, "r1")
        own = {"gradient": _SLOPES.get(shape.kind, 10.0), "clip": 0.01}
        usual = own.get(regulariser, by_kind)
        return replace(
            self,
            regulariser=regulariser,
            penalty=usual if self.penalty is None else self.penalty,
            updates=self.updates or ((5, 1) if self.loss == "wasserstein" else (1, 1)),
        )

    def rules(self) -> GameRules:
        """Return the rules, of a resolved config."""
        return GameRules(**{name: getattr(self, name) for name in GAME})


@dataclass(frozen=True, slots=True, kw_only=True)
class GameConfig(RulesConfig):
    """An adversarial game whose generator makes examples of latents.

    Args:
        latent: Latent dimensions, at least 1; None: by the data.
    """

    latent: int = chosen()

    def __post_init__(self) -> None:
        RulesConfig.__post_init__(self)
        at_least(self, latent=1)


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
    "chosen_by": figures.SAMPLES,
    "sampling": GANSampling,
    "draw": _draw,
}
"""What all recipes of adversarial models have alike: losses of a game say little."""
