"""What a denoising autoencoder is shown in place of an example; each has a level of its own.

The level of an example is drawn uniformly between ``least`` and ``most``. Of images, values that
are hit are hit in all channels of the pixel.

Source: Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianNoise:
    """Normal noise is added; the level is its standard deviation, in model units.

    Args:
        least: Least level, at least 0.
        most: Greatest level.

    Example:
        >>> GaussianNoise(least=0.1, most=0.5)(torch.zeros(5, 2), None).shape
        torch.Size([5, 2])
    """

    least: float
    most: float

    def __call__(self, x: Tensor, generator: Generator | None) -> Tensor:
        """Return x with noise, [B, *event]."""
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return torch.addcmul(x, noise, _levels(x, self.least, self.most, generator))


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """Values are set to 0; the level is the share of them.

    Args:
        least: Least level, in [0, 1].
        most: Greatest level, in [0, 1].
    """

    least: float
    most: float

    def __call__(self, x: Tensor, generator: Generator | None) -> Tensor:
        """Return x with holes, [B, *event]."""
        level = _levels(x, self.least, self.most, generator)
        return x.masked_fill(_uniform(x, generator) < level, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaltAndPepper:
    """Values are set to ``low`` or to ``high``, one as often as the other.

    Args:
        least: Least level, the share of values that are hit, in [0, 1].
        most: Greatest level, in [0, 1].
        low: Pepper, in model units.
        high: Salt.
    """

    least: float
    most: float
    low: float = 0.0
    high: float = 1.0

    def __call__(self, x: Tensor, generator: Generator | None) -> Tensor:
        """Return x with salt and pepper, [B, *event]."""
        level = _levels(x, self.least, self.most, generator)
        # One uniform number tells both whether a value is hit and by what.
        at = _uniform(x, generator)
        return x.masked_fill(at < level, self.high).masked_fill(at < level / 2, self.low)


def _levels(x: Tensor, least: float, most: float, generator: Generator | None) -> Tensor:
    """Return a level for each example, [B, 1, ...]."""
    at = torch.rand(len(x), generator=generator, dtype=x.dtype, device=x.device)
    return (least + (most - least) * at).reshape(-1, *[1] * (x.ndim - 1))


def _uniform(x: Tensor, generator: Generator | None) -> Tensor:
    """Return a number in [0, 1) for each value, of images for each pixel."""
    shape = (len(x), 1, *x.shape[2:]) if x.ndim == 4 else x.shape
    return torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device)
