"""Normalising flows with an exact density: affine and spline, of rows and of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Self

from torch import nn

from ancestral.data.described import Kind
from ancestral.data.fields import Shape
from ancestral.data.model_units import dequantise, uncorrelated
from ancestral.evaluation import chosen as figures
from ancestral.flows import (
    Affine,
    Autoregressive,
    Composed,
    Elementwise,
    Flow,
    RationalQuadratic,
    autoregressive_orders,
    coupling_orders,
    glow,
)
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.settings import Size, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

Orders = Literal["autoregressive", "coupling"]

_ORDERS: dict[Orders, Callable[[int, int], list[list[int]]]] = {
    "autoregressive": autoregressive_orders,
    "coupling": coupling_orders,
}
_HIDDEN: dict[Kind, dict[Size, tuple[int, ...]]] = {
    "vectors": {"tiny": (32, 32), "small": (128, 128), "medium": (256, 256)},
    "images": {"tiny": (64, 64), "small": (256, 256), "medium": (512, 512)},
}

_FEW, _NOISE, _MOST_NOISE = 1_000, 60.0, 0.3
"""Below so many rows a table is small; deviation of the noise times rows, and its bound."""

_GLOW: dict[Size, tuple[int, int]] = {"tiny": (2, 16), "small": (6, 48), "medium": (16, 128)}
"""Steps and width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AffineFlowConfig:
    """A flow of affine maps.

    Args:
        size: Width of the networks: tiny, small or medium.
        transforms: Maps one after the other, at least 1; None: fewer of a small table.
        hidden: Widths of the layers of each network; None: by ``size``.
        noise: Deviation of the noise that is added to the data while training, in standardised
            units, at least 0; None: by the number of rows, none of many.
        conditional: Give the class label to the networks where the data have labels.
    """

    size: Size = "small"
    transforms: int = chosen()
    hidden: tuple[int, ...] = chosen()
    noise: float = chosen()
    conditional: bool = True

    def __post_init__(self) -> None:
        at_least(self, transforms=1, noise=0)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with what depends on the rows and on ``size``."""
        return _resolved(self, shape, transforms=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplineFlowConfig:
    """A flow of rational-quadratic splines.

    Args:
        size: Width of the networks: tiny, small or medium.
        order: Each feature by those before it, ``autoregressive``, or one half by the other,
            ``coupling``, which draws in one pass.
        transforms: Maps one after the other, at least 1; None: fewer of a small table.
        hidden: Widths of the layers of each network; None: by ``size``.
        bins: Of each spline, at least 2.
        bound: The splines bend numbers in [-bound, bound], in standardised units; what lies outside
            of it they leave as it is, so that so much of a normal distribution lies there, too.
        noise: Deviation of the noise that is added to the data while training, in standardised
            units, at least 0; None: by the number of rows, none of many.
        conditional: Give the class label to the networks where the data have labels.
    """

    size: Size = "small"
    order: Orders = "autoregressive"
    transforms: int = chosen()
    hidden: tuple[int, ...] = chosen()
    bins: int = 16
    bound: float = 5.0
    noise: float = chosen()
    conditional: bool = True

    def __post_init__(self) -> None:
        at_least(self, transforms=1, bins=2, noise=0)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")
        require(self, "bound", self.bound > 0, "above 0")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with what depends on the rows and on ``size``."""
        return _resolved(self, shape, transforms=4)


