"""Distribution functions of counts, good to the last digits at both ends; sums over two laws."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import special
from torch import Tensor
from torch.distributions import Bernoulli, Binomial, Categorical, Distribution, Poisson

from ancestral.information.counts import count_window, is_count, log_mass, trials
from ancestral.information.quantity import Quantity
from ancestral.information.standard_laws import Array, Pair

_MOST = 4_000_000


def count_tails(p: Distribution, x: Tensor) -> Pair:
    """Return P(count <= x) and P(count > x), [K, *B]: neither is a difference from 1.

    Call inside ``np.errstate(all="ignore")``.

    Args:
        p: A law of counts, batch shape [*B].
        x: Ascending counts, [K, *B]; of a categorical law all its states.

    Raises:
        NotImplementedError: If the law is not one of counts.
    """
    if isinstance(p, Categorical):
        masses = log_mass(p, x).exp().numpy()
        return masses.cumsum(axis=0), masses[::-1].cumsum(axis=0)[::-1] - masses
    order = x.numpy() + 1.0
    if isinstance(p, Poisson):
        rate = p.rate.double().numpy()
        return special.gammaincc(order, rate), special.gammainc(order, rate)
    total, log_one, log_zero = (part.numpy() for part in trials(p))
    one, zero = np.exp(log_one), np.exp(log_zero)
    if isinstance(p, Bernoulli | Binomial):
        # More than x ones among n, or fewer than n - x zeros.
        left = total - order + 1
        below, above = _shares(order, np.maximum(left, 1), one, zero)
        return np.where(left > 0, below, 1.0), np.where(left > 0, above, 0.0)
    return _shares(order, total, one, zero)


def count_sum(
    p: Distribution, q: Distribution, terms: Callable[[Tensor, Tensor], Tensor]
) -> Quantity:
    """Return the sum of t(P(x), Q(x)) over all counts that weigh anything, [*B].

    Args:
        p: A law of counts.
        q: Another, of the same batch shape.
        terms: Maps log P and log Q, [K, *B], to terms that are 0 where both are.

    Raises:
        NotImplementedError: If a law is not one of counts, they are too many, or the terms do not
            fall off at the ends of what weighs anything.
    """
    if not (is_count(p) and is_count(q)):
        raise NotImplementedError
    windows = count_window(p), count_window(q)
    low, high = min(float(x.min()) for x in windows), max(float(x.max()) for x in windows)
    if (high - low) * max(1, p.batch_shape.numel()) > _MOST:
        raise NotImplementedError
    x = torch.arange(low, high + 2, dtype=torch.float64)
    x = x.reshape(-1, *[1] * len(p.batch_shape))
    masses = log_mass(p, x), log_mass(q, x)
    values = terms(*masses)
    total, size = values.sum(dim=0), values.abs().sum(dim=0)
    ends = values[0].abs() * (low > 0) + values[-1].abs()
    if bool((ends > 1e-20 * (size + 1e-30)).any()) or not bool(size.isfinite().all()):
        raise NotImplementedError
    # The masses have the sum 1: what they lack is lacking in the terms too.
    lost = sum((1 - masses.exp().sum(dim=0)).abs() for masses in masses)
    return Quantity(total, (lost + 1e-13) * (1 + 2 * size), "estimate")


def _shares(a: Array, b: Array, x: Array, rest: Array) -> Pair:
    """Return 1 - I_x(a, b) and I_x(a, b), where the rest is 1 - x."""
    small = x < rest
    share = np.where(small, special.betainc(a, b, x), special.betaincc(b, a, rest))
    return np.where(small, special.betaincc(a, b, x), special.betainc(b, a, rest)), share
