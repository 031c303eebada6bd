"""The network of a velocity or a denoiser, by its settings: what flows and diffusion share."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from torch import nn

from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import Shape
from ancestral.data.model_units import flat
from ancestral.errors import ConfigError
from ancestral.networks.cell_scores import CellScores
from ancestral.nn import DiT, TimedMLP, TimedUNet
from ancestral.settings import Size, at_least, chosen, require, widths
from ancestral.training.options import Options

_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (64, 64),
    "small": (128, 128, 128, 128),
    "medium": (256, 256, 256, 256),
}
_IMAGE_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (128, 128),
    "small": (512, 512, 512),
    "medium": (1024, 1024, 1024),
}
_TABLE_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (64, 64),
    "small": (256, 256, 256),
    "medium": (512, 512, 512),
}
_HIDDEN_OF: dict[Kind, dict[Size, tuple[int, ...]]] = {
    "images": _IMAGE_HIDDEN,
    "mixed": _TABLE_HIDDEN,
}
_UNET: dict[Size, tuple[int, ...]] = {"tiny": (32, 64), "small": (64, 128), "medium": (96, 192)}
_DIT: dict[Size, tuple[int, int]] = {"tiny": (32, 2), "small": (96, 4), "medium": (192, 6)}
"""Width and depth."""

IMAGE_TRAINING = Options(
    batch_size=64,
    learning_rate=2e-3,
    weight_decay=0.0,
    betas=(0.9, 0.99),
    warmup=100,
    max_grad_norm=1.0,
    ema_decay=0.999,
    validate_every=500,
    channels_last=True,
    large_products=True,
)
"""By which a U-Net of images was measured to learn fastest: after 100 s its loss was 0.2525, by
batches of 128 at twice the rate 0.2597."""

TABLE_TRAINING = Options(
    batch_size=500,
    learning_rate=5e-3,
    ema_decay=0.999,
    weight_decay=0.0,
    validate_every=200,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedNetworkConfig:
    """A network that is conditioned on a time, and on the label where there is one.

    Args:
        size: Width of the layers: tiny, small or medium.
        network: ``mlp``, or of images ``unet`` or ``dit``; None: ``mlp`` of vectors, ``unet`` of
            images.
        hidden: Widths of the layers of an ``mlp``; None: by ``size``.
        frequencies: Fourier features of the input that an ``mlp`` sees beside it, at least 0;
            None: 32 of up to eight columns of vectors, else 0.
        conditional: Give the class label; None: of images with labels.
    """

    size: Size = "small"
    network: Literal["mlp", "unet", "dit"] = chosen()
    hidden: tuple[int, ...] = chosen()
    frequencies: int = chosen()
    conditional: bool = chosen()

    def __post_init__(self) -> None:
        at_least(self, frequencies=0)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the network and its widths.

        Raises:
            ConfigError: If a network is of other data.
        """
        images = shape.kind == "images"
        network = self.network or ("unet" if images else "mlp")
        require(self, "network", images or network == "mlp", "mlp: the others are of images")
        labelled = bool(shape.labels)
        require(self, "conditional", labelled or not self.conditional, "left out without labels")
        few = shape.kind == "vectors" and shape.features <= 8
        return replace(
            self,
            network=network,
            hidden=self.hidden or _HIDDEN_OF.get(shape.kind, _HIDDEN)[self.size],
            frequencies=(32 if few else 0) if self.frequencies is None else self.frequencies,
            conditional=images and labelled if self.conditional is None else self.conditional,
        )

    def classes(self, shape: Shape) -> int:
        """Return the number of labels that the network takes."""
        return len(shape.labels) if self.conditional else 0

    def build(self, shape: Shape, *, times: int = 1) -> nn.Module:
        """Return the network for data of this shape, of a resolved config.

        Args:
            shape: Of the data.
            times: How many times an example has; a ``unet`` takes one.
        """
        classes, event = self.classes(shape), tuple(shape.event_shape)
        if self.network == "unet":
            patch = 1 if event[-1] < 16 else 2
            return TimedUNet(event[0], classes=classes, widths=_UNET[self.size], patch=patch)
        if self.network == "dit":
            width, depth = _DIT[self.size]
            patch = 2 if event[-1] < 16 else 4
            return DiT(
                (event[0], event[1], event[2]),
                classes=classes,
                patch=patch,
                width=width,
                depth=depth,
                times=times,
            )
        return TimedMLP(
            event,
            hidden=self.hidden,
            classes=classes,
            times=times,
            frequencies=self.frequencies,
        )


def ordered_columns(shape: Shape) -> tuple[bool, ...] | None:
    """Return which columns of a mixed table have cells in order alone; None of other data."""
    if shape.kind != "mixed" or not isinstance(shape.field, Vector):
        return None
    return tuple(not (column.discrete or column.gaps) for column in shape.field.columns)


def table_network(
    config: TimedNetworkConfig, shape: Shape, ordered: tuple[bool, ...] | None
) -> tuple[nn.Module, CellScores]:
    """Return a network of rows of cells, and the scores of the columns.

    Args:
        config: Resolved.
        shape: Of the cells.
        ordered: Which columns are in order.
    """
    scores = CellScores([len(states) for states in shape.states], ordered=ordered)
    return TimedMLP(scores.features, hidden=config.hidden), scores


def count_cells(model: Any, data: Dataset) -> None:  # noqa: ANN401 - a model of rows of cells
    """Count the shares of the cells of each column, and their scores, on the training split."""
    model.scores.fit(flat(data)(data.train.x))


def check_table(config: TimedNetworkConfig, data: Dataset) -> None:
    """Refuse settings of numbers and of labels for a mixed table, whose columns are cells."""
    for name in ("frequencies", "conditional"):
        if data.kind == "mixed" and getattr(config, name):
            raise ConfigError(
                f"{name} must be left out of mixed tables, whose columns are cells, "
                f"got {getattr(config, name)}"
            )
