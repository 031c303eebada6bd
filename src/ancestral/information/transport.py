"""The Wasserstein distance on the line, where optimal transport is to sort."""

import math

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor
from torch.distributions import Distribution

from ancestral.information.lines import END, Line, line, points
from ancestral.information.quadrature import integrate
from ancestral.information.quantity import Quantity, exact
from ancestral.information.standard_laws import Array, Pair
from ancestral.information.tables import check_simplex

_HALF = np.array([2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, END])
_EDGES = np.concatenate((-_HALF[::-1], [0.0], _HALF))
"""Log odds between which smooth quantile functions are cut."""
_NOISE, _ROUNDING = 1e-13, 4.5e-16
"""What quantiles may be off, of their distance to the location and of themselves."""
_FLAT = 1e-11
"""Powers that fall more slowly than this, in e-folds, have no integral."""


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


def wasserstein(
    p: Distribution | Tensor, q: Distribution | Tensor, *, order: float = 1.0
) -> Quantity:
    """Return the Wasserstein distance between two laws of a real number, from 1e-300 to 1e300.

    ``W = (integral_0^1 |F^-1(u) - G^-1(u)|^order du)^(1/order)``. Exact between laws of finitely
    many values, between laws that differ by a shift, and where it is infinite. Otherwise a
    numerical integral, whose error counts what the rules leave, what lies beyond their ends and
    what rounding may do to the quantiles; no gradient flows.

    Args:
        p: A law, batch shape []: of torch's, or a mixture, a transform or a custom one with a
            quantile or a distribution function; or points [N] of equal weights.
        q: Another.
        order: At least 1.

    Returns:
        The distance, in the data's unit, []; +inf where a moment that it needs is infinite. Where
        its power is finite but some quantile overflows, +inf with an infinite error.

    Raises:
        ValueError: If a law is batched or multivariate, points are not [N] and finite, order < 1,
            or a law has neither a quantile nor a distribution function.

    Example:
        >>> from torch.distributions import Bernoulli, Normal, StudentT
        >>> wasserstein(Bernoulli(torch.tensor(0.25)), Bernoulli(torch.tensor(0.75)))
        0.5 (exact)
        >>> p, q = Normal(torch.tensor(0.0).double(), 1.0), Normal(torch.tensor(3.0).double(), 5.0)
        >>> round(float(wasserstein(p, q, order=2)), 9)
        5.0
        >>> wasserstein(p, StudentT(2.0), order=2)
        inf (exact)
    """
    _check_order(order)
    with np.errstate(all="ignore"):  # Where one end is computed the other may overflow.
        lines = _line("p", p), _line("q", q)
        return _between_steps(*lines, order) or _between(*lines, order)


def _check_order(order: float) -> None:
    if not order >= 1:
        raise ValueError(f"order must be at least 1, got {order}")


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


def _line(name: str, law: Distribution | Tensor) -> Line:
    if isinstance(law, Tensor):
        if law.ndim != 1 or len(law) == 0 or not bool(law.isfinite().all()):
            raise ValueError(f"{name} must be finite points [N], N >= 1, got {list(law.shape)}")
        return points(law)
    if law.batch_shape or law.event_shape:
        shape = [*law.batch_shape, *law.event_shape]
        raise ValueError(f"{name} must be a law of one real number, got shape {shape}")
    try:
        return line(law)
    except NotImplementedError:
        raise ValueError(
            f"{name} must have a quantile or a distribution function, got {type(law).__name__}"
        ) from None


def _between_steps(p: Line, q: Line, order: float) -> Quantity | None:
    """Return the distance of two laws of steps, or None."""
    if p.points is None or q.points is None:
        return None
    (x, u), (y, v) = (map(torch.from_numpy, law.points) for law in (p, q) if law.points)
    value = wasserstein_of_samples(x, y, order=order, x_weights=u, y_weights=v)
    lost = p.lost + q.lost
    if not lost:
        return exact(value)
    reach = max((x[-1] - y[0]).abs(), (y[-1] - x[0]).abs())
    return Quantity(value, 2 * reach * lost ** (1 / order) + _NOISE * value, "estimate")


