"""Quantile and distribution functions of standard univariate laws, to the last digits of both ends.

A probability u comes with its complement s = 1 - u, so that neither end is rounded away: the
quantile at s = 1e-300 is as good as the one at u = 1e-300. Everything is float64 and NumPy; call
inside ``np.errstate(all="ignore")``, for where one end is computed the other overflows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class StandardLaw:
    """A law without location and scale.

    Args:
        key: What makes two standard laws equal: the family's name and its shape parameters.
        quantile: Maps u and 1 - u to the quantile.
        tails: Maps a point to P(x <= z) and P(x > z).

    Example:
        >>> law = normal()
        >>> round(float(law.quantile(np.float64(0.975), np.float64(0.025))), 4)
        1.96
        >>> [round(float(tail), 4) for tail in law.tails(np.float64(1.0))]
        [0.8413, 0.1587]
    """

    key: tuple[object, ...]
    quantile: Callable[[Array, Array], Array]
    tails: Callable[[Array], Pair]


def normal() -> StandardLaw:
    """Return N(0, 1)."""
    return StandardLaw(
        ("normal",),
        lambda u, s: np.where(u < s, special.ndtri(u), -special.ndtri(s)),
        lambda z: (special.ndtr(z), special.ndtr(-z)),
    )


def half_normal() -> StandardLaw:
    """Return the law of |x|, x ~ N(0, 1)."""
    root = math.sqrt(2)
    return StandardLaw(
        ("half normal",),
        lambda u, s: np.where(u < s, root * special.erfinv(u), -special.ndtri(s / 2)),
        lambda z: _above(z, special.erf(z / root), special.erfc(z / root)),
    )


def uniform() -> StandardLaw:
    """Return the uniform law on [0, 1]."""
    return StandardLaw(("uniform",), lambda u, s: u + 0 * s, lambda z: _inside(z, z, 1 - z))


def laplace() -> StandardLaw:
    """Return the law of density exp(-|z|) / 2."""

    def tails(z: Array) -> Pair:
        outer = np.exp(-np.abs(z)) / 2
        return np.where(z < 0, outer, 1 - outer), np.where(z < 0, 1 - outer, outer)

    return StandardLaw(
        ("laplace",), lambda u, s: np.where(u < s, np.log(2 * u), -np.log(2 * s)), tails
    )


def gumbel() -> StandardLaw:
    """Return the law of distribution function exp(-exp(-z))."""
    return StandardLaw(
        ("gumbel",),
        lambda u, s: -np.log(np.where(u < s, -np.log(u), -np.log1p(-s))),
        lambda z: (np.exp(-np.exp(-z)), -np.expm1(-np.exp(-z))),
    )


def gamma(concentration: Array) -> StandardLaw:
    """Return the gamma law of rate 1; of concentration 1 it is the exponential one."""
    a = concentration
    if np.all(a == 1):
        return StandardLaw(
            _key("gamma", a),
            lambda u, s: np.where(u < s, -np.log1p(-u), -np.log(s)),
            lambda z: _above(z, -np.expm1(-z), np.exp(-z)),
        )
    return StandardLaw(
        _key("gamma", a),
        lambda u, s: np.where(u < s, special.gammaincinv(a, u), special.gammainccinv(a, s)),
        lambda z: _above(z, special.gammainc(a, _positive(z)), special.gammaincc(a, _positive(z))),
    )


def beta(one: Array, zero: Array) -> StandardLaw:
    """Return the beta law, of density proportional to x^(one - 1) (1 - x)^(zero - 1)."""

    def tails(z: Array) -> Pair:
        z = np.clip(z, 0, 1)
        return special.betainc(one, zero, z), special.betaincc(one, zero, z)

    return StandardLaw(_key("beta", one, zero), lambda u, s: _beta(one, zero, u, s), tails)


def fisher(d: Array, e: Array) -> StandardLaw:
    """Return the law of the ratio of two mean squares, of d and e degrees of freedom."""

    def quantile(u: Array, s: Array) -> Array:
        return e / d * _beta(d / 2, e / 2, u, s) / _beta(e / 2, d / 2, s, u)

    def tails(z: Array) -> Pair:
        share = _positive(z) * d / e
        x, rest = share / (1 + share), 1 / (1 + share)
        return special.betainc(d / 2, e / 2, x), special.betainc(e / 2, d / 2, rest)

    return StandardLaw(_key("fisher", d, e), quantile, tails)


def student(df: Array) -> StandardLaw:
    """Return Student's law; of one degree of freedom it is Cauchy's."""
    return StandardLaw(
        _key("student", df),
        lambda u, s: np.where(u < s, 1, -1) * _student(df, np.minimum(u, s)),
        lambda z: (_student_tail(df, z), _student_tail(df, -z)),
    )


def generalized_pareto(concentration: Array) -> StandardLaw:
    """Return the law of P(x > z) = (1 + c z)^(-1 / c), c not 0, where that is a probability."""
    c = concentration

    def tails(z: Array) -> Pair:
        log = -np.log1p(np.maximum(c * _positive(z), -1)) / c
        return -np.expm1(log), np.exp(log)

    return StandardLaw(
        _key("generalized pareto", c),
        lambda u, s: np.expm1(-c * np.where(u < s, np.log1p(-u), np.log(s))) / c,
        tails,
    )


def half_cauchy() -> StandardLaw:
    """Return the law of |x|, x Cauchy's."""
    return StandardLaw(
        ("half cauchy",),
        lambda u, s: np.where(u < s, np.tan(math.pi / 2 * u), 1 / np.tan(math.pi / 2 * s)),
        lambda z: _above(z, 2 / math.pi * np.arctan(z), 2 / math.pi * np.arctan2(1, z)),
    )


