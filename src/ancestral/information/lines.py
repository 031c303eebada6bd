"""Quantile functions of univariate torch distributions, also of those that torch gives none.

Probabilities are written as log odds y = log(u / (1 - u)), so that both ends are resolved to
1e-300; laws of counts and samples are steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor
from torch import distributions as laws
from torch.distributions import AffineTransform, Distribution, TransformedDistribution

from ancestral.information import standard_laws as standard
from ancestral.information.count_tails import count_tails
from ancestral.information.counts import count_window, is_count
from ancestral.information.expectations import bounds
from ancestral.information.standard_laws import Array, Pair, StandardLaw

END = 690.0
"""Log odds of 1e-300, where quantile functions end."""
_ROUNDED = 36.0
_BREAKS = np.array([-36.0, -12.0, 0.0, 12.0, 36.0])


@dataclass(frozen=True, slots=True)
class Line:
    """A law of a real number by its quantile function.

    Args:
        quantile: Maps log odds [K] to quantiles [K, *B].
        tails: Maps points [K, *B] to P(x <= z) and P(x > z).
        breaks: Log odds where the quantile function may jump, ascending.
        ends: Log odds up to which the quantiles are good to the last digits.
        standard: The law without its location and scale, where it is such a law.
        loc: Its location; of a mixture the mean one.
        scale: Its scale.
        points: The values, ascending, and the probabilities of a law of steps; else None.
        lost: Probability of the values that are left out.
    """

    quantile: Callable[[Array], Array]
    tails: Callable[[Array], Pair]
    breaks: Array = field(default_factory=lambda: np.empty(0))
    ends: tuple[float, float] = (-END, END)
    standard: StandardLaw | None = None
    loc: Array | float = 0.0
    scale: Array | float = 1.0
    points: Pair | None = None
    lost: float = 0.0


def line(law: Distribution) -> Line:
    """Return the quantile function of a univariate law, [K, *B].

    Call inside ``np.errstate(all="ignore")``.

    Raises:
        NotImplementedError: If there is none, nor a distribution function to invert.
    """
    if isinstance(law, laws.Independent) and law.reinterpreted_batch_ndims == 0:
        return line(law.base_dist)
    for family in type(law).__mro__:
        if family in _STANDARD:
            return _moved(*_STANDARD[family](law))
    if is_count(law):
        x = count_window(law).reshape(-1)
        return steps(x.numpy(), *count_tails(law, x), lost=_lost(law, x))
    if isinstance(law, laws.MixtureSameFamily):
        return _mixture(law)
    if isinstance(law, TransformedDistribution):
        return _transformed(law)
    return _given(law)


def points(x: Tensor) -> Line:
    """Return the law of points [N] of equal weights."""
    ranks = np.arange(1, len(x) + 1)
    return steps(np.sort(numbers(x)), ranks / len(x), 1 - ranks / len(x))


def steps(values: Array, below: Array, above: Array, *, lost: float = 0.0) -> Line:
    """Return the law of values [N], ascending, from P(<= x) and P(> x) at each, [N]."""
    ends = np.maximum.accumulate(np.log(below[:-1]) - np.log(above[:-1]))

    def tails(z: Array) -> Pair:
        raise NotImplementedError

    weights = np.append(below[:-1], 1.0)
    return Line(
        lambda y: values[np.searchsorted(ends, y)],
        tails,
        breaks=ends[np.isfinite(ends)],
        points=(values, np.diff(weights, prepend=0.0).clip(0)),
        lost=lost,
    )


def _lost(law: Distribution, x: Tensor) -> float:
    """Return what the counts outside a window may weigh."""
    if isinstance(law, laws.Bernoulli | laws.Categorical):
        return 0.0
    low, high = (end.double() for end in bounds(law))
    return 0.0 if bool((high - low + 1 <= len(x)).all()) else 2 * math.exp(-60)


def _moved(law: StandardLaw, loc: Any, scale: Any) -> Line:  # noqa: ANN401 - a number or a tensor
    loc, scale = numbers(loc), numbers(scale)

    def tails(z: Array) -> Pair:
        return law.tails((z - loc) / scale)

    return Line(
        lambda y: loc + scale * law.quantile(*_shares(y, np.broadcast(loc, scale).shape)),
        tails,
        standard=law,
        loc=loc,
        scale=scale,
    )


def numbers(x: Tensor | Array | float) -> Array:
    """Return a parameter in float64, on the host: quantile functions are scipy's."""
    host = x.detach().cpu().numpy() if isinstance(x, Tensor) else x
    return np.asarray(host, dtype=np.float64)


def _shares(y: Array, batch: tuple[int, ...]) -> Pair:
    y = y.reshape(-1, *[1] * len(batch))
    return expit(y), expit(-y)


_Parts = tuple[StandardLaw, Any, Any]
_STANDARD: dict[type, Callable[[Any], _Parts]] = {
    laws.Normal: lambda p: (standard.normal(), p.loc, p.scale),
    laws.HalfNormal: lambda p: (standard.half_normal(), 0, p.scale),
    laws.Uniform: lambda p: (standard.uniform(), p.low, numbers(p.high) - numbers(p.low)),
    laws.Laplace: lambda p: (standard.laplace(), p.loc, p.scale),
    laws.Gumbel: lambda p: (standard.gumbel(), p.loc, p.scale),
    laws.Exponential: lambda p: (standard.gamma(np.ones(())), 0, 1 / numbers(p.rate)),
    laws.Gamma: lambda p: (standard.gamma(numbers(p.concentration)), 0, 1 / numbers(p.rate)),
    laws.Beta: lambda p: (
        standard.beta(numbers(p.concentration1), numbers(p.concentration0)),
        0,
        1,
    ),
    laws.Kumaraswamy: lambda p: (
        standard.kumaraswamy(numbers(p.concentration1), numbers(p.concentration0)),
        0,
        1,
    ),
    laws.FisherSnedecor: lambda p: (standard.fisher(numbers(p.df1), numbers(p.df2)), 0, 1),
    laws.StudentT: lambda p: (standard.student(numbers(p.df)), p.loc, p.scale),
    laws.Cauchy: lambda p: (standard.student(np.ones(())), p.loc, p.scale),
    laws.HalfCauchy: lambda p: (standard.half_cauchy(), 0, p.scale),
    laws.GeneralizedPareto: lambda p: (
        standard.generalized_pareto(numbers(p.concentration)),
        p.loc,
        p.scale,
    ),
}


