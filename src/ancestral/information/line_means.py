"""Expectations of univariate laws by quadrature over their quantiles, instead of draws.

``E_p f(x)`` is the integral of f(F^-1(u)) over (0, 1): smooth where f is, its ends resolved to
1e-300, and what grows there too fast is seen to have no bound.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import distributions as laws
from torch.distributions import Distribution

from ancestral.information.counts import is_count
from ancestral.information.lines import END, Line, line
from ancestral.information.quadrature import integrate
from ancestral.information.quantity import Quantity, exact, log_prob
from ancestral.information.standard_laws import Array

_HALF = np.array([1.0, 2.0, 4.0, 7.0, 12.0, 20.0, 40.0, 80.0, 160.0, 320.0, END])
_EDGES = np.concatenate((-_HALF[::-1], [0.0], _HALF))
_NOISE = 1e-13
_FLAT = 1e-11
_MOST = 64

Terms = Callable[[Tensor, Tensor], Tensor]


def line_mean(p: Distribution, f: Callable[[Distribution, Tensor], Tensor]) -> Quantity:
    """Return E_p f(p, x), [*B], with the error of the quadrature.

    Args:
        p: Univariate densities; f gets one of them at a time, in float64.
        f: Maps a law and points [K] to values [K].

    Raises:
        NotImplementedError: If p is not such a law, or has no quantile function.
    """
    found = [_mean(law, lambda x, law=law: f(law, x)[None], ()) for law in _elements(p)]
    return _gathered(found, p.batch_shape)


def line_integral(p: Distribution, q: Distribution, terms: Terms) -> Quantity:
    """Return the integral of t(p(x), q(x)) of univariate densities, [*B].

    As the mean over (p + q) / 2 of t / m, half over each: what only one of them covers is seen.

    Args:
        p: Densities.
        q: Others, of the same batch shape [*B].
        terms: Maps log p / m and log q / m, [K], to t / m, [K].

    Raises:
        NotImplementedError: As :func:`line_mean`.
    """
    found = []
    for a, b in zip(_elements(p), _elements(q), strict=True):

        def f(x: Tensor, a: Distribution = a, b: Distribution = b) -> Tensor:
            log_p, log_q = log_prob(a, x), log_prob(b, x)
            middle = torch.logaddexp(log_p, log_q) - math.log(2)
            # The last quantile may round to an end, where neither has a density.
            nowhere = middle == -math.inf
            log_p, log_q = (
                (log - middle).masked_fill(nowhere, -math.inf) for log in (log_p, log_q)
            )
            return torch.stack((terms(log_p, log_q), log_p.exp(), log_q.exp()))

        found.append(_half_means(a, b, f))
    return _gathered(found, p.batch_shape)


def _half_means(a: Distribution, b: Distribution, f: Callable[[Tensor], Tensor]) -> list[float]:
    with np.errstate(all="ignore"):
        lines = line(a), line(b)
        halves = [_quantile_mean(mine, f, other) for mine, other in (lines, lines[::-1])]
    value, error, size = (sum(half[i] for half in halves) / 2 for i in range(3))
    if not math.isfinite(value):
        return [value, 0.0]
    # Both densities have the integral 1: what is missing is missing from the terms too.
    missing = sum(abs(sum(half[i] for half in halves) / 2 - 1) for i in (3, 4))
    return [value, error + (missing + _NOISE) * (1 + 2 * size)]


def _mean(
    law: Distribution, f: Callable[[Tensor], Tensor], others: tuple[Line, ...]
) -> list[float]:
    with np.errstate(all="ignore"):
        value, error, size = _quantile_mean(line(law), f, *others)[:3]
    return [value, error + _NOISE * size if math.isfinite(value) else 0.0]


def _quantile_mean(law: Line, f: Callable[[Tensor], Tensor], *others: Line) -> list[float]:
    """Return the mean of f's first row, its error, the mean of its size, and of the other rows."""

    def weighed(y: Array) -> Array:
        values = f(torch.from_numpy(np.ascontiguousarray(law.quantile(y)))).double().numpy()
        density = np.exp(-np.abs(y) - 2 * np.log1p(np.exp(-np.abs(y))))
        values = np.concatenate((values[:1], np.abs(values[:1]), values[1:]))
        return np.where(values == 0, 0.0, values * density)

    edges = [_EDGES, law.breaks]
    for other in others:  # Where another law may be narrow.
        below, above = law.tails(other.quantile(_EDGES[2:-2]))
        edges.append(np.log(below) - np.log(above))
    cuts = np.concatenate(edges)
    cuts = np.unique(cuts[np.isfinite(cuts)].clip(*law.ends))
    total, error = integrate(weighed, cuts)
    value = float(total[0])
    for end in law.ends:
        tail, more = _beyond(weighed, end)
        value, error = value + tail, error + more
    return [value, error, *total[1:].tolist()]