def kumaraswamy(one: Array, zero: Array) -> StandardLaw:
    """Return the law of distribution function 1 - (1 - x^one)^zero."""

    def quantile(u: Array, s: Array) -> Array:
        log = np.where(u < s, np.log1p(-u), np.log(s))
        return (-np.expm1(log / zero)) ** (1 / one)

    def tails(z: Array) -> Pair:
        log = zero * np.log1p(-(np.clip(z, 0, 1) ** one))
        return -np.expm1(log), np.exp(log)

    return StandardLaw(_key("kumaraswamy", one, zero), quantile, tails)


def _key(name: str, *shapes: Array) -> tuple[object, ...]:
    return (name, *(tuple(np.ravel(shape).tolist()) for shape in shapes))


def _positive(z: Array) -> Array:
    return np.maximum(z, 0)


def _above(z: Array, below: Array, above: Array) -> Pair:
    return np.where(z > 0, below, 0.0), np.where(z > 0, above, 1.0)


def _inside(z: Array, below: Array, above: Array) -> Pair:
    return np.clip(below + 0 * z, 0, 1), np.clip(above, 0, 1)


def _beta(one: Array, zero: Array, u: Array, s: Array) -> Array:
    # scipy's inverse of the complement fails at its far end; this one is small there.
    lower = _lower_beta(one, zero, np.minimum(u, 0.99))
    return np.where(u < 0.99, lower, 1 - _lower_beta(zero, one, np.minimum(s, 0.5)))


def _lower_beta(one: Array, zero: Array, u: Array) -> Array:
    # I_x is a power where x is small, where scipy's inverse may be NaN.
    power = np.exp((np.log(u) + np.log(one) + special.betaln(one, zero)) / one)
    far = power * (1 + zero) < 1e-16
    return np.where(far, power, special.betaincinv(one, zero, np.where(far, 0.5, u)))


def _student(df: Array, u: Array) -> Array:
    """Return the lower quantile, at u <= 1/2."""
    # P(t < -x) = I_w(df / 2, 1 / 2) / 2 with w = df / (df + x^2), and I_w is a power where w is
    # small: there scipy's functions run out of range.
    log_w = 2 / df * (np.log(u) + np.log(df) + special.betaln(df / 2, 0.5))
    far = log_w < -42
    power = -np.sqrt(df) * np.exp(-np.where(far, log_w, 0) / 2)
    return np.where(far, power, special.stdtrit(df, np.where(far, 0.25, u)))


def _student_tail(df: Array, z: Array) -> Array:
    """Return P(t <= z)."""
    log_w = np.log(df) - 2 * np.log(np.maximum(-z, 1e-300))
    power = np.exp(df / 2 * log_w - special.betaln(df / 2, 0.5)) / df
    return np.where((z < 0) & (log_w < -42), power, special.stdtr(df, z))
