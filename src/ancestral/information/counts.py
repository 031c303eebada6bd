"""Laws of counts: masses without clamps, and sums over all counts that weigh anything.

torch clamps probabilities away from 0 and 1; here they may be 0 and 1. A law with infinitely many
counts is summed over those between two bounds; by Chernoff what lies outside weighs less than 2
exp(-60), below what float64 keeps. Such a sum is an estimate with its rounding as the error.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Binomial,
    Categorical,
    Distribution,
    Geometric,
    NegativeBinomial,
    Poisson,
)
from torch.nn.functional import logsigmoid

from ancestral.information.densities import nonnegative
from ancestral.information.quantity import Quantity, exact

_EXPONENT = 60.0
_MOST = 4_000_000
_FINITE = Bernoulli | Binomial | Categorical
_INFINITE = Geometric | NegativeBinomial | Poisson


def is_count(p: Distribution) -> bool:
    """Whether a law is one of counts that this module knows."""
    return isinstance(p, _FINITE | _INFINITE)


def log_mass(p: Distribution, x: Tensor) -> Tensor:
    """Return log P(x) of whole numbers x [*S, *B], float64; -inf where there are none.

    Raises:
        NotImplementedError: If the law is not one of counts.
    """
    x = x.double()
    if isinstance(p, Categorical):
        log_p = _categorical(p)
        shape = torch.broadcast_shapes(x.shape, log_p.shape[:-1])
        state = x.clamp(0, log_p.shape[-1] - 1).long().expand(shape)
        value = log_p.expand(*shape, -1).gather(-1, state[..., None])[..., 0]
        return value.masked_fill((x < 0) | (x >= log_p.shape[-1]), -math.inf)
    if isinstance(p, Poisson):
        rate = p.rate.double()
        value = torch.xlogy(x, rate) - rate - torch.lgamma(x + 1)
        return value.masked_fill(x < 0, -math.inf)
    total, log_one, log_zero = trials(p)
    if isinstance(p, Bernoulli | Binomial):
        rest = total - x
        ways = torch.lgamma(total + 1) - torch.lgamma(x + 1) - torch.lgamma(rest + 1)
        value = ways + _times(x, log_one) + _times(rest, log_zero)
        return value.masked_fill((x < 0) | (rest < 0), -math.inf)
    # The number of ones before the r-th zero.
    ways = torch.where(x > 0, torch.lgamma(total + x) - torch.lgamma(total), 0.0)
    value = ways - torch.lgamma(x + 1) + _times(x, log_one) + _times(total, log_zero)
    return value.masked_fill((x < 0) | ((total == 0) & (x > 0)), -math.inf)


def count_entropy(p: Distribution) -> Quantity:
    """Return the entropy in nats, [*B].

    Raises:
        NotImplementedError: If the law is not one of counts, or has too many of them.
    """
    if isinstance(p, Geometric):
        _, log_one, log_zero = trials(p)
        odds = (log_one - log_zero).exp()
        return exact((-_times(odds, log_one) - log_zero + 0.0).to(p.mean.dtype))
    x, whole = _window(p)
    log_p = log_mass(p, x)
    return _sum(p, x, log_p, -log_p, whole=whole)


def count_kl(p: Distribution, q: Distribution) -> Quantity:
    """Return KL(p || q) in nats, [*B].

    Raises:
        NotImplementedError: If a law is not one of counts, or p has too many of them.
    """
    if not (is_count(p) and is_count(q)):
        raise NotImplementedError
    closed = _closed(p, q)
    if closed is not None:
        return exact(nonnegative(closed, closed.new_ones(())).to(p.mean.dtype))
    x, whole = _window(p)
    log_p = log_mass(p, x)
    terms = log_p - log_mass(q, x)
    if isinstance(p, _INFINITE) and isinstance(q, _FINITE):
        # Some count that q lacks is possible, unless 0 is p's only one.
        shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
        endless = (_mean(p) > 0).expand(shape)
        finite = _sum(p, x, log_p, terms, whole=True)
        return exact(torch.where(endless, math.inf, finite.value))
    found = _sum(p, x, log_p, terms, whole=whole)
    size = 1e3 * found.se.double().nan_to_num(0, 0) + 1e-5
    return Quantity(nonnegative(found.value, size), found.se, found.kind)


def count_window(p: Distribution) -> Tensor:
    """Return the counts of a law that weigh anything, [K, *B], float64.

    Raises:
        NotImplementedError: If the law is not one of counts, or has too many of them.
    """
    return _window(p)[0]


def _closed(p: Distribution, q: Distribution) -> Tensor | None:
    if isinstance(p, Poisson) and isinstance(q, Poisson):
        r, s = p.rate.double(), q.rate.double()
        ratio = torch.where(r > 0, (r / s).log(), 0.0)
        return _times(r, ratio) - r + s
    if isinstance(p, Categorical) or isinstance(q, Categorical) or Poisson in (type(p), type(q)):
        return None
    total, log_one, log_zero = trials(p)
    other, other_one, other_zero = trials(q)
    if isinstance(p, Bernoulli | Binomial) != isinstance(q, Bernoulli | Binomial):
        return None
    if not bool((total == other).all()):
        return None
    gaps = _gap(log_one, other_one), _gap(log_zero, other_zero)
    if isinstance(p, Bernoulli | Binomial):
        return total * (_times(log_one.exp(), gaps[0]) + _times(log_zero.exp(), gaps[1]))
    ones = torch.where(log_one > -math.inf, (log_one - log_zero).exp(), 0.0)
    return total * (_times(ones, gaps[0]) + gaps[1])


def _gap(mine: Tensor, other: Tensor) -> Tensor:
    return (mine - other).where(mine > -math.inf, 0.0)


def _times(x: Tensor, log: Tensor) -> Tensor:
    """Return x log p, 0 where x is 0."""
    return torch.where(x == 0, 0.0, x * log)


def trials(p: Any) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401 - one of four classes
    """Return how many trials, or zeros to wait for, and log P of a one and a zero; float64."""
    if "probs" in vars(p):
        probs = p.probs.double()
        one, zero = probs.log(), torch.log1p(-probs)
    else:
        logits = p.logits.double()
        one, zero = logsigmoid(logits), logsigmoid(-logits)
    if isinstance(p, Geometric):  # Zeros before the first one.
        one, zero = zero, one
    return getattr(p, "total_count", torch.ones_like(one)) * torch.ones_like(one), one, zero


def _mean(p: Distribution) -> Tensor:
    if isinstance(p, Poisson):
        return p.rate.double()
    total, log_one, log_zero = trials(p)
    return total * (log_one if isinstance(p, _FINITE) else log_one - log_zero).exp()


def _categorical(p: Categorical) -> Tensor:
    return p.probs.double().log() if "probs" in vars(p) else p.logits.double()


def _window(p: Distribution) -> tuple[Tensor, bool]:
    """Return the counts that weigh anything, [K, *B], and whether they are all."""
    if isinstance(p, Categorical):
        return _counts(
            torch.zeros(p.batch_shape), torch.full(p.batch_shape, _categorical(p).shape[-1])
        ), True
    if not is_count(p):
        raise NotImplementedError
    mean = _mean(p)
    total = mean if isinstance(p, Poisson) else trials(p)[0]
    top = total if isinstance(p, _FINITE) else torch.full_like(mean, math.inf)
    if float(top.max()) * max(1, top.numel()) < _MOST:
        return _counts(torch.zeros_like(mean), top + 1), True
    if not bool(mean.isfinite().all()):
        raise NotImplementedError
    rate, width = _exponent(p, mean, total), 1 + mean
    while bool(((rate((mean + width).minimum(top)) < _EXPONENT) & (mean + width < top)).any()):
        width = 2 * width
    upper = _bisect(rate, mean, (mean + width).minimum(top))
    first = _bisect(rate, mean, torch.zeros_like(mean)).floor()
    return _counts(first, upper.ceil() - first + 1), False


def _exponent(p: Distribution, mean: Tensor, total: Tensor) -> Callable[[Tensor], Tensor]:
    """Return I(k) of Chernoff's P(x >= k) <= exp(-I(k)) above the mean, P(x <= k) below it."""

    def rate(k: Tensor) -> Tensor:
        own = torch.xlogy(k, k / mean.clamp(min=1e-300))
        if isinstance(p, Poisson):
            return own - k + mean
        if isinstance(p, _FINITE):
            rest = total - k
            return own + torch.xlogy(rest, rest / (total - mean).clamp(min=1e-300))
        return own - torch.xlogy(k + total, (k + total) / (mean + total).clamp(min=1e-300))

    return rate


