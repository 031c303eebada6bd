"""Exact inference in discrete networks by variable elimination.

Tables are float64; every message is scaled by its maximum and the log of the scale kept, so that
long chains do not underflow.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.distributions import Categorical

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.sampling import draw

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Posterior:
    """The answer to a query.

    Args:
        probabilities: For each target the probability of each of its states, given the evidence.
        log_evidence: Log-probability of the evidence, in nats; 0 without evidence.
        terms: Number of table entries that were computed, to compare with enumeration.
    """

    probabilities: Mapping[str, Mapping[str, float]]
    log_evidence: float
    terms: int


def query(
    network: BayesianNetwork,
    targets: Iterable[str],
    *,
    given: Mapping[str, str | int] | None = None,
) -> Posterior:
    """Return the posterior of each target given the evidence, exactly.

    Nodes that are neither ancestors of a target nor of the evidence are dropped first (they are
    barren); the others are summed out in min-fill order.

    Source: Zhang & Poole 1994; Koller & Friedman 2009, ch. 9.

    Args:
        network: A network whose nodes are all tables.
        targets: Names of nodes.
        given: Evidence, node name -> state name or index.

    Raises:
        CapabilityError: If a node is not a table.
        InferenceError: If a name or state is unknown, or the evidence is impossible.

    Example:
        >>> from ancestral.networks import student_network
        >>> query(student_network(), ["x3"], given={"x2": "1"}).probabilities["x3"]["1"]
        0.785611...
    """
    evidence = _evidence(network, given or {})
    names = list(targets)
    answers, terms, log_evidence = {}, 0, 0.0
    for name in names:
        states = network.states(name)
        run = _Elimination(network, [name], evidence)
        table, log_evidence = run.answer()
        terms += run.terms
        answers[name] = dict(zip(states, table.tolist(), strict=True))
    if not names:
        run = _Elimination(network, [], evidence)
        _, log_evidence = run.answer()
    return Posterior(answers, log_evidence, terms)


def joint(
    network: BayesianNetwork,
    names: Sequence[str],
    *,
    given: Mapping[str, str | int] | None = None,
) -> Tensor:
    """Return the joint posterior of several nodes, float64 [*states of each, in order].

    Raises:
        CapabilityError: If a node is not a table.
        InferenceError: If a name or state is unknown, or the evidence is impossible.
    """
    if len(set(names)) < len(names):
        raise InferenceError(f"the nodes of a joint must differ, got {', '.join(names)}")
    table, _ = _Elimination(network, list(names), _evidence(network, given or {})).answer()
    return torch.from_numpy(table)


def sample_posterior(
    network: BayesianNetwork, n: int, given: Mapping[str, Tensor], generator: Generator | None
) -> dict[str, Tensor]:
    """Draw every node given evidence anywhere, exactly; :meth:`BayesianNetwork.sample` calls it.

    The nodes are summed out one by one, and then drawn in the opposite order, each from the
    factor it had when it was summed out.

    Args:
        network: A network whose nodes are all tables.
        n: Number of draws.
        given: Evidence as state indices, [n] each; equal rows share one elimination.
        generator: Source of the draws.

    Returns:
        State indices of every node, [n] each.
    """
    evidence_rows = torch.stack([given[name].long() for name in given], dim=1)
    rows, which = evidence_rows.unique(dim=0, return_inverse=True)
    out = {name: torch.empty(n, dtype=torch.long) for name in network.nodes}
    for index, row in enumerate(rows.tolist()):
        evidence = dict(zip(given, row, strict=True))
        run = _Elimination(network, list(network.nodes), evidence, keep=True)
        members = (which == index).nonzero()[:, 0]
        values = {name: torch.full((len(members),), state) for name, state in evidence.items()}
        for name, scope, table in reversed(run.history):
            picked = torch.tensor(table)[tuple(values[other] for other in scope)]
            values[name] = draw(
                Categorical(probs=picked, validate_args=False),
                () if scope else (len(members),),
                generator,
            )
        for name in out:
            out[name][members] = values[name]
    return out


class _Elimination:
    """One run: reduce the tables by the evidence, then sum out node after node."""

    def __init__(
        self,
        network: BayesianNetwork,
        targets: Sequence[str],
        evidence: Mapping[str, int],
        *,
        keep: bool = False,
    ) -> None:
        if not network.discrete:
            raise CapabilityError("exact inference needs a network of probability tables only")
        self.targets = targets
        self.evidence = evidence
        self.terms = 0
        self.log_scale = 0.0
        # (name, scope, table over scope + name) as each node was summed out, for sampling.
        self.history: list[tuple[str, tuple[str, ...], Array]] = []
        self.sizes = {name: len(network.states(name)) for name in network.nodes}
        roots = [*targets, *evidence]
        relevant = network.graph.ancestors(roots) | set(roots) if roots else set()
        self.factors = [
            self._reduce((*network.nodes[name].parents, name), network.table(name).probabilities)
            for name in network.nodes
            if name in relevant
        ]
        hidden = [name for name in network.nodes if name in relevant and name not in evidence]
        if not keep:
            hidden = [name for name in hidden if name not in targets]
        for name in _min_fill(hidden, [scope for scope, _ in self.factors]):
            self._sum_out(name)
        if keep:
            self._finish(())

    def answer(self) -> tuple[Array, float]:
        """Return the posterior over the targets, in their order, and the log-evidence."""
        free = tuple(name for name in self.targets if name not in self.evidence)
        table = self._finish(free)
        total = table.sum()
        log_evidence = self.log_scale + math.log(total) if self.evidence else 0.0
        table = table / total
        for axis, name in enumerate(self.targets):
            if name in self.evidence:
                state = np.zeros(self.sizes[name])
                state[self.evidence[name]] = 1.0
                shape = [1] * (table.ndim + 1)
                shape[axis] = -1
                table = np.expand_dims(table, axis) * state.reshape(shape)
        return table, log_evidence

    def _reduce(self, scope: tuple[str, ...], table: Tensor) -> tuple[tuple[str, ...], Array]:
        index = tuple(self.evidence.get(name, slice(None)) for name in scope)
        kept = tuple(name for name in scope if name not in self.evidence)
        return kept, table.cpu().numpy()[index]

    def _product(self, factors: Sequence[tuple[tuple[str, ...], Array]], last: str | None) -> tuple:
        scope = tuple(dict.fromkeys(n for names, _ in factors for n in names if n != last))
        scope = (*scope, last) if last is not None else scope
        result = np.ones((1,) * len(scope))
        for names, table in factors:
            order = sorted(range(len(names)), key=lambda axis: scope.index(names[axis]))
            shape = [self.sizes[name] if name in names else 1 for name in scope]
            result = result * table.transpose(order).reshape(shape)
        self.terms += result.size
        return scope, np.broadcast_to(result, [self.sizes[name] for name in scope])

    def _sum_out(self, name: str) -> None:
        bucket = [factor for factor in self.factors if name in factor[0]]
        self.factors = [factor for factor in self.factors if name not in factor[0]]
        scope, table = self._product(bucket, last=name)
        self.history.append((name, scope[:-1], table))
        message = table.sum(-1)
        peak = float(message.max())
        if peak <= 0:
            self._impossible()
        self.log_scale += math.log(peak)
        self.factors.append((scope[:-1], message / peak))

    def _finish(self, names: tuple[str, ...]) -> Array:
        scope, table = self._product(self.factors, last=None)
        if not table.sum() > 0:
            self._impossible()
        return table.transpose([scope.index(name) for name in names])

    def _impossible(self) -> None:
        evidence = ", ".join(f"{name}={state}" for name, state in self.evidence.items())
        raise InferenceError(f"the evidence has probability 0: state indices {evidence}")


def _evidence(network: BayesianNetwork, given: Mapping[str, str | int]) -> dict[str, int]:
    return {name: network.state_index(name, state) for name, state in given.items()}


def _min_fill(names: Sequence[str], scopes: Sequence[Sequence[str]]) -> list[str]:
    """Order the nodes so that each elimination joins as few unjoined neighbours as possible."""
    left = set(names)
    neighbours: dict[str, set[str]] = {name: set() for scope in scopes for name in scope}
    for scope in scopes:
        for name in scope:
            neighbours[name] |= set(scope) - {name}
    heap = [(_fill(neighbours, name), len(neighbours[name]), name) for name in left]
    heapq.heapify(heap)
    order = []
    while heap:
        *score, name = heapq.heappop(heap)
        if name not in left or score != [_fill(neighbours, name), len(neighbours[name])]:
            continue  # Out of date: a newer entry is in the heap.
        around = neighbours.pop(name)
        left.discard(name)
        order.append(name)
        for other in around:
            neighbours[other] |= around - {other}
            neighbours[other].discard(name)
        changed = around.union(*(neighbours[other] for other in around)) & left
        for other in changed:
            heapq.heappush(heap, (_fill(neighbours, other), len(neighbours[other]), other))
    return order


def _fill(neighbours: Mapping[str, set[str]], name: str) -> int:
    around = neighbours[name]
    return sum(len(around - neighbours[other]) - 1 for other in around)
