"""Images from images: pix2pix, learned from pairs, and CycleGAN, without them."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Self

from torch import nn

from ancestral.adversarial import CycleGAN, Direction, PatchCritic, Pix2Pix, View
from ancestral.adversarial.rules import GameLoss
from ancestral.data.crops import Crops
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Image, Shape
from ancestral.data.model_units import symmetric
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.nn import PlainUNet, Translator
from ancestral.recipes.adversarial_games import IMAGE_GAME, RulesConfig, check_game
from ancestral.recipes.recipe import Recipe, sample_as_set
from ancestral.settings import Size, at_least, chosen, require, widths
from ancestral.training.budget import Budget

_WIDTHS: dict[Size, tuple[int, ...]] = {
    "tiny": (16, 32, 64),
    "small": (32, 64, 128),
    "medium": (64, 128, 256, 512),
}
_RESIDUAL_WIDTHS: dict[Size, tuple[int, ...]] = {
    "tiny": (16, 32),
    "small": (32, 64, 128),
    "medium": (64, 128, 256),
}
_CRITIC: dict[Size, int] = {"tiny": 16, "small": 32, "medium": 64}
_CROP, _LEAST = 128, 6
_HALVINGS = ((48, 1), (128, 2))
"""Below these sides the critic halves so often, above them three times."""

_UNPENALISED = ("non-saturating", "saturating", "least-squares")


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationConfig(RulesConfig):
    """An adversarial game of images that are made from images.

    Args:
        penalty: Weight of the regulariser, at least 0; None: 0 of the losses ``non-saturating``,
            ``saturating`` and ``least-squares``, else as of other games.
        widths: Channels of the generator at each resolution, from the finest; None: by ``size``.
        crop: Side of the random parts that are trained on, in pixels; None: 128, or less where
            images are smaller.
        turns: Images are also trained on as in a ``mirror``, or in ``all`` eight ways.
    """

    widths: tuple[int, ...] = chosen()
    crop: int = chosen()
    turns: Literal["none", "mirror", "all"] = "none"

    def __post_init__(self) -> None:
        RulesConfig.__post_init__(self)
        require(self, "widths", widths(self.widths), "one or more numbers of at least 1")
        at_least(self, crop=_LEAST)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the side of what is trained on, and the rules."""
        found = super(TranslationConfig, self).resolved(shape)
        free = self.penalty is None and self.regulariser is None and self.loss in _UNPENALISED
        return replace(
            found,
            penalty=0.0 if free else found.penalty,
            crop=self.crop or max(_LEAST, min(_CROP, *shape.event_shape[1:])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pix2PixConfig(TranslationConfig):
    """An image from an image, learned from pairs.

    Args:
        weight: Of the mean absolute difference beside the game, at least 0.
    """

    weight: float = 100.0

    def __post_init__(self) -> None:
        TranslationConfig.__post_init__(self)
        at_least(self, weight=0)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the widths of the U-Net, too."""
        found = super(Pix2PixConfig, self).resolved(shape)
        return replace(found, widths=self.widths or _WIDTHS[self.size])


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleGANConfig(TranslationConfig):
    """Two kinds of images made from each other, learned without pairs.

    Args:
        blocks: Residual blocks of each generator, at least 1.
        cycle: Weight of the mean absolute difference of an image there and back, at least 0.
        identity: Weight of that of an image to what is made of it as if it were of the other
            kind, at least 0.
    """

    loss: GameLoss = "least-squares"
    blocks: int = 4
    cycle: float = 10.0
    identity: float = 5.0

    def __post_init__(self) -> None:
        TranslationConfig.__post_init__(self)
        at_least(self, blocks=1, cycle=0, identity=0)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the widths of the two generators, too."""
        found = super(CycleGANConfig, self).resolved(shape)
        return replace(found, widths=self.widths or _RESIDUAL_WIDTHS[self.size])


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleGANSampling:
    """Which way images are made.

    Args:
        direction: ``a-to-b``, from images of the folder ``a`` to those of ``b``, or back.
    """

    direction: Direction = "a-to-b"


def _view(config: TranslationConfig, shape: Shape) -> View:
    image = shape.fields["image"]
    channels, levels = (image.channels, image.levels) if isinstance(image, Image) else (1, 256)
    crops = Crops(side=config.crop, turns=config.turns)
    whole = config.turns == "none" and {*shape.event_shape[1:]} == {config.crop}
    return View(
        channels=(channels, shape.event_shape[0]), levels=levels, crops=None if whole else crops
    )


def _critic(config: TranslationConfig, channels: int) -> nn.Module:
    halvings = next((count for side, count in _HALVINGS if config.crop < side), 3)
    return PatchCritic(channels, width=_CRITIC[config.size], halvings=halvings)


def _pix2pix(config: Pix2PixConfig, shape: Shape) -> nn.Module:
    view = _view(config, shape)
    return Pix2Pix(
        PlainUNet(view.channels[0], outputs=view.channels[1], widths=config.widths, norm="group"),
        _critic(config, sum(view.channels)),
        view=view,
        weight=config.weight,
        rules=config.rules(),
    )


def _cyclegan(config: CycleGANConfig, shape: Shape) -> nn.Module:
    view = _view(config, shape)
    channels = view.channels[1]
    there, back = (
        Translator(channels, outputs=channels, widths=config.widths, blocks=config.blocks)
        for _ in range(2)
    )
    return CycleGAN(
        there,
        back,
        (_critic(config, channels), _critic(config, channels)),
        view=view,
        cycle=config.cycle,
        identity=config.identity,
        rules=config.rules(),
    )


def _check(config: Any, data: Dataset, *, name: str) -> None:  # noqa: ANN401 - of either
    check_game(config, data, name=name)
    image = data.fields["image"]
    if not isinstance(image, Image) or not isinstance(data.field, Image):
        raise ConfigError(f"{name} makes images from images, {data.name} holds {data.kind}")
    if image.values or data.field.values:
        raise ConfigError(f"{name} takes pairs of images in a/ and b/; of masks take segment")
    if min(data.event_shape[1:]) < _LEAST:
        sides = " x ".join(map(str, data.event_shape[1:]))
        raise ConfigError(f"{name}: images must be at least {_LEAST} pixels wide, got {sides}")
    if name == "cyclegan" and image.channels != data.field.channels:
        raise ConfigError(
            "cyclegan needs as many channels in a as in b, got "
            f"{image.channels} and {data.field.channels}: make both grey, or both of colours"
        )


_OPTIONS = replace(
    IMAGE_GAME, batch_size=16, learning_rate=1e-3, ema_decay=0.99, validate_every=100
)

RECIPES = (
    Recipe(
        name="pix2pix",
        paradigm="adversarial",
        summary="an image from an image, learned from pairs by a U-Net and a critic; no density",
        config=Pix2PixConfig,
        build=_pix2pix,
        needs=("image",),
        kinds=("images",),
        reads=lambda _config: {"alike": True},
        transform=lambda data: symmetric(data.levels),
        check=partial(_check, name="pix2pix"),
        chosen_by=figures.DIFFERENCE,
        options={"images": _OPTIONS},
        budget={"images": Budget(steps=2_000)},
    ),
    Recipe(
        name="cyclegan",
        paradigm="adversarial",
        summary="two kinds of images from each other, learned without pairs; no density",
        config=CycleGANConfig,
        build=_cyclegan,
        needs=("image",),
        kinds=("images",),
        reads=lambda _config: {"alike": True, "unpaired": True},
        transform=lambda data: symmetric(data.levels),
        check=partial(_check, name="cyclegan"),
        chosen_by=figures.SLICED_WASSERSTEIN,
        options={"images": replace(_OPTIONS, batch_size=8)},
        budget={"images": Budget(steps=3_000)},
        sampling=CycleGANSampling,
        draw=sample_as_set,
    ),
)