def _bisect(rate: Callable[[Tensor], Tensor], near: Tensor, far: Tensor) -> Tensor:
    """Return the count nearest to the mean where the exponent is reached, or the far end."""
    for _ in range(64):
        middle = (near + far) / 2
        enough = rate(middle) >= _EXPONENT
        near, far = torch.where(enough, near, middle), torch.where(enough, middle, far)
    return far


def _counts(first: Tensor, many: Tensor) -> Tensor:
    size = int(many.max()) if many.numel() else 1
    if size * max(1, first.numel()) > _MOST:
        raise NotImplementedError
    steps = torch.arange(size, dtype=torch.float64)
    return steps.reshape(-1, *[1] * first.ndim) + first


def _sum(p: Distribution, x: Tensor, log_p: Tensor, terms: Tensor, *, whole: bool) -> Quantity:
    """Return sum P(x) t(x) over the first axis, and what rounding may have done to it."""
    masses = log_p.exp()
    value = (masses * terms.masked_fill(log_p == -math.inf, 0)).sum(dim=0)
    dtype = p.probs.dtype if isinstance(p, Categorical) else p.mean.dtype
    if whole:
        return exact(value.to(dtype))
    # Both logarithms are differences of numbers as large as log x!.
    size = torch.lgamma(x.clamp(min=0) + 1) + log_p.abs().nan_to_num(posinf=0)
    error = torch.finfo(torch.float64).eps * (masses * (size + 1)).sum(dim=0)
    error = error + torch.finfo(dtype).eps * value.abs() * (dtype != torch.float64)
    error = torch.where(value.isfinite(), error.expand(value.shape), 0.0)
    return Quantity(value.to(dtype), error.to(dtype), "estimate")
