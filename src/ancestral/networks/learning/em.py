"""Expectation-maximisation: tables from data with missing cells and latent nodes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import xlogy
from torch import Generator

from ancestral.errors import DataError
from ancestral.networks.arguments import check_whole, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.exact.counts import expected_counts
from ancestral.networks.learning.counting import (
    Array,
    Columns,
    Structure,
    check_columns,
    normalise,
    prior_count,
)


@dataclass(frozen=True, slots=True)
class EMResult:
    """What EM found.

    Args:
        network: The network of the best start.
        history: Its log-likelihood before each sweep and after the last, in nats; with a pseudo
            count a, plus a times the sum of the logs of all entries, which is what rises then.
        converged: Whether the last sweep gained no more than the tolerance.
        ends: Where each start ended, in nats, in their order.
    """

    network: BayesianNetwork
    history: tuple[float, ...]
    converged: bool
    ends: tuple[float, ...]

    @property
    def log_likelihood(self) -> float:
        """The last value of ``history``, in nats."""
        return self.history[-1]


def fit_em(
    structure: BayesianNetwork | Structure,
    columns: Columns,
    *,
    starts: BayesianNetwork | int = 1,
    iterations: int = 500,
    tolerance: float = 1e-8,
    pseudo_count: float = 0.0,
    generator: Generator | None = None,
) -> EMResult:
    """Fit the tables of a discrete network to data with gaps, by expectation-maximisation.

    Each sweep fills the gaps by exact inference and counts; the log-likelihood never falls. It
    climbs to a local maximum, so there can be several starts, of which the best is returned: each
    draws the tables that touch a gap at random (latent states that start equal would stay equal)
    and counts the others. Names and order of the states of a latent node mean nothing.

    Source: Dempster, Laird & Rubin 1977; Lauritzen 1995, The EM algorithm for graphical
    association models with missing data.

    Args:
        structure: The graph and the states; a network's probabilities are not read.
        columns: State indices, [N] each, -1 where missing. A node without a column is latent.
        starts: Number of random starts, at least 1; or the network to start from.
        iterations: Most sweeps of a start, at least 1.
        tolerance: A start ends when a sweep gains no more than this, in nats a row.
        pseudo_count: Added to every entry, as in :func:`from_summaries`.
        generator: Of the random tables; torch's global one if None.

    Raises:
        DataError: If there is no column of a node, or a value is not a state.
        ValueError: If a number is outside its range, or ``starts`` has another structure.
        InferenceError: If exact inference would not fit into memory.

    Example:
        >>> from ancestral.networks import student_network
        >>> rows = student_network().sample(200, generator=torch.Generator().manual_seed(0))
        >>> del rows["x2"]
        >>> found = fit_em(student_network(), rows, generator=torch.Generator().manual_seed(0))
        >>> all(b >= a - 1e-9 for a, b in zip(found.history, found.history[1:]))
        True
    """
    structure = Structure.of(structure)
    prior_count(1, pseudo_count, 0.0)  # It refuses what is out of range.
    check_whole("iterations", iterations)
    if isinstance(starts, int) and starts < 1:
        raise ValueError(f"starts must be at least 1, got {starts}")
    if not isinstance(starts, int) and Structure.of(starts) != structure:
        raise ValueError("starts must have the nodes, parents and states of the structure")
    rows, weights = distinct_rows(structure, columns)
    problem = _Problem(structure, rows, weights, pseudo_count)
    begins = (
        [problem.random(generator) for _ in range(starts)] if isinstance(starts, int) else [starts]
    )
    runs = [problem.climb(begin, iterations, tolerance) for begin in begins]
    best = max(runs, key=lambda run: run.log_likelihood)
    ends = tuple(run.log_likelihood for run in runs)
    return EMResult(best.network, best.history, best.converged, ends)


@dataclass(frozen=True, slots=True)
class _Problem:
    """Distinct rows with their weights, and the structure to fit to them."""

    structure: Structure
    rows: Mapping[str, NDArray[np.integer]]
    weights: Array
    pseudo_count: float

    def climb(self, network: BayesianNetwork, iterations: int, tolerance: float) -> EMResult:
        """Sweep until a sweep gains too little, from a network that is left as it is."""
        total = self.weights.sum()
        tables = {n: to_numpy(network.table(n).probabilities) for n in network.nodes}
        network = self.structure.network(tables)
        history: list[float] = []
        for sweep in range(iterations + 1):
            counts, log_likelihood = expected_counts(network, self.rows, self.weights)
            history.append(log_likelihood + self._log_prior(network))
            if sweep and history[-1] - history[-2] <= tolerance * total:
                return EMResult(network, tuple(history), True, ())
            if sweep < iterations:
                self._set(network, counts)
        return EMResult(network, tuple(history), False, ())

    def random(self, generator: Generator | None) -> BayesianNetwork:
        """Return random tables where there are gaps, and counted ones elsewhere."""
        observed = {name for name, column in self.rows.items() if not (column < 0).any()}
        tables = {}
        for name, parents in self.structure.parents.items():
            shape = self.structure.shape(name)
            if observed.issuperset((*parents, name)):
                family = tuple(self.rows[n] for n in (*parents, name))
                counts = np.zeros(shape)
                np.add.at(counts, family, self.weights)
                counts += self.pseudo_count
            else:  # Uniform on the simplex: normalised exponentials.
                noise = torch.rand(shape, generator=generator, dtype=torch.float64)
                counts = -torch.log1p(-noise).numpy() + 1e-6
            tables[name] = normalise(counts)
        return self.structure.network(tables)

    def _set(self, network: BayesianNetwork, counts: Mapping[str, Array]) -> None:
        """Set the tables in place: what is compiled for the graph is kept for the next sweep."""
        for name, table in counts.items():
            new = torch.from_numpy(normalise(table + self.pseudo_count))
            network.table(name).probabilities.copy_(new)

    def _log_prior(self, network: BayesianNetwork) -> float:
        if not self.pseudo_count:
            return 0.0
        tables = (to_numpy(network.table(name).probabilities) for name in network.nodes)
        return float(sum(xlogy(self.pseudo_count, table).sum() for table in tables))


def distinct_rows(
    structure: Structure, columns: Columns
) -> tuple[dict[str, NDArray[np.integer]], Array]:
    """Return the distinct rows, state indices [M] by node, and how often each occurs, float64 [M].

    Columns [N] have -1 where a cell is missing; a node without one is latent, those of no node are
    passed over. Raises DataError if there is no column of a node, no row, or a value is not a
    state.
    """
    sizes = {n: len(states) for n, states in structure.states.items() if n in columns}
    if not sizes:
        raise DataError(f"no column of a node; the nodes are {', '.join(structure.states)}")
    arrays = check_columns(columns, sizes, missing=True)
    if not len(next(iter(arrays.values()))):
        raise DataError("the data must have at least one row")
    narrow = np.int16 if max(sizes.values()) < 2**15 else np.int64
    packed = np.stack(list(arrays.values()), axis=1).astype(narrow)
    keys = packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1])))[:, 0]
    _, first, weights = np.unique(keys, return_index=True, return_counts=True)
    rows = {name: packed[first, index] for index, name in enumerate(arrays)}
    return rows, weights.astype(np.float64)
