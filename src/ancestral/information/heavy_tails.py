"""Whether the mean of draws has an error: the Pareto index of their tail."""

import math

import torch
from torch import Tensor

_LEAST = 25
_BLOCK = 1 << 22


def has_error(values: Tensor) -> Tensor:
    """Return whether the mean of values has a standard error as far as their tail tells, [*B].

    It has none where the tail index is above 1/2 by more than its own error, or above 0.7.

    Args:
        values: Distances from the mean, [N, *B].
    """
    limit = 0.5 + 1.5 / math.sqrt(max(1, _tail_size(len(values))))
    return ~(tail_index(values) > min(limit, 0.7))


def tail_index(values: Tensor) -> Tensor:
    """Return the shape k of the generalised Pareto law that fits the largest values, [*B].

    Moments of order 1 / k and beyond do not exist: from k = 1/2 on a mean has no standard error,
    from k = 1 on there is no mean. Of N values the largest min(N / 5, 3 sqrt N) are looked at;
    fewer than 25 say nothing, and five largest that are equal are a bound: -inf.

    Source: Zhang & Stephens 2009, A new and efficient estimation method for the generalized Pareto
    distribution; Vehtari, Simpson, Gelman, Yao & Gabry 2024, Pareto smoothed importance sampling,
    arXiv:1507.02646, sec. 2.4 and app. C (the prior that pulls k to 1/2).

    Args:
        values: Independent finite values, [N, *B].

    Example:
        >>> u = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
        >>> bool(tail_index(u**-0.8) > 0.7), bool(tail_index(-u.log()) < 0.2)
        (True, True)
    """
    values = values.detach().double()
    count = _tail_size(len(values))
    if len(values) < _LEAST:
        return torch.full(values.shape[1:], -math.inf, dtype=torch.float64)
    top = values.topk(count + 1, dim=0).values
    excess = (top[:-1] - top[-1]).flip(0)  # Ascending.
    largest = excess[-1]
    excess = excess / torch.where(largest > 0, largest, 1.0)
    quartile = excess[int(count / 4 + 0.5) - 1]
    quartile = torch.where(quartile > 0, quartile, excess.mean(dim=0)).clamp(min=1e-12)
    trials = 30 + int(math.sqrt(count))
    steps = 1 - (trials / (torch.arange(1.0, trials + 1).to(excess) - 0.5)).sqrt()
    # The largest excess is 1: rates are below it.
    rates = 1 + steps.reshape(-1, *[1] * quartile.ndim) / (3 * quartile)
    blocks = rates.split(max(1, _BLOCK // max(1, excess.numel())))
    shapes = torch.cat([torch.log1p(-rate[:, None] * excess).mean(dim=1) for rate in blocks])
    ratio = torch.where(shapes == 0, 1.0, -rates / shapes)
    scores = (count * (ratio.log() - shapes - 1)).nan_to_num(-math.inf, -math.inf, -math.inf)
    rate = (scores.softmax(dim=0) * rates).sum(dim=0)
    k = torch.log1p(-rate * excess).mean(dim=0)
    k = (count * k + 5) / (count + 10)
    # A greatest value that is met again and again is a bound.
    return torch.where((top[0] > top[4]) & k.isfinite(), k, -math.inf)


def _tail_size(count: int) -> int:
    return int(min(count / 5, 3 * math.sqrt(count)))
