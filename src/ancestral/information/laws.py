"""What torch's distributions do not tell, or tell wrong, of supports and probabilities."""

import math

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Binomial,
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    NegativeBinomial,
    OneHotCategorical,
    TransformedDistribution,
    VonMises,
)
from torch.nn.functional import logsigmoid


def bounds(p: Distribution) -> tuple[Tensor, Tensor]:
    """Return the ends of the support of a law of one number, [*B] or [], float64.

    Raises:
        NotImplementedError: If the law does not say.
    """
    if p.event_shape or p.support is None:
        raise NotImplementedError
    if isinstance(p, VonMises):  # One turn: torch says the whole line.
        return torch.tensor(-math.pi).double(), torch.tensor(math.pi).double()
    if isinstance(p, MixtureSameFamily):
        parts = p.component_distribution
        low, high = (end.expand(parts.batch_shape) for end in bounds(parts))
        return low.amin(dim=-1), high.amax(dim=-1)
    if type(p) is TransformedDistribution:  # torch says the codomain of the transform.
        low, high = bounds(p.base_dist)
        for transform in p.transforms:
            if not transform.bijective:
                raise NotImplementedError
            ends = torch.stack([torch.as_tensor(transform(end)) for end in (low, high)])
            low, high = ends.amin(dim=0), ends.amax(dim=0)
        return low, high
    if isinstance(p, Bernoulli):
        return torch.tensor(0.0).double(), torch.tensor(1.0).double()
    ends = (("lower_bound", -math.inf), ("upper_bound", math.inf))
    low, high = (torch.as_tensor(getattr(p.support, *end)).double() for end in ends)
    return low, high


def is_discrete(p: Distribution) -> bool:
    """Whether a law of one number is one of counts or states.

    Raises:
        NotImplementedError: If the law is not of one number, or does not say.
    """
    if p.event_shape or p.support is None:
        raise NotImplementedError
    return p.support.is_discrete


def log_states(p: Distribution) -> Tensor | None:
    """Return the log-probability of each state, [*B, N], of a law with finitely many; else None.

    torch's own logits are clamped away from 0 and 1; these are not: a zero gives -inf.
    """
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


def log_prob(p: Distribution, x: Tensor) -> Tensor:
    """Return log p(x) in nats with -inf outside the support, where torch would refuse x.

    Args:
        p: Any law, batch shape [*B].
        x: Points, [*S, *B, *event].
    """
    if isinstance(p, OneHotCategorical):
        return log_prob(p._categorical, x.argmax(dim=-1))
    if isinstance(p, Independent) and p.reinterpreted_batch_ndims:
        own = log_prob(p.base_dist, x)
        return own.sum(dim=tuple(range(-p.reinterpreted_batch_ndims, 0)))
    if isinstance(p, MixtureSameFamily) and not p.event_shape:  # Supports of parts may differ.
        weights = p.mixture_distribution.logits.log_softmax(dim=-1)
        return (weights + log_prob(p.component_distribution, x[..., None])).logsumexp(dim=-1)
    inside = _inside(p, x)
    if inside is None or bool(inside.all()):
        return _log_prob(p, x)
    lead = x.shape[: x.ndim - len(p.batch_shape) - len(p.event_shape)]
    # Any point inside will do: its density is thrown away.
    mask = inside.reshape(*inside.shape, *[1] * (x.ndim - inside.ndim))
    density = _log_prob(p, torch.where(mask, x, p.sample(lead).to(x.dtype)))
    return density.masked_fill(~inside, -math.inf)


def _inside(p: Distribution, x: Tensor) -> Tensor | None:
    try:
        inside = None if p.support is None else p.support.check(x)
        if inside is None or p.event_shape:
            return inside
        low, high = bounds(p)
        return inside & (x >= low) & (x <= high)
    except NotImplementedError:
        return None


def _log_prob(p: Distribution, x: Tensor) -> Tensor:
    """Return torch's log-probability, but without the clamp that keeps it from certain events."""
    log_p = log_states(p)
    if log_p is not None:
        shape = torch.broadcast_shapes(x.shape, log_p.shape[:-1])
        states = x.long().expand(shape)[..., None]
        return log_p.expand(*shape, -1).gather(-1, states)[..., 0]
    if isinstance(p, Binomial) and "probs" in vars(p):
        n, r = p.total_count, p.probs
        ways = torch.lgamma(n + 1) - torch.lgamma(x + 1) - torch.lgamma(n - x + 1)
        return ways + torch.xlogy(x, r) + torch.special.xlog1py(n - x, -r)
    if isinstance(p, NegativeBinomial) and "probs" in vars(p):
        n, r = p.total_count, p.probs
        ways = torch.lgamma(n + x) - torch.lgamma(x + 1) - torch.lgamma(n)
        return ways + torch.special.xlog1py(n, -r) + torch.xlogy(x, r)
    return p.log_prob(x)
