"""The evidence lower bound of two chains that run against each other, its steps summed or drawn.

``q`` leads from the data z_0 = x to z_T, ``p`` from z_T back to z_0. With a posterior in closed
form the bound is a sum over single steps, each of which needs no other:

    E_q [log p(x | z_1)] - sum_{t=2}^T E_q KL(q(z_t-1 | z_t, x) || p(z_t-1 | z_t))
    - KL(q(z_T | x) || p(z_T)),

so that a training step may draw t where an evaluation sums. Chains that run the same way are nodes
of two networks, whose bound is :func:`ancestral.networks.elbo`.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Size, Tensor
from torch.distributions import Distribution

from ancestral.networks.arguments import check_whole
from ancestral.networks.chain import Chain, drawn
from ancestral.networks.elbo import closed_kl
from ancestral.networks.nodes import with_event_shape

_ROWS = 1 << 12  # States in one call of the steps, where all t are summed.


@runtime_checkable
class Jumps(Protocol):
    """A step whose compositions have a closed form."""

    def jump(self, start: Tensor, t: Tensor, *inputs: Tensor) -> Distribution:
        """Return q(z_t | z_0), for z_0 [R, *event], t [R] from 1 to T and the chain's inputs."""
        ...


@runtime_checkable
class JumpsBack(Jumps, Protocol):
    """A step that can be turned round, too, where the first state is known."""

    def posterior(self, z: Tensor, start: Tensor, t: Tensor, *inputs: Tensor) -> Distribution:
        """Return q(z_t-1 | z_t, z_0), for z_t and z_0 [R, *event] and t [R] from 2 to T."""
        ...


