"""Closed forms of the Kullback-Leibler divergence that torch lacks, in nats.

They stand beside torch's registry and not in it: there, importing this module would change what
other code computes, such as an ELBO that takes a divergence in closed form where torch has one.
A pair that has a closed form only for some parameters raises NotImplementedError for the others, as
torch's own do; :func:`ancestral.information.kl` then draws.

Source: each is minus the entropy of p minus E_p[log q], with the moments of p that log q needs.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    Independent,
    Laplace,
    LogNormal,
    LowRankMultivariateNormal,
    Multinomial,
    MultivariateNormal,
    NegativeBinomial,
    Normal,
    Uniform,
    VonMises,
    Weibull,
    kl_divergence,
)

_EULER = 0.57721566490153286

_Form: TypeAlias = Callable[[Any, Any], Tensor]
_AnyForm = TypeVar("_AnyForm", bound=_Form)
_FORMS: dict[tuple[type[Distribution], type[Distribution]], _Form] = {}


def closed_form(p: Distribution, q: Distribution) -> Tensor:
    """Return KL(p || q), [*B], by a form of this module.

    Raises:
        NotImplementedError: If there is none for these laws.
    """
    for (p_type, q_type), form in _FORMS.items():
        if isinstance(p, p_type) and isinstance(q, q_type):
            return form(p, q)
    raise NotImplementedError


def _form(p_type: type[Distribution], q_type: type[Distribution]) -> Callable[[_AnyForm], _AnyForm]:
    def keep(form: _AnyForm) -> _AnyForm:
        _FORMS[p_type, q_type] = form
        return form

    return keep


def _diagonal(p: Independent) -> MultivariateNormal:
    if not isinstance(p.base_dist, Normal) or p.reinterpreted_batch_ndims != 1:
        raise NotImplementedError
    # Triangular, and so its own Cholesky factor: nothing is decomposed.
    tril = torch.diag_embed(p.base_dist.scale)
    return MultivariateNormal(p.base_dist.loc, scale_tril=tril, validate_args=False)


@_form(MultivariateNormal, Independent)
@_form(LowRankMultivariateNormal, Independent)
def _normal_diagonal(p: Any, q: Independent) -> Tensor:  # noqa: ANN401 - either of two classes
    return kl_divergence(p, _diagonal(q))


@_form(Independent, MultivariateNormal)
@_form(Independent, LowRankMultivariateNormal)
def _diagonal_normal(p: Independent, q: Any) -> Tensor:  # noqa: ANN401 - either of two classes
    return kl_divergence(_diagonal(p), q)


@_form(Weibull, Weibull)
def _weibull_weibull(p: Weibull, q: Weibull) -> Tensor:
    # Bauckhage 2013, arXiv:1310.3713.
    k, j = p.concentration, q.concentration
    scales = (k.log() - k * p.scale.log()) - (j.log() - j * q.scale.log())
    power = (j * (p.scale / q.scale).log() + torch.lgamma(j / k + 1)).exp()
    return scales + (k - j) * (p.scale.log() - _EULER / k) + power - 1


@_form(Weibull, Exponential)
def _weibull_exponential(p: Weibull, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@_form(Weibull, Gamma)
def _weibull_gamma(p: Weibull, q: Gamma) -> Tensor:
    mean_log = p.scale.log() - _EULER / p.concentration
    return -p.entropy() - _gamma_log(q, p.mean, mean_log)


@_form(LogNormal, Gamma)
def _log_normal_gamma(p: LogNormal, q: Gamma) -> Tensor:
    return -p.entropy() - _gamma_log(q, p.mean, p.loc)


@_form(LogNormal, Exponential)
def _log_normal_exponential(p: LogNormal, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


def _gamma_log(q: Gamma, mean: Tensor, mean_log: Tensor) -> Tensor:
    """Return E[log q(x)] of a gamma density from E[x] and E[log x]."""
    a, b = q.concentration, q.rate
    return a * b.log() - torch.lgamma(a) + (a - 1) * mean_log - b * mean


@_form(HalfNormal, Exponential)
def _half_normal_exponential(p: HalfNormal, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@_form(Exponential, HalfNormal)
@_form(Gamma, HalfNormal)
def _gamma_half_normal(p: Any, q: HalfNormal) -> Tensor:  # noqa: ANN401 - either of two classes
    square = p.variance + p.mean.square()
    return -p.entropy() + 0.5 * (math.pi * q.scale**2 / 2).log() + square / (2 * q.scale**2)


@_form(HalfCauchy, HalfCauchy)
def _half_cauchy(p: HalfCauchy, q: HalfCauchy) -> Tensor:
    # Both densities are twice those of Cauchy laws about 0, whose divergence it therefore is.
    return 2 * (p.scale + q.scale).log() - (4 * p.scale * q.scale).log()


@_form(Uniform, Laplace)
def _uniform_laplace(p: Uniform, q: Laplace) -> Tensor:
    low, high = p.low - q.loc, p.high - q.loc
    mean_distance = (high * high.abs() - low * low.abs()) / (2 * (high - low))
    return -p.entropy() + (2 * q.scale).log() + mean_distance / q.scale


@_form(VonMises, VonMises)
def _von_mises(p: VonMises, q: VonMises) -> Tensor:
    k, j = p.concentration, q.concentration
    # i0e is i0 times exp(-k): large concentrations do not overflow.
    normalisers = (torch.special.i0e(j).log() + j) - (torch.special.i0e(k).log() + k)
    length = torch.special.i1e(k) / torch.special.i0e(k)
    return normalisers + length * (k - j * (p.loc - q.loc).cos())


@_form(NegativeBinomial, NegativeBinomial)
def _negative_binomial(p: NegativeBinomial, q: NegativeBinomial) -> Tensor:
    if not bool((p.total_count == q.total_count).all()):
        raise NotImplementedError
    failures = torch.log1p(-p.probs) - torch.log1p(-q.probs)
    return p.total_count * failures + p.mean * (p.probs.log() - q.probs.log())


@_form(Multinomial, Multinomial)
def _multinomial(p: Multinomial, q: Multinomial) -> Tensor:
    if p.total_count != q.total_count:
        return torch.full(torch.broadcast_shapes(p.batch_shape, q.batch_shape), math.inf)
    return p.total_count * kl_divergence(Categorical(p.probs), Categorical(q.probs))
