"""Closed forms of the Kullback-Leibler divergence, in nats, that torch lacks or has with faults.

They stand beside torch's registry and not in it: there, importing this module would change what
other code computes, such as an ELBO that takes a divergence in closed form where torch has one.
A pair without a closed form for its parameters raises NotImplementedError, as torch's own do;
:func:`ancestral.information.kl` then draws.

Univariate densities are pairs of moments and forms (:mod:`ancestral.information.densities`),
counts are sums (:mod:`ancestral.information.counts`); here stand the other pairs.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.distributions import (
    Cauchy,
    Distribution,
    HalfCauchy,
    Independent,
    LowRankMultivariateNormal,
    Multinomial,
    MultivariateNormal,
    Normal,
    VonMises,
    kl_divergence,
)

from ancestral.information.counts import count_kl
from ancestral.information.densities import density_kl, nonnegative
from ancestral.information.quantity import Quantity, exact

_Form: TypeAlias = Callable[[Any, Any], Tensor]
_AnyForm = TypeVar("_AnyForm", bound=_Form)
_FORMS: dict[tuple[type[Distribution], type[Distribution]], _Form] = {}


def closed_form(p: Distribution, q: Distribution) -> Quantity:
    """Return KL(p || q), [*B]: exact and not negative, or a sum with its rounding error.

    Raises:
        NotImplementedError: If there is none for these laws, or it is beyond the dtype.
    """
    if {_discrete(p), _discrete(q)} == {True, False}:
        # Single points weigh nothing under a density: neither law covers the other.
        shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
        return exact(torch.full(shape, math.inf))
    for form in (count_kl, density_kl, _listed, kl_divergence):
        try:
            value = form(p, q)
        except NotImplementedError:
            continue
        if isinstance(value, Quantity):
            return value
        return exact(nonnegative(value, value.new_ones(())))
    raise NotImplementedError


def _discrete(p: Distribution) -> bool | None:
    """Whether a law of one number is discrete; None if it is of several, or does not say."""
    try:
        return None if p.event_shape or p.support is None else p.support.is_discrete
    except NotImplementedError:
        return None


def _listed(p: Distribution, q: Distribution) -> Tensor:
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


@_form(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    # torch squares the numbers, which may overflow and be lost.
    reach = torch.hypot(p.scale + q.scale, p.loc - q.loc)
    return 2 * reach.log() - p.scale.log() - q.scale.log() - math.log(4)


@_form(HalfCauchy, HalfCauchy)
def _half_cauchy(p: HalfCauchy, q: HalfCauchy) -> Tensor:
    # Both densities are twice those of Cauchy laws about 0, whose divergence it therefore is.
    return 2 * (p.scale + q.scale).log() - p.scale.log() - q.scale.log() - math.log(4)


@_form(VonMises, VonMises)
def _von_mises(p: VonMises, q: VonMises) -> Tensor:
    k, j = p.concentration, q.concentration
    # i0e is i0 times exp(-k): large concentrations do not overflow.
    normalisers = (torch.special.i0e(j).log() + j) - (torch.special.i0e(k).log() + k)
    length = torch.special.i1e(k) / torch.special.i0e(k)
    return normalisers + length * (k - j * (p.loc - q.loc).cos())


@_form(Multinomial, Multinomial)
def _multinomial(p: Multinomial, q: Multinomial) -> Tensor:
    if p.total_count != q.total_count:
        return torch.full(torch.broadcast_shapes(p.batch_shape, q.batch_shape), math.inf)
    ratio = torch.where(p.probs > 0, (p.probs / q.probs).log(), 0)
    return p.total_count * (p.probs * ratio.masked_fill(p.probs == 0, 0)).sum(dim=-1)
