"""Generative adversarial networks of fully connected layers."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

from ancestral.adversarial import GAN, ConditionalGAN
from ancestral.adversarial.truncation import sample_truncated
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import Shape
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, arguments, at_least, chosen, require, widths
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
_DEFAULTS: dict[Kind, tuple[dict[Size, tuple[int, ...]], tuple[int, int]]] = {
    "vectors": (_HIDDEN, (4, 32)),
    "images": (_IMAGE_HIDDEN, (32, 32)),
}
"""Widths, and the least and the most latent dimensions, by kind of data."""

_PENALTIES: dict[Kind, float] = {"vectors": 0.02, "images": 0.5}

_OPTIONS = Options(
    batch_size=128, betas=(0.5, 0.99), ema_decay=0.999, weight_decay=0.0, validate_every=200
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalGANConfig:
    """A generative adversarial network of fully connected layers.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: 4 for few columns, 32 for images.
        hidden: Widths of the generator's layers, the critic's in reverse; None: by ``size``.
        loss: What the generator lowers.
        penalty: Weight of the penalty on the critic's slope at real examples, at least 0; None:
            0.02, or 0.5 for the many pixels of images.
        updates: Updates of the critic and of the generator in one step.
    """

    size: Size = "small"
    latent: int = chosen()
    hidden: tuple[int, ...] = chosen()
    loss: Literal["non-saturating", "saturating"] = "non-saturating"
    penalty: float = chosen()
    updates: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        at_least(self, latent=1, penalty=0)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")
        require(self, "updates", min(self.updates) >= 1, "two numbers of at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the widths."""
        hidden, (least, most) = _DEFAULTS[shape.kind]
        return replace(
            self,
            latent=self.latent or max(least, min(most, shape.features)),
            hidden=self.hidden or hidden[self.size],
            penalty=_PENALTIES[shape.kind] if self.penalty is None else self.penalty,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GANConfig(ConditionalGANConfig):
    """A generative adversarial network of fully connected layers.

    Args:
        prior: Distribution of the latents.
    """

    prior: Literal["normal", "uniform"] = "normal"


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


def _check_data(_config: ConditionalGANConfig, data: Dataset, *, labelled: bool = False) -> None:
    """Refuse a validation split too small for the distance that chooses the weights."""
    name = "cgan" if labelled else "gan"
    if len(data.validation) < 2:
        raise ConfigError(
            f"{name} is chosen by a distance to the validation split, which must have at least 2 "
            f"examples, got {len(data.validation)}: give more data, or leave {name} out"
        )
    if labelled and not data.labels:
        raise ConfigError(
            f"cgan is given the label of each example, {data.name} has none: take gan"
        )


_TRAINING = {
    "options": {
        "vectors": replace(_OPTIONS, batch_size=500, learning_rate=2e-3, validate_every=500),
        "images": _OPTIONS,
    },
    "budget": {"vectors": Budget(steps=10_000), "images": Budget(steps=5_000)},
    "chosen_by": figures.SLICED_WASSERSTEIN,
    "sampling": GANSampling,
    "draw": lambda model, n, sampling, given=None, generator=None: sample_truncated(
        model, n, sampling.truncation, given=given, generator=generator
    ),
}

RECIPES = (
    Recipe(
        name="gan",
        paradigm="adversarial",
        summary="generative adversarial network, fully connected; no density",
        config=GANConfig,
        build=lambda config, shape: GAN(shape.features, **arguments(config, "size")),
        check=_check_data,
        **_TRAINING,
    ),
    Recipe(
        name="cgan",
        paradigm="adversarial",
        summary="generative adversarial network given the class label; no density",
        config=ConditionalGANConfig,
        build=lambda config, shape: ConditionalGAN(
            shape.features, classes=max(1, len(shape.labels)), **arguments(config, "size")
        ),
        count=count_labels,
        check=partial(_check_data, labelled=True),
        **_TRAINING,
    ),
)
