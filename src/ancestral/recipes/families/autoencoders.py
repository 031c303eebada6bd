"""Variational autoencoders of vectors and of images."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from torch import nn

from ancestral.autoencoders import VAE, CrossEntropyImageVAE, ImageVAE
from ancestral.data.fields import Shape
from ancestral.data.model_units import grey
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, arguments, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (32, 32),
    "small": (128, 128, 128),
    "medium": (256, 256, 256),
}
_WIDTHS: dict[Size, int] = {"tiny": 8, "small": 16, "medium": 32}


@dataclass(frozen=True, slots=True, kw_only=True)
class VAEConfig:
    """A variational autoencoder of fully connected layers.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: as many as columns, from 2 to 16.
        hidden: Widths of the encoder's layers, the decoder's in reverse; None: by ``size``.
        decoder_std: Fixed standard deviation of p(x | z) in standardised units; None: learned.
        prior: Of the latents: ``mixture`` is learned, ``normal`` is the book's Normal(0, I).
        components: Gaussians of the mixture, at least 1.
        frequencies: Fourier features that the encoder sees beside x, at least 0.
    """

    size: Size = "small"
    latent: int = chosen()
    hidden: tuple[int, ...] = chosen()
    decoder_std: float | None = chosen("learned")
    prior: Literal["mixture", "normal"] = "mixture"
    components: int = 50
    frequencies: int = 0

    def __post_init__(self) -> None:
        at_least(self, latent=1, components=1, frequencies=0)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")
        require(self, "decoder_std", self.decoder_std is None or self.decoder_std > 0, "above 0")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the widths."""
        return replace(
            self,
            latent=self.latent or max(2, min(16, shape.features)),
            hidden=self.hidden or _HIDDEN[self.size],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageVAEConfig:
    """A variational autoencoder of convolutions, for images.

    Args:
        size: Channels of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: 16 below 16 x 16 pixels, 64 above.
        width: Channels at the finest resolution; None: by ``size``.
        decoder: How the decoder doubles the side: ``transposed`` or ``resize``, both without
            checkerboard, or ``book``, the book's networks.
        likelihood: Of a pixel: ``logistic`` gives probabilities to grey levels; with the book's
            ``cross-entropy`` there is a loss, no bound.
        conditional: Give the class label to encoder and decoder where the data have labels.
    """

    size: Size = "small"
    latent: int = chosen()
    width: int = chosen()
    decoder: Literal["transposed", "resize", "book"] = "transposed"
    likelihood: Literal["logistic", "cross-entropy"] = "logistic"
    conditional: bool = True

    def __post_init__(self) -> None:
        at_least(self, latent=1, width=1)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the width."""
        return replace(
            self,
            latent=self.latent or (16 if shape.event_shape[-1] < 16 else 64),
            width=self.width or _WIDTHS[self.size],
        )


def _vae(config: VAEConfig, shape: Shape) -> nn.Module:
    components = config.components if config.prior == "mixture" else 0
    own = arguments(config, "size", "prior", "components")
    return VAE(shape.features, components=components, **own)


def _image_vae(config: ImageVAEConfig, shape: Shape) -> nn.Module:
    """Return a variational autoencoder of images, conditional where there are labels.

    Raises:
        ValueError: If the images are not square.
    """
    channels, height, width = shape.event_shape
    if height != width:
        raise ValueError(f"images must be square, got {height} x {width}; set size=32")
    classes = len(shape.labels) if config.conditional else 0
    own = arguments(config, "size", "likelihood", "conditional")
    sizes = {"channels": channels, "size": height, "classes": classes, **own}
    if config.likelihood == "cross-entropy":
        return CrossEntropyImageVAE(**sizes)
    return ImageVAE(levels=shape.levels, **sizes)


RECIPES = (
    Recipe(
        name="vae",
        paradigm="autoencoders",
        summary="variational autoencoder, fully connected",
        config=VAEConfig,
        build=_vae,
        chosen_by=figures.ELBO,
        options={
            "vectors": Options(batch_size=128, learning_rate=3e-3, ema_decay=0.999),
            "images": Options(batch_size=128, ema_decay=0.999, validate_every=200),
        },
        budget={"vectors": Budget(steps=10_000), "images": Budget(steps=5_000)},
    ),
    Recipe(
        name="image-vae",
        paradigm="autoencoders",
        summary="convolutional variational autoencoder, conditional on the label",
        config=ImageVAEConfig,
        build=_image_vae,
        count=count_labels,
        kinds=("images",),
        transform=grey,
        chosen_by=figures.ELBO,
        options={
            "images": Options(
                batch_size=128,
                ema_decay=0.999,
                validate_every=200,
                channels_last=True,
                large_products=True,
            )
        },
        budget={"images": Budget(steps=3_000)},
    ),
)
