"""Two-dimensional sets with a known law, in fixed standardised units.

The constants are the exact moments of each law, so that no batch and no machine moves the units
(standardising each batch by its own numbers gives every batch a slightly different map).
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

SIZES = (20_000, 10_000, 10_000)
"""Points in training, validation and test."""

_DECIMALS = 6
"""Points lie on a grid of 1e-6, because cosines differ in their last bit between machines."""


def swiss_roll_3d(n: int, generator: Generator, *, noise: float = 0.1) -> NDArray[np.float64]:
    """Return n points of the rolled sheet in its own units, [n, 3].

    With t = 1.5 pi (1 + 2u): (t cos t, 21 u', t sin t) + noise * Normal(0, I).

    Source: Marsland 2014, Machine Learning, ch. 10; the law of scikit-learn's ``make_swiss_roll``.
    """
    t = 1.5 * np.pi * (1 + 2 * generator.random(n))
    height = 21 * generator.random(n)
    sheet = np.stack((t * np.cos(t), height, t * np.sin(t)), axis=1)
    return sheet + noise * generator.standard_normal((n, 3))


def swiss_roll(n: int, generator: Generator) -> NDArray[np.float64]:
    """Return n points of the roll seen from its side, columns 0 and 2 of the sheet, [n, 2]."""
    return swiss_roll_3d(n, generator)[:, [0, 2]]


def moons(n: int, generator: Generator) -> NDArray[np.float64]:
    """Return n points of two interleaved half circles with noise 0.1, [n, 2]."""
    t = np.pi * generator.random(n)
    lower = generator.integers(2, size=n).astype(bool)
    x = np.where(lower, 1 - np.cos(t), np.cos(t))
    y = np.where(lower, 0.5 - np.sin(t), np.sin(t))
    return np.stack((x, y), axis=1) + 0.1 * generator.standard_normal((n, 2))


def ring(n: int, generator: Generator) -> NDArray[np.float64]:
    """Return n points of eight Gaussians, sd 0.1, on a circle of radius 2, [n, 2]."""
    angle = np.pi / 4 * generator.integers(8, size=n)
    centres = 2 * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return centres + 0.1 * generator.standard_normal((n, 2))


def checkerboard(n: int, generator: Generator) -> NDArray[np.float64]:
    """Return n points, uniform on the 8 dark squares (side 2) of a 4 x 4 board, [n, 2]."""
    x = 4 * generator.random(n) - 2
    y = generator.random(n) - 2 * generator.integers(2, size=n) + np.floor(x) % 2
    return 2 * np.stack((x, y), axis=1)


def pinwheel(n: int, generator: Generator) -> NDArray[np.float64]:
    """Return n points of five Gaussian arms, bent by an angle that grows with the radius, [n, 2].

    Source: Johnson et al. 2016, Composing graphical models with neural networks,
    arXiv:1603.06277, sec. 5; radial sd 0.3, tangential sd 0.1, rate 0.25.
    """
    arm = generator.standard_normal((n, 2)) * (0.3, 0.1) + (1.0, 0.0)
    angle = 2 * np.pi / 5 * generator.integers(5, size=n) + 0.25 * np.exp(arm[:, 0])
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack(
        (cosine * arm[:, 0] - sine * arm[:, 1], sine * arm[:, 0] + cosine * arm[:, 1]), axis=1
    )


@dataclass(frozen=True, slots=True)
class Toy:
    """A law on the plane and its exact mean and standard deviation in each coordinate."""

    law: Callable[[int, Generator], NDArray[np.float64]]
    mean: tuple[float, float]
    std: tuple[float, float]


# t is uniform on [1.5 pi, 4.5 pi], E t^2 = 9.75 pi^2. E t cos t = 2 and E t sin t = 2 / (3 pi);
# E (t cos t)^2 = E t^2 / 2 - 1/4 and E (t sin t)^2 = E t^2 / 2 + 1/4. The noise adds 0.01.
_ROLL_SQUARE = 4.875 * math.pi**2
_ROLL_MEAN = (2.0, 2 / (3 * math.pi))

TOYS: dict[str, Toy] = {
    "swiss-roll": Toy(
        swiss_roll,
        _ROLL_MEAN,
        (
            math.sqrt(_ROLL_SQUARE - 0.25 - _ROLL_MEAN[0] ** 2 + 0.01),
            math.sqrt(_ROLL_SQUARE + 0.25 - _ROLL_MEAN[1] ** 2 + 0.01),
        ),
    ),
    # Half circles: E sin t = 2 / pi, E sin^2 t = E cos^2 t = 1/2, each moon with weight 1/2.
    "moons": Toy(
        moons, (0.5, 0.25), (math.sqrt(0.76), math.sqrt(0.625 - 1 / math.pi - 0.0625 + 0.01))
    ),
    # Eight equal angles: the covariance of the centres is radius^2 / 2 = 2.
    "ring": Toy(ring, (0.0, 0.0), (math.sqrt(2.01), math.sqrt(2.01))),
    # Both margins are uniform on [-4, 4].
    "checkerboard": Toy(checkerboard, (0.0, 0.0), (4 / math.sqrt(3), 4 / math.sqrt(3))),
    # Rotations keep E |x|^2 = 1 + 0.3^2 + 0.1^2, and five equal arms share it evenly.
    "pinwheel": Toy(pinwheel, (0.0, 0.0), (math.sqrt(0.55), math.sqrt(0.55))),
}


def draw(name: str, n: int, *entropy: int) -> Tensor:
    """Return n standardised points of a toy set, float64 [n, 2].

    Args:
        name: A key of ``TOYS``.
        n: At least 1.
        entropy: Whole numbers, at least 0; equal ones give equal points.

    Raises:
        ValueError: If n is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    toy = TOYS[name]
    generator = np.random.default_rng([zlib.crc32(name.encode()), *entropy])
    points = (toy.law(n, generator) - toy.mean) / toy.std
    return torch.from_numpy(points.round(_DECIMALS))
