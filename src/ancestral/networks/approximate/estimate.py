"""The answer of every approximate method."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks.arguments import listed
from ancestral.networks.bayesian_network import BayesianNetwork


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate of posteriors: not exact, and it says so.

    Args:
        method: How it was made.
        probabilities: For each discrete target, state -> estimated probability.
        standard_errors: The standard error of each probability; None for a method that draws
            nothing, whose error is unknown where the graph has loops.
        means: For each other target, the estimated posterior mean [*event].
        mean_errors: Their standard errors, [*event].
        diagnostics: Figures by which to judge it; each method names its own.
        warnings: Why not to trust it, one sentence each; to be shown beside the answer.
    """

    method: str
    probabilities: Mapping[str, Mapping[str, float]]
    standard_errors: Mapping[str, Mapping[str, float]] | None
    diagnostics: Mapping[str, float]
    means: Mapping[str, Tensor] = field(default_factory=dict)
    mean_errors: Mapping[str, Tensor] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def check_targets(network: BayesianNetwork, targets: Iterable[str]) -> list[str]:
    """Return the targets as a list of different nodes; a string is one name.

    Raises:
        InferenceError: If one is no node of the network.
    """
    names = [targets] if isinstance(targets, str) else list(dict.fromkeys(targets))
    for name in names:
        if name not in network.nodes:
            raise InferenceError(f"no node {name!r}; the nodes are {listed(list(network.nodes))}")
    return names


def check_tables(network: BayesianNetwork, given: Mapping[str, str | float]) -> dict[str, int]:
    """Return evidence as state indices of a network of tables.

    Raises CapabilityError if a node is not a table; InferenceError if a name or a state is unknown.
    """
    if not network.discrete:
        raise CapabilityError(
            "this method needs a network of probability tables only; likelihood_weighting needs "
            "densities at the evidence only"
        )
    return {name: network.state_index(name, state) for name, state in given.items()}


def relevant(network: BayesianNetwork, names: Iterable[str]) -> BayesianNetwork:
    """Return the network of ``names`` and their ancestors: the other nodes are barren."""
    kept = set(names)
    kept |= network.graph.ancestors(kept)
    return BayesianNetwork([node for name, node in network.nodes.items() if name in kept])


def by_state(states: Iterable[str], numbers: np.ndarray) -> dict[str, float]:
    """Pair the names of states with numbers."""
    return dict(zip(states, numbers.tolist(), strict=True))


def one_hot(states: tuple[str, ...], index: int) -> dict[str, float]:
    """Return the posterior of a node that is evidence itself."""
    return {state: float(place == index) for place, state in enumerate(states)}
