"""The evidence lower bound, its pieces, and its importance-weighted sister, for any two networks.

``p`` is the generative network over observed and latent nodes, ``q`` the network that guesses the
latents from what is observed. Written once: a VAE, a hierarchical VAE and a mixture use the same
functions.

Inside, a value is [*lead, B, *event]; ``lead`` holds one axis for each latent that is summed over
and, last, the axis of the draws if there is more than one, so that plain broadcasting aligns them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, kl_divergence

from ancestral.networks.arguments import check_whole, held_rows
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.nodes import Node
from ancestral.networks.sampling import draw

_SUMMED_AT_MOST = 64


def elbo(
    p: BayesianNetwork,
    q: BayesianNetwork,
    values: Mapping[str, Tensor],
    *,
    draws: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Return an unbiased estimate of the ELBO, E_q[log p(x, z) - log q(z | x)], in nats, [B].

    Every constant is kept, so the number is a lower bound on log p(x). At a latent n the KL to its
    prior is taken in closed form where torch has one and no parent of n in p descends from n in q;
    otherwise the log-ratio of the draw is used. Gradients flow by reparametrisation where the
    latent has one; a discrete latent of at most 64 states is summed over exactly; any other latent
    gets the score-function gradient (unbiased, of higher variance).

    Source: Kingma & Welling 2014, arXiv:1312.6114, eq. 3; Mnih & Gregor 2014, arXiv:1402.0030
    (score function).

    Args:
        p: The generative network.
        q: The inference network; its random nodes are the latents, its inputs observed nodes.
        values: The observed nodes, [B, *event] each.
        draws: Number of draws from q that are averaged, at least 1.
        generator: Source of the draws; torch's global one if None.

    Raises:
        ValueError: If draws < 1, latents and observed nodes do not make up p, or a value has
            another shape or number of rows.

    Example:
        >>> from ancestral.networks import LinearGaussian
        >>> p = BayesianNetwork([Node("z", LinearGaussian()),
        ...                      Node("x", LinearGaussian([1.0]), parents=("z",))])
        >>> q = BayesianNetwork([Node("z", LinearGaussian([0.5], scale=0.5**0.5), parents=("x",))])
        >>> elbo(p, q, {"x": torch.zeros(7)}).shape
        torch.Size([7])
    """
    values = _checked(p, q, values, draws)
    posterior = _Posterior(p, q, values, draws if draws > 1 else 0, generator)
    return posterior.average(posterior.log_ratio())


@dataclass(frozen=True, slots=True)
class Pieces:
    """What an ELBO is made of, nats, [B] each: ``reconstruction - sum of kl``.

    Args:
        reconstruction: E_q of the log-probability of all that is observed.
        kl: Of each latent, E_q of its log-ratio ``log q - log p``, by name. In the mean over q it
            is a KL, but what is drawn may be negative.
    """

    reconstruction: Tensor
    kl: Mapping[str, Tensor]

    @property
    def total(self) -> Tensor:
        """The ELBO, [B]."""
        return _less(self.reconstruction, self.kl.values())


def elbo_pieces(
    p: BayesianNetwork,
    q: BayesianNetwork,
    values: Mapping[str, Tensor],
    *,
    draws: int = 1,
    generator: Generator | None = None,
) -> Pieces:
    """Return the pieces of :func:`elbo`, of the same draws; arguments as there.

    Example:
        >>> from ancestral.networks import LinearGaussian
        >>> p = BayesianNetwork([Node("z", LinearGaussian()),
        ...                      Node("x", LinearGaussian([1.0]), parents=("z",))])
        >>> q = BayesianNetwork([Node("z", LinearGaussian([0.5], scale=0.5**0.5), parents=("x",))])
        >>> elbo_pieces(p, q, {"x": torch.zeros(1)}).kl["z"].detach()
        tensor([0.0966])
    """
    values = _checked(p, q, values, draws)
    posterior = _Posterior(p, q, values, draws if draws > 1 else 0, generator)
    observed, kl = posterior.terms()
    return Pieces(posterior.average(observed), {name: posterior.average(kl[name]) for name in kl})


def weighted_bound(
    p: BayesianNetwork,
    q: BayesianNetwork,
    values: Mapping[str, Tensor],
    *,
    draws: int,
    generator: Generator | None = None,
) -> Tensor:
    """Return ``log (1/K) sum_k p(x, z_k) / q(z_k | x)``, nats, [B], with its gradients.

    As :func:`estimate_log_prob`, for training: the gradients flow through the draws.

    Source: Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, eq. 8 and 13.

    Args:
        p: The generative network.
        q: The inference network, whose latents all have reparametrised draws.
        values: The observed nodes, [B, *event] each.
        draws: Number of importance draws K, at least 1.
        generator: Source of the draws; torch's global one if None.

    Raises:
        ValueError: As :func:`elbo`, or if a latent has no reparametrised draw.
    """
    values = _checked(p, q, values, draws)
    posterior = _Posterior(p, q, values, draws, generator, sampled=True, through=True)
    if posterior.scores:
        raise ValueError("an importance-weighted bound needs latents with reparametrised draws")
    return posterior.log_ratio().logsumexp(0) - math.log(draws)


