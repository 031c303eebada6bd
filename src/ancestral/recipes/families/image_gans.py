"""Generative adversarial networks of convolutions, for images."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from torch import Tensor, nn

from ancestral.adversarial import (
    GrowingGAN,
    ImageCritic,
    ImageGAN,
    ImageGenerator,
    StyleGAN,
    normalise_spectrum,
)
from ancestral.adversarial.image_networks import Norm, image_widths, inner_sides, square
from ancestral.adversarial.rules import GameLoss
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.data.model_units import symmetric
from ancestral.errors import ConfigError
from ancestral.recipes.adversarial_games import CHOSEN_AND_DRAWN, IMAGE_GAME, GameConfig, check_game
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, at_least, chosen, require
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_WIDTHS: dict[Size, int] = {"tiny": 16, "small": 32, "medium": 64}
_LATENT = 64
_MOST_ATTENDING = 32
"""A map of this side has a thousand places, and a million weights of attention for each image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGANConfig(GameConfig):
    """What the adversarial models of images share.

    Args:
        width: Channels at the finest resolution, doubled at each halving up to 8 times; None: by
            ``size``.
        conditional: Give the class label; None: where the data have labels.
    """

    loss: GameLoss = "relativistic"
    width: int = chosen()
    conditional: bool = chosen()

    def __post_init__(self) -> None:
        GameConfig.__post_init__(self)
        at_least(self, width=1)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions, the width, and whether labels are given."""
        labelled = bool(shape.labels)
        require(self, "conditional", labelled or not self.conditional, "left out without labels")
        return replace(
            super(ImageGANConfig, self).resolved(shape),
            latent=self.latent or _LATENT,
            width=self.width or _WIDTHS[self.size],
            conditional=labelled if self.conditional is None else self.conditional,
        )

    def networks(self, shape: Shape) -> dict[str, Any]:
        """Return what a model of these settings is told beside its networks."""
        return {
            "event_shape": tuple(shape.event_shape),
            "latent": self.latent,
            "classes": len(shape.labels) if self.conditional else 0,
            "rules": self.rules(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DCGANConfig(ImageGANConfig):
    """A generative adversarial network of convolutions.

    Args:
        norm: Between the layers; ``batch`` is the book's, and couples the examples of a batch.
        compare: Let the critic see how much the examples of a batch differ, which couples them.
    """

    norm: Norm = "none"
    compare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SAGANConfig(ImageGANConfig):
    """A generative adversarial network of convolutions and of self-attention.

    Args:
        norm: Between the generator's layers; ``batch`` couples the examples of a batch.
        attention: Side of the inner map whose places see each other, 0 for none; None: the largest
            of at most 32.
    """

    loss: GameLoss = "hinge"
    penalty: float = 0.0
    spectral: bool = True
    norm: Norm = "group"
    attention: int = chosen()

    def __post_init__(self) -> None:
        ImageGANConfig.__post_init__(self)
        at_least(self, attention=0)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the map that attends as well."""
        sides = [side for side in inner_sides(shape.event_shape[1]) if side <= _MOST_ATTENDING]
        own = max(sides, default=0) if self.attention is None else self.attention
        return replace(super(SAGANConfig, self).resolved(shape), attention=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProGANConfig(ImageGANConfig):
    """A generative adversarial network of convolutions that grows while it is trained."""

    loss: GameLoss = "wasserstein"
    updates: tuple[int, int] = (2, 1)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with networks of half the width: each side has two convolutions."""
        width = self.width or _WIDTHS[self.size] // 2
        return replace(super(ProGANConfig, self).resolved(shape), width=width)


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleGANConfig(ImageGANConfig):
    """A generative adversarial network of convolutions that are steered by styles.

    Args:
        mixing: Share of the images of the training that have two styles, in [0, 1].
    """

    loss: GameLoss = "non-saturating"
    mixing: float = 0.9

    def __post_init__(self) -> None:
        ImageGANConfig.__post_init__(self)
        require(self, "mixing", 0 <= self.mixing <= 1, "in [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleSampling:
    """How styles are drawn.

    Args:
        truncation: Styles are shrunk to their mean by this factor, in [0, 1]: 0 is the mean image
            of the class; None: as they are.
    """

    truncation: float | None = chosen("off")

    def __post_init__(self) -> None:
        inside = self.truncation is None or 0 <= self.truncation <= 1
        require(self, "truncation", inside, "in [0, 1]")


def _dcgan(config: DCGANConfig, shape: Shape) -> nn.Module:
    own = config.networks(shape)
    event, classes = own["event_shape"], own["classes"]
    return ImageGAN(
        ImageGenerator(config.latent, event, classes=classes, width=config.width, norm=config.norm),
        ImageCritic(
            event, classes=classes, width=config.width, norm=config.norm, compare=config.compare
        ),
        **own,
    )


def _sagan(config: SAGANConfig, shape: Shape) -> nn.Module:
    own = config.networks(shape)
    event, both = own["event_shape"], {"classes": own["classes"], "attention": config.attention}
    generator = ImageGenerator(config.latent, event, width=config.width, norm=config.norm, **both)
    gan = ImageGAN(generator, ImageCritic(event, width=config.width, **both), **own)
    if config.spectral:  # The rules' own is of the critic.
        # The first layer is left free: under one norm for latents and label together, to tell the
        # classes apart is to shrink the latents, and the images of a class become alike.
        normalise_spectrum(generator.layers)
    return gan


def _progan(config: ProGANConfig, shape: Shape) -> nn.Module:
    return GrowingGAN(width=config.width, **config.networks(shape))


def _stylegan(config: StyleGANConfig, shape: Shape) -> nn.Module:
    return StyleGAN(width=config.width, mixing=config.mixing, **config.networks(shape))


def _draw_styles(
    model: StyleGAN,
    n: int,
    sampling: StyleSampling,
    **how: Any,  # noqa: ANN401 - what is given, the generator
) -> Tensor:
    if sampling.truncation is None:
        return model.sample(n, **how)
    return model.sample_truncated(n, sampling.truncation, **how)


def _check(config: GameConfig, data: Dataset, *, name: str) -> None:
    check_game(config, data, name=name)
    try:
        _, size = square(tuple(data.event_shape))
        image_widths(size, 1)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def _recipe(name: str, options: Options = IMAGE_GAME, **own: Any) -> Recipe:  # noqa: ANN401
    """Return a recipe of images, given what is its own."""
    return Recipe(
        name=name,
        paradigm="adversarial",
        kinds=("images",),
        transform=lambda data: symmetric(data.levels),
        count=count_labels,
        check=partial(_check, name=name),
        options={"images": options},
        budget={"images": Budget(steps=5_000)},
        **{**CHOSEN_AND_DRAWN, **own},
    )


RECIPES = (
    _recipe(
        "dcgan",
        summary="generative adversarial network of convolutions, given the label; no density",
        config=DCGANConfig,
        build=_dcgan,
    ),
    _recipe(
        "sagan",
        summary="the same with self-attention and spectral norms; no density",
        config=SAGANConfig,
        build=_sagan,
    ),
    _recipe(
        "progan",
        summary="generative adversarial network that grows from small images to large; no density",
        options=replace(IMAGE_GAME, learning_rate=1e-2, betas=(0.0, 0.99)),
        config=ProGANConfig,
        build=_progan,
    ),
    _recipe(
        "stylegan",
        summary="generative adversarial network whose layers are steered by styles; no density",
        config=StyleGANConfig,
        build=_stylegan,
        sampling=StyleSampling,
        draw=_draw_styles,
    ),
)
