"""The network of a velocity or a denoiser, by its settings: what flows and diffusion share."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from torch import nn

from ancestral.data.fields import Shape
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedNetworkConfig:
    """A network that is conditioned on a time, and on the label where there is one.

    Args:
        size: Width of the layers: tiny, small or medium.
        network: ``mlp``, or of images ``unet`` or ``dit``; None: ``mlp`` of vectors, ``unet`` of
            images.
        hidden: Widths of the layers of an ``mlp``; None: by ``size``.
        frequencies: Fourier features of the input that an ``mlp`` sees beside it, at least 0;
            None: 32 of up to eight columns, else 0.
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
        few = not images and shape.features <= 8
        return replace(
            self,
            network=network,
            hidden=self.hidden or (_IMAGE_HIDDEN if images else _HIDDEN)[self.size],
            frequencies=(32 if few else 0) if self.frequencies is None else self.frequencies,
            conditional=images if self.conditional is None else self.conditional,
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