def chain_elbo(
    p: Chain,
    q: Chain,
    x: Tensor,
    *,
    given: Mapping[str, Tensor] | None = None,
    times: int | None = None,
    chances: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return an unbiased estimate of E_q[log p(z_0, ..., z_T) - log q(z_1, ..., z_T | z_0 = x)].

    It is a lower bound on log p(x), in nats, [B]. Gradients flow through reparametrised draws;
    where q has none (discrete states) they are right for p alone, so q must then be fixed.

    Source: Sohl-Dickstein et al. 2015, arXiv:1503.03585; Ho, Jain & Abbeel 2020, arXiv:2006.11239,
    eq. 5.

    Args:
        p: The generative chain, reversed.
        q: The chain that leads away from the data, without an initial conditional.
        x: Data, z_0, [B, *event].
        given: The inputs of the chains by name, [B, *] or one for all.
        times: How many t are drawn for each example, one from each of as many parts of P(t) of
            equal size, each term weighted by 1 / P(t). None: all t are summed; where the step of q
            has no jump, by walking q once.
        chances: P(t) for t = 1..T, [T], positive where a term is not 0; uniform if None.
        generator: Source of the draws; torch's global one if None.

    Raises:
        ValueError: If the chains do not run against each other over the same states, times is
            below 1, chances is not a distribution over t, or t is drawn without jumps.

    Example:
        >>> from ancestral.networks import AnnealedGaussianChain
        >>> model = AnnealedGaussianChain(2, steps=1000)
        >>> chain_elbo(model.p, model.q, torch.zeros(5, 2), times=1).shape
        torch.Size([5])
    """
    _check(p, q, x, given)
    if not isinstance(q.step, Jumps):
        if times is not None:
            raise ValueError("times can be drawn only where the step of q has a jump(z_0, t)")
        return _walked(p, q, x, given, generator)
    end = _end(p, q, x, given, generator)
    if times is None:
        every = torch.arange(1, q.steps + 1, device=x.device).expand(len(x), -1)
        parts = every.split(max(1, _ROWS // max(len(x), 1)), dim=1)
        terms = [chain_terms(p, q, x, t, given=given, generator=generator).sum(1) for t in parts]
        return torch.stack([end, *terms]).sum(0)
    check_whole("times", times)
    chances = torch.ones(q.steps) / q.steps if chances is None else chances
    if chances.shape != (q.steps,) or not bool(
        (chances >= 0).all() & ((chances.sum() - 1).abs() < 1e-4)
    ):
        raise ValueError(f"chances must be {q.steps} probabilities, got {chances}")
    # One draw from each of as many equal parts of the distribution: their mean varies less.
    below = (chances.double() / chances.sum()).cumsum(0).to(x.device)
    first = torch.rand((len(x), 1), generator=generator, device=x.device, dtype=below.dtype)
    at = (torch.arange(times, device=x.device) + first) / times
    t = torch.searchsorted(below, at * below[-1], right=True).clamp(max=q.steps - 1)
    chances = below.diff(prepend=below.new_zeros(1))
    terms = chain_terms(p, q, x, t + 1, given=given, generator=generator)
    return end + (terms / chances.to(terms)[t]).mean(1)


def chain_terms(
    p: Chain,
    q: Chain,
    x: Tensor,
    t: Tensor,
    *,
    given: Mapping[str, Tensor] | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return estimates of single terms of :func:`chain_elbo`, nats, [B, K].

    Together with the one at the end, which no t belongs to, the terms of t = 1..T sum to the
    bound.

    Args:
        p: The generative chain, reversed.
        q: The chain that leads away from the data; its step has a jump.
        x: Data, z_0, [B, *event].
        t: Which terms of each example, int64 from 1 to T, [B, K].
        given: The inputs of the chains by name, [B, *] or one for all.
        generator: Source of the draws; torch's global one if None.
    """
    shape, t = t.shape, t.flatten()
    start = x.repeat_interleave(shape[1], 0)
    own, others = (
        [value.repeat_interleave(shape[1], 0) for value in chain.input_rows(given, len(x))]
        for chain in (p, q)
    )
    if isinstance(q.step, JumpsBack):
        z = drawn(_jump(q, start, t, others), (), generator)
        back = p.next(z, t, *own)
        terms = back.log_prob(start)
        if q.steps > 1:
            # At t = 1 the posterior is a point; what stands there in its place is not looked at.
            ahead = q.step.posterior(z, start, t.clamp(min=2), *others)
            terms = torch.where(t == 1, terms, -_kl(_shaped(q, ahead), back, generator))
        return terms.view(shape)
    one = (t == 1).reshape(-1, *[1] * len(q.event_shape))
    before = drawn(_jump(q, start, (t - 1).clamp(min=1), others), (), generator)
    z = torch.where(one, start, before)
    step = q.next(z, t, *others)
    after = drawn(step, (), generator)
    return (p.next(after, t, *own).log_prob(z) - step.log_prob(after)).view(shape)


def _end(
    p: Chain, q: Chain, x: Tensor, given: Mapping[str, Tensor] | None, generator: Generator | None
) -> Tensor:
    """What p(z_T) adds, [B]: its KL where the other terms are KLs, else its log-density."""
    t = torch.full((len(x),), q.steps, device=x.device)
    last, prior = _jump(q, x, t, q.input_rows(given, len(x))), p.first(p.input_rows(given, len(x)))
    if isinstance(q.step, JumpsBack):
        return -_kl(last, prior, generator)
    return prior.log_prob(drawn(last, (), generator))


def _walked(
    p: Chain, q: Chain, x: Tensor, given: Mapping[str, Tensor] | None, generator: Generator | None
) -> Tensor:
    """Return log p(z) - log q(z | x) along one path of q, [B]."""
    own, others = (
        dict(zip(chain.inputs, chain.input_rows(given, len(x)), strict=True)) for chain in (p, q)
    )
    path = q.walk(len(x), given={q.begin: x, **others}, generator=generator)
    z = torch.stack([*path], dim=1)
    return p.log_prob(z, given=own) - q.log_prob(z, given=others)


def _jump(q: Chain, x: Tensor, t: Tensor, inputs: list[Tensor]) -> Distribution:
    step = q.step
    if not isinstance(step, Jumps):
        raise ValueError("single terms need a step of q with a jump(z_0, t)")
    return _shaped(q, step.jump(x, t, *inputs))


def _shaped(chain: Chain, distribution: Distribution) -> Distribution:
    return with_event_shape(distribution, chain.event_shape, "a jump")


def _kl(q: Distribution, p: Distribution, generator: Generator | None) -> Tensor:
    """KL(q || p), [R], or its estimate from one draw where torch has no closed form."""
    closed = closed_kl(q, p)
    if closed is not None:
        return closed
    value = drawn(q, (), generator)
    return q.log_prob(value) - p.log_prob(value)


def _check(p: Chain, q: Chain, x: Tensor, given: Mapping[str, Tensor] | None) -> None:
    against = p.reverse and not q.reverse and q.initial is None
    if not against or (p.steps, p.event_shape) != (q.steps, q.event_shape) or not q.steps:
        raise ValueError(
            f"p must be reversed and q lead from the data through the same states, "
            f"got {p.steps} and {q.steps} steps; two chains of one direction are nodes of networks"
        )
    if x.shape[1:] != Size(p.event_shape) or x.ndim == 0:
        raise ValueError(f"x must have shape [B, {[*p.event_shape]}], got {[*x.shape]}")
    if extra := [name for name in given or {} if name not in (*p.inputs, *q.inputs)]:
        raise ValueError(f"the chains have no input {extra[0]!r} that could be given")