def _between(p: Line, q: Line, order: float) -> Quantity:
    if _same(p, q) and p.scale == q.scale:
        return exact(torch.tensor(abs(float(p.loc - q.loc)), dtype=torch.float64))
    gap = _Gap(p, q, order)
    tails = [gap.beyond(end) for end in gap.ends]
    total, error = (sum(parts) for parts in zip(*tails, strict=True))
    if total == math.inf:
        endless = torch.tensor(math.inf, dtype=torch.float64)
        known = error < math.inf  # No quantile overflowed; the integral has no bound.
        return exact(endless) if known else Quantity(endless, endless, "estimate")
    edges = np.concatenate((_EDGES, p.breaks, q.breaks)).clip(*gap.ends)
    (inner, noise), left = integrate(gap.power, np.unique(edges))
    total, error = total + inner, error + noise + left
    value = gap.unit * total ** (1 / order)
    error = gap.unit * (total + error) ** (1 / order) - value + _NOISE * value
    value, error = torch.tensor([value, error], dtype=torch.float64)
    return Quantity(value, error, "estimate")


class _Gap:
    """The power |F^-1 - G^-1|^order of two laws, in a unit that keeps it from overflow."""

    def __init__(self, p: Line, q: Line, order: float) -> None:
        self.p, self.q, self.order, self.unit = p, q, order, 1.0
        self.ends = max(p.ends[0], q.ends[0]), min(p.ends[1], q.ends[1])
        edges = _EDGES.clip(*self.ends)
        for part in (edges[np.abs(edges) <= 10], edges):
            sizes, _ = self.sizes(part)
            largest = float(np.where(np.isfinite(sizes), sizes, 0).max())
            if largest > 0:
                self.unit = largest
                break

    def sizes(self, y: Array) -> Pair:
        """Return |F^-1 - G^-1|, and how far rounding may take it, in units, [K]."""
        p, q = self.p, self.q
        if _same(p, q) and p.standard:
            spread = (p.scale - q.scale) * p.standard.quantile(expit(y), expit(-y))
            size, noise = np.abs(p.loc - q.loc + spread), _NOISE * np.abs(spread)
        else:
            a, b = p.quantile(y), q.quantile(y)
            size, noise = np.abs(a - b), _noise(p, a) + _noise(q, b)
        size = np.where(np.isfinite(size), size, np.inf)
        return size / self.unit, np.where(np.isfinite(noise), noise, 0) / self.unit

    def logs(self, y: Array) -> Pair:
        """Return the logarithms of the power du / dy, -inf below rounding, and of its bound."""
        size, noise = self.sizes(y)
        density = -np.abs(y) - 2 * np.log1p(np.exp(-np.abs(y)))
        seen = np.where(size > noise, size, 0)
        return self.order * np.log(seen) + density, self.order * np.log(size + noise) + density

    def power(self, y: Array) -> Array:
        """Return the power du / dy, and what rounding may add to it, [2, K]."""
        seen, most = (np.exp(log) for log in self.logs(y))
        return np.stack((seen, most - seen))

    def beyond(self, end: float) -> tuple[float, float]:
        """Return the integral beyond an end, and its error; (inf, 0) where it has no bound."""
        (log, before), (most, _) = self.logs(np.array([1, 0.9]) * end)
        if most == math.inf:
            return math.inf, math.inf
        noise = float((np.exp(most) - np.exp(log)) * abs(end))
        if log == -math.inf:
            return 0.0, noise
        slope = float(before - log) / (0.1 * abs(end))
        if slope < _FLAT:
            return math.inf, 0.0
        tail = float(np.exp(log)) / slope
        return tail, tail + noise


def _same(p: Line, q: Line) -> bool:
    """Whether two laws differ by location and scale alone."""
    return p.standard is not None and q.standard is not None and p.standard.key == q.standard.key


def _noise(law: Line, x: Array) -> Array:
    if law.points is not None:
        return np.zeros_like(x)
    return _NOISE * np.abs(x - law.loc) + _ROUNDING * np.abs(x)
