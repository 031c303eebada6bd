"""Factors in time: the learning rate's, and the decay of averaged weights."""

import math
from typing import Literal


def rate_factor(
    number: int, progress: float, *, schedule: Literal["constant", "cosine"], warmup: int
) -> float:
    """Return the factor on the peak learning rate, in [0, 1].

    Source: Loshchilov & Hutter 2017, SGDR, arXiv:1608.03983, eq. 5 (one cycle, to zero).

    Args:
        number: The step, from 1.
        progress: Share of the budget spent before the step, in [0, 1].
        schedule: ``cosine`` or ``constant``.
        warmup: Steps of linear rise.

    Example:
        >>> rate_factor(5, 0.5, schedule="cosine", warmup=0)
        0.5
    """
    rise = min(1.0, number / warmup) if warmup else 1.0
    return rise if schedule == "constant" else rise * 0.5 * (1.0 + math.cos(math.pi * progress))


def average_decay(number: int, decay: float) -> float:
    """Return the decay of the averaged weights at step ``number`` (from 1).

    It starts at zero, so that the average forgets the initial weights at the first step and
    spans about the last tenth of a young run: ``min(decay, (number - 1) / (number + 9))``.
    """
    return min(decay, (number - 1) / (number + 9))
