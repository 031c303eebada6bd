"""Gaussian paths between data and noise, z = alpha x + sigma epsilon, and what z can give."""

import math
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import torch
from torch import Tensor

Quantity: TypeAlias = Literal["x", "epsilon", "v", "score", "velocity"]
"""What a network may predict of z: the data, the noise, ``alpha epsilon - sigma x``, the score
``-epsilon / sigma``, or the velocity dz/dt. Each is ``a x + b epsilon``, so that any of them, with
z, gives all others; and so do their means given z, for the map is linear."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseLevel:
    """A point of a Gaussian path: ``z = alpha x + sigma epsilon`` with epsilon ~ Normal(0, I).

    Source: Kingma et al. 2021, arXiv:2107.00630, sec. 3.1; Salimans & Ho 2022, arXiv:2202.00512,
    app. D (v); Lipman et al. 2023, arXiv:2210.02747, sec. 4 (the velocity).

    Args:
        alpha: Factor of the data, [B] or a scalar.
        sigma: Standard deviation of the noise, [B] or a scalar.
        alpha_rate: d alpha / dt; None where no velocity is asked for.
        sigma_rate: d sigma / dt.

    Example:
        >>> level = variance_preserving(torch.tensor([0.2, 0.9]))
        >>> x, noise = torch.ones(2, 3), torch.zeros(2, 3)
        >>> z = level.mix(x, noise)
        >>> level.convert(noise, z, have="epsilon", want="x")[:, 0]
        tensor([1., 1.])
    """

    alpha: Tensor
    sigma: Tensor
    alpha_rate: Tensor | None = None
    sigma_rate: Tensor | None = None

    @classmethod
    def preserving(cls, ratio: Tensor) -> Self:
        """Return the level of variance 1, ``alpha^2 + sigma^2 = 1``, where sigma / alpha = ratio.

        Source: Karras et al. 2022, arXiv:2206.00364, eq. 7: ``z / alpha`` is x with noise of
        standard deviation ``ratio``.
        """
        alpha = (1 + ratio.square()).rsqrt()
        return cls(alpha, ratio * alpha)

    @property
    def ratio(self) -> Tensor:
        """The noise in units of the data, sigma / alpha."""
        return self.sigma / self.alpha

    def mix(self, x: Tensor, noise: Tensor) -> Tensor:
        """Return z, [B, *event], of data and noise of that shape."""
        return rows(self.alpha, x) * x + rows(self.sigma, x) * noise

    def value(self, want: Quantity, *, x: Tensor, noise: Tensor) -> Tensor:
        """Return a quantity, [B, *event], of known data and noise: what a network is to learn."""
        a, b = self._factors(want)
        ones = torch.ones_like(self.sigma)
        return rows(a * ones, x) * x + rows(b * ones, x) * noise

    def convert(self, value: Tensor, z: Tensor, *, have: Quantity, want: Quantity) -> Tensor:
        """Return one quantity from another, [B, *event]; both are of z, [B, *event].

        Raises:
            ValueError: If one is a velocity and the level has no rates.
        """
        if have == want:
            return value
        mine, wanted = self._factors(have), self._factors(want)
        scale = _cross((self.alpha, self.sigma), mine)
        of_z = _cross(wanted, mine) / scale
        of_value = _cross((self.alpha, self.sigma), wanted) / scale
        return rows(of_z, z) * z + rows(of_value, z) * value

    def _factors(self, quantity: Quantity) -> tuple[Tensor | float, Tensor | float]:
        """Return a and b of ``a x + b epsilon``."""
        match quantity:
            case "x":
                return 1.0, 0.0
            case "epsilon":
                return 0.0, 1.0
            case "v":
                return -self.sigma, self.alpha
            case "score":
                return 0.0, -1 / self.sigma
            case "velocity":
                if self.alpha_rate is None or self.sigma_rate is None:
                    raise ValueError("a velocity needs the rates of alpha and sigma")
                return self.alpha_rate, self.sigma_rate


def straight(time: Tensor) -> NoiseLevel:
    """Return the straight path at a time in [0, 1]: noise at 0, data at 1.

    Source: Lipman et al. 2023, arXiv:2210.02747, eq. 20 (sigma_min = 0).
    """
    one = torch.ones_like(time)
    return NoiseLevel(time, 1 - time, one, -one)


def variance_preserving(time: Tensor) -> NoiseLevel:
    """Return the path of variance 1 along a quarter of a circle: noise at 0, data at 1.

    Source: Albergo & Vanden-Eijnden 2023, arXiv:2209.15571, eq. 5; the cosine of Nichol & Dhariwal
    2021, arXiv:2102.09672, read backwards.
    """
    angle, rate = time * (math.pi / 2), math.pi / 2
    alpha, sigma = angle.sin(), angle.cos()
    return NoiseLevel(alpha, sigma, rate * sigma, -rate * alpha)


def _cross(
    first: tuple[Tensor | float, Tensor | float], second: tuple[Tensor | float, Tensor | float]
) -> Tensor:
    """Return ``first[0] * second[1] - first[1] * second[0]``, without products by 0 and 1.

    A sampler asks at every step, and most factors are those.
    """
    ahead, behind = (_product(first[i], second[1 - i]) for i in (0, 1))
    if isinstance(behind, float) and behind == 0:
        return torch.as_tensor(ahead)
    return torch.as_tensor(-behind if isinstance(ahead, float) and ahead == 0 else ahead - behind)


def _product(a: Tensor | float, b: Tensor | float) -> Tensor | float:
    for one, other in ((a, b), (b, a)):
        if isinstance(one, float) and one in (0.0, 1.0):
            return other if one else 0.0
    return a * b


def rows(value: Tensor, like: Tensor) -> Tensor:
    """Return one number a row, [B] or a scalar, as it multiplies ``like`` [B, *event]."""
    return value.to(like.dtype).reshape(*value.shape, *[1] * (like.ndim - value.ndim))
