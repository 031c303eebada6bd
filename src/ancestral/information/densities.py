"""E_p log q of univariate densities: the moments of p meet the form of log q.

A new law costs one function here, and its moments in :mod:`ancestral.information.families`.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch import distributions as laws
from torch.distributions import Distribution

from ancestral.information.expectations import Moments, bounds
from ancestral.information.families import moments

_Form: TypeAlias = Callable[[Any, Moments], Tensor]


def density_kl(p: Distribution, q: Distribution) -> Tensor:
    """Return KL(p || q) = E_p log p - E_p log q, [*B], in p's dtype; +inf where q does not cover p.

    Raises:
        NotImplementedError: If a moment that log q needs has no closed form, or is beyond float64.
    """
    form, known = _form(q), moments(p)
    (low, high), (floor, ceiling) = bounds(p), bounds(q)
    covered = (low >= floor) & (high <= ceiling)
    dtype = torch.promote_types(_dtype(p), _dtype(q))
    shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    if not bool(covered.any()):
        return torch.full(shape, math.inf, dtype=dtype)
    own = _own(p, known)
    value = (own - form(q, known)).expand(shape)
    value = torch.where(covered, value, math.inf)
    return nonnegative(value, own.abs() + 1).to(dtype)


def density_entropy(p: Distribution) -> Tensor:
    """Return the entropy, [*B], in nats: torch's, or its own form where torch has none.

    Raises:
        NotImplementedError: If there is neither.
    """
    if isinstance(p, laws.VonMises):
        k = p.concentration
        # i0e is i0 times exp(-k): large concentrations do not overflow.
        length = torch.special.i1e(k) / torch.special.i0e(k)
        value = (2 * math.pi * torch.special.i0e(k)).log() + k * (1 - length)
        return value.expand(p.batch_shape)
    return p.entropy()


def nonnegative(value: Tensor, size: Tensor) -> Tensor:
    """Return a divergence with its rounding errors below 0 taken away.

    Raises:
        NotImplementedError: If it is NaN or less by more than rounding of terms of this size: the
            closed form has lost its digits.
    """
    if bool((value.isnan() | (value < -1e-9 * size)).any()):
        raise NotImplementedError
    return value.clamp(min=0)


def _dtype(p: Distribution) -> torch.dtype:
    return getattr(p, next(iter(p.arg_constraints))).dtype


def _form(q: Distribution) -> _Form:
    for family in type(q).__mro__:
        if family in _FORMS:
            return _FORMS[family]
    raise NotImplementedError


def _own(p: Distribution, known: Moments) -> Tensor:
    try:  # The same moments and form as for q: a law is at 0 from itself, without rounding.
        return _form(p)(p, known)
    except NotImplementedError:
        return -p.entropy().double()


def _normal(q: laws.Normal, m: Moments) -> Tensor:
    scale = q.scale.double()
    return (
        -0.5 * math.log(2 * math.pi) - scale.log() - m.square(q.loc.double()) / (2 * scale.square())
    )


def _half_normal(q: laws.HalfNormal, m: Moments) -> Tensor:
    scale = q.scale.double()
    return 0.5 * math.log(2 / math.pi) - scale.log() - m.square(0.0) / (2 * scale.square())


def _log_normal(q: laws.LogNormal, m: Moments) -> Tensor:
    scale = q.scale.double()
    square = m.log_square(q.loc.double()) / (2 * scale.square())
    return -0.5 * math.log(2 * math.pi) - scale.log() - m.log() - square


def _exponential(q: laws.Exponential, m: Moments) -> Tensor:
    rate = q.rate.double()
    return rate.log() - rate * m.mean()


def _gamma(q: laws.Gamma, m: Moments) -> Tensor:
    a, b = q.concentration.double(), q.rate.double()
    return a * b.log() - torch.lgamma(a) + (a - 1) * m.log() - b * m.mean()


def _inverse_gamma(q: laws.InverseGamma, m: Moments) -> Tensor:
    a, b = q.concentration.double(), q.rate.double()
    return a * b.log() - torch.lgamma(a) - (a + 1) * m.log() - b * m.power(-torch.ones_like(b))


def _weibull(q: laws.Weibull, m: Moments) -> Tensor:
    k, scale = q.concentration.double(), q.scale.double()
    power = m.power(k) / scale.pow(k)
    return k.log() - k * scale.log() + (k - 1) * m.log() - power


def _pareto(q: laws.Pareto, m: Moments) -> Tensor:
    a = q.alpha.double()
    return a.log() + a * q.scale.double().log() - (a + 1) * m.log()


def _beta(q: laws.Beta, m: Moments) -> Tensor:
    a, b = q.concentration1.double(), q.concentration0.double()
    constant = torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)
    return constant + (a - 1) * m.log() + (b - 1) * m.log_complement(torch.ones_like(a))


def _kumaraswamy(q: laws.Kumaraswamy, m: Moments) -> Tensor:
    a, b = q.concentration1.double(), q.concentration0.double()
    return a.log() + b.log() + (a - 1) * m.log() + (b - 1) * m.log_complement(a)


def _uniform(q: laws.Uniform, m: Moments) -> Tensor:
    return -(q.high.double() - q.low.double()).log() + 0 * m.low.clamp(0, 0)


def _laplace(q: laws.Laplace, m: Moments) -> Tensor:
    scale = q.scale.double()
    return -(2 * scale).log() - m.distance(q.loc.double()) / scale


def _gumbel(q: laws.Gumbel, m: Moments) -> Tensor:
    loc, scale = q.loc.double(), q.scale.double()
    mean = m.mean()
    if bool((mean == math.inf).all()):
        return -mean + 0 * loc
    return -scale.log() - (mean - loc) / scale - m.exponential(-1 / scale, loc)


def _continuous_bernoulli(q: laws.ContinuousBernoulli, m: Moments) -> Tensor:
    return q.log_prob(torch.zeros_like(q.probs)).double() + q.logits.double() * m.mean()


def _cauchy(q: laws.Cauchy, m: Moments) -> Tensor:
    scale = q.scale.double()
    return -(math.pi * scale).log() - m.log_heavy(q.loc.double(), scale)


def _half_cauchy(q: laws.HalfCauchy, m: Moments) -> Tensor:
    scale = q.scale.double()
    return -(math.pi / 2 * scale).log() - m.log_heavy(0.0, scale)


def _student(q: laws.StudentT, m: Moments) -> Tensor:
    df, scale = q.df.double(), q.scale.double()
    constant = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - (math.pi * df).log() / 2
    heavy = m.log_heavy(q.loc.double(), scale * df.sqrt())
    return constant - scale.log() - (df + 1) / 2 * heavy


_FORMS: dict[type, _Form] = {
    laws.Beta: _beta,
    laws.Cauchy: _cauchy,
    laws.ContinuousBernoulli: _continuous_bernoulli,
    laws.Exponential: _exponential,
    laws.Gamma: _gamma,
    laws.Gumbel: _gumbel,
    laws.HalfCauchy: _half_cauchy,
    laws.HalfNormal: _half_normal,
    laws.InverseGamma: _inverse_gamma,
    laws.Kumaraswamy: _kumaraswamy,
    laws.Laplace: _laplace,
    laws.LogNormal: _log_normal,
    laws.Normal: _normal,
    laws.Pareto: _pareto,
    laws.StudentT: _student,
    laws.Uniform: _uniform,
    laws.Weibull: _weibull,
}
