"""Networks of image autoencoders, and the conditionals that turn their output into pixels."""

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn
from torch.distributions import Independent

from ancestral.autoencoders.conditionals import full_precision
from ancestral.autoencoders.likelihoods import ContinuousBernoulliLevels, DiscretisedLogistic
from ancestral.nn.pyramid import ConvDecoder, ConvEncoder, Upsampling, halvings

# In place: a convolution's gradient does not need its output, and a pass over memory is spared.
_RELU = partial(nn.ReLU, inplace=True)
_SMALLEST_LOG_SCALE = -7.0
_WIDEST = 12.0


class DiscretisedLogisticDecoder(nn.Module):
    """p(x | z, label): a discretised logistic per pixel, centre and scale from a network.

    Args:
        network: Maps the parents' values to [*B, 2 C, S, S]: centres, then log scales.
        levels: Number of grey levels, at least 2.
    """

    def __init__(self, network: nn.Module, *, levels: int) -> None:
        super().__init__()
        self.network, self.levels = network, levels

    def forward(self, *parents: Tensor) -> Independent:
        """Return p(x | parents), batch shape [*B], event shape [C, S, S]."""
        centre, raw = full_precision(self.network(*parents)).chunk(2, dim=-3)
        # Smooth floor: exp(-7) is a fraction of a level of 256; below it gradients only grow.
        # Above exp(5) the mass of a level is flat to float32, and a logarithm would overflow.
        raw = (raw - 2 - _SMALLEST_LOG_SCALE).clamp(max=_WIDEST)
        log_scale = _SMALLEST_LOG_SCALE + nn.functional.softplus(raw)
        pixels = DiscretisedLogistic(0.5 + centre, log_scale, levels=self.levels)
        return Independent(pixels, 3, validate_args=False)


class ContinuousBernoulliDecoder(nn.Module):
    """p(x | z, label): a continuous Bernoulli a pixel, its logit from a network.

    Args:
        network: Maps the parents' values to logits [*B, C, S, S].
        levels: Number of grey levels, at least 2.
    """

    def __init__(self, network: nn.Module, *, levels: int) -> None:
        super().__init__()
        self.network, self.levels = network, levels

    def forward(self, *parents: Tensor) -> Independent:
        """Return p(x | parents), batch shape [*B], event shape [C, S, S]."""
        logits = full_precision(self.network(*parents))
        pixels = ContinuousBernoulliLevels(logits, levels=self.levels)
        return Independent(pixels, 3, validate_args=False)


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes that an encoder and a decoder of images share, as in :class:`ImageVAE`.

    The book's has three halvings by kernels of 3, and ReLU. Images whose side cannot be halved so
    often have a border inside the networks, which is no part of any likelihood. Raises ValueError
    if a size is out of its range.
    """

    channels: int
    size: int
    classes: int
    latent: int
    width: int
    decoder: Upsampling

    def __post_init__(self) -> None:
        least_of = {"size": 1, "channels": 1, "classes": 0, "latent": 1, "width": 1}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels after each halving."""
        # Sides that are no multiple of 4 are of the one above: 25 pixels are 28 inside.
        count = 3 if self.decoder == "book" else halvings(max(8, -(-self.size // 4) * 4))
        return tuple(self.width * 2**i for i in range(count))

    def encoder_network(self) -> ConvEncoder:
        """Build the network of q(z | x, label): means and log standard deviations."""
        book = self.decoder == "book"
        return ConvEncoder(
            self.channels,
            2 * self.latent,
            size=self.size,
            widths=self.widths,
            classes=self.classes,
            kernel_size=3 if book else 4,
            activation=_RELU if book else nn.SiLU,
        )

    def decoder_network(self, outputs: int) -> ConvDecoder:
        """Build the network of p(x | z, label) with ``outputs`` numbers a pixel and channel."""
        return ConvDecoder(
            self.latent,
            outputs * self.channels,
            size=self.size,
            widths=self.widths[::-1],
            classes=self.classes,
            upsampling=self.decoder,
            activation=_RELU if self.decoder == "book" else nn.SiLU,
        )