def _beyond(weighed: Callable[[Array], Array], end: float) -> tuple[float, float]:
    """Return the integral beyond an end, and its error."""
    last, before = weighed(np.array([1, 0.9]) * end)[0].tolist()
    if not math.isfinite(last):
        return math.inf if math.isnan(last) else last, 0.0
    if last == 0:
        return 0.0, 0.0
    slope = math.log(abs(before / last)) / (0.1 * abs(end)) if before else -1.0
    if slope < _FLAT:
        return math.copysign(math.inf, last), 0.0
    return last / slope, abs(last / slope)


def _gathered(found: list[list[float]], shape: torch.Size) -> Quantity:
    value, error = torch.tensor(found, dtype=torch.float64).reshape(*shape, 2).unbind(-1)
    if bool((value.isinf() & (error == 0)).all()):
        return exact(value)
    return Quantity(value, error, "estimate")


def _elements(p: Distribution) -> list[Distribution]:
    """Return the laws of a batch one by one, in float64.

    Raises:
        NotImplementedError: If they are not univariate densities, or too many.
    """
    if p.event_shape or is_count(p) or p.batch_shape.numel() > _MOST:
        raise NotImplementedError
    return [_element(p, number) for number in range(p.batch_shape.numel())]


def _element(p: Any, number: int, keep: int = 0) -> Distribution:  # noqa: ANN401 - any law
    """Return one law of a batch, whose last axes are kept."""
    if isinstance(p, laws.MixtureSameFamily):
        weights, parts = p.mixture_distribution, p.component_distribution
        if is_count(parts):
            raise NotImplementedError
        probs = _row(weights.probs, weights.probs.shape, number, 1)
        mixed = laws.Categorical(probs, validate_args=False)
        return laws.MixtureSameFamily(mixed, _element(parts, number, 1), validate_args=False)
    if type(p) not in _PARAMETERS:
        if p.batch_shape.numel() > 1:
            raise NotImplementedError
        return p.expand([]) if p.batch_shape else p
    values = (_row(getattr(p, name), p.batch_shape, number, keep) for name in _PARAMETERS[type(p)])
    return type(p)(*values, validate_args=False)


def _row(x: Tensor | float, shape: torch.Size, number: int, keep: int) -> Tensor:
    x = torch.as_tensor(x).detach().double().expand(shape)
    return x.reshape(-1, *shape[len(shape) - keep :])[number]


_ONE, _TWO = ("scale",), ("loc", "scale")
_CONCENTRATIONS = ("concentration1", "concentration0")
_PARAMETERS: dict[type, tuple[str, ...]] = {
    laws.Beta: _CONCENTRATIONS,
    laws.Cauchy: _TWO,
    laws.Chi2: ("df",),
    laws.ContinuousBernoulli: ("probs",),
    laws.Exponential: ("rate",),
    laws.FisherSnedecor: ("df1", "df2"),
    laws.Gamma: ("concentration", "rate"),
    laws.GeneralizedPareto: ("loc", "scale", "concentration"),
    laws.Gumbel: _TWO,
    laws.HalfCauchy: _ONE,
    laws.HalfNormal: _ONE,
    laws.InverseGamma: ("concentration", "rate"),
    laws.Kumaraswamy: _CONCENTRATIONS,
    laws.Laplace: _TWO,
    laws.LogNormal: _TWO,
    laws.Normal: _TWO,
    laws.Pareto: ("scale", "alpha"),
    laws.StudentT: ("df", "loc", "scale"),
    laws.Uniform: ("low", "high"),
    laws.Weibull: ("scale", "concentration"),
}
"""Parameters in the order of the constructors."""
