"""Gibbs sampling of discrete networks, many chains at once."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Generator

from ancestral.errors import InferenceError
from ancestral.networks.approximate.chains import effective_sample_size, split_r_hat
from ancestral.networks.approximate.determinism import tied_nodes, warning_of
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
from ancestral.networks.discrete_sampling import thresholds

MERGED = 1 << 14
"""Entries up to which the factors around a node are multiplied out beforehand."""

STARTS = 100
"""Weighted draws for each chain, among which its first state is chosen."""


def gibbs(
    network: BayesianNetwork,
    targets: Iterable[str],
    *,
    given: Mapping[str, str | float] | None = None,
    draws: int = 1000,
    chains: int = 8,
    warmup: int = 200,
    generator: Generator | None = None,
) -> Estimate:
    """Estimate posteriors by Gibbs sampling; the probability given the blanket is averaged.

    Each sweep draws every hidden node given its Markov blanket, in all chains at once. A draw of a
    target counts with its whole conditional probability, not only with the state that came
    (Rao-Blackwell). Where tables hold zeros, chains may be unable to leave a region: R-hat shows
    it if they began in different ones, and a warning where one table does it. Beside the targets
    R-hat watches the pseudo-likelihood, the sum of the log-probabilities of all that was drawn,
    for a target may stand still while others err.

    Source: Geman & Geman 1984; Gelfand & Smith 1990; Koller & Friedman 2009, sec. 12.3.

    Args:
        network: A network whose nodes are all tables.
        targets: Names of nodes.
        given: Evidence, node name -> state: its name, or its index if no name is a number.
        draws: Sweeps of each chain that count, at least 4.
        chains: Number of chains.
        warmup: Sweeps of each chain before those.
        generator: Source of randomness; torch's global one if None.

    Returns:
        The estimate. Diagnostics: ``draws``, ``chains``, ``warmup``; ``r_hat``, the worst split
        R-hat of all states of all targets and of the pseudo-likelihood, to be below 1.01;
        ``effective_sample_size``, the smallest. A probability that never moves gets the error of
        that many independent draws. A warning names the hidden nodes that tables of 0 and 1, or
        nearly, tie together.

    Raises:
        CapabilityError: If a node is not a table.
        InferenceError: If a name or state is unknown, or no state agrees with the evidence.
        ValueError: If draws < 4, chains < 1 or warmup < 0.

    Example:
        >>> from ancestral.networks import student_network
        >>> answer = gibbs(student_network(), ["x3"], given={"x2": "1"})
        >>> answer.diagnostics["r_hat"] < 1.1
        True
    """
    check_whole("chains", chains)
    if draws < 4 or warmup < 0:
        raise ValueError(f"draws must be at least 4 and warmup 0, got {draws} and {warmup}")
    names, evidence = check_targets(network, targets), check_tables(network, given or {})
    part = relevant(network, [*names, *evidence])
    sampler = GibbsSampler(part, evidence)
    free = [name for name in names if name not in evidence]
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    numbers = np.random.Generator(np.random.SFC64(seed))
    states = sampler.start(chains, generator)
    sizes = [len(network.states(name)) for name in free]
    ends = np.cumsum(sizes)
    columns = {n: slice(end - size, end) for n, end, size in zip(free, ends, sizes, strict=True)}
    kept = np.zeros((draws, chains, sum(sizes) + 1))  # The last is the pseudo-likelihood.
    for sweep in range(-warmup, draws):
        sampler.sweep(states, numbers, kept[sweep] if sweep >= 0 else None, columns)
    answer = _answer(network, names, evidence, kept, columns, warmup)
    tied = tied_nodes(part, evidence)
    return replace(answer, warnings=(warning_of(tied),)) if tied else answer


def _answer(
    network: BayesianNetwork,
    names: list[str],
    evidence: Mapping[str, int],
    kept: np.ndarray,
    columns: Mapping[str, slice],
    warmup: int,
) -> Estimate:
    draws, chains, features = kept.shape
    means = kept.mean(axis=(0, 1))
    sizes, r_hat = effective_sample_size(kept), split_r_hat(kept)
    # The whole variance, between chains too: chains that disagree make the error large.
    spread = kept.reshape(draws * chains, features).std(axis=0)
    least = 0.5 / (sizes.min() + 1)  # Half a draw, for a probability of 0 or 1.
    still = np.clip(means, least, 1 - least)
    moved = spread > 1e-12
    errors = np.sqrt(np.where(moved, spread**2 / sizes, still * (1 - still) / sizes.min()))
    probabilities, standard_errors = {}, {}
    for name in names:
        states = network.states(name)
        if name in evidence:
            probabilities[name] = one_hot(states, evidence[name])
            standard_errors[name] = dict.fromkeys(states, 0.0)
        else:
            probabilities[name] = by_state(states, means[columns[name]])
            standard_errors[name] = by_state(states, errors[columns[name]])
    return Estimate(
        method="Gibbs sampling",
        probabilities=probabilities,
        standard_errors=standard_errors,
        diagnostics={
            "draws": float(draws),
            "chains": float(chains),
            "warmup": float(warmup),
            "r_hat": float(r_hat.max()),
            "effective_sample_size": float(sizes.min()),
        },
    )


@dataclass(frozen=True, slots=True)
class _Factor:
    """A log-table seen from one node: which row, then one number for each state."""

    rows: np.ndarray  # [R, K]
    others: tuple[tuple[int, int], ...]  # Row of each other node in the states, its stride.


class GibbsSampler:
    """The kernel: full conditionals of a network of tables, and sweeps over its hidden nodes.

    Args:
        network: A network whose nodes are all tables.
        evidence: State index by node name.

    Example:
        >>> from ancestral.networks import student_network
        >>> sampler = GibbsSampler(student_network(), {"x4": 1})
        >>> sampler.conditional("x1", sampler.start(5)).shape
        (5, 2)
    """

    def __init__(self, network: BayesianNetwork, evidence: Mapping[str, int]) -> None:
        self.network = network
        self.evidence = dict(evidence)
        self.rows = {name: row for row, name in enumerate(network.nodes)}
        self.hidden = [name for name in network.nodes if name not in evidence]
        self._factors = {name: self._around(name) for name in self.hidden}

    def start(self, chains: int, generator: Generator | None = None) -> np.ndarray:
        """Return states of positive probability, int64 [nodes, chains].

        They are drawn by weight among weighted draws: near the posterior, and apart.

        Raises:
            InferenceError: If none of them agrees with the evidence.
        """
        n = STARTS * chains
        held = {name: torch.full((n,), state) for name, state in self.evidence.items()}
        values = self.network.draw_in_order(n, held, generator)
        weights = torch.zeros(n, dtype=torch.float64)
        for name in self.evidence:
            index = tuple(values[each] for each in (*self.network.nodes[name].parents, name))
            weights += self.network.table(name).probabilities[index].log()
        if float(weights.max()) == -math.inf:
            raise InferenceError(
                f"none of {n} draws agrees with the evidence: it is impossible, or too rare for a "
                f"first state of Gibbs sampling"
            )
        shares = (weights - weights.max()).exp()
        picked = torch.multinomial(shares, chains, replacement=True, generator=generator)
        return np.stack([values[name][picked].numpy() for name in self.network.nodes])

    def conditional(self, name: str, states: np.ndarray) -> np.ndarray:
        """Return p(name | all other nodes), [C, K].

        Args:
            name: A hidden node.
            states: State indices [nodes, C], of positive probability.
        """
        total = np.zeros(())
        for factor in self._factors[name]:
            index = np.zeros(states.shape[1], dtype=np.intp)
            for row, stride in factor.others:
                index += states[row] * stride
            total = total + factor.rows[index]
        weights = np.exp(total - total.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def sweep(
        self,
        states: np.ndarray,
        numbers: np.random.Generator,
        kept: np.ndarray | None,
        columns: Mapping[str, slice],
    ) -> None:
        """Draw every hidden node once, in place.

        Args:
            states: [nodes, C].
            numbers: Source of the uniform numbers.
            kept: Filled with the conditional probabilities, [C, F + 1]; the pseudo-likelihood is
                added to the last column. None in the warm-up.
            columns: The features of each target in ``kept``.
        """
        uniform = numbers.random((len(self.hidden), states.shape[1]))
        chains = np.arange(states.shape[1])
        for name, u in zip(self.hidden, uniform, strict=True):
            probabilities = self.conditional(name, states)
            picked = (u >= thresholds(probabilities)).sum(axis=0)
            states[self.rows[name]] = picked
            if kept is not None:
                kept[:, -1] += np.log(probabilities[chains, picked])
                if name in columns:
                    kept[:, columns[name]] = probabilities

    def _around(self, name: str) -> list[_Factor]:
        """Return the factors that hold a node: one product if that is small."""
        network = self.network
        scopes = [
            (*network.nodes[owner].parents, owner)
            for owner in (name, *network.graph.children(name))
        ]
        others = tuple(dict.fromkeys(n for scope in scopes for n in scope if n != name))
        sizes = [len(network.states(other)) for other in (*others, name)]
        tables = [(scope, self._log_table(scope[-1])) for scope in scopes]
        if math.prod(sizes) > MERGED or len(sizes) > 60:
            return [self._factor(name, scope, table) for scope, table in tables]
        whole = np.zeros(sizes)
        for scope, table in tables:
            order = sorted(range(len(scope)), key=lambda axis: (*others, name).index(scope[axis]))
            shape = [len(network.states(n)) if n in scope else 1 for n in (*others, name)]
            whole = whole + table.transpose(order).reshape(shape)
        return [self._factor(name, (*others, name), whole)]

    def _factor(self, name: str, scope: tuple[str, ...], table: np.ndarray) -> _Factor:
        table = np.moveaxis(table, scope.index(name), -1)
        others = [other for other in scope if other != name]
        strides = [math.prod(table.shape[axis + 1 : -1]) for axis in range(len(others))]
        return _Factor(
            np.ascontiguousarray(table).reshape(-1, table.shape[-1]),
            tuple((self.rows[other], s) for other, s in zip(others, strides, strict=True)),
        )

    def _log_table(self, name: str) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(to_numpy(self.network.table(name).probabilities))
