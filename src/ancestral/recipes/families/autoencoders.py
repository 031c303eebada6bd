"""Variational autoencoders of rows: vectors, mixed tables, and images that are laid out."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

from torch import nn

from ancestral.autoencoders import (
    VAE,
    BinaryVAE,
    GaussianMixturePrior,
    HierarchicalVAE,
    PosteriorMixture,
    TableVAE,
)
from ancestral.autoencoders.variational import Variational
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import Shape
from ancestral.data.model_units import flat, noiseless
from ancestral.data.transforms import Transform
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.flows import (
    Affine,
    Autoregressive,
    Composed,
    FlowConditional,
    autoregressive_orders,
)
from ancestral.recipes.objectives import check_objective, objective_of
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (32, 32),
    "small": (128, 128, 128),
    "medium": (256, 256, 256),
}
_HIDDEN_OF: dict[Kind, dict[Size, tuple[int, ...]]] = {
    "mixed": {"tiny": (64, 64), "small": (256, 256), "medium": (512, 512)}
}
"""Widths where they are not those of rows of numbers."""

_FLOW = (64, 64)
"""Widths of the networks of a flow over latents; it has a map more than these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsConfig:
    """A variational autoencoder of fully connected layers.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: as many as columns, from 2 to 16.
        hidden: Widths of the encoder's layers, the decoder's in reverse; None: by ``size``.
        decoder_std: Fixed standard deviation of p(x | z) in standardised units; None: learned.
        prior: Of the latents: ``mixture``, ``flow`` and ``posteriors`` (the mean posterior of
            learned examples) are learned, ``normal`` is the book's Normal(0, I).
        components: Gaussians of the mixture, or learned examples, at least 1.
        frequencies: Fourier features that the encoder sees beside x, at least 0.
        conditional: Give the class label to encoder and decoder where the data have labels.
    """

    size: Size = "small"
    latent: int = chosen()
    hidden: tuple[int, ...] = chosen()
    decoder_std: float | None = chosen("learned")
    prior: Literal["mixture", "normal", "flow", "posteriors"] = "mixture"
    components: int = 50
    frequencies: int = 0
    conditional: bool = False

    def __post_init__(self) -> None:
        at_least(self, latent=1, components=1, frequencies=0)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")
        require(self, "decoder_std", self.decoder_std is None or self.decoder_std > 0, "above 0")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the widths."""
        return replace(
            self,
            latent=self.latent or max(2, min(16, shape.features)),
            hidden=self.hidden or _HIDDEN_OF.get(shape.kind, _HIDDEN)[self.size],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VAEConfig(RowsConfig):
    """A variational autoencoder of fully connected layers, trained by its bound.

    Args:
        warmup: Share of the training in which the weight of the KL grows from 0, in [0, 1].
        free_nats: KL that each example has for nothing while training, at least 0.
    """

    warmup: float = 0.0
    free_nats: float = 0.0

    def __post_init__(self) -> None:
        RowsConfig.__post_init__(self)
        check_objective(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaVAEConfig(VAEConfig):
    """A variational autoencoder whose KL has a weight.

    Args:
        beta: The weight of the KL, at least 0; 1 is the bound.
    """

    beta: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IWAEConfig(RowsConfig):
    """A variational autoencoder trained by an importance-weighted bound.

    Args:
        draws: Importance draws of each example, at least 1; 1 is the ELBO.
    """

    draws: int = 5

    def __post_init__(self) -> None:
        RowsConfig.__post_init__(self)
        check_objective(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchicalVAEConfig:
    """A variational autoencoder with several layers of latents.

    Args:
        size: Width of the layers: tiny, small or medium.
        latents: Dimensions of the layers, the one next to x first; None: two, as many as columns,
            from 2 to 16, and half of that.
        hidden: Widths of the encoder's layers, the decoder's in reverse; None: by ``size``.
        decoder_std: Fixed standard deviation of p(x | z) in standardised units; None: learned.
        conditional: Give the class label to encoder and decoder where the data have labels.
        warmup: Share of the training in which the weight of the KL grows from 0, in [0, 1].
        free_nats: KL of each layer that an example has for nothing while training, at least 0.
    """

    size: Size = "small"
    latents: tuple[int, ...] = chosen()
    hidden: tuple[int, ...] = chosen()
    decoder_std: float | None = chosen("learned")
    conditional: bool = False
    warmup: float = 0.2
    free_nats: float = 0.0

    def __post_init__(self) -> None:
        for name in ("latents", "hidden"):
            require(self, name, widths(getattr(self, name)), "one or more numbers of at least 1")
        require(self, "decoder_std", self.decoder_std is None or self.decoder_std > 0, "above 0")
        check_objective(self)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the widths."""
        most = max(2, min(16, shape.features))
        return replace(
            self,
            latents=self.latents or (most, most // 2),
            hidden=self.hidden or _HIDDEN[self.size],
        )


def _prior(config: RowsConfig, shape: Shape) -> nn.Module | None:
    """Return the law of the latents; None: Normal(0, I)."""
    count = config.components
    if config.prior == "mixture":
        return GaussianMixturePrior(config.latent, components=count)
    if config.prior == "posteriors":
        return PosteriorMixture(shape.features, components=count, binary=_binary(shape))
    if config.prior == "normal":
        return None
    layers = [
        Autoregressive(groups, Affine(), hidden=_FLOW)
        for groups in autoregressive_orders(config.latent, len(_FLOW) + 1)
    ]
    return FlowConditional(Composed(layers), (config.latent,))


def _rows(config: VAEConfig | IWAEConfig, shape: Shape) -> nn.Module:
    model = _vae(config, shape)
    model.objective = objective_of(config)
    return model


def _vae(config: RowsConfig, shape: Shape) -> Variational:
    own = {
        "latent": config.latent,
        "hidden": config.hidden,
        "classes": len(shape.labels) if config.conditional else 0,
        "prior": _prior(config, shape),
    }
    if shape.kind == "tables":  # What the model sees of a mixed table is one of cells.
        return TableVAE([len(states) for states in shape.states], **own)
    if _binary(shape):
        return BinaryVAE(shape.features, **own)
    how = {"decoder_std": config.decoder_std, "frequencies": config.frequencies}
    return VAE(shape.features, **how, **own)


def _hierarchical(config: HierarchicalVAEConfig, shape: Shape) -> nn.Module:
    model = HierarchicalVAE(
        shape.features,
        latents=config.latents,
        hidden=config.hidden,
        decoder_std=config.decoder_std,
        classes=len(shape.labels) if config.conditional else 0,
    )
    model.objective = objective_of(config)
    return model


def _binary(data: Dataset | Shape) -> bool:
    """Return whether these are images in black and white."""
    return data.kind == "images" and data.levels == 2


def _units(data: Dataset) -> Transform:
    """Return the transform of rows: black and white stay zeros and ones, nothing is added."""
    return noiseless(data) if _binary(data) else flat(data)


def _check_rows(config: RowsConfig, data: Dataset) -> None:
    """Refuse settings of numbers where there are none: cells of mixed tables, black and white."""
    what = "mixed tables, whose columns are cells" if data.kind == "mixed" else ""
    if _binary(data):
        what = "images in black and white, whose pixels are 0 or 1"
    for name in ("decoder_std", "frequencies"):
        if what and getattr(config, name):
            raise ConfigError(f"{name} must be left out of {what}, got {getattr(config, name)}")
    labels = config.conditional and data.labels
    if config.prior == "posteriors" and (labels or data.kind == "mixed"):
        where = "where the label is given" if labels else "of mixed tables, whose columns are cells"
        raise ConfigError(f"prior must be mixture, flow or normal {where}, got posteriors")


_row_recipe = partial(
    Recipe,
    paradigm="autoencoders",
    build=_rows,
    count=count_labels,
    kinds=("vectors", "images", "mixed"),
    transform=_units,
    check=_check_rows,
    chosen_by=figures.ELBO,
    options={
        "vectors": Options(batch_size=128, learning_rate=3e-3, ema_decay=0.999),
        "images": Options(batch_size=128, ema_decay=0.999, validate_every=200),
        "mixed": Options(learning_rate=2e-3, ema_decay=0.999, validate_every=100),
    },
    budget={
        "vectors": Budget(steps=10_000),
        "images": Budget(steps=5_000),
        "mixed": Budget(steps=5_000),
    },
)

RECIPES = (
    _row_recipe(
        name="vae",
        summary="variational autoencoder, fully connected",
        config=VAEConfig,
    ),
    _row_recipe(
        name="beta-vae",
        summary="VAE whose KL has a weight: fewer, plainer latents at the price of detail",
        config=BetaVAEConfig,
        chosen_by=figures.LOSS,
    ),
    _row_recipe(
        name="iwae",
        summary="VAE trained by an importance-weighted, tighter bound",
        config=IWAEConfig,
    ),
    _row_recipe(
        name="hierarchical-vae",
        summary="VAE with two or more layers of latents",
        config=HierarchicalVAEConfig,
        build=_hierarchical,
        kinds=("vectors", "images"),
        transform=flat,
        check=None,
    ),
)
