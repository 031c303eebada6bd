"""Noise levels that a sampler steps through: from the highest down to 0."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from ancestral.networks.arguments import check_whole


def karras_levels(
    steps: int, *, lowest: float, highest: float, rho: float = 7.0
) -> tuple[float, ...]:
    """Return levels of which the ``rho``-th roots are even, and 0: dense where they are low.

    Source: Karras et al. 2022, Elucidating the Design Space of Diffusion-Based Generative Models,
    arXiv:2206.00364, eq. 5.

    Args:
        steps: Number of steps N, at least 1.
        lowest: The last level above 0, in data units.
        highest: The first.
        rho: The power; large ones are even in the logarithm.

    Returns:
        The N levels and 0, falling. One step leads from the highest to 0.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> [round(level, 3) for level in karras_levels(4, lowest=0.1, highest=10.0)]
        [10.0, 2.934, 0.663, 0.1, 0.0]
    """
    check_whole("steps", steps)
    if not 0 < lowest < highest:
        raise ValueError(f"levels must be above 0 and rise, got {lowest} and {highest}")
    high, low = highest ** (1 / rho), lowest ** (1 / rho)
    gap = max(steps - 1, 1)
    return (*((high + (low - high) * step / gap) ** rho for step in range(steps)), 0.0)


def geometric_levels(steps: int, *, lowest: float, highest: float) -> tuple[float, ...]:
    """Return levels that fall by one factor, and 0. Arguments as of :func:`karras_levels`.

    Source: Song & Ermon 2019, arXiv:1907.05600, sec. 4.2; Song et al. 2021, arXiv:2011.13456, the
    variance-exploding process at even times.

    Example:
        >>> [round(level, 3) for level in geometric_levels(3, lowest=0.1, highest=10.0)]
        [10.0, 1.0, 0.1, 0.0]
    """
    check_whole("steps", steps)
    if not 0 < lowest < highest:
        raise ValueError(f"levels must be above 0 and rise, got {lowest} and {highest}")
    fall = math.log(lowest / highest) / max(steps - 1, 1)
    return (*(highest * math.exp(fall * step) for step in range(steps)), 0.0)


def chain_levels(kept: Tensor, steps: int | None = None) -> tuple[float, ...]:
    """Return the levels of a chain at even times, the last one T, and 0.

    Args:
        kept: Shares of the variance that are kept at t = 0..T, [T + 1].
        steps: How many of the T levels; None for all.

    Raises:
        ValueError: If there are fewer.

    Example:
        >>> from ancestral.networks import cosine_schedule
        >>> [round(level, 2) for level in chain_levels(cosine_schedule(9)(), 3)]
        [6.31, 1.38, 0.51, 0.0]
    """
    last = len(kept) - 1
    steps = last if steps is None else steps
    check_whole("steps", steps)
    if steps > last:
        raise ValueError(f"steps must be at most {last}, those of the chain, got {steps}")
    at = [round(last * (steps - step) / steps) for step in range(steps)]
    share = kept.detach()[at]
    return (*((1 - share) / share).sqrt().tolist(), 0.0)


def check_levels(levels: Sequence[float]) -> None:
    """Refuse, by a ValueError, levels that are not two or more, falling to 0."""
    falls = all(a > b for a, b in pairwise(levels))
    if len(levels) < 2 or not falls or levels[-1] != 0 or not math.isfinite(levels[0]):
        raise ValueError(f"levels must be at least 2, falling to 0, got {list(levels)[:9]}")