@torch.no_grad()
def estimate_log_prob(
    p: BayesianNetwork,
    q: BayesianNetwork,
    values: Mapping[str, Tensor],
    *,
    draws: int,
    generator: Generator | None = None,
) -> Tensor:
    """Return the importance-weighted estimate of log p(x), in nats, [B].

    ``log (1/K) sum_k p(x, z_k) / q(z_k | x)`` is in expectation a lower bound that rises with the
    number of draws K and tends to log p(x). The log-ratio of the draws is used at every latent.

    Source: Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, eq. 8.

    Args:
        p: The generative network.
        q: The inference network (the proposal).
        values: The observed nodes, [B, *event] each.
        draws: Number of importance draws K, at least 1.
        generator: Source of the draws; torch's global one if None.

    Raises:
        ValueError: As :func:`elbo`.
    """
    values = _checked(p, q, values, draws)
    posterior = _Posterior(p, q, values, draws, generator, sampled=True)
    return posterior.log_ratio().logsumexp(0) - math.log(draws)


class _Posterior:
    """One pass through q: the drawn latents and what each contributes besides its factor in p."""

    def __init__(
        self,
        p: BayesianNetwork,
        q: BayesianNetwork,
        values: Mapping[str, Tensor],
        draws: int,
        generator: Generator | None,
        *,
        sampled: bool = False,
        through: bool = False,
    ) -> None:
        self.p, self.draws, self.generator, self.sampled = p, draws, generator, sampled
        self.through = through or not sampled  # Gradients flow through the draws.
        self.values = dict(values)
        self.batch = len(next(iter(values.values()))) if values else 1
        self.lead = dict.fromkeys(values, 0)  # Number of leading axes of each value.
        self.summed = 0  # Number of latents that are summed over.
        self.log_weights: Tensor | None = None  # log q of their states, [*summed, (draws), B].
        self.log_q: dict[str, Tensor] = {}  # Of each latent whose log-ratio is used.
        self.scores: list[Tensor] = []  # log q of each latent without a reparametrised draw.
        self.closed: dict[str, Distribution] = {}  # q of each latent with a KL in closed form.
        for node in q.nodes.values():
            self._visit(node, closed=not sampled and _parents_are_fixed(p, q, node.name))

    def _visit(self, node: Node, *, closed: bool) -> None:
        parents, lead = self._parents(node)
        if node.deterministic:
            self.values[node.name], self.lead[node.name] = node.conditional(*parents), lead
            return
        distribution = node.distribution(parents)
        if not parents:
            distribution = distribution.expand((self.batch,))
        if self.draws and lead == 0:  # Not below another latent: make the axis of the draws.
            distribution = distribution.expand((self.draws, *distribution.batch_shape))
            lead = 1
        if self._is_summed(distribution):
            self._sum_over(node.name, distribution, lead)
            return
        value = draw(
            distribution,
            generator=self.generator,
            reparametrised=distribution.has_rsample and self.through,
        )
        self.values[node.name], self.lead[node.name] = value, lead
        if not distribution.has_rsample and self.through:
            self.scores.append(distribution.log_prob(value))
        if closed and _has_closed_kl(distribution):
            self.closed[node.name] = distribution
        else:
            self.log_q[node.name] = distribution.log_prob(value)

    def _is_summed(self, distribution: Distribution) -> bool:
        small = isinstance(distribution, Bernoulli) or (
            isinstance(distribution, Categorical) and distribution._num_events <= _SUMMED_AT_MOST
        )
        return small and not self.sampled

    def _sum_over(self, name: str, distribution: Distribution, lead: int) -> None:
        """Put every state on a new first axis; keep the axes of latents that it does not know."""
        states = distribution.enumerate_support(expand=True)
        log_q = distribution.log_prob(states)
        for _ in range(self.summed + bool(self.draws) - lead):
            states, log_q = states.unsqueeze(1), log_q.unsqueeze(1)
        self.summed += 1
        self.values[name], self.lead[name] = states, states.ndim - 1
        self.log_weights = log_q if self.log_weights is None else self.log_weights + log_q
        self.log_q[name] = log_q

    def _parents(self, node: Node) -> tuple[list[Tensor], int]:
        """Return the values of the node's parents with equal leading axes, and how many."""
        if not self.draws and not self.summed:
            return [self.values[name] for name in node.parents], 0
        lead = max((self.lead[name] for name in node.parents), default=0)
        if all(self.lead[name] == lead for name in node.parents) and self.summed < 2:
            return [self.values[name] for name in node.parents], lead
        shapes = [self.values[name].shape[: self.lead[name]] for name in node.parents]
        common = torch.broadcast_shapes(*shapes)
        return [
            self.values[name].expand(*common, *self.values[name].shape[self.lead[name] :])
            for name in node.parents
        ], lead

    def terms(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Return log p of what is observed, and each latent's log q - log p or its KL."""
        observed: Tensor | None = None
        kl: dict[str, Tensor] = {}
        for name, node in self.p.nodes.items():
            parents, lead = self._parents(node)
            if node.deterministic:
                self.values[name], self.lead[name] = node.conditional(*parents), lead
                continue
            factor = node.distribution(parents)
            if name in self.closed:
                kl[name] = _kl(self.closed[name], factor, self.values[name])
                continue
            term = factor.log_prob(self.values[name])
            if name in self.log_q:
                kl[name] = self.log_q[name] - term
            else:
                observed = term if observed is None else observed + term
        if observed is None:
            some = next(iter(kl.values()))
            observed = torch.zeros(self.batch, dtype=some.dtype, device=some.device)
        return observed, kl

    def log_ratio(self) -> Tensor:
        """Return log p(x, z) - log q(z | x) with closed-form KLs put in, [*lead, B]."""
        observed, kl = self.terms()
        return _less(observed, kl.values())

    def average(self, ratio: Tensor) -> Tensor:
        """Sum over states and average over draws, [B], with score-function gradients."""
        for score in self.scores:  # The value stays; the gradient gains ratio * grad log q.
            ratio = ratio + ratio.detach() * (score - score.detach())
        if self.log_weights is not None:
            weights = self.log_weights.exp()
            # A state of probability 0 may have ratio inf - inf; it counts as 0.
            ratio = (weights * ratio.masked_fill(weights == 0, 0.0)).sum(
                dim=tuple(range(self.summed))
            )
        return ratio.mean(0) if ratio.ndim > 1 else ratio


def _less(total: Tensor, parts: Iterable[Tensor]) -> Tensor:
    for part in parts:
        total = total - part
    return total


def _has_closed_kl(distribution: Distribution) -> bool:
    """Whether a closed form may exist; a pair without one falls back to the log-ratio."""
    return not isinstance(distribution, torch.distributions.TransformedDistribution)


def _kl(q: Distribution, p: Distribution, value: Tensor) -> Tensor:
    closed = closed_kl(q, p)
    return q.log_prob(value) - p.log_prob(value) if closed is None else closed


def closed_kl(q: Distribution, p: Distribution) -> Tensor | None:
    """Return KL(q || p) in nats, [*B]; None where torch knows no closed form of the pair.

    Raises TypeError if a closed form of scalars is registered and used for vectors.
    """
    try:
        found = kl_divergence(q, p)
    except NotImplementedError:
        return None
    # A prior has no batch of its own: no shapes need to be broadcast to see that this is right.
    plain = not p.batch_shape and found.shape == q.batch_shape
    if not plain and found.shape != torch.broadcast_shapes(q.batch_shape, p.batch_shape):
        # A class that was registered for scalars only and is used for vectors.
        pair = f"{type(q).__name__} and {type(p).__name__}"
        raise TypeError(f"the KL of {pair} has shape {tuple(found.shape)}, not one a draw")
    return found


def _parents_are_fixed(p: BayesianNetwork, q: BayesianNetwork, name: str) -> bool:
    """Whether no parent of the latent in p descends from it in q."""
    return name in p.nodes and not set(p.graph.parents(name)) & q.graph.descendants(name)


def _checked(
    p: BayesianNetwork, q: BayesianNetwork, values: Mapping[str, Tensor], draws: int
) -> dict[str, Tensor]:
    """Return the observed values as rows, equally many of each: [B, *event]."""
    check_whole("draws", draws)
    latents = {name for name, node in q.nodes.items() if not node.deterministic}
    random = {name for name, node in p.nodes.items() if not node.deterministic}
    if wrong := sorted(latents & set(values)):
        raise ValueError(f"{wrong} are latents of q and cannot be observed too")
    if wrong := sorted(latents - random):
        raise ValueError(f"latents of q must be random nodes of p, {wrong} are not")
    needed = (random - latents) | set(p.inputs) | set(q.inputs)
    if missing := sorted(needed - set(values) - set(q.nodes)):
        raise ValueError(f"every node of p must be observed or a latent of q, {missing} are not")
    rows = max((len(value) for value in values.values() if value.ndim), default=1)
    nodes = {**q.nodes, **p.nodes}
    events = {name: nodes[name].event_shape if name in nodes else None for name in values}
    return {name: held_rows(name, value, rows, events[name]) for name, value in values.items()}
