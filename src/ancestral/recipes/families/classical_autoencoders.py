"""Autoencoders without a density: plain, sparse, contractive and denoising."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from torch import nn

from ancestral.autoencoders import (
    AE,
    Contraction,
    GaussianNoise,
    KeepLargest,
    Masking,
    SaltAndPepper,
    Sparsity,
    dense_networks,
    image_networks,
)
from ancestral.autoencoders.autoencoder import Corruption, Penalty
from ancestral.data.fields import Shape
from ancestral.data.model_units import copied
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe
from ancestral.settings import Size, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (32, 32),
    "small": (128, 64, 32),
    "medium": (256, 128, 64),
}
_IMAGE_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (64,),
    "small": (256, 128),
    "medium": (1024, 512, 256),
}
_WIDTHS: dict[Size, int] = {"tiny": 8, "small": 16, "medium": 32}
_EXACT = 8
"""Up to so many latent dimensions a contraction is exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AEConfig:
    """An autoencoder.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: Dimensions of the code, at least 1; None: half as many as columns, from 1 to 16; of
            images 16 below 16 x 16 pixels, 32 above.
        network: ``dense`` layers, ``convolutions`` (of images), or ``linear``, without hidden
            layers; None: convolutions of images, dense of rows.
        hidden: Widths of the encoder's dense layers, the decoder's in reverse; None: by ``size``.
        width: Channels of convolutions at the finest resolution, at least 1; None: by ``size``.
        tied: The decoder's weights are the encoder's, transposed; not of convolutions.
    """

    size: Size = "small"
    latent: int = chosen()
    network: Literal["dense", "convolutions", "linear"] = chosen()
    hidden: tuple[int, ...] = chosen()
    width: int = chosen()
    tied: bool = False

    def __post_init__(self) -> None:
        at_least(self, latent=1, width=1)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the code's dimensions, the kind of network and the widths."""
        images = shape.kind == "images"
        return replace(
            self,
            latent=self.latent or _latent(shape),
            network=self.network or ("convolutions" if images else "dense"),
            hidden=self.hidden or (_IMAGE_HIDDEN if images else _HIDDEN)[self.size],
            width=self.width or _WIDTHS[self.size],
        )


