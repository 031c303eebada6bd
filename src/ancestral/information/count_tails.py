"""Distribution functions of counts, good to the last digits at both ends."""

import numpy as np
from scipy import special
from torch import Tensor
from torch.distributions import Bernoulli, Binomial, Categorical, Distribution, Poisson

from ancestral.information.counts import log_mass, trials
from ancestral.information.standard_laws import Array, Pair


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


def _shares(a: Array, b: Array, x: Array, rest: Array) -> Pair:
    """Return 1 - I_x(a, b) and I_x(a, b), where the rest is 1 - x."""
    small = x < rest
    share = np.where(small, special.betainc(a, b, x), special.betaincc(b, a, rest))
    return np.where(small, special.betaincc(a, b, x), special.betainc(b, a, rest)), share
