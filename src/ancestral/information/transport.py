"""The Wasserstein distance on the line, where optimal transport is to sort."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from ancestral.information.integrals import count_table, integrate
from ancestral.information.laws import bounds
from ancestral.information.quantity import Quantity, exact
from ancestral.information.tables import check_simplex

_REACH = 30.0
"""Log odds of the last quantiles: nearer to 1 float64 has few numbers."""


def wasserstein_of_samples(
    x: Tensor,
    y: Tensor,
    *,
    order: float = 1.0,
    x_weights: Tensor | None = None,
    y_weights: Tensor | None = None,
) -> Tensor:
    """Return the exact Wasserstein distance between two weighted sets of points on the line.

    ``W = (integral_0^1 |F^-1(u) - G^-1(u)|^order du)^(1/order)``; the quantile functions are steps,
    so the integral is a sum over the N + M places where one of them jumps. The sizes may differ.
    (:func:`scipy.stats.wasserstein_distance` is the case of order 1.)

    Source: Peyré & Cuturi 2019, Computational Optimal Transport, arXiv:1803.00567, rem. 2.30.

    Args:
        x: Points, [N].
        y: Points, [M].
        order: At least 1.
        x_weights: Probabilities of the points, [N]; equal if None.
        y_weights: The same for y, [M].

    Returns:
        The distance, in the data's unit, [].

    Raises:
        ValueError: If a set is empty or not finite [N], weights are off the simplex, or order < 1.

    Example:
        >>> wasserstein_of_samples(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0, 2.0])).item()
        0.5
    """
    _check_order(order)
    p, q = _Steps.read("x", x, x_weights), _Steps.read("y", y, y_weights)
    ends = torch.cat((p.ends, q.ends)).sort().values
    widths = ends.diff(prepend=ends.new_zeros(1))
    # The middle of each interval: rounding cannot push it past a jump.
    middles = ends - widths / 2
    gaps = (p.quantile(middles) - q.quantile(middles)).abs()
    unit = gaps.max()  # A high power of the gaps themselves may overflow.
    if unit == 0:
        return unit
    return unit * (widths * (gaps / unit) ** order).sum() ** (1 / order)


def wasserstein(
    p: Distribution | Tensor, q: Distribution | Tensor, *, order: float = 1.0
) -> Quantity:
    """Return the Wasserstein distance between two laws of a real number.

    ``W = (integral_0^1 |F^-1(u) - G^-1(u)|^order du)^(1/order)``: exact between points and finite
    laws, otherwise a quadrature over the quantiles; no gradient flows.

    Args:
        p: A law, batch shape [], with torch's ``icdf`` or ``cdf``, or of counts; or points [N] of
            equal weights.
        q: Another.
        order: At least 1.

    Returns:
        The distance, in the data's unit, []; +inf where the integral has no bound.

    Raises:
        ValueError: If a law is batched or multivariate, points are not [N] and finite, order < 1,
            or a law has neither a quantile nor a distribution function: give draws of it.

    Example:
        >>> from torch.distributions import Bernoulli, Cauchy, Normal
        >>> wasserstein(Bernoulli(torch.tensor(0.25)), Bernoulli(torch.tensor(0.75)))
        0.5 (exact)
        >>> p, q = Normal(torch.tensor(0.0).double(), 1.0), Normal(torch.tensor(3.0).double(), 5.0)
        >>> round(float(wasserstein(p, q, order=2)), 9)
        5.0
        >>> wasserstein(p, Cauchy(0.0, 1.0))
        inf (exact)
    """
    _check_order(order)
    first, second = _quantiles("p", p), _quantiles("q", q)
    if isinstance(first, _Steps) and isinstance(second, _Steps):
        value = wasserstein_of_samples(
            first.x, second.x, order=order, x_weights=first.weights, y_weights=second.weights
        )
        missing = first.missing + second.missing
        if not missing:
            return exact(value)
        reach = torch.cat((first.x, second.x)).aminmax()
        error = 2 * (reach.max - reach.min) * missing ** (1 / order)
        return Quantity(value, error + 1e-13 * value, "quadrature")
    return _between(first, second, order)


@dataclass(frozen=True, slots=True)
class _Steps:
    """A law of finitely many values: points in order, their weights, and these summed up."""

    x: Tensor
    weights: Tensor
    ends: Tensor
    missing: float = 0.0

    @classmethod
    def read(cls, name: str, x: Tensor, weights: Tensor | None, missing: float = 0.0) -> "_Steps":
        if x.ndim != 1 or len(x) == 0 or not bool(x.isfinite().all()):
            raise ValueError(f"{name} must be finite points [N], N >= 1, got {list(x.shape)}")
        x, order = x.to(torch.float64).sort()
        if weights is None:
            weights = torch.full_like(x, 1 / len(x))
        elif weights.shape != x.shape:
            raise ValueError(f"{name}_weights must be {list(x.shape)}, got {list(weights.shape)}")
        weights = check_simplex(weights)[order].to(torch.float64)
        ends = weights.cumsum(dim=0)
        return cls(x, weights / ends[-1], ends / ends[-1], missing)

    def quantile(self, u: Tensor) -> Tensor:
        return self.x[torch.searchsorted(self.ends, u).clamp(max=len(self.x) - 1)]


@dataclass(frozen=True, slots=True)
class _Inverse:
    """A law with torch's quantile function, or its distribution function halved down to it."""

    law: Distribution

    def quantile(self, u: Tensor) -> Tensor:
        try:
            return self.law.icdf(u).double()
        except NotImplementedError:
            pass
        low, high = (end.expand(u.shape) for end in bounds(self.law))
        step = torch.ones_like(u)
        for _ in range(1100):  # Outwards until every quantile is between.
            below, above = low == -math.inf, high == math.inf
            if not bool((below | above).any()):
                break
            low = torch.where(below & (self.cdf(-step) < u), -step, low)
            high = torch.where(above & (self.cdf(step) >= u), step, high)
            step = 2 * step
        for _ in range(200):
            middle = low / 2 + high / 2
            if bool(((middle <= low) | (middle >= high)).all()):
                break
            under = self.cdf(middle) < u
            low, high = torch.where(under, middle, low), torch.where(under, high, middle)
        return high

    def cdf(self, x: Tensor) -> Tensor:
        low, high = bounds(self.law)
        inner = x.clamp(low, high)  # torch refuses points outside the support.
        return self.law.cdf(inner).double().masked_fill(x < low, 0).masked_fill(x >= high, 1)


