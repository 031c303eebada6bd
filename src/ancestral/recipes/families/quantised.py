"""Vector-quantised autoencoders of images, with a GPT over the codes."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from torch import nn

from ancestral.autoencoders import FSQ, VQVAE, EMAQuantiser
from ancestral.autoencoders.quantisers import Quantiser
from ancestral.autoregressive import GPT
from ancestral.data.fields import Shape
from ancestral.data.model_units import grey
from ancestral.evaluation import chosen as figures
from ancestral.nn.code_pyramid import code_side
from ancestral.nn.transformer import GPTParts, GPTShape
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, at_least, chosen, require
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_WIDTHS: dict[Size, int] = {"tiny": 8, "small": 32, "medium": 64}
_PRIORS: dict[Size, tuple[int, int]] = {"tiny": (32, 1), "small": (128, 3), "medium": (256, 6)}
"""Width and layers of the prior."""

_HEAD = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VQVAEConfig:
    """A vector-quantised autoencoder of images.

    Args:
        size: Of the networks: tiny, small or medium.
        quantiser: ``fsq`` rounds each number of a vector to a few levels; ``ema`` takes the nearest
            of a codebook of moving averages.
        levels: Of ``fsq``: levels of each number, at least 2.
        codes: Of ``ema``: size of the codebook, at least 2.
        features: Of ``ema``: numbers of a vector, at least 1.
        width: Channels at half of the side; None: by ``size``.
        conditional: Give the class label to the prior where the data have labels.
    """

    size: Size = "small"
    quantiser: Literal["fsq", "ema"] = "fsq"
    levels: tuple[int, ...] = (8, 6, 5)
    codes: int = 256
    features: int = 8
    width: int = chosen()
    conditional: bool = True

    def __post_init__(self) -> None:
        at_least(self, codes=2, features=1, width=1)
        good = bool(self.levels) and min(self.levels) >= 2
        require(self, "levels", good, "one or more numbers of at least 2")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the width."""
        del shape
        return replace(self, width=self.width or _WIDTHS[self.size])


def _vq_vae(config: VQVAEConfig, shape: Shape) -> nn.Module:
    """Return the model.

    Raises:
        ValueError: If the images are not square.
    """
    channels, height, side = shape.event_shape
    if height != side:
        raise ValueError(f"images must be square, got {height} x {side}; set size=32")
    classes = len(shape.labels) if config.conditional else 0
    quantiser: Quantiser = FSQ(config.levels)
    if config.quantiser == "ema":
        quantiser = EMAQuantiser(config.codes, features=config.features)
    width, layers = _PRIORS[config.size]
    prior = GPT(
        quantiser.codes + max(classes, 1) + 4,
        shape=GPTShape(
            window=code_side(side) ** 2, width=width, layers=layers, heads=width // _HEAD
        ),
        parts=GPTParts(norm="rms", feed_forward="swiglu"),
        attention_dropout=0.0,
    )
    sizes = {"channels": channels, "size": side, "levels": shape.levels, "width": config.width}
    return VQVAE(quantiser, prior, classes=classes, **sizes)


RECIPES = (
    Recipe(
        name="vq-vae",
        paradigm="autoencoders",
        summary="autoencoder of codes, and a GPT that draws them; given the label",
        config=VQVAEConfig,
        build=_vq_vae,
        count=count_labels,
        kinds=("images",),
        transform=grey,
        chosen_by=figures.ELBO,
        options={
            "images": Options(
                batch_size=128, learning_rate=1e-3, ema_decay=0.999, validate_every=200
            )
        },
        budget={"images": Budget(steps=5_000)},
    ),
)
