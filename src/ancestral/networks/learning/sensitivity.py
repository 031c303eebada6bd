"""Sensitivity: what one entry of one table does to a posterior."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ancestral.errors import InferenceError
from ancestral.networks.arguments import to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.exact import Inference, query
from ancestral.networks.learning.counting import Array, Structure


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
    target: Mapping[str, str | float],
    *,
    node: str,
    state: str | int,
    parents: Mapping[str, str | float] | None = None,
    given: Mapping[str, str | float] | None = None,
) -> Sensitivity:
    """Return P(target | given) as a function of the entry P(node = state | parents).

    The other entries of the row keep their proportions (where they are all 0 they stay equal), so
    both probabilities are linear in the entry.

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
    wanted, parents = network.nodes[node].parents if node in network.nodes else (), parents or {}
    if node in network.nodes and set(parents) != set(wanted):
        raise ValueError(
            f"parents must give a state to each of {list(wanted)}, got {list(parents)}"
        )
    index = network.state_index(node, state)
    position = (*(network.state_index(name, parents[name]) for name in wanted), index)
    lines = _lines(network, target, node, given or {})
    return Sensitivity(*(float(part[position]) for part in lines))


def sensitivities(
    network: BayesianNetwork,
    target: Mapping[str, str | float],
    *,
    node: str,
    given: Mapping[str, str | float] | None = None,
) -> dict[tuple[str, ...], Sensitivity]:
    """Return P(target | given) as a function of each entry of the table of a node.

    Each is what :func:`sensitivity` says of that entry; all of them together cost three exact
    queries.

    Args:
        network: A network whose nodes are all tables.
        target: States of one or more nodes.
        node: The node whose table is varied; it needs at least 2 states.
        given: Evidence.

    Returns:
        By the states of the parents, in the order of the table, and then of the node itself.

    Raises:
        ValueError: If a node is target and evidence, or ``node`` has one state only.
        InferenceError: If a name or a state is unknown, or the evidence is impossible.

    Example:
        >>> from ancestral.networks import student_network
        >>> found = sensitivities(student_network(), {"x1": "1"}, node="x2", given={"x2": "1"})
        >>> {entry: round(effect.derivative(), 4) for entry, effect in found.items()}
        {('0', '0'): 0.1397, ('0', '1'): -0.1397, ('1', '0'): -0.0373, ('1', '1'): 0.0373}
    """
    lines = _lines(network, target, node, given or {})
    names = [network.states(name) for name in (*network.nodes[node].parents, node)]
    return {
        entry: Sensitivity(*(float(part.flat[at]) for part in lines))
        for at, entry in enumerate(itertools.product(*names))
    }


def _lines(
    network: BayesianNetwork,
    target: Mapping[str, str | float],
    node: str,
    given: Mapping[str, str | float],
) -> tuple[Array, Array, Array, Array, Array]:
    """Return a, b, c, d and the entry itself for every entry of a table, each of its shape.

    The probability of an event is the sum over the entries of entry times slope, where the slope
    does not depend on the table. With an even table in its place, the slope is the posterior of
    the family times its number of states.
    """
    if both := sorted(set(target) & set(given)):
        raise ValueError(f"target and given must be different nodes, {both[0]!r} is in both")
    for name, state in target.items():
        network.state_index(name, state)  # An unknown state is an error, not impossible.
    if len(network.states(node)) < 2:
        raise ValueError(f"node {node!r} must have at least 2 states, got 1")
    scale = query(network, (), given=given).log_evidence
    table = to_numpy(network.table(node).probabilities)
    even = Inference(_with_even_table(network, node))
    family = (*network.nodes[node].parents, node)
    found: list[Array] = []
    for event in ({**given, **target}, given):
        log_p = even.log_evidence(event) - scale
        slopes = np.zeros(table.shape)
        if log_p > -math.inf:
            slopes = table.shape[-1] * math.exp(log_p) * even.joint(family, given=event).numpy()
        found += _line(table, slopes)
    return found[0], found[1], found[2], found[3], table


def _with_even_table(network: BayesianNetwork, node: str) -> BayesianNetwork:
    structure = Structure.of(network)
    tables = {name: to_numpy(network.table(name).probabilities) for name in network.nodes}
    shape = structure.shape(node)
    return structure.network({**tables, node: np.full(shape, 1 / shape[-1])})


def _line(table: Array, slopes: Array) -> tuple[Array, Array]:
    """Return where the line of each entry begins, and how it rises, [*parents, states] each.

    What the entry leaves is shared by the others of its row in proportion, evenly if all are 0.
    """
    count = table.shape[-1]
    others = 1 - np.eye(count)
    rest, even = table @ others, (slopes @ others) / (count - 1)
    shared = (table * slopes) @ others / np.where(rest > 0, rest, 1.0)
    shared = np.where(rest > 0, shared, even)
    rows = (table * slopes).sum(axis=-1).ravel()
    # What comes before and after, not the total less the row: that could be noise.
    before, after = np.zeros(rows.size), np.zeros(rows.size)
    before[1:], after[:-1] = np.cumsum(rows[:-1]), np.cumsum(rows[:0:-1])[::-1]
    elsewhere = (before + after).reshape(*table.shape[:-1], 1)
    return elsewhere + shared, slopes - shared
