"""Self-information, entropy, cross-entropy and Kullback-Leibler divergence.

Laws are torch distributions, or tensors of probabilities over the last axis. A closed form of
torch's or a finite sum is ``exact``; between laws of one number follows a ``quadrature`` with its
error, and otherwise the mean over ``draws`` (from p, at least 2, by ``generator`` or torch's global
one), an ``estimate`` with its standard error. Values are in nats; ``base=2`` gives bits.
"""

import math
from typing import TypeAlias

import torch
from torch import Generator, Tensor
from torch.distributions import (
    Categorical,
    ContinuousBernoulli,
    Distribution,
    Geometric,
    Independent,
    MultivariateNormal,
    Normal,
    Poisson,
    TransformedDistribution,
    Uniform,
    kl_divergence,
)

from ancestral.information.integrals import integral
from ancestral.information.laws import bounds, is_discrete, log_prob, log_states
from ancestral.information.quantity import Quantity, draw, exact, log_base, mean_of
from ancestral.information.tables import check_simplex

Law: TypeAlias = Tensor | Distribution
"""Probabilities [*B, N], or a distribution."""


def self_information(
    p: Law | float, x: Tensor | None = None, *, base: float | None = None
) -> Tensor:
    """Return -log p(x), or -log of a bare probability: the surprise of an event.

    At probability 1 it is 0, at probability 0 it is +inf (E-M14); independent events add up. The
    values x are [*S, *B, *event], of a table states; a bare probability needs none.

    Source: Shannon 1948, A mathematical theory of communication.

    Raises:
        ValueError: If a bare probability is outside [0, 1], or base <= 1.

    Example:
        >>> self_information(0.25, base=2).item()
        2.0
    """
    unit = log_base(base)
    if x is None:
        # A float would become float32.
        probability = p if isinstance(p, Tensor) else torch.tensor(p, dtype=torch.float64)
        if not bool(((probability >= 0) & (probability <= 1)).all()):
            raise ValueError(f"a probability must be in [0, 1], got {p}")
        return -probability.log().div(unit) + 0.0  # Adding 0 turns -0 into 0.
    if not isinstance(p, Tensor | Distribution):
        raise ValueError(f"p must be a law where x is given, got {p}")
    law = Categorical(check_simplex(p)) if isinstance(p, Tensor) else p
    return -log_prob(law, x).div(unit) + 0.0


def entropy(
    p: Law, *, base: float | None = None, draws: int = 10_000, generator: Generator | None = None
) -> Quantity:
    """Return E_p[-log p(x)], [*B]; the differential entropy of a density may be negative.

    Raises:
        ValueError: If base <= 1, draws < 2, or probabilities are off the simplex.

    Example:
        >>> entropy(torch.tensor([0.5, 0.25, 0.25, 0.0]), base=2)
        1.5 (exact)
    """
    value = _known_entropy(p)
    if value is None:
        with torch.no_grad():  # Draws have no gradient: half of one would be wrong.
            law = _sampled(p)
            value = mean_of(-log_prob(law, draw(law, draws, generator)))
    return value.in_base(base)


def cross_entropy(
    p: Law,
    q: Law,
    *,
    base: float | None = None,
    draws: int = 10_000,
    generator: Generator | None = None,
) -> Quantity:
    """Return E_p[-log q(x)] = H(p) + KL(p || q), [*B]: what p costs with the code made for q.

    It is +inf where q is 0 and p is not. Errors are those of :func:`kl`.

    Example:
        >>> cross_entropy(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]), base=4).value.item()
        0.6037...
    """
    log_p, log_q = log_tables(p, q)
    if log_p is not None and log_q is not None:
        return exact(expected(log_p, -log_q).clamp(min=0)).in_base(base)
    own, between = _known_entropy(p), known_kl(p, q)
    if own is not None and between is not None:
        return (own + between).in_base(base)
    with torch.no_grad():
        p, q = comparable(p, q)
        return mean_of(-log_prob(q, draw(p, draws, generator))).in_base(base)


def kl(
    p: Law,
    q: Law,
    *,
    base: float | None = None,
    draws: int = 10_000,
    generator: Generator | None = None,
) -> Quantity:
    """Return the Kullback-Leibler divergence E_p[log p(x) - log q(x)] >= 0, [*B]; 0 only if p = q.

    It is +inf where q is 0 and p is not, not symmetric, and has no triangle inequality (E-M12).

    Source: Kullback & Leibler 1951, On information and sufficiency.

    Raises:
        ValueError: If the tables differ in size or are off the simplex, a law is a table and the
            other a density, base <= 1, or draws < 2.

    Example:
        >>> from torch.distributions import Normal
        >>> kl(Normal(0.0, 1.0), Normal(1.0, 1.0))
        0.5 (exact)
    """
    value = known_kl(p, q)
    if value is None:
        with torch.no_grad():
            p, q = comparable(p, q)
            x = draw(p, draws, generator)
            value = mean_of(log_prob(p, x) - log_prob(q, x))
    return value.in_base(base)


def expected(log_p: Tensor, values: Tensor) -> Tensor:
    """Return sum_n p_n v_n over the last axis, where states of probability 0 count for nothing."""
    # Filled before the product: 0 times infinity has no value, nor has its gradient.
    return (log_p.exp() * values.masked_fill(log_p == -math.inf, 0)).sum(dim=-1)