def _latent(shape: Shape) -> int:
    if shape.kind == "images":
        return 16 if shape.event_shape[-1] < 16 else 32
    return max(1, min(16, shape.features // 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseAEConfig(AEConfig):
    """An autoencoder whose code has few numbers other than 0.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: Dimensions of the code, at least 1; None: four times as many as columns, at most
            256; of images 256.
        network: As of ``ae``.
        hidden: Widths of dense layers; None: by ``size``.
        width: Channels of convolutions at the finest resolution, at least 1; None: by ``size``.
        tied: The decoder's weights are the encoder's, transposed; not of convolutions.
        keep: Numbers of a code that are kept, the largest in absolute value, at least 1; None: an
            eighth of them, of rows at most half as many as columns.
        penalty: Weight of the code's norm in the loss, at least 0.
        power: The norm is the sum of this power of the absolute values, at least 1.
    """

    keep: int = chosen()
    penalty: float = 1e-3
    power: float = 1.0

    def __post_init__(self) -> None:
        super(SparseAEConfig, self).__post_init__()
        at_least(self, keep=1, penalty=0, power=1)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the size of the code, too, and how much of it is kept."""
        images = shape.kind == "images"
        latent = self.latent or (256 if images else min(256, 4 * shape.features))
        most = latent if images else max(1, shape.features // 2)
        keep = self.keep or min(most, max(1, latent // 8))
        found = replace(self, latent=latent, keep=keep)
        return super(SparseAEConfig, found).resolved(shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractiveAEConfig(AEConfig):
    """An autoencoder whose code changes little with the example.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: As of ``ae``.
        network: As of ``ae``.
        hidden: Widths of dense layers; None: by ``size``.
        width: Channels of convolutions at the finest resolution, at least 1; None: by ``size``.
        tied: The decoder's weights are the encoder's, transposed; not of convolutions.
        penalty: Weight of the squared norm of the encoder's slopes, at least 0.
        probes: Random projections by which that norm is estimated; 0: it is exact; None: exact up
            to 8 dimensions of the code, else 1.
    """

    penalty: float = 0.01
    probes: int = chosen()

    def __post_init__(self) -> None:
        super(ContractiveAEConfig, self).__post_init__()
        at_least(self, penalty=0, probes=0)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the number of projections, too."""
        found = super(ContractiveAEConfig, self).resolved(shape)
        if found.probes is not None:
            return found
        return replace(found, probes=0 if found.latent <= _EXACT else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DenoisingAEConfig(AEConfig):
    """An autoencoder that learns to make the clean example of a corrupted one.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: As of ``ae``.
        network: As of ``ae``.
        hidden: Widths of dense layers; None: by ``size``.
        width: Channels of convolutions at the finest resolution, at least 1; None: by ``size``.
        tied: The decoder's weights are the encoder's, transposed; not of convolutions.
        corruption: ``gaussian`` noise, ``masking`` (values set to 0: black, or the mean of a
            column), or ``salt-and-pepper`` (black or white, or 3 deviations from the mean); None:
            salt and pepper of images, gaussian of rows.
        level: Least and greatest level, drawn for each example: of ``gaussian`` the deviation, in
            standard units or those of [0, 1], else the share of values; None: 0 to 0.5, of shares
            0.3 to 0.7.
    """

    corruption: Literal["gaussian", "masking", "salt-and-pepper"] = chosen()
    level: tuple[float, float] = chosen()

    def __post_init__(self) -> None:
        super(DenoisingAEConfig, self).__post_init__()
        if self.level is None:
            return
        most = math.inf if self.corruption in (None, "gaussian") else 1
        rule = "two numbers, the least first" + ("" if math.isinf(most) else ", from 0 to 1")
        require(self, "level", 0 <= self.level[0] <= self.level[1] <= most, rule)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the corruption and its levels, too."""
        usual = "salt-and-pepper" if shape.kind == "images" else "gaussian"
        corruption = self.corruption or usual
        level = self.level or ((0.0, 0.5) if corruption == "gaussian" else (0.3, 0.7))
        found = replace(self, corruption=corruption, level=level)
        return super(DenoisingAEConfig, found).resolved(shape)


def _networks(config: AEConfig, shape: Shape) -> tuple[nn.Module, nn.Module]:
    event_shape = shape.event_shape
    if config.network == "convolutions":
        if shape.kind != "images":
            raise ValueError("network must be dense or linear of rows, got convolutions")
        if config.tied:
            raise ValueError("tied must be left out of convolutions; set network=dense")
        return image_networks(event_shape, config.latent, width=config.width)
    hidden = () if config.network == "linear" else config.hidden
    return dense_networks(event_shape, config.latent, hidden=hidden, tied=config.tied)


def _autoencoder(
    config: AEConfig,
    shape: Shape,
    *,
    penalty: Penalty | None = None,
    corruption: Corruption | None = None,
    keep: int = 0,
) -> AE:
    encoder, decoder = _networks(config, shape)
    return AE(
        nn.Sequential(encoder, KeepLargest(keep)) if keep else encoder,
        decoder,
        event_shape=shape.event_shape,
        latent=config.latent,
        penalty=penalty,
        corruption=corruption,
    )


def _sparse(config: SparseAEConfig, shape: Shape) -> AE:
    penalty = Sparsity(weight=config.penalty, power=config.power) if config.penalty else None
    return _autoencoder(config, shape, penalty=penalty, keep=config.keep)


def _contractive(config: ContractiveAEConfig, shape: Shape) -> AE:
    penalty = Contraction(weight=config.penalty, probes=config.probes) if config.penalty else None
    return _autoencoder(config, shape, penalty=penalty)


def _denoising(config: DenoisingAEConfig, shape: Shape) -> AE:
    least, most = config.level
    how = {"least": least, "most": most}
    if config.corruption == "gaussian":
        return _autoencoder(config, shape, corruption=GaussianNoise(**how))
    if config.corruption == "masking":
        return _autoencoder(config, shape, corruption=Masking(**how))
    low, high = (0.0, 1.0) if shape.kind == "images" else (-3.0, 3.0)
    return _autoencoder(config, shape, corruption=SaltAndPepper(**how, low=low, high=high))


_TRAINING: dict[str, Any] = {
    "paradigm": "autoencoders",
    "kinds": ("vectors", "images"),
    "transform": copied,
    "chosen_by": figures.SQUARED_ERROR,
    "options": {
        "vectors": Options(batch_size=128, learning_rate=2e-3, weight_decay=0.0),
        "images": Options(
            batch_size=128,
            learning_rate=2e-3,
            weight_decay=0.0,
            validate_every=200,
            channels_last=True,
            large_products=True,
        ),
    },
    "budget": {"vectors": Budget(steps=5_000), "images": Budget(steps=3_000)},
}

RECIPES = (
    Recipe(
        name="ae",
        summary="autoencoder: a code of each example, and no density",
        config=AEConfig,
        build=_autoencoder,
        **_TRAINING,
    ),
    Recipe(
        name="sparse-ae",
        summary="autoencoder whose code has few numbers other than 0",
        config=SparseAEConfig,
        build=_sparse,
        **_TRAINING,
    ),
    Recipe(
        name="contractive-ae",
        summary="autoencoder whose code changes little with the example",
        config=ContractiveAEConfig,
        build=_contractive,
        **_TRAINING,
    ),
    Recipe(
        name="denoising-ae",
        summary="autoencoder that learns to clean corrupted examples",
        config=DenoisingAEConfig,
        build=_denoising,
        **_TRAINING,
    ),
)
