"""Sensitivity: what one entry of one table does to a posterior."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ancestral.errors import InferenceError
from ancestral.networks.arguments import to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.exact.questions import query
from ancestral.networks.learning.counting import Array, Structure

_LOW, _HIGH = 0.25, 0.75


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A posterior as a function of one entry t of one table: (a + b t) / (c + d t).

    Numerator and denominator are P(target, evidence) and P(evidence), both divided by P(evidence)
    at the entry as it is.

    Args:
        a: See above.
        b: See above.
        c: See above.
        d: See above.
        entry: The entry as it is, in [0, 1].
    """

    a: float
    b: float
    c: float
    d: float
    entry: float

    def __call__(self, entry: float) -> float:
        """Return the posterior if the entry were this, in [0, 1].

        Raises:
            ValueError: If the entry is outside [0, 1].
            InferenceError: If the evidence would be impossible.
        """
        if not 0 <= entry <= 1:
            raise ValueError(f"entry must be in [0, 1], got {entry}")
        return (self.a + self.b * entry) / self._evidence(entry)

    def derivative(self, entry: float | None = None) -> float:
        """Return the slope of the posterior at an entry, at the one as it is if None."""
        at = self._evidence(self.entry if entry is None else entry)
        return (self.b * self.c - self.a * self.d) / at**2

    def _evidence(self, entry: float) -> float:
        total = self.c + self.d * entry
        if total <= 1e-12 * (abs(self.c) + abs(self.d)):
            raise InferenceError(f"the evidence is impossible where the entry is {entry}")
        return total


def sensitivity(
    network: BayesianNetwork,
    target: Mapping[str, str | int],
    *,
    node: str,
    state: str | int,
    parents: Mapping[str, str | int] | None = None,
    given: Mapping[str, str | int] | None = None,
) -> Sensitivity:
    """Return P(target | given) as a function of the entry P(node = state | parents).

    The other entries of the row keep their proportions (where they are all 0 they stay equal), so
    both probabilities are linear in the entry and two exact queries at each of two values give
    the whole function.

    Source: Castillo, Gutierrez & Hadi 1997; Chan & Darwiche 2002, When do numbers really matter?

    Args:
        network: A network whose nodes are all tables.
        target: States of one or more nodes.
        node: The node whose table is varied.
        state: The state whose probability is varied; the node needs another one.
        parents: States of all its parents: the row that is varied.
        given: Evidence.

    Raises:
        ValueError: If a node is target and evidence, or ``parents`` is not one state a parent.
        InferenceError: If a name or a state is unknown, or the evidence is impossible.

    Example:
        >>> from ancestral.networks import student_network
        >>> effect = sensitivity(
        ...     student_network(), {"x1": "1"}, given={"x2": "1"}, node="x2", state="1",
        ...     parents={"x1": "0"},
        ... )
        >>> round(effect(0.2), 6), round(effect.derivative(), 6)
        (0.971223, -0.139744)
    """
    given, parents = dict(given or {}), dict(parents or {})
    if both := sorted(set(target) & set(given)):
        raise ValueError(f"target and given must be different nodes, {both[0]!r} is in both")
    position = _position(network, node, state, parents)
    table = to_numpy(network.table(node).probabilities)
    scale = query(network, (), given=given).log_evidence
    points = []
    for entry in (_LOW, _HIGH):
        varied = _varied(network, node, _with_entry(table, position, entry))
        points.append(
            (_probability(varied, {**given, **target}, scale), _probability(varied, given, scale))
        )
    (a, b), (c, d) = (_line(*pair) for pair in zip(*points, strict=True))
    return Sensitivity(a, b, c, d, float(table[position]))


def _position(
    network: BayesianNetwork, node: str, state: str | int, parents: Mapping[str, str | int]
) -> tuple[int, ...]:
    index = network.state_index(node, state)
    wanted = network.nodes[node].parents
    if set(parents) != set(wanted):
        raise ValueError(
            f"parents must give a state to each of {list(wanted)}, got {list(parents)}"
        )
    if len(network.states(node)) < 2:
        raise ValueError(f"node {node!r} must have at least 2 states, got 1")
    return (*(network.state_index(name, parents[name]) for name in wanted), index)


def _with_entry(table: Array, position: tuple[int, ...], entry: float) -> Array:
    table = table.copy()
    row, own = table[position[:-1]], position[-1]
    others = np.arange(len(row)) != own
    rest = row[others].sum()
    share = row[others] / rest if rest > 0 else np.full(others.sum(), 1 / others.sum())
    row[others], row[own] = (1 - entry) * share, entry
    return table


def _varied(network: BayesianNetwork, node: str, table: Array) -> BayesianNetwork:
    structure = Structure.of(network)
    tables = {name: to_numpy(network.table(name).probabilities) for name in network.nodes}
    return structure.network({**tables, node: table})


def _probability(
    network: BayesianNetwork, event: Mapping[str, str | int], log_scale: float
) -> float:
    """Return P(event) / exp(log_scale); 0 if the event is impossible."""
    for name, state in event.items():
        network.state_index(name, state)  # An unknown state is an error, not impossible.
    try:
        return math.exp(query(network, (), given=event).log_evidence - log_scale)
    except InferenceError:
        return 0.0


def _line(low: float, high: float) -> tuple[float, float]:
    slope = (high - low) / (_HIGH - _LOW)
    return low - slope * _LOW, slope