def comparable(p: Law, q: Law) -> tuple[Distribution, Distribution]:
    """Return two laws of one space with one batch shape, so that draws of one suit the other."""
    p, q = _sampled(p), _sampled(q)
    if p.event_shape != q.event_shape:
        shapes = f"{list(p.event_shape)} and {list(q.event_shape)}"
        raise ValueError(f"p and q must have one event shape, got {shapes}")
    shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    p, q = (law if law.batch_shape == shape else law.expand(shape) for law in (p, q))
    return p, q


def log_tables(p: Law, q: Law) -> tuple[Tensor | None, Tensor | None]:
    """Return the log-probabilities of both laws' states, [*B, N], None for one without a table."""
    log_p, log_q = _log_table(p), _log_table(q)
    if log_p is not None and log_q is not None and log_p.shape[-1] != log_q.shape[-1]:
        raise ValueError(
            f"p and q must have as many states, got {log_p.shape[-1]} and {log_q.shape[-1]}"
        )
    return log_p, log_q


def known_kl(p: Law, q: Law) -> Quantity | None:
    """Return the divergence where it needs no draws: exact, a sum or a quadrature; else None."""
    if isinstance(p, Independent) and isinstance(q, Independent):
        count = p.reinterpreted_batch_ndims
        if count == q.reinterpreted_batch_ndims:
            return _sum_last(known_kl(p.base_dist, q.base_dist), count)
    log_p, log_q = log_tables(p, q)
    if log_p is not None and log_q is not None:
        return exact(expected(log_p, log_p - log_q).clamp(min=0))
    p, q = comparable(p, q)
    apart = _outside(p, q)
    if apart.numel() and bool(apart.all()):
        return exact(torch.full(apart.shape, math.inf))
    for form in (_registered, lambda p, q: integral(p, q, kl_terms)):
        try:
            known = form(p, q)
        except NotImplementedError:
            continue
        value = known.value.clamp(min=0).masked_fill(apart, math.inf)
        return Quantity(value, known.se.masked_fill(apart, 0), known.kind)
    return None


def kl_terms(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return p log(p / q), 0 where p is 0."""
    return (log_p.exp() * (log_p - log_q)).masked_fill(log_p == -math.inf, 0)


def _outside(p: Distribution, q: Distribution) -> Tensor:
    """Return where a law of one number has a support that the other is known not to cover, [*B]."""
    try:
        (low, high), (floor, ceiling) = bounds(p), bounds(q)
        # A point weighs nothing under a density, and a density nothing under points.
        apart = (low < floor) | (high > ceiling) | torch.tensor(is_discrete(p) != is_discrete(q))
    except NotImplementedError:
        apart = torch.tensor(False)
    return apart.expand(p.batch_shape)


def _registered(p: Distribution, q: Distribution) -> Quantity:
    """Return torch's closed form, or raise NotImplementedError where there is none or it is wrong.

    Of counts torch clamps probabilities away from 0 and 1; two of its pairs call nested intervals
    apart; a transform that folds the line loses information; differences of large terms may have
    no digits left.
    """
    discrete = not p.event_shape and is_discrete(p)
    if discrete and (type(p) is not type(q) or not isinstance(p, Geometric | Poisson)):
        raise NotImplementedError
    if {type(p), type(q)} == {ContinuousBernoulli, Uniform}:
        raise NotImplementedError
    if type(p) is TransformedDistribution and not all(part.bijective for part in p.transforms):
        raise NotImplementedError
    value = kl_divergence(_dense(p), _dense(q))
    if bool((value.isnan() | (value < -(torch.finfo(value.dtype).eps ** 0.5))).any()):
        raise NotImplementedError
    return exact(value)


def _dense(p: Distribution) -> Distribution:
    """Return normal coordinates as a multivariate normal law, which torch can compare with one."""
    if isinstance(p, Independent) and isinstance(p.base_dist, Normal) and len(p.event_shape) == 1:
        return MultivariateNormal(p.mean, scale_tril=torch.diag_embed(p.stddev))
    return p


def _known_entropy(p: Law) -> Quantity | None:
    if isinstance(p, Independent):
        return _sum_last(_known_entropy(p.base_dist), p.reinterpreted_batch_ndims)
    log_p = _log_table(p)
    if log_p is not None:
        return exact(expected(log_p, -log_p).clamp(min=0))
    p = _sampled(p)
    try:
        value = exact(p.entropy())
        if bool(value.value.isfinite().all()):  # Else the closed form has overflowed.
            return value
    except NotImplementedError:
        pass
    try:
        return integral(p, None, lambda log_p, log_one: -kl_terms(log_p, log_one))
    except NotImplementedError:
        return None


def _log_table(p: Law) -> Tensor | None:
    return check_simplex(p).log() if isinstance(p, Tensor) else log_states(p)


def _sampled(p: Law) -> Distribution:
    if isinstance(p, Tensor):
        raise ValueError("a table of probabilities can only be compared with a finite law")
    return p


def _sum_last(x: Quantity | None, count: int) -> Quantity | None:
    """Return the sum over the last axes of quantities, whose errors add up at worst."""
    if x is None or not count:
        return x
    axes = tuple(range(-count, 0))
    return Quantity(x.value.sum(dim=axes), x.se.sum(dim=axes), x.kind)