def _resolved(config: Any, shape: Shape, *, transforms: int) -> Any:  # noqa: ANN401 - either
    """Return the config with what is left open: small tables get one map, and noise."""
    few = shape.kind == "vectors" and 0 < shape.rows < _FEW
    noise = min(_MOST_NOISE, _NOISE / shape.rows) if few else 0.0
    return replace(
        config,
        transforms=config.transforms or (1 if few else transforms),
        hidden=config.hidden or _HIDDEN[shape.kind][config.size],
        noise=noise if config.noise is None else config.noise,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GlowConfig:
    """Glow, a flow of images by convolutions.

    Args:
        size: Width and steps of the networks: tiny, small or medium.
        scales: How often the side is halved, at least 1; None: while it is even and above 2, at
            most 3 times.
        steps: Of scaling, mixing and coupling at each scale, at least 1; None: by ``size``.
        width: Channels of each coupling's network, at least 1; None: by ``size``.
        conditional: Give the class label to the networks where the data have labels.
    """

    size: Size = "small"
    scales: int = chosen()
    steps: int = chosen()
    width: int = chosen()
    conditional: bool = True

    def __post_init__(self) -> None:
        at_least(self, scales=1, steps=1, width=1)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with what depends on the side and on ``size``."""
        steps, width = _GLOW[self.size]
        return replace(
            self,
            scales=self.scales or max(1, _halvings(shape.event_shape[-2:])),
            steps=self.steps or steps,
            width=self.width or width,
        )


def _halvings(sides: Sequence[int], most: int = 3) -> int:
    """Return how often all sides can be halved, down to 2 pixels at the least."""
    return next(
        (k for k in range(most, 0, -1) if all(s % 2**k == 0 and s > 2**k for s in sides)), 0
    )


def _glow(config: GlowConfig, shape: Shape) -> nn.Module:
    """Return Glow.

    Raises:
        ValueError: If a side cannot be halved so often.
    """
    channels, *sides = shape.event_shape
    if any(side % 2**config.scales for side in sides):
        least = 2**config.scales
        raise ValueError(
            f"the sides of images must be multiples of {least} for {config.scales} scales, got "
            f"{sides[0]} x {sides[1]}; set size=32"
        )
    classes = len(shape.labels) if config.conditional else 0
    bijection = glow(
        channels, scales=config.scales, steps=config.steps, width=config.width, context=classes
    )
    return Flow(bijection, shape.event_shape, classes=classes)


def _flow(
    orders: Sequence[Sequence[int]],
    elementwise: Elementwise,
    config: AffineFlowConfig | SplineFlowConfig,
    shape: Shape,
) -> nn.Module:
    classes = len(shape.labels) if config.conditional else 0
    layers = [
        Autoregressive(groups, elementwise, hidden=config.hidden, context=classes)
        for groups in orders
    ]
    return Flow(Composed(layers), (shape.features,), classes=classes, noise=config.noise)


def _affine(config: AffineFlowConfig, shape: Shape, *, order: Orders) -> nn.Module:
    orders = _ORDERS[order](shape.features, config.transforms)
    return _flow(orders, Affine(), config, shape)


def _spline(config: SplineFlowConfig, shape: Shape) -> nn.Module:
    orders = _ORDERS[config.order](shape.features, config.transforms)
    return _flow(orders, RationalQuadratic(bins=config.bins, bound=config.bound), config, shape)


_OPTIONS = Options(
    batch_size=500,
    learning_rate=3e-3,
    weight_decay=0.1,
    max_grad_norm=50.0,  # Of what explodes only.
    ema_decay=0.999,
    precision="float32",
    large_products=True,
)

_IMAGE_OPTIONS = replace(_OPTIONS, batch_size=128, learning_rate=1e-3)

_exact = partial(
    Recipe,
    paradigm="flows",
    count=count_labels,
    transform=uncorrelated,
    chosen_by=figures.LOG_PROB,
    options={"vectors": _OPTIONS, "images": _IMAGE_OPTIONS},
    budget={"vectors": Budget(steps=10_000), "images": Budget(steps=5_000)},
    epochs_apart=1,
)

RECIPES = (
    _exact(
        name="realnvp",
        summary="normalising flow of affine couplings: exact density, draws in a pass a transform",
        config=AffineFlowConfig,
        build=partial(_affine, order="coupling"),
    ),
    _exact(
        name="maf",
        summary="masked autoregressive flow of affine maps: exact density",
        config=AffineFlowConfig,
        build=partial(_affine, order="autoregressive"),
    ),
    _exact(
        name="nsf",
        summary="neural spline flow: exact density, autoregressive or by coupling",
        config=SplineFlowConfig,
        build=_spline,
        # Splines need less decay than affine maps: on the swiss roll the distance to the data fell
        # from 1.46 of its floor to 1.38, the median of three seeds, and on wine nothing changed.
        options={"vectors": replace(_OPTIONS, weight_decay=0.01), "images": _IMAGE_OPTIONS},
        epochs_apart=5,
    ),
    _exact(
        name="glow",
        summary="normalising flow of images by convolutions: bits per dim, draws in one pass",
        config=GlowConfig,
        build=_glow,
        kinds=("images",),
        transform=lambda data: dequantise(data.train, data.levels, standard=True),
        options={
            "images": replace(
                _OPTIONS, batch_size=64, learning_rate=1e-3, validate_every=200, channels_last=True
            )
        },
        budget={"images": Budget(steps=5_000)},
    ),
)
