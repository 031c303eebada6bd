"""Kernels of the distance to their centre, other than the Gaussian, in any dimension.

Each has the bandwidth h as its radius or scale, as in scikit-learn, and the normaliser of its own
dimension: with the volume v_D of the unit ball and the surface D v_D of the unit sphere, the mass
of ``k(|x|)`` is ``D v_D int k(r) r^(D-1) dr``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Generator, Tensor
from torch.distributions import Beta, Gamma

from ancestral.networks.sampling import draw

KernelName: TypeAlias = Literal[
    "gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"
]

_TILE = 1 << 18


@dataclass(frozen=True, slots=True)
class Radial:
    """A kernel as a function of the distance r to its centre, in bandwidths.

    Args:
        log_share: Maps D to the log of its integral over D dimensions over the unit ball's volume.
        square: Maps D to its variance in each coordinate, E r^2 / D.
        log_sum: Maps distances r [b, N] to the log of the sum of the kernels, [b].
        radii: Draws n distances from the centre in D dimensions, float64 [n].
    """

    log_share: Callable[[int], float]
    square: Callable[[int], float]
    log_sum: Callable[[Tensor], Tensor]
    radii: Callable[[int, int, Generator | None], Tensor]

    def log_mass(self, features: int) -> float:
        """Return the log of its integral over all of D dimensions, at h = 1."""
        return log_ball(features) + self.log_share(features)

    def deviation(self, features: int) -> float:
        """Return its standard deviation in each coordinate, at h = 1."""
        return math.sqrt(self.square(features))


def _quadratic_radii(n: int, features: int, generator: Generator | None) -> Tensor:
    return _beta(features / 2, 2, n, generator).sqrt()


def _cosine_radii(n: int, features: int, generator: Generator | None) -> Tensor:
    """Draw by rejection from 1 - r^2, which lies above and at most 4 / pi times as high."""
    kept = torch.empty(0, dtype=torch.float64)
    while len(kept) < n:
        r = _quadratic_radii(2 * n, features, generator)
        share = torch.cos(r * (math.pi / 2)) / (1 - r.square())
        uniform = torch.rand(2 * n, generator=generator, dtype=torch.float64)
        kept = torch.cat((kept, r[uniform < share]))
    return kept[:n]


def _gamma_radii(n: int, features: int, generator: Generator | None) -> Tensor:
    one = torch.ones((), dtype=torch.float64)
    return draw(Gamma(features * one, one, validate_args=False), (n,), generator)


RADIAL: dict[str, Radial] = {
    # 1 within the radius. Zero times the distance keeps a gradient, which is zero.
    "tophat": Radial(
        log_share=lambda _: 0.0,
        square=lambda d: 1 / (d + 2),
        log_sum=lambda r: ((r < 1).to(r) + 0 * r).sum(dim=1).log(),
        radii=lambda n, d, generator: _beta(d, 1, n, generator),
    ),
    # 1 - r^2 within the radius.
    "epanechnikov": Radial(
        log_share=lambda d: math.log(2 / (d + 2)),
        square=lambda d: 1 / (d + 4),
        log_sum=lambda r: (1 - r.square()).clamp_min(0).sum(dim=1).log(),
        radii=_quadratic_radii,
    ),
    # exp(-r), without an end.
    "exponential": Radial(
        log_share=lambda d: math.lgamma(d + 1),
        square=lambda d: d + 1,
        log_sum=lambda r: torch.logsumexp(-r, dim=1),
        radii=_gamma_radii,
    ),
    # 1 - r within the radius.
    "linear": Radial(
        log_share=lambda d: -math.log(d + 1),
        square=lambda d: (d + 1) / ((d + 2) * (d + 3)),
        log_sum=lambda r: (1 - r).clamp_min(0).sum(dim=1).log(),
        radii=lambda n, d, generator: _beta(d, 2, n, generator),
    ),
    # cos(pi r / 2) within the radius.
    "cosine": Radial(
        log_share=lambda d: math.log(d * _cosine_moment(d - 1)),
        square=lambda d: _cosine_moment(d + 1) / _cosine_moment(d - 1) / d,
        log_sum=lambda r: (
            torch.cos(r.clamp_max(1) * (math.pi / 2)).masked_fill(r >= 1, 0).sum(dim=1).log()
        ),
        radii=_cosine_radii,
    ),
}
"""The kernels by name; the Gaussian has its own, faster road in ``kernels``."""


def log_radial_mean(kernel: Radial, x: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    """Return the log of the mean kernel of width h between points and data, nats, [B].

    Points [B, D], to which gradients flow, and centres [N, D] are float64. Where no kernel reaches
    it is -inf.
    """
    features = data.shape[1]
    normaliser = math.log(len(data)) + kernel.log_mass(features) + features * math.log(bandwidth)
    rows = max(1, _TILE // len(data))
    exact = "donot_use_mm_for_euclid_dist"  # A product would lose small distances.
    sums = [
        kernel.log_sum(torch.cdist(part, data, compute_mode=exact) / bandwidth)
        for part in x.split(rows)
    ]
    return torch.cat(sums) - normaliser if len(x) else x.new_empty(0)


def radial_noise(
    kernel: Radial, n: int, features: int, *, generator: Generator | None = None
) -> Tensor:
    """Draw n points from the kernel at 0 with h = 1, float64 [n, D]."""
    normal = torch.randn(n, features, generator=generator, dtype=torch.float64)
    directions = normal / normal.norm(dim=1, keepdim=True)
    return directions * kernel.radii(n, features, generator)[:, None]


def log_ball(features: int) -> float:
    """Return the log of the volume of the unit ball in D dimensions."""
    return features / 2 * math.log(math.pi) - math.lgamma(features / 2 + 1)


def _cosine_moment(power: int) -> float:
    """Return int_0^1 cos(pi r / 2) r^power dr.

    By Gauss-Legendre nodes, exact for polynomials of degree power + 60; integration by parts
    gives an alternating sum that cancels in many dimensions.
    """
    nodes, weights = np.polynomial.legendre.leggauss(power // 2 + 31)
    r = (nodes + 1) / 2
    return float(weights @ (np.cos(np.pi * r / 2) * r**power) / 2)


def _beta(a: float, b: float, n: int, generator: Generator | None) -> Tensor:
    one = torch.ones((), dtype=torch.float64)
    return draw(Beta(a * one, b * one, validate_args=False), (n,), generator)
