"""Self-information, entropy, cross-entropy and Kullback-Leibler divergence.

Laws are torch distributions, or tensors of probabilities over the last axis. Where a closed form
or a finite sum exists it is used and the :class:`Quantity` says ``exact``; otherwise the mean over
draws, with its standard error.
"""

import math
from typing import TypeAlias

import torch
from torch import Generator, Tensor
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    OneHotCategorical,
    TransformedDistribution,
)
from torch.distributions.transforms import AffineTransform
from torch.nn.functional import logsigmoid

from ancestral.information.counts import count_entropy, is_count
from ancestral.information.densities import density_entropy
from ancestral.information.line_means import line_integral, line_mean
from ancestral.information.pairs import closed_form
from ancestral.information.quantity import Quantity, draw, exact, log_base, log_prob, mean_of
from ancestral.information.tables import check_simplex

Law: TypeAlias = Tensor | Distribution
"""Probabilities [*B, N], or a distribution."""


def log_table(p: Law) -> Tensor | None:
    """Return the log-probability of each state, [*B, N], of a law with finitely many; else None.

    torch's own logits are clamped away from 0 and 1; these are not: a zero gives -inf.

    Raises:
        ValueError: If a tensor of probabilities is off the simplex.
    """
    if isinstance(p, Tensor):
        return check_simplex(p).log()
    if isinstance(p, OneHotCategorical):
        p = p._categorical
    if not isinstance(p, Bernoulli | Categorical):
        return None
    given_probs = p._param is vars(p).get("probs")
    if isinstance(p, Categorical):
        return p.probs.log() if given_probs else p.logits
    if given_probs:
        return torch.stack((torch.log1p(-p.probs), p.probs.log()), dim=-1)
    return torch.stack((logsigmoid(-p.logits), logsigmoid(p.logits)), dim=-1)


def expected(log_p: Tensor, values: Tensor) -> Tensor:
    """Return sum_n p_n v_n over the last axis, where states of probability 0 count for nothing."""
    # Filled before the product: 0 times infinity has no value, nor has its gradient.
    return (log_p.exp() * values.masked_fill(log_p == -math.inf, 0)).sum(dim=-1)


def self_information(
    p: Law | float, x: Tensor | None = None, *, base: float | None = None
) -> Tensor:
    """Return -log p(x), or -log of a bare probability: the surprise of an event.

    At probability 1 it is 0, at probability 0 it is +inf (E-M14); independent events add up.

    Source: Shannon 1948, A mathematical theory of communication.

    Args:
        p: A law, or a probability in [0, 1].
        x: Values, [*S, *B, *event]; states where p has a table. None for a bare probability.
        base: Of the logarithm; nats if None, bits if 2.

    Raises:
        ValueError: If a bare probability is outside [0, 1], or base <= 1.

    Example:
        >>> self_information(0.25, base=2).item()
        2.0
    """
    unit = 1.0 if base is None else log_base(base)
    if x is None:
        # A float would become float32.
        probability = p if isinstance(p, Tensor) else torch.tensor(p, dtype=torch.float64)
        if not bool(((probability >= 0) & (probability <= 1)).all()):
            raise ValueError(f"a probability must be in [0, 1], got {p}")
        return -probability.log().div(unit) + 0.0  # Adding 0 turns -0 into 0.
    if not isinstance(p, Tensor | Distribution):
        raise ValueError(f"p must be a law where x is given, got {p}")
    return _information_at(p, x).div(unit) + 0.0


def _information_at(p: Law, x: Tensor) -> Tensor:
    if isinstance(p, Independent):
        return _total(_information_at(p.base_dist, x), p.reinterpreted_batch_ndims)
    log_p = log_table(p)
    if log_p is None:
        return -log_prob(_sampled(p), x)
    if isinstance(p, OneHotCategorical):
        x = x.argmax(dim=-1)
    states, count = x.long(), log_p.shape[-1]
    inside = (states == x) & (states >= 0) & (states < count)
    shape = torch.broadcast_shapes(states.shape, log_p.shape[:-1])
    states = states.where(inside, 0).expand(shape)[..., None]
    found = log_p.expand(*shape, count).gather(-1, states)[..., 0]
    return -found.masked_fill(~inside.expand(shape), -math.inf)


def entropy(
    p: Law, *, base: float | None = None, draws: int = 10_000, generator: Generator | None = None
) -> Quantity:
    """Return E_p[-log p(x)]; the differential entropy of a density, which may be negative.

    Args:
        p: A law.
        base: Of the logarithm; nats if None, bits if 2.
        draws: Where torch has no closed form, the number of draws, at least 2.
        generator: Their source; torch's global one if None.

    Returns:
        The entropy, [*B]; 0 log 0 is 0.

    Raises:
        ValueError: If base <= 1, draws < 2, or probabilities are off the simplex.

    Example:
        >>> entropy(torch.tensor([0.5, 0.25, 0.25, 0.0]), base=2)
        1.5 (exact)
    """
    value = _known_entropy(p)
    if value is not None:
        return value.in_base(base)
    p = _sampled(p)
    return mean_of(-log_prob(p, draw(p, draws, generator))).in_base(base)


