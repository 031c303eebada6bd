"""The conditional p(mask | image): a class for every pixel, by a U-Net."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import nn

from ancestral.data.crops import Crops
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Image, Shape
from ancestral.data.image_pairs import value_names
from ancestral.data.transforms import States
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.nn import PlainUNet
from ancestral.recipes.recipe import Recipe, sample_as_set
from ancestral.segmentation import PixelLoss, Segmenter
from ancestral.settings import Size, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_WIDTHS: dict[Size, tuple[int, ...]] = {
    "tiny": (8, 16, 32),
    "small": (16, 32, 64, 128),
    "medium": (32, 64, 128, 256),
}
_CROP, _TILE = 128, 512
_MOST_CLASSES = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentConfig:
    """The conditional p(mask | image) by a U-Net.

    Args:
        size: Widths of the network: tiny, small or medium.
        widths: Channels at each resolution, from the finest; None: by ``size``.
        norm: Before each ReLU: of the ``batch``, of ``group`` of channels, or ``none``. With those
            of groups what is seen of an image depends on the tile.
        attention: Resolutions, 0 the finest, at which all places look at each other.
        upsampling: How the side is doubled.
        loss: What is lowered; see :mod:`ancestral.segmentation.losses`.
        weights: Of each class in the loss, in the order of the masks' values; None: 1.
        balanced: Let all classes weigh the same in the loss, rare ones too.
        turns: Images are also trained on as in a mirror, or in ``all`` eight ways.
        crop: Side of the random parts that are trained on, in pixels; None: 128, or less where
            images are smaller.
        tile: Larger images are seen in tiles of this side, a multiple of 64.
    """

    size: Size = "small"
    widths: tuple[int, ...] = chosen()
    norm: Literal["none", "batch", "group"] = "batch"
    attention: tuple[int, ...] = ()
    upsampling: Literal["transposed", "resize"] = "transposed"
    loss: PixelLoss = "cross-entropy+dice"
    weights: tuple[float, ...] | None = None
    balanced: bool = False
    turns: Literal["none", "mirror", "all"] = "all"
    crop: int = chosen()
    tile: int = _TILE

    def __post_init__(self) -> None:
        require(self, "widths", widths(self.widths), "one or more numbers of at least 1")
        at_least(self, crop=1, tile=64)
        require(self, "tile", self.tile % 64 == 0, "a multiple of 64")
        positive = self.weights is None or min(self.weights, default=0) > 0
        require(self, "weights", positive, "numbers above 0")
        apart = self.weights is None or not self.balanced
        require(self, "weights", apart, "left out with balanced")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the widths, and the side of what is trained on."""
        own = self.widths or _WIDTHS[self.size]
        step = 2 ** (len(own) - 1)
        longest = -(-max(shape.event_shape[1:]) // step) * step
        return replace(self, widths=own, crop=self.crop or min(_CROP, longest))


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSampling:
    """How masks are drawn.

    Args:
        temperature: Divides the logits, at least 0; 0: the likeliest class of each pixel; 1: a draw
            of p(mask | image).
    """

    temperature: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, temperature=0)


def _segmenter(config: SegmentConfig, shape: Shape) -> nn.Module:
    image = shape.fields["image"]
    channels = image.channels if isinstance(image, Image) else 1
    classes = len(_values(shape)) or min(shape.levels, _MOST_CLASSES)
    network = PlainUNet(
        channels,
        outputs=classes,
        widths=config.widths,
        norm=config.norm,
        attention=config.attention,
        upsampling=config.upsampling,
    )
    model = Segmenter(
        network,
        channels=channels,
        classes=classes,
        loss=config.loss,
        crops=Crops(side=config.crop, turns=config.turns),
        tile=config.tile,
        balanced=config.balanced,
    )
    if config.weights is not None:
        model.class_weights.copy_(torch.tensor(config.weights))
    return model


def _values(data: Shape | Dataset) -> tuple[int, ...]:
    """Return the values of masks in their files; empty of what is no mask."""
    return data.field.values if isinstance(data.field, Image) else ()


def _check_masks(config: SegmentConfig, data: Dataset) -> None:
    """Refuse masks of one class, and weights of other classes."""
    values = _values(data)
    if len(values) < 2:
        only = f"one: {value_names(values)[0]}" if values else "none"
        raise ConfigError(
            f"segment needs masks of at least 2 classes, those of {data.name} have {only}"
        )
    if len(values) > _MOST_CLASSES:
        raise ConfigError(f"segment takes at most {_MOST_CLASSES} classes, got {len(values)}")
    if config.weights is not None and len(config.weights) != len(values):
        raise ConfigError(
            f"weights must be one for each of {len(values)} classes, got {len(config.weights)}"
        )


def _count(model: Segmenter, data: Dataset) -> None:
    """Fit what is not trained: the scale of the images, and weights of classes that are to be even.

    Both are functions of the training split.
    """
    model.fit_scale(data.train["image"], data.train.x)
    if model.balanced:
        model.fit_weights(data.train.x)


RECIPES = (
    Recipe(
        name="segment",
        paradigm="segmentation",
        summary="the mask given an image, a class for every pixel, by a U-Net; exact density",
        config=SegmentConfig,
        build=_segmenter,
        needs=("image",),
        kinds=("images",),
        reads=lambda _config: {"native": True, "even": True},
        transform=lambda _data: States(),
        count=_count,
        check=_check_masks,
        chosen_by=figures.IOU,
        options={
            "images": Options(
                batch_size=8, learning_rate=3e-3, weight_decay=0.01, validate_every=100
            )
        },
        budget={"images": Budget(steps=1_000)},
        sampling=SegmentSampling,
        draw=sample_as_set,
    ),
)
