"""Generative adversarial networks of fully connected layers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

from torch import nn

from ancestral.adversarial import GAN, ConditionalGAN, TableGAN
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import Shape
from ancestral.data.model_units import cells, flat
from ancestral.data.transforms import Transform
from ancestral.recipes.adversarial_games import (
    CHOSEN_AND_DRAWN,
    GAME,
    UNCLIPPED,
    GameConfig,
    check_game,
)
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, arguments, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (32, 32),
    "small": (64, 64, 64),
    "medium": (256, 256, 256),
}
_IMAGE_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (64, 64),
    "small": (256, 256),
    "medium": (512, 512, 512),
}
_TABLE_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (64, 64),
    "small": (256, 256),
    "medium": (512, 512),
}
_DEFAULTS: dict[Kind, tuple[dict[Size, tuple[int, ...]], tuple[int, int]]] = {
    "vectors": (_HIDDEN, (4, 32)),
    "images": (_IMAGE_HIDDEN, (32, 32)),
    "mixed": (_TABLE_HIDDEN, (16, 64)),
}
"""Widths, and the least and the most latent dimensions, by kind of data."""

_OPTIONS = Options(
    batch_size=128,
    betas=(0.5, 0.99),
    ema_decay=0.999,
    weight_decay=0.0,
    max_grad_norm=UNCLIPPED,
    validate_every=200,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalGANConfig(GameConfig):
    """A generative adversarial network of fully connected layers.

    Args:
        latent: Latent dimensions, at least 1; None: 4 for few columns, 32 for images.
        hidden: Widths of the generator's layers, the critic's in reverse; None: by ``size``.
    """

    hidden: tuple[int, ...] = chosen()

    def __post_init__(self) -> None:
        GameConfig.__post_init__(self)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the widths."""
        hidden, (least, most) = _DEFAULTS[shape.kind]
        return replace(
            super(ConditionalGANConfig, self).resolved(shape),
            latent=self.latent or max(least, min(most, shape.features)),
            hidden=self.hidden or hidden[self.size],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GANConfig(ConditionalGANConfig):
    """A generative adversarial network of fully connected layers.

    Args:
        prior: Distribution of the latents.
    """

    prior: Literal["normal", "uniform"] = "normal"


def _gan(config: GANConfig, shape: Shape) -> nn.Module:
    own = arguments(config, "size", *GAME)
    return GAN(shape.features, **own, rules=config.rules())


def _table_gan(config: GANConfig, shape: Shape) -> nn.Module:
    own = arguments(config, "size", *GAME)
    return TableGAN([len(states) for states in shape.states], **own, rules=config.rules())


def _cgan(config: ConditionalGANConfig, shape: Shape) -> nn.Module:
    own = arguments(config, "size", *GAME)
    classes = max(1, len(shape.labels))
    return ConditionalGAN(shape.features, classes=classes, **own, rules=config.rules())


_BUILD: dict[Kind, Callable[[GANConfig, Shape], nn.Module]] = {
    "vectors": _gan,
    "images": _gan,
    "tables": _table_gan,
}
"""By what the model sees: a mixed table is one of cells."""

_UNITS: dict[Kind, Callable[[Dataset], Transform]] = {"mixed": partial(cells, most=32)}
"""Where they are not the usual ones: a critic sees more of few cells."""

_TRAINING = {
    "options": {
        "vectors": replace(_OPTIONS, batch_size=500, learning_rate=2e-3, validate_every=500),
        "images": _OPTIONS,
        "mixed": replace(_OPTIONS, batch_size=500, learning_rate=2e-3),
    },
    "budget": {
        "vectors": Budget(steps=10_000),
        "images": Budget(steps=5_000),
        "mixed": Budget(steps=5_000),
    },
    **CHOSEN_AND_DRAWN,
}

RECIPES = (
    Recipe(
        name="gan",
        paradigm="adversarial",
        summary="generative adversarial network, fully connected; no density",
        config=GANConfig,
        build=lambda config, shape: _BUILD[shape.kind](config, shape),
        kinds=("vectors", "images", "mixed"),
        transform=lambda data: _UNITS.get(data.kind, flat)(data),
        check=partial(check_game, name="gan"),
        **_TRAINING,
    ),
    Recipe(
        name="cgan",
        paradigm="adversarial",
        summary="generative adversarial network given the class label; no density",
        config=ConditionalGANConfig,
        build=_cgan,
        count=count_labels,
        check=partial(check_game, name="cgan", labelled=True),
        **_TRAINING,
    ),
)
