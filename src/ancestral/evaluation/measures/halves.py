"""Standard errors by halves: how much a statistic differs between two halves of its points."""

import math

import torch
from torch import Generator, Tensor

ROUNDS = 32
"""Times that points are halved: the error is then known to about a tenth."""


def halves(n: int, *, rounds: int = ROUNDS, seed: int = 0) -> Tensor:
    """Return which of ``n`` points are in the first half, at random, bool [rounds, n]."""
    order = torch.rand(rounds, n, generator=Generator().manual_seed(seed)).argsort(dim=1)
    return order < n // 2


def error_of_halves(first: Tensor, second: Tensor) -> float:
    """Return the standard error of a statistic of all points, from its values on halves of them.

    The halves of a round share no point, so they are independent, and half the squared difference
    of their values is without bias the variance on half of the points; on all it is half of that.
    Unlike the jackknife and the bootstrap this holds for nearest neighbours, which do not vary
    smoothly with a point and which copies of a point would spoil.

    Source: McCarthy 1969, Pseudo-replication: half samples; Politis & Romano 1994, Large sample
    confidence regions based on subsamples under minimal assumptions.

    Args:
        first: Its value on the first half of each round, [R].
        second: On the other half, [R].

    Example:
        >>> x = torch.arange(100.0)
        >>> mask = halves(100)
        >>> means = [torch.stack([x[m].mean() for m in some]) for some in (mask, ~mask)]
        >>> round(error_of_halves(*means) / (x.std() / 10).item())
        1
    """
    return math.sqrt((first - second).square().mean().item() / 4)
