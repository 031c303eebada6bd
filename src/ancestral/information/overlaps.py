"""Closed forms of the integral of p^a q^(1 - a): chi-square, Hellinger and Rényi come from it."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch import distributions as laws
from torch.distributions import Distribution

from ancestral.information.counts import trials

_Form: TypeAlias = Callable[[Any, Any, float], Tensor]


def log_overlap(p: Distribution, q: Distribution, a: float) -> Tensor:
    """Return log of the integral of p^a q^(1 - a), [*B], float64; +inf where it has no bound.

    Laws of one exponential family only: there it is a difference of log-normalisers, finite where
    a times the natural parameters of p and 1 - a times those of q are such parameters again.

    Source: Nielsen & Nock 2014, On the chi square and higher-order chi distances for approximating
    f-divergences, arXiv:1309.3029, lemma 1.

    Raises:
        NotImplementedError: If there is no form for the pair.

    Example:
        >>> p, q = laws.Exponential(torch.tensor(1.0)), laws.Exponential(torch.tensor(2.0))
        >>> log_overlap(p, q, 2.0)
        tensor(inf, dtype=torch.float64)
    """
    if isinstance(p, laws.Independent) and isinstance(q, laws.Independent):
        count = p.reinterpreted_batch_ndims
        if count != q.reinterpreted_batch_ndims:
            raise NotImplementedError
        inner = log_overlap(p.base_dist, q.base_dist, a)
        return inner.sum(dim=tuple(range(-count, 0))) if count else inner
    for families, form in _FORMS:
        if isinstance(p, families) and isinstance(q, families):
            return form(p, q, a)
    raise NotImplementedError


def _mixed(p: Tensor, q: Tensor, a: float) -> Tensor:
    return a * p.double() + (1 - a) * q.double()


def _or_infinite(inside: Tensor, value: Tensor) -> Tensor:
    return torch.where(inside, value, math.inf)


def _normal(p: Any, q: Any, a: float) -> Tensor:  # noqa: ANN401 - normal or log-normal
    scale = q.scale.double()
    log_ratio = p.scale.double().log() - scale.log()
    gap = (p.loc.double() - q.loc.double()) / scale
    # The variance a q + (1 - a) p over that of q; a wide p may overflow it.
    spread = a + (1 - a) * (2 * log_ratio).exp()
    if a < 1:
        log_spread = torch.logaddexp(
            torch.full_like(log_ratio, math.log(a)), math.log(1 - a) + 2 * log_ratio
        )
    else:
        log_spread = spread.log()
    value = (1 - a) * log_ratio - log_spread / 2 - a * (1 - a) * gap.square() / (2 * spread)
    return _or_infinite(spread > 0, value)


def _multivariate_normal(
    p: laws.MultivariateNormal, q: laws.MultivariateNormal, a: float
) -> Tensor:
    spread = a * q.covariance_matrix.double() + (1 - a) * p.covariance_matrix.double()
    factor, failed = torch.linalg.cholesky_ex(spread)
    inside = failed == 0
    factor = torch.where(inside[..., None, None], factor, torch.eye(spread.shape[-1]).to(factor))
    gap = (p.loc - q.loc).double()[..., None]
    whitened = torch.linalg.solve_triangular(factor, gap, upper=False)[..., 0]
    logs = [_log_det(tril) for tril in (factor, p.scale_tril.double(), q.scale_tril.double())]
    value = (1 - a) * logs[1] + a * logs[2] - logs[0]
    return _or_infinite(inside, value - a * (1 - a) * whitened.square().sum(dim=-1) / 2)


def _log_det(tril: Tensor) -> Tensor:
    return tril.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)


def _gamma(p: Any, q: Any, a: float) -> Tensor:  # noqa: ANN401 - gamma or exponential
    mine, other = (getattr(law, "concentration", torch.ones_like(law.rate)) for law in (p, q))
    ratio = p.rate.double() / q.rate.double()
    rate, shape = a * ratio + 1 - a, _mixed(mine, other, a)
    gammas = torch.lgamma(shape) - _mixed(
        torch.lgamma(mine.double()), torch.lgamma(other.double()), a
    )
    value = gammas + a * mine.double() * ratio.log() - shape * rate.log()
    return _or_infinite((rate > 0) & (shape > 0), value)


def _dirichlet(p: Any, q: Any, a: float) -> Tensor:  # noqa: ANN401 - beta or Dirichlet
    mine, other = _shapes(p), _shapes(q)
    mixed = _mixed(mine, other, a)
    value = _log_beta(mixed) - a * _log_beta(mine) - (1 - a) * _log_beta(other)
    return _or_infinite((mixed > 0).all(dim=-1), value)


def _shapes(law: Any) -> Tensor:  # noqa: ANN401 - beta or Dirichlet
    if isinstance(law, laws.Dirichlet):
        return law.concentration.double()
    return torch.stack((law.concentration1, law.concentration0), dim=-1).double()


def _log_beta(shapes: Tensor) -> Tensor:
    return torch.lgamma(shapes).sum(dim=-1) - torch.lgamma(shapes.sum(dim=-1))


def _poisson(p: laws.Poisson, q: laws.Poisson, a: float) -> Tensor:
    mine, other = p.rate.double(), q.rate.double()
    return _mixed(mine.log(), other.log(), a).exp() - _mixed(mine, other, a)


def _binomial(p: laws.Binomial, q: laws.Binomial, a: float) -> Tensor:
    (total, one, zero), (others, other_one, other_zero) = trials(p), trials(q)
    if not bool((total == others).all()):
        raise NotImplementedError
    return total * torch.logaddexp(_mixed(one, other_one, a), _mixed(zero, other_zero, a))


def _waiting(p: Any, q: Any, a: float) -> Tensor:  # noqa: ANN401 - geometric or negative binomial
    (total, one, zero), (others, other_one, other_zero) = trials(p), trials(q)
    if not bool((total == others).all()):
        raise NotImplementedError
    log_one = _mixed(one, other_one, a)
    value = total * (_mixed(zero, other_zero, a) - torch.log(-torch.expm1(log_one)))
    return _or_infinite(log_one < 0, value)


_FORMS: tuple[tuple[tuple[type, ...], _Form], ...] = (
    ((laws.Normal,), _normal),
    ((laws.LogNormal,), _normal),
    ((laws.MultivariateNormal,), _multivariate_normal),
    ((laws.Gamma, laws.Exponential), _gamma),
    ((laws.Beta, laws.Dirichlet), _dirichlet),
    ((laws.Poisson,), _poisson),
    ((laws.Binomial,), _binomial),
    ((laws.Geometric, laws.NegativeBinomial), _waiting),
)
