"""Loopy belief propagation: sum-product messages between the tables and their variables."""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from ancestral.errors import InferenceError
from ancestral.networks.approximate.estimate import (
    Estimate,
    by_state,
    check_tables,
    check_targets,
    one_hot,
    relevant,
)
from ancestral.networks.arguments import check_whole, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork


def loopy_belief_propagation(
    network: BayesianNetwork,
    targets: Iterable[str],
    *,
    given: Mapping[str, str | float] | None = None,
    iterations: int = 100,
    damping: float = 0.0,
    tolerance: float = 1e-9,
) -> Estimate:
    """Estimate posteriors by passing messages until they settle.

    Exact where the graph, evidence taken out, has no loops. With loops there is neither a
    guarantee that the messages settle nor a bound on the error when they do.

    Source: Pearl 1988; Murphy, Weiss & Jordan 1999; Koller & Friedman 2009, sec. 11.3. An iteration
    visits the tables in topological order and back.

    Args:
        network: A network whose nodes are all tables.
        targets: Names of nodes.
        given: Evidence, node name -> state: its name, or its index if no name is a number.
        iterations: The most that are made.
        damping: Share of the old message that stays, in [0, 1); helps where messages swing.
        tolerance: Largest change of a message, a probability, at which they have settled.

    Returns:
        The estimate, without standard errors: nothing is drawn. Diagnostics: ``iterations``;
        ``converged``, 1 or 0; ``change``, the largest in the last iteration.

    Raises:
        CapabilityError: If a node is not a table.
        InferenceError: If a name or state is unknown, or the evidence is impossible.
        ValueError: If iterations < 1 or damping is outside [0, 1).

    Example:
        >>> from ancestral.networks import student_network
        >>> answer = loopy_belief_propagation(student_network(), ["x3"], given={"x2": "1"})
        >>> answer.diagnostics["converged"], round(answer.probabilities["x3"]["1"], 6)
        (1.0, 0.785612)
    """
    check_whole("iterations", iterations)
    if not 0 <= damping < 1:
        raise ValueError(f"damping must be in [0, 1), got {damping}")
    names, evidence = check_targets(network, targets), check_tables(network, given or {})
    messages = _Messages(relevant(network, [*names, *evidence]), evidence, damping)
    change, made = math.inf, 0
    while change > tolerance and made < iterations:
        change, made = messages.pass_all(), made + 1
    probabilities = {}
    for name in names:
        states = network.states(name)
        fixed = name in evidence
        probabilities[name] = (
            one_hot(states, evidence[name]) if fixed else by_state(states, messages.belief(name))
        )
    return Estimate(
        method="loopy belief propagation",
        probabilities=probabilities,
        standard_errors=None,
        diagnostics={
            "iterations": float(made),
            "converged": float(change <= tolerance),
            "change": change,
        },
    )


class _Messages:
    """The factor graph: for each table a message to each of its variables."""

    def __init__(
        self, network: BayesianNetwork, evidence: Mapping[str, int], damping: float
    ) -> None:
        self.damping = damping
        self.evidence = evidence
        self.tables: list[np.ndarray] = []
        self.scopes: list[tuple[str, ...]] = []
        self.sent: list[list[np.ndarray]] = []
        self.near: dict[str, list[tuple[int, int]]] = {}  # Variable -> (table, axis).
        for name, node in network.nodes.items():
            scope = (*node.parents, name)
            index = tuple(evidence.get(each, slice(None)) for each in scope)
            table = to_numpy(network.table(name).probabilities)[index]
            free = tuple(each for each in scope if each not in evidence)
            self._check(float(table.sum()))
            for axis, each in enumerate(free):
                self.near.setdefault(each, []).append((len(self.tables), axis))
            self.tables.append(table)
            self.scopes.append(free)
            self.sent.append([np.full(size, 1 / size) for size in table.shape])

    def pass_all(self) -> float:
        """Visit every table there and back; return the largest change of a message."""
        order = range(len(self.tables))
        return max((self._visit(at) for at in (*order, *reversed(order))), default=0.0)

    def belief(self, name: str) -> np.ndarray:
        """Return the normalised product of the messages to a variable, [K]."""
        return self._product(name, without=-1)

    def _visit(self, at: int) -> float:
        """Send a table's messages to its variables."""
        table, scope = self.tables[at], self.scopes[at]
        heard = [self._product(name, without=at) for name in scope]
        change = 0.0
        for axis in range(len(scope)):
            others = [part for j in range(len(scope)) if j != axis for part in (heard[j], [j])]
            message = np.einsum(table, list(range(len(scope))), *others, [axis], optimize=False)
            total = float(message.sum())
            self._check(total)
            old = self.sent[at][axis]
            new = (1 - self.damping) * message / total + self.damping * old
            change = max(change, float(np.abs(new - old).max()))
            self.sent[at][axis] = new
        return change

    def _product(self, name: str, *, without: int) -> np.ndarray:
        parts = [self.sent[table][axis] for table, axis in self.near[name] if table != without]
        if not parts:
            return np.ones_like(self.sent[without][self.scopes[without].index(name)])
        product = parts[0]
        for part in parts[1:]:
            product = product * part
            total = float(product.sum())
            self._check(total)
            product = product / total
        return product

    def _check(self, total: float) -> None:
        if not total > 0:
            found = ", ".join(f"{name}={state}" for name, state in self.evidence.items())
            raise InferenceError(f"the evidence has probability 0: state indices {found}")