def cross_entropy(
    p: Law,
    q: Law,
    *,
    base: float | None = None,
    draws: int = 10_000,
    generator: Generator | None = None,
) -> Quantity:
    """Return E_p[-log q(x)] = H(p) + KL(p || q): symbols of p coded with the code made for q.

    Args:
        p: The law of the data.
        q: The law of the model.
        base: Of the logarithm; nats if None, bits if 2.
        draws: From p, where there is no closed form; at least 2.
        generator: Their source; torch's global one if None.

    Returns:
        The cross-entropy, [*B]; +inf where q is 0 and p is not.

    Raises:
        ValueError: As :func:`kl`.

    Example:
        >>> cross_entropy(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]), base=4).value.item()
        0.6037...
    """
    log_p, log_q = log_tables(p, q)
    if log_p is not None and log_q is not None:
        return exact(expected(log_p, -log_q)).in_base(base)
    own, between = _known_entropy(p), known_kl(p, q)
    if own is not None and between is not None:
        value, se = own.value + between.value, own.se + between.se
        kind = own.kind if between.kind == "exact" else between.kind
        return Quantity(value, se, kind).in_base(base)
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
    """Return the Kullback-Leibler divergence E_p[log p(x) - log q(x)] >= 0; 0 only if p = q.

    Not symmetric, and no triangle inequality (E-M12). Closed forms are torch's, and those of
    :mod:`ancestral.information.pairs` that torch lacks.

    Source: Kullback & Leibler 1951, On information and sufficiency.

    Args:
        p: The law that is averaged over.
        q: The other one, over the same space.
        base: Of the logarithm; nats if None, bits if 2.
        draws: From p, where there is no closed form; at least 2.
        generator: Their source; torch's global one if None.

    Returns:
        The divergence, [*B]; +inf where q is 0 and p is not.

    Raises:
        ValueError: If the tables differ in size or are off the simplex, a law is a table and the
            other a density, base <= 1, or draws < 2.

    Example:
        >>> from torch.distributions import Normal
        >>> kl(Normal(0.0, 1.0), Normal(1.0, 1.0))
        0.5 (exact)
    """
    value = known_kl(p, q)
    if value is not None:
        return value.in_base(base)
    p, q = comparable(p, q)
    x = draw(p, draws, generator)
    return mean_of(log_prob(p, x) - log_prob(q, x)).in_base(base)


def comparable(p: Law, q: Law) -> tuple[Distribution, Distribution]:
    """Return two laws of one space with one batch shape, so that draws of one suit the other.

    Raises:
        ValueError: If one is a table, or their event shapes differ.
    """
    p, q = _sampled(p), _sampled(q)
    if p.event_shape != q.event_shape:
        shapes = f"{list(p.event_shape)} and {list(q.event_shape)}"
        raise ValueError(f"p and q must have one event shape, got {shapes}")
    shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    p, q = (law if law.batch_shape == shape else law.expand(shape) for law in (p, q))
    return p, q


def _sampled(p: Law) -> Distribution:
    if isinstance(p, Tensor):
        raise ValueError("a table of probabilities can only be compared with a finite law")
    return p


def log_tables(p: Law, q: Law) -> tuple[Tensor | None, Tensor | None]:
    """Return :func:`log_table` of both.

    Raises:
        ValueError: If they have a different number of states.
    """
    log_p, log_q = log_table(p), log_table(q)
    if log_p is not None and log_q is not None and log_p.shape[-1] != log_q.shape[-1]:
        raise ValueError(
            f"p and q must have as many states, got {log_p.shape[-1]} and {log_q.shape[-1]}"
        )
    return log_p, log_q


def _known_entropy(p: Law) -> Quantity | None:
    if isinstance(p, Independent):
        return _sum_last(_known_entropy(p.base_dist), p.reinterpreted_batch_ndims)
    log_p = log_table(p)
    if log_p is not None:
        return exact(expected(log_p, -log_p))
    p = _sampled(p)
    if type(p) is TransformedDistribution:
        return _stretched(p)
    try:
        value = count_entropy(p) if is_count(p) else exact(density_entropy(p))
        if not bool(value.value.isnan().any()):  # Else a closed form has overflowed.
            return value
    except NotImplementedError:
        pass
    try:
        return line_mean(p, lambda law, x: -log_prob(law, x))
    except NotImplementedError:
        return None


def _stretched(p: TransformedDistribution) -> Quantity | None:
    """Return the entropy of a density moved and stretched: its own, and log |stretch|."""
    base = _known_entropy(p.base_dist)
    if base is None or p.support is None or p.support.is_discrete:
        return None
    ones = torch.ones(p.batch_shape + p.event_shape, dtype=base.value.dtype)
    stretch = torch.zeros_like(ones)
    for transform in p.transforms:
        if not isinstance(transform, AffineTransform):
            return None
        stretch = stretch + torch.as_tensor(transform.scale).abs().log()
    value = base.value + _total(stretch, len(p.event_shape))
    return Quantity(value, base.se.expand(value.shape), base.kind)


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
    try:
        return closed_form(p, q)
    except NotImplementedError:
        pass
    try:
        return line_integral(p, q, _kl_terms)
    except NotImplementedError:
        return None


def _kl_terms(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p.exp() * (log_p - log_q)).masked_fill(log_p == -math.inf, 0)


def _sum_last(x: Quantity | None, count: int) -> Quantity | None:
    """Return the sum over the last axes of quantities, whose errors add up at worst."""
    if x is None:
        return None
    return Quantity(_total(x.value, count), _total(x.se, count), x.kind)


def _total(x: Tensor, count: int) -> Tensor:
    return x.sum(dim=tuple(range(-count, 0))) if count else x