def _check_order(order: float) -> None:
    if not order >= 1:
        raise ValueError(f"order must be at least 1, got {order}")


def _quantiles(name: str, law: Distribution | Tensor) -> _Steps | _Inverse:
    if isinstance(law, Tensor):
        return _Steps.read(name, law, None)
    if law.batch_shape or law.event_shape:
        shape = [*law.batch_shape, *law.event_shape]
        raise ValueError(f"{name} must be a law of one real number, got shape {shape}")
    try:
        return _Steps.read(name, *count_table(law))
    except NotImplementedError:
        pass
    inverse = _Inverse(law)
    try:
        inverse.quantile(torch.tensor([0.5], dtype=torch.float64))
    except NotImplementedError:
        raise ValueError(
            f"{name} must have a quantile or a distribution function, got {type(law).__name__}: "
            f"give draws of it"
        ) from None
    return inverse


@torch.no_grad()
def _between(p: _Steps | _Inverse, q: _Steps | _Inverse, order: float) -> Quantity:
    def gap(v: Tensor) -> Tensor:
        u = torch.sigmoid(v)
        return (p.quantile(u) - q.quantile(u)).abs()

    unit = gap(torch.linspace(-3, 3, 25, dtype=torch.float64)).max().clamp(min=1e-290)

    def f(v: NDArray[np.float64]) -> NDArray[np.float64]:
        at = torch.from_numpy(v)
        return ((gap(at) / unit) ** order * (torch.sigmoid(at) * torch.sigmoid(-at))).numpy()

    value, error = _integral(f, [*_jumps(p, q), *_jumps(q, p)])
    if value == math.inf:
        return exact(torch.tensor(math.inf, dtype=torch.float64))
    root = unit.item() * value ** (1 / order)
    error = unit.item() * (value + error) ** (1 / order) - root + 1e-13 * root
    value, error = torch.tensor([root, error], dtype=torch.float64)
    return Quantity(value, error, "quadrature")


def _jumps(p: _Steps | _Inverse, q: _Steps | _Inverse) -> list[Tensor]:
    """Return the log odds where steps jump, and where the other law crosses them."""
    if not isinstance(p, _Steps):
        return []
    found = [torch.logit(p.ends[:-1])]
    try:
        return [*found, torch.logit(q.cdf(p.x))] if isinstance(q, _Inverse) else found
    except NotImplementedError:
        return found


def _integral(
    f: Callable[[NDArray[np.float64]], NDArray[np.float64]], jumps: list[Tensor]
) -> tuple[float, float]:
    """Return the integral over the log odds, and its error; (inf, 0) where it has no bound."""
    tails = 0.0
    ends = f(np.array([-1.0, -0.5, 0.5, 1.0]) * _REACH).tolist()
    for far, near in (ends[:2], ends[:1:-1]):
        # Beyond the last quantile what does not fall off has no bound.
        if far > 0.9 * near and far > 1e-12:
            return math.inf, 0.0
        tails += far * _REACH / 2 / math.log(max(near / far, 1.1)) if far else 0.0
    middle = torch.tensor([-_REACH, -20, -8, -3, 0, 3, 8, 20, _REACH], dtype=torch.float64)
    cuts = torch.cat((*jumps, middle)).unique()
    value, error = integrate(f, cuts[cuts.abs() <= _REACH].numpy(), 1e-9)
    return float(value) + tails, float(error) + tails
