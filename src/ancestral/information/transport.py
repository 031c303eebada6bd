"""The Wasserstein distance on the line, where optimal transport is to sort."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from ancestral.information.quantity import Quantity, exact
from ancestral.information.tables import check_simplex

_NODES = 4097


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
        ValueError: If a set is empty or not [N], weights are off the simplex, or order < 1.

    Example:
        >>> wasserstein_of_samples(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0, 2.0])).item()
        0.5
    """
    _check_order(order)
    x, x_ends = _steps("x", x, x_weights)
    y, y_ends = _steps("y", y, y_weights)
    ends = torch.cat((x_ends, y_ends)).sort().values
    widths = ends.diff(prepend=ends.new_zeros(1))
    # The step that holds at the middle of each interval; rounding cannot push it past the last.
    middles = ends - widths / 2
    at_x = torch.searchsorted(x_ends, middles).clamp(max=len(x) - 1)
    at_y = torch.searchsorted(y_ends, middles).clamp(max=len(y) - 1)
    gaps = (x[at_x] - y[at_y]).abs()
    unit = gaps.max()  # A high power of the gaps themselves may overflow.
    if unit == 0:
        return unit
    return unit * (widths * (gaps / unit) ** order).sum() ** (1 / order)


def wasserstein(p: Distribution, q: Distribution, *, order: float = 1.0) -> Quantity:
    """Return the Wasserstein distance between two univariate laws.

    Exact between laws with finitely many values. Otherwise an integral over quantiles, or for
    order 1 over |F - G| where torch lacks a quantile function; its error is estimated by halving
    the nodes and by what the ends weigh; an infinite distance shows as an error of its own size.

    Args:
        p: A law of a real number, batch shape [].
        q: Another.
        order: At least 1.

    Raises:
        ValueError: If a law is batched or multivariate, order < 1, or a quantile function is
            missing and order > 1 or a distribution function is missing too.

    Example:
        >>> from torch.distributions import Bernoulli, Normal
        >>> wasserstein(Bernoulli(torch.tensor(0.25)), Bernoulli(torch.tensor(0.75)))
        0.5 (exact)
        >>> p, q = Normal(torch.tensor(0.0).double(), 1.0), Normal(torch.tensor(2.0).double(), 1.0)
        >>> round(float(wasserstein(p, q, order=2)), 9)
        2.0
    """
    _check_order(order)
    for name, law in (("p", p), ("q", q)):
        if law.batch_shape or law.event_shape:
            shape = [*law.batch_shape, *law.event_shape]
            raise ValueError(f"{name} must be a law of one real number, got shape {shape}")
    if p.has_enumerate_support and q.has_enumerate_support:
        x, y = p.enumerate_support(), q.enumerate_support()
        weights = [_masses(law, values) for law, values in ((p, x), (q, y))]
        value = wasserstein_of_samples(
            x, y, order=order, x_weights=weights[0], y_weights=weights[1]
        )
        return exact(value)
    try:
        return _by_quantiles(p, q, order)
    except NotImplementedError:
        if order != 1:
            raise ValueError(f"order must be 1 without quantile functions, got {order}") from None
    try:
        return _by_distribution_functions(p, q)
    except NotImplementedError:
        names = f"{type(p).__name__} and {type(q).__name__}"
        raise ValueError(f"a quantile or distribution function is missing: {names}") from None


def _check_order(order: float) -> None:
    if not order >= 1:
        raise ValueError(f"order must be at least 1, got {order}")


def _masses(law: Distribution, values: Tensor) -> Tensor:
    masses = law.log_prob(values).exp()
    return masses / masses.sum()  # torch clamps probabilities, off the simplex by rounding.


def _steps(name: str, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the points in order and the probability up to and including each."""
    if x.ndim != 1 or len(x) == 0:
        raise ValueError(f"{name} must be [N] with N >= 1, got shape {list(x.shape)}")
    x, order = x.to(torch.float64).sort()
    if weights is None:
        return x, torch.arange(1, len(x) + 1, dtype=torch.float64) / len(x)
    if weights.shape != x.shape:
        raise ValueError(f"{name}_weights must be {list(x.shape)}, got {list(weights.shape)}")
    ends = check_simplex(weights)[order].to(torch.float64).cumsum(dim=0)
    return x, ends / ends[-1]


def _by_quantiles(p: Distribution, q: Distribution, order: float) -> Quantity:
    # tanh-sinh: u = (1 + tanh(pi/2 sinh s)) / 2 makes ends where quantiles grow without bound
    # harmless (Takahasi & Mori 1974); s stops where u or 1 - u would round away.
    s = torch.linspace(-3.0, 3.0, _NODES, dtype=torch.float64)
    inner = math.pi / 2 * s.sinh()
    u = torch.sigmoid(2 * inner)
    density = math.pi / 4 * s.cosh() / inner.cosh().square()
    u = u.clamp(torch.finfo(torch.float64).tiny, 1 - 2**-53)
    gaps = (_quantile(p, u) - _quantile(q, u)).abs() ** order * density
    step = float(s[1] - s[0])
    fine, coarse = gaps.sum() * step, gaps[::2].sum() * 2 * step
    # What lies beyond the ends: nothing for light tails, all of it where the distance is infinite.
    return _root(fine, (fine - coarse).abs() + gaps[0] + gaps[-1], order)


def _quantile(law: Distribution, u: Tensor) -> Tensor:
    if not law.has_enumerate_support:
        return law.icdf(u).to(torch.float64)
    values = law.enumerate_support()
    values, ends = _steps("values", values, _masses(law, values))
    return values[torch.searchsorted(ends, u).clamp(max=len(values) - 1)]


def _by_distribution_functions(p: Distribution, q: Distribution) -> Quantity:
    low, high = (torch.tensor(end, dtype=torch.float64) for end in _bounds(p, q))
    x = torch.linspace(float(low), float(high), 16 * (_NODES - 1) + 1, dtype=torch.float64)
    gaps = (_cdf(p, x) - _cdf(q, x)).abs()
    fine, coarse = torch.trapezoid(gaps, x), torch.trapezoid(gaps[::2], x[::2])
    return _root(fine, (fine - coarse).abs(), 1.0)


def _root(power: Tensor, error: Tensor, order: float) -> Quantity:
    value = power ** (1 / order)
    return Quantity(value, (power + error) ** (1 / order) - value, "estimate")


def _cdf(law: Distribution, x: Tensor) -> Tensor:
    """Return the distribution function, 0 and 1 outside the support, where torch refuses."""
    low, high = (
        float(getattr(law.support, name, end))
        for name, end in (("lower_bound", -math.inf), ("upper_bound", math.inf))
    )
    values = law.cdf(x.clamp(low + 1e-300, high)).to(torch.float64)
    return values.masked_fill(x <= low, 0).masked_fill(x >= high, 1)


def _bounds(p: Distribution, q: Distribution, tail: float = 1e-12) -> tuple[float, float]:
    """Return an interval that holds both laws but for the tail."""
    ends = []
    for sign in (-1, 1):
        reach = 1.0
        while reach < 1e12 and max(_tail(law, sign * reach) for law in (p, q)) > tail:
            reach *= 1.5
        ends.append(sign * reach)
    return ends[0], ends[1]


def _tail(law: Distribution, end: float) -> float:
    below = float(_cdf(law, torch.tensor(end, dtype=torch.float64)))
    return below if end < 0 else 1 - below
