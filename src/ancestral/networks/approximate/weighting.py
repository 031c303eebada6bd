"""Independent weighted draws: likelihood weighting, and rejection as its plainest case."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Generator, Tensor
from torch.distributions import Categorical

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks.approximate.estimate import (
    Estimate,
    check_targets,
    one_hot,
    relevant,
)
from ancestral.networks.approximate.weighted_sums import WeightedSums
from ancestral.networks.arguments import check_whole, listed
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.nodes import Table

FEW = 100
"""Fewer effective draws than these are a warning."""

BLOCK = 20_000
"""Draws held in memory at a time."""

Values: TypeAlias = dict[str, Tensor]
Given: TypeAlias = Mapping[str, Tensor | float | str]
Draw: TypeAlias = Callable[[int], tuple[Values, Tensor]]
"""Maps a number of draws n to values of every node [n, *event] and log-weights [n]."""


@torch.no_grad()
def likelihood_weighting(
    network: BayesianNetwork,
    targets: Iterable[str],
    *,
    given: Given | None = None,
    draws: int = 10_000,
    generator: Generator | None = None,
) -> Estimate:
    """Estimate posteriors by ancestral draws, weighted by the density of the evidence.

    The evidence is held, all other nodes are drawn given their parents, and a draw counts by the
    density that the evidence has given its parents. Any conditional will do where the evidence
    has a density: tables, Gaussians, neural networks. Good while the evidence is not surprising:
    read the effective sample size before the answer.

    Source: Fung & Chang 1990; Shachter & Peot 1990; Koller & Friedman 2009, sec. 12.3. The standard
    errors are those of a ratio of sums (Owen 2013, sec. 9.2).

    Args:
        network: Any network; its inputs must be given.
        targets: Names of nodes. Discrete ones get probabilities, others a mean.
        given: Evidence by name: a state, as in :func:`query`, or a value [*event].
        draws: Number of draws.
        generator: Source of randomness; torch's global one if None.

    Returns:
        The estimate. Diagnostics: ``draws``; ``effective_sample_size``, of how many equal draws
        the weights are worth; ``log_evidence`` in nats and ``log_evidence_error``, its standard
        error. A state that no draw or every draw shows gets the error of half a draw. A warning
        says so where few draws, below 100 and a tenth of them, carry the answer.

    Raises:
        CapabilityError: If an evidence node has no density.
        InferenceError: If a name or state is unknown, or no draw agrees with the evidence.
        ValueError: If an input is missing, a value has the wrong shape, or draws < 1.

    Example:
        >>> from ancestral.networks import student_network
        >>> answer = likelihood_weighting(
        ...     student_network(), ["x3"], given={"x2": "1"}, draws=100_000,
        ...     generator=torch.Generator().manual_seed(0))
        >>> abs(answer.probabilities["x3"]["1"] - 546 / 695) < 0.01
        True
    """
    part, names, held = _prepare(network, targets, given or {}, draws)
    weighed = [name for name in held if name in part.nodes]
    if silent := [name for name in weighed if part.nodes[name].deterministic]:
        raise CapabilityError(f"evidence node {silent[0]!r} is deterministic: it has no density")

    def draw(n: int) -> tuple[Values, Tensor]:
        fixed = {name: value.expand(n, *value.shape[1:]) for name, value in held.items()}
        values = part.draw_in_order(n, fixed, generator)
        weights = torch.zeros(n, dtype=torch.float64)
        for name in weighed:
            node = part.nodes[name]
            density = node.distribution([values[parent] for parent in node.parents])
            weights += density.log_prob(values[name]).double()
        return values, weights

    return _estimate("likelihood weighting", part, names, draws, draw, held)


@torch.no_grad()
def rejection(
    network: BayesianNetwork,
    targets: Iterable[str],
    *,
    given: Given | None = None,
    draws: int = 10_000,
    generator: Generator | None = None,
) -> Estimate:
    """Estimate posteriors by the ancestral draws that happen to agree with the evidence.

    What is kept has exactly the posterior's law; of ``draws`` about P(evidence) are kept.

    Source: Henrion 1988 (logic sampling); Koller & Friedman 2009, sec. 12.1.

    Args:
        network: A network whose evidence nodes are discrete; its inputs must be given.
        targets: Names of nodes. Discrete ones get probabilities, others a mean.
        given: Evidence by name: a state, as in :func:`query`, or a value [*event].
        draws: Number of draws before any is thrown away.
        generator: Source of randomness; torch's global one if None.

    Returns:
        The estimate, with the diagnostics of :func:`likelihood_weighting`; the effective sample
        size is the number of draws that were kept. The same warning, too.

    Raises:
        CapabilityError: If an evidence node is continuous: no draw would agree.
        InferenceError: If a name or state is unknown, or no draw agrees with the evidence.
        ValueError: If an input is missing, a value has the wrong shape, or draws < 1.

    Example:
        >>> from ancestral.networks import student_network
        >>> answer = rejection(student_network(), ["x3"], given={"x2": "1"}, draws=1000)
        >>> 600 < answer.diagnostics["effective_sample_size"] < 800
        True
    """
    part, names, held = _prepare(network, targets, given or {}, draws)
    wanted = {name: value for name, value in held.items() if name in part.nodes}

    def draw(n: int) -> tuple[Values, Tensor]:
        inputs = {name: held[name].expand(n, *held[name].shape[1:]) for name in part.inputs}
        values = part.draw_in_order(n, inputs, generator)
        agrees = torch.ones(n, dtype=torch.bool)
        for name, value in wanted.items():
            _check_discrete(part, name, values)
            agrees &= (values[name] == value).reshape(n, -1).all(1)
        return values, agrees.double().log()

    return _estimate("rejection", part, names, draws, draw, held)


def _prepare(
    network: BayesianNetwork, targets: Iterable[str], given: Given, draws: int
) -> tuple[BayesianNetwork, list[str], Values]:
    """Return the part of the network that matters, the targets, and the evidence, [1, *event]."""
    check_whole("draws", draws)
    names = check_targets(network, targets)
    for name in given:
        if name not in network.graph:
            raise InferenceError(f"no node {name!r}; the nodes are {listed(network.graph.names)}")
    part = relevant(network, [*names, *given])
    held = {
        name: torch.as_tensor(value)[None] if name in part.inputs else part.held(name, value, 1)
        for name, value in given.items()
        if name in part.graph
    }
    if missing := [name for name in part.inputs if name not in held]:
        raise ValueError(f"the inputs {missing} must be given")
    return part, names, held


def _check_discrete(network: BayesianNetwork, name: str, values: Values) -> None:
    node = network.nodes[name]
    if isinstance(node.conditional, Table):
        return
    parents = [values[parent] for parent in node.parents]
    support = None if node.deterministic else node.distribution(parents).support
    if support is None or not support.is_discrete:
        raise CapabilityError(
            f"rejection needs discrete evidence, {name!r} is not: use likelihood_weighting"
        )


def _estimate(
    method: str,
    network: BayesianNetwork,
    targets: list[str],
    draws: int,
    draw: Draw,
    held: Values,
) -> Estimate:
    sums: WeightedSums | None = None
    for start in range(0, draws, BLOCK):
        values, weights = draw(min(BLOCK, draws - start))
        if sums is None:
            sums = WeightedSums(
                {name: states for name in targets if (states := _states(network, name, values))}
            )
        sums.add(weights, {name: values[name] for name in targets})
    if sums is None or not sums.any:
        raise InferenceError(
            f"none of {draws} draws agrees with the evidence: it is impossible, or too rare for "
            f"{method}; ask for more draws, or for less evidence"
        )
    answer = sums.answer(method, draws)
    # A target that is evidence is known, whatever was drawn.
    known = {
        name: one_hot(sums.states[name], int(held[name])) for name in sums.states if name in held
    }
    nought = {name: dict.fromkeys(sums.states[name], 0.0) for name in known}
    return replace(
        answer,
        warnings=_few(answer, method),
        probabilities={**answer.probabilities, **known},
        standard_errors={**(answer.standard_errors or {}), **nought},
    )


def _few(answer: Estimate, method: str) -> tuple[str, ...]:
    """Warn where few draws carry the answer: then their errors are not to be trusted either."""
    draws, size = (answer.diagnostics[name] for name in ("draws", "effective_sample_size"))
    if size >= min(FEW, draws / 10):
        return ()
    return (
        f"{draws:,.0f} draws are worth {size:,.3g} by {method}: the evidence is surprising, so "
        "neither the answer nor its errors are to be trusted; ask for more draws, Gibbs sampling "
        "or an exact method",
    )


def _states(network: BayesianNetwork, name: str, values: Values) -> tuple[str, ...] | None:
    """Return the states of a discrete node; None if it has numbers for values."""
    node = network.nodes[name]
    if isinstance(node.conditional, Table):
        return node.conditional.states
    if node.deterministic:
        return None
    density = node.distribution([values[parent] for parent in node.parents])
    if isinstance(density, Categorical):
        return tuple(map(str, range(density.logits.shape[-1])))
    return None
