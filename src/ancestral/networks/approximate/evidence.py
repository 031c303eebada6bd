"""Soft evidence and interventions, for methods that know nothing but plain evidence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ancestral.errors import InferenceError
from ancestral.networks.arguments import non_negative
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.nodes import Node, Table

_SEEN = ("seen", "not seen")


@dataclass(frozen=True, slots=True)
class PlainEvidence:
    """A network and plain evidence that mean the same as another network and more.

    Args:
        network: The changed network.
        given: States, by name; by index where no name is a number.
        log_scale: What is to be added to the log-probability of this evidence, nats: likelihoods
            are divided by their largest.
    """

    network: BayesianNetwork
    given: Mapping[str, str | float]
    log_scale: float = 0.0


def plain_evidence(
    network: BayesianNetwork,
    *,
    given: Mapping[str, str | float] | None = None,
    likelihood: Mapping[str, ArrayLike] | None = None,
    do: Mapping[str, str | float] | None = None,
) -> PlainEvidence:
    """Turn soft evidence and interventions into a network and plain evidence.

    A node that is set loses its parents and is given; a likelihood becomes a child that is seen,
    with a probability in proportion to it. Every method of estimation takes the result.

    Source: Pearl 1988, sec. 2.2.2 (virtual evidence); Pearl 2009, Causality, sec. 3.2.1.

    Args:
        network: Any network; what is set or softly seen must be a table.
        given: Evidence, node name -> state: its name, or its index if no name is a number.
        likelihood: Soft evidence, node name -> p(what was seen | state) for each of its states,
            [states]; any scale.
        do: Interventions, node name -> state: the node no longer listens to its parents.

    Raises:
        CapabilityError: If a node that is set or softly seen is not a table.
        InferenceError: If a name or state is unknown, a node is both given and set, or a
            likelihood is not one non-negative number a state with a positive one among them.

    Example:
        >>> from ancestral.networks import loopy_belief_propagation, student_network
        >>> what = plain_evidence(student_network(), do={"x2": 1}, likelihood={"x1": [1, 3]})
        >>> answer = loopy_belief_propagation(what.network, ["x1"], given=what.given)
        >>> round(answer.probabilities["x1"]["1"], 6)  # 0.9 * 3 / (0.1 * 1 + 0.9 * 3)
        0.964286
    """
    nodes, evidence, log_scale = dict(network.nodes), dict(given or {}), 0.0
    for name, state in (do or {}).items():
        if name in evidence:
            raise InferenceError(f"{name!r} cannot be both given and set by do")
        index, states = network.state_index(name, state), network.states(name)
        nodes[name] = Node(name, _table(network, name, np.eye(len(states))[index], states))
        evidence[name] = state
    for name, numbers in (likelihood or {}).items():
        shape, called = (len(network.states(name)),), f"the likelihood of {name!r}"
        weights = non_negative(called, numbers, shape, some=True, error=InferenceError)
        log_scale += math.log(weights.max())
        seen = weights / weights.max()
        child = f"the likelihood of {name}"
        while child in network.graph:
            child += "'"
        both = np.stack((seen, 1 - seen), axis=1)
        nodes[child] = Node(child, _table(network, name, both, _SEEN), (name,))
        evidence[child] = _SEEN[0]
    return PlainEvidence(BayesianNetwork(list(nodes.values())), evidence, log_scale)


def _table(
    network: BayesianNetwork, beside: str, numbers: NDArray[np.float64], states: Sequence[str]
) -> Table:
    """Return a table on the device of another node's."""
    return Table(numbers, states=states).to(network.table(beside).probabilities.device)
