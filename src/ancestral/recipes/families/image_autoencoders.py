"""Variational autoencoders of images by convolutions, and of codes with a GPT over them."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

from torch import nn

from ancestral.autoencoders import (
    FSQ,
    VQVAE,
    ContinuousBernoulliImageVAE,
    CrossEntropyImageVAE,
    EMAQuantiser,
    ImageVAE,
)
from ancestral.autoencoders.quantisers import Quantiser
from ancestral.autoregressive import GPT
from ancestral.data.fields import Shape
from ancestral.data.model_units import grey
from ancestral.evaluation import chosen as figures
from ancestral.nn.code_pyramid import code_side
from ancestral.nn.transformer import GPTParts, GPTShape
from ancestral.recipes.objectives import check_objective, objective_of
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_CHANNELS: dict[Size, int] = {"tiny": 8, "small": 16, "medium": 32}
_WIDTHS: dict[Size, int] = {"tiny": 8, "small": 32, "medium": 64}
_PRIORS: dict[Size, tuple[int, int]] = {"tiny": (32, 1), "small": (128, 3), "medium": (256, 6)}
"""Width and layers of the prior."""

_HEAD = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageVAEConfig:
    """A variational autoencoder of convolutions, for images.

    Args:
        size: Channels of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: 16 below 16 x 16 pixels, 64 above.
        width: Channels at the finest resolution; None: by ``size``.
        decoder: How the decoder doubles the side: ``transposed`` or ``resize``, both without
            checkerboard, or ``book``, the book's networks.
        likelihood: Of a pixel: ``logistic`` and ``continuous-bernoulli`` give probabilities to grey
            levels; with the book's ``cross-entropy`` there is a loss, no bound.
        conditional: Give the class label to encoder and decoder where the data have labels.
        above: Dimensions of further layers of latents, the one next to z first; None: no more.
        beta: The weight of the KL in training, at least 0; 1 is the bound.
        warmup: Share of the training in which the weight of the KL grows from 0, in [0, 1].
        free_nats: KL of each layer that an example has for nothing while training, at least 0.
        draws: Importance draws of each example in training, at least 1; 1 is the ELBO.
    """

    size: Size = "small"
    latent: int = chosen()
    width: int = chosen()
    decoder: Literal["transposed", "resize", "book"] = "transposed"
    likelihood: Literal["logistic", "continuous-bernoulli", "cross-entropy"] = "logistic"
    conditional: bool = True
    above: tuple[int, ...] | None = chosen("none")
    beta: float = 1.0
    warmup: float = 0.0
    free_nats: float = 0.0
    draws: int = 1

    def __post_init__(self) -> None:
        at_least(self, latent=1, width=1)
        require(self, "above", widths(self.above), "one or more numbers of at least 1")
        check_objective(self)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the width."""
        return replace(
            self,
            latent=self.latent or (16 if shape.event_shape[-1] < 16 else 64),
            width=self.width or _CHANNELS[self.size],
        )


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


def _sizes(config: ImageVAEConfig | VQVAEConfig, shape: Shape) -> dict[str, int]:
    """Return what both models take of the images and of the config.

    Raises:
        ValueError: If the images are not square.
    """
    channels, height, side = shape.event_shape
    if height != side:
        raise ValueError(f"images must be square, got {height} x {side}; set size=32")
    classes = len(shape.labels) if config.conditional else 0
    return {"channels": channels, "size": side, "classes": classes, "width": config.width}


def _image_vae(config: ImageVAEConfig, shape: Shape) -> nn.Module:
    """Return a variational autoencoder of images, conditional where there are labels."""
    own = {
        **_sizes(config, shape),
        "latent": (config.latent, *(config.above or ())),
        "decoder": config.decoder,
    }
    if config.likelihood == "cross-entropy":
        model = CrossEntropyImageVAE(**own)
    elif config.likelihood == "continuous-bernoulli":
        model = ContinuousBernoulliImageVAE(levels=shape.levels, **own)
    else:
        model = ImageVAE(levels=shape.levels, **own)
    model.objective = objective_of(config)
    return model


def _vq_vae(config: VQVAEConfig, shape: Shape) -> nn.Module:
    """Return the model, its prior beside it."""
    sizes = _sizes(config, shape)
    quantiser: Quantiser = FSQ(config.levels)
    if config.quantiser == "ema":
        quantiser = EMAQuantiser(config.codes, features=config.features)
    width, layers = _PRIORS[config.size]
    prior = GPT(
        quantiser.codes + max(sizes["classes"], 1) + 4,
        shape=GPTShape(
            window=code_side(sizes["size"]) ** 2, width=width, layers=layers, heads=width // _HEAD
        ),
        parts=GPTParts(norm="rms", feed_forward="swiglu"),
        attention_dropout=0.0,
    )
    return VQVAE(quantiser, prior, levels=shape.levels, **sizes)


_OPTIONS = Options(batch_size=128, ema_decay=0.999, validate_every=200)

_image_recipe = partial(
    Recipe,
    paradigm="autoencoders",
    count=count_labels,
    kinds=("images",),
    transform=grey,
    chosen_by=figures.ELBO,
)

RECIPES = (
    _image_recipe(
        name="image-vae",
        summary="convolutional variational autoencoder, conditional on the label",
        config=ImageVAEConfig,
        build=_image_vae,
        options={"images": replace(_OPTIONS, channels_last=True, large_products=True)},
        budget={"images": Budget(steps=3_000)},
    ),
    _image_recipe(
        name="vq-vae",
        summary="autoencoder of codes, and a GPT that draws them; given the label",
        config=VQVAEConfig,
        build=_vq_vae,
        options={"images": replace(_OPTIONS, learning_rate=1e-3)},
        budget={"images": Budget(steps=5_000)},
    ),
)
