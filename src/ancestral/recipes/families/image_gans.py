"""Generative adversarial networks of convolutions, for images."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from torch import nn

from ancestral.adversarial import ImageCritic, ImageGAN, ImageGenerator
from ancestral.adversarial.image_networks import Norm, image_widths, square
from ancestral.adversarial.rules import GameLoss
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.data.model_units import symmetric
from ancestral.errors import ConfigError
from ancestral.recipes.adversarial_games import CHOSEN_AND_DRAWN, UNCLIPPED, GameConfig, check_game
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, at_least, chosen, require
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_WIDTHS: dict[Size, int] = {"tiny": 16, "small": 32, "medium": 64}
_LATENT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DCGANConfig(GameConfig):
    """A generative adversarial network of convolutions.

    Args:
        width: Channels at the finest resolution, doubled at each halving up to 8 times; None: by
            ``size``.
        norm: Between the layers; ``batch`` is the book's, and couples the examples of a batch.
        compare: Let the critic see how much the examples of a batch differ, which couples them.
        conditional: Give the class label; None: where the data have labels.
    """

    loss: GameLoss = "relativistic"
    width: int = chosen()
    norm: Norm = "none"
    compare: bool = False
    conditional: bool = chosen()

    def __post_init__(self) -> None:
        GameConfig.__post_init__(self)
        at_least(self, width=1)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions, the width, and whether labels are given."""
        labelled = bool(shape.labels)
        require(self, "conditional", labelled or not self.conditional, "left out without labels")
        return replace(
            super(DCGANConfig, self).resolved(shape),
            latent=self.latent or _LATENT,
            width=self.width or _WIDTHS[self.size],
            conditional=labelled if self.conditional is None else self.conditional,
        )


def _dcgan(config: DCGANConfig, shape: Shape) -> nn.Module:
    classes = len(shape.labels) if config.conditional else 0
    event, own = tuple(shape.event_shape), {"width": config.width, "norm": config.norm}
    return ImageGAN(
        ImageGenerator(config.latent, event, classes=classes, **own),
        ImageCritic(event, classes=classes, compare=config.compare, **own),
        event_shape=event,
        latent=config.latent,
        classes=classes,
        rules=config.rules(),
    )


def _check(config: DCGANConfig, data: Dataset, *, name: str) -> None:
    check_game(config, data, name=name)
    try:
        _, size = square(tuple(data.event_shape))
        image_widths(size, 1)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


RECIPES = (
    Recipe(
        name="dcgan",
        paradigm="adversarial",
        summary="generative adversarial network of convolutions, given the label; no density",
        config=DCGANConfig,
        build=_dcgan,
        kinds=("images",),
        transform=lambda data: symmetric(data.levels),
        count=count_labels,
        check=partial(_check, name="dcgan"),
        options={
            "images": Options(
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
        },
        budget={"images": Budget(steps=5_000)},
        **CHOSEN_AND_DRAWN,
    ),
)
