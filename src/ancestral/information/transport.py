"""The Wasserstein distance on the line, where optimal transport is to sort."""

import contextlib
import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import elementwise
from torch import Generator, Tensor
from torch.distributions import Distribution

from ancestral.information.integrals import count_table, integrate
from ancestral.information.laws import bounds
from ancestral.information.quantity import Quantity, draw, exact
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
    so the integral is a sum over the N + M places where one of them jumps, x [N] or y [M]. Weights
    are probabilities of the points, equal if None.

    Source: Peyré & Cuturi 2019, Computational Optimal Transport, arXiv:1803.00567, rem. 2.30.

    Raises:
        ValueError: If a set is empty or not finite [N], weights are off the simplex, or order < 1.

    Example:
        >>> wasserstein_of_samples(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0, 2.0])).item()
        0.5
    """
    if not order >= 1:
        raise ValueError(f"order must be at least 1, got {order}")
    return _between_steps(_Steps("x", x, x_weights), _Steps("y", y, y_weights), order)


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
        >>> wasserstein(Normal(0.0, 1.0), Cauchy(0.0, 1.0))
        inf (exact)
    """
    if not order >= 1:
        raise ValueError(f"order must be at least 1, got {order}")
    first, second = _quantiles("p", p), _quantiles("q", q)
    if not (isinstance(first, _Steps) and isinstance(second, _Steps)):
        return _between(first, second, order)
    value = _between_steps(first, second, order)
    missing = first.missing + second.missing
    if not missing:
        return exact(value)
    ends = torch.cat((first.x, second.x)).aminmax()
    error = 2 * (ends.max - ends.min) * missing ** (1 / order) + 1e-13 * value
    return Quantity(value, error, "quadrature")


class _Steps:
    """A law of finitely many values: points in order, and their weights summed up."""

    def __init__(
        self, name: str, x: Tensor, weights: Tensor | None = None, missing: float = 0.0
    ) -> None:
        if x.ndim != 1 or len(x) == 0 or not bool(x.isfinite().all()):
            raise ValueError(f"{name} must be finite points [N], N >= 1, got {list(x.shape)}")
        self.x, order = x.to(torch.float64).sort()
        if weights is None:
            weights = torch.full_like(self.x, 1 / len(x))
        elif weights.shape != x.shape:
            raise ValueError(f"{name}_weights must be {list(x.shape)}, got {list(weights.shape)}")
        ends = check_simplex(weights)[order].to(torch.float64).cumsum(dim=0)
        self.ends, self.missing = ends / ends[-1], missing

    def quantile(self, u: Tensor) -> Tensor:
        return self.x[torch.searchsorted(self.ends, u).clamp(max=len(self.x) - 1)]


class _Smooth:
    """A law with torch's quantile function, or its distribution function solved for it."""

    def __init__(self, name: str, law: Distribution) -> None:
        if law.batch_shape or law.event_shape:
            shape = [*law.batch_shape, *law.event_shape]
            raise ValueError(f"{name} must be a law of one real number, got shape {shape}")
        self.law = law
        try:
            self.quantile(torch.tensor([0.5], dtype=torch.float64))
        except NotImplementedError:
            raise ValueError(
                f"{name} must have a quantile or a distribution function, got "
                f"{type(law).__name__}: give draws of it"
            ) from None

    def quantile(self, u: Tensor) -> Tensor:
        with contextlib.suppress(NotImplementedError):
            return self.law.icdf(u).double()

        def gap(x: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
            return self.cdf(torch.from_numpy(x)).numpy() - u

        low, high = (end.item() for end in bounds(self.law))
        inside = draw(self.law, 100, Generator().manual_seed(0)).double().aminmax()
        given = {"xmin": low, "xmax": high, "args": (u.numpy(),)}
        around = elementwise.bracket_root(gap, inside.min.item(), inside.max.item(), **given)
        return torch.from_numpy(elementwise.find_root(gap, around.bracket, args=(u.numpy(),)).x)

    def cdf(self, x: Tensor) -> Tensor:
        low, high = bounds(self.law)
        inner = x.clamp(low, high)  # torch refuses points outside the support.
        return self.law.cdf(inner).double().masked_fill(x < low, 0).masked_fill(x >= high, 1)


def _quantiles(name: str, law: Distribution | Tensor) -> _Steps | _Smooth:
    if isinstance(law, Tensor):
        return _Steps(name, law)
    try:
        return _Steps(name, *count_table(law))
    except NotImplementedError:
        return _Smooth(name, law)


def _between_steps(p: _Steps, q: _Steps, order: float) -> Tensor:
    ends = torch.cat((p.ends, q.ends)).sort().values
    widths = ends.diff(prepend=ends.new_zeros(1))
    # The middle of each interval: rounding cannot push it past a jump.
    middles = ends - widths / 2
    gaps = (p.quantile(middles) - q.quantile(middles)).abs()
    unit = gaps.max()  # A high power of the gaps themselves may overflow.
    return unit * (widths * (gaps / unit) ** order).sum() ** (1 / order) if unit else unit


@torch.no_grad()
def _between(p: _Steps | _Smooth, q: _Steps | _Smooth, order: float) -> Quantity:
    def gap(v: Tensor) -> Tensor:
        return (p.quantile(torch.sigmoid(v)) - q.quantile(torch.sigmoid(v))).abs()

    unit = gap(torch.linspace(-3, 3, 25, dtype=torch.float64)).max() or 1.0

    def f(v: NDArray[np.float64]) -> NDArray[np.float64]:
        at = torch.from_numpy(v)
        return ((gap(at) / unit) ** order * (torch.sigmoid(at) * torch.sigmoid(-at))).numpy()

    far, near = torch.from_numpy(f(np.array([-1.0, 1.0, -0.5, 0.5]) * _REACH)).split(2)
    # Beyond the last quantile what does not fall off has no bound, and what does leaves a tail.
    if bool(((far > 0.9 * near) & (far > 1e-12)).any()):
        return exact(torch.tensor(math.inf, dtype=torch.float64))
    tails = (far * _REACH / 2 / (near / far).clamp(min=1.1).log()).nan_to_num(0).sum()
    middle = torch.tensor([-_REACH, -20, -8, -3, 0, 3, 8, 20, _REACH], dtype=torch.float64)
    cuts = torch.cat((*_jumps(p, q), *_jumps(q, p), middle)).unique()
    value, error = integrate(f, cuts[cuts.abs() <= _REACH].numpy(), 1e-8)
    root = unit * (value + tails) ** (1 / order)
    error = unit * (value + error + 2 * tails) ** (1 / order) - root + 1e-13 * root
    return Quantity(root, error, "quadrature")


def _jumps(p: _Steps | _Smooth, q: _Steps | _Smooth) -> list[Tensor]:
    """Return the log odds where steps jump, and where the other law crosses them."""
    if not isinstance(p, _Steps):
        return []
    jumps = [torch.logit(p.ends[:-1])]
    with contextlib.suppress(NotImplementedError):
        return [*jumps, torch.logit(q.cdf(p.x))] if isinstance(q, _Smooth) else jumps
    return jumps