def _mixture(law: laws.MixtureSameFamily) -> Line:
    weights = numbers(law.mixture_distribution.probs)
    parts = law.component_distribution
    if is_count(parts):
        x = count_window(parts)
        x = torch.arange(float(x.min()), float(x.max()) + 1, dtype=torch.float64)
        below, above = count_tails(parts, x[:, None])
        return steps(x.numpy(), below @ weights, above @ weights, lost=_lost(parts, x))
    part = line(parts)

    def tails(z: Array) -> Pair:
        below, above = part.tails(z[..., None])
        return below @ weights, above @ weights

    def quantile(y: Array) -> Array:
        # Between the least and the greatest quantile of the parts.
        found = part.quantile(y)[..., weights > 0]
        return invert(tails, y, found.min(axis=-1), found.max(axis=-1))

    below, above = tails(part.quantile(_BREAKS)[..., weights > 0].ravel())
    breaks = np.sort(np.log(below) - np.log(above))
    # Where a part ends and the next begins, the quantile function may jump.
    loc = float(np.broadcast_to(part.loc, weights.shape) @ weights)
    return Line(quantile, tails, breaks=breaks[np.isfinite(breaks)], ends=part.ends, loc=loc)


def invert(tails: Callable[[Array], Pair], y: Array, low: Array, high: Array) -> Array:
    """Return the least float64 in [low, high] where the log odds of a law reach y, [K].

    Bisection over the floats in their order, so that 64 steps end at neighbours at any scale.
    """
    below, above = _ordered(low), _ordered(high)
    for _ in range(64):
        # The mean of two int64 that may be far apart.
        middle = (below >> 1) + (above >> 1) + (below & above & 1)
        u, s = tails(_unordered(middle))
        reached = np.where(y < 0, u >= expit(y), s <= expit(-y))
        below, above = np.where(reached, below, middle), np.where(reached, middle, above)
    return _unordered(above)


def _ordered(x: Array) -> Any:  # noqa: ANN401 - int64
    bits = (np.asarray(x, dtype=np.float64) + 0.0).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _unordered(rank: Any) -> Array:  # noqa: ANN401 - int64
    return np.where(rank < 0, np.int64(-(2**63)) - rank, rank).view(np.float64)


def _transformed(law: TransformedDistribution) -> Line:
    base = line(law.base_dist)
    moved = _affine(law, base)
    if moved is not None:
        return moved
    signs = [_sign(move) for move in law.transforms]
    sign = math.prod(signs)

    def quantile(y: Array) -> Array:
        x = torch.from_numpy(np.ascontiguousarray(base.quantile(sign * y)))
        for move in law.transforms:
            x = torch.as_tensor(move(x))
        return numbers(x)

    def tails(z: Array) -> Pair:
        x = torch.from_numpy(np.ascontiguousarray(z))
        for move in reversed(law.transforms):
            x = torch.as_tensor(move.inv(x))
        below, above = base.tails(numbers(x))
        return (below, above) if sign > 0 else (above, below)

    low, high = base.ends if sign > 0 else (-base.ends[1], -base.ends[0])
    if isinstance(law.base_dist, laws.Uniform):
        # Numbers near 1 have lost their distance to it, which the transforms may stretch.
        low, high = (low, _ROUNDED) if sign > 0 else (-_ROUNDED, high)
    return Line(quantile, tails, breaks=np.sort(sign * base.breaks), ends=(low, high))


def _affine(law: TransformedDistribution, base: Line) -> Line | None:
    """Return a law of location and scale moved and stretched, which is one too."""
    if base.standard is None:
        return None
    loc, scale = numbers(base.loc), numbers(base.scale)
    for move in law.transforms:
        if not isinstance(move, AffineTransform):
            return None
        factor = numbers(move.scale)
        loc, scale = numbers(move.loc) + factor * loc, factor * scale
    return _moved(base.standard, loc, scale) if bool(np.all(scale > 0)) else None


def _sign(move: Any) -> int:  # noqa: ANN401 - a transform
    sign = np.unique(numbers(move.sign))
    if len(sign) != 1:
        raise NotImplementedError
    return int(sign[0])


def _given(law: Distribution) -> Line:
    """Return what torch itself has: a quantile function, or a distribution function to invert."""
    low, high = (end.numpy() for end in bounds(law))

    def tails(z: Array) -> Pair:
        inside = np.clip(z, max(low + 0.0, -1e308) + 1e-300, min(high, 1e308))
        below = numbers(law.cdf(torch.from_numpy(inside)))
        below = np.where(z <= low, 0.0, np.where(z >= high, 1.0, below))
        return below, 1 - below

    def quantile(y: Array) -> Array:
        try:
            return numbers(law.icdf(torch.from_numpy(expit(y))))
        except NotImplementedError:
            floor, ceiling = max(low + 0.0, -1.7e308), min(high, 1.7e308)
            return invert(tails, y, np.full_like(y, floor), np.full_like(y, ceiling))

    quantile(np.zeros(1))  # Says now if there is neither.
    return Line(quantile, tails, ends=(-END, _ROUNDED))
