"""How well a discrete network explains a data set, and what its parameters cost."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from scipy.special import gammaln, xlogy

from ancestral.errors import DataError
from ancestral.networks.arguments import check_number, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.exact import Inference
from ancestral.networks.learning.counting import Array, Columns, Counts, Structure, summarize
from ancestral.networks.learning.em import distinct_rows

Score: TypeAlias = Literal["bic", "bdeu"]
"""Scores of a structure: both are sums over the families, both say higher is better."""


def n_params(network: BayesianNetwork | Structure) -> int:
    """Return the number of free parameters: states - 1 for each row of each table.

    Example:
        >>> from ancestral.networks import student_network
        >>> n_params(student_network())
        9
    """
    structure = Structure.of(network)
    shapes = [structure.shape(name) for name in structure.parents]
    return sum(math.prod(shape[:-1]) * (shape[-1] - 1) for shape in shapes)


def log_likelihood(network: BayesianNetwork, data: Columns | Counts) -> float:
    """Return the log-probability of a data set, in nats, -inf if a row is impossible.

    Where every cell is known it is computed from the counts, one pass over the data whatever their
    size. What is missing is summed out: the marginal likelihood of the cells that are known.

    Args:
        network: A network whose nodes are all tables.
        data: Columns of state indices, [N] each, -1 where missing (a node without a column is
            latent), or counts of complete rows.

    Raises:
        DataError: If there is no column of a node, or one holds what is not a state.
        InferenceError: If summing out would not fit into memory.

    Example:
        >>> import torch
        >>> from ancestral.networks import student_network
        >>> student = student_network()
        >>> rows = student.sample(1000)
        >>> bool(torch.isclose(student.log_prob(rows).sum(), torch.tensor(
        ...     log_likelihood(student, rows), dtype=torch.float64)))
        True
        >>> round(log_likelihood(student, {"x1": [1, -1], "x2": [1, 0]}), 6) == round(
        ...     math.log(0.9 * 0.75) + math.log(0.1 * 0.8 + 0.9 * 0.25), 6)
        True
    """
    if not isinstance(data, Counts) and _has_gaps(network, data):
        rows, weights = distinct_rows(Structure.of(network), data)
        return float(weights @ Inference(network).log_evidence_rows(rows))
    counts = _counts(network, data)
    terms = (
        xlogy(table, to_numpy(network.table(name).probabilities)).sum()
        for name, table in counts.tables.items()
    )
    return math.fsum(terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """How well a network explains a data set, and what that costs.

    Args:
        rows: Number of rows N, or the sum of their weights.
        parameters: Number of free parameters k.
        log_likelihood: ln L, in nats.
    """

    rows: float
    parameters: int
    log_likelihood: float

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2 k - 2 ln L, in nats; lower is better."""
        return 2 * self.parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """The Bayesian information criterion, k ln N - 2 ln L, in nats; lower is better."""
        return self.parameters * math.log(self.rows) - 2 * self.log_likelihood


def criteria(network: BayesianNetwork, data: Columns | Counts) -> Criteria:
    """Return log-likelihood, AIC and BIC of a data set at once.

    Source: Akaike 1974; Schwarz 1978. The signs are scikit-learn's.

    Args:
        network: A network whose nodes are all tables.
        data: Columns of N rows, or their counts, as in :func:`log_likelihood`.

    Raises:
        DataError: If there is no row, no column of a node, or one holds what is not a state.

    Example:
        >>> from ancestral.networks import student_network
        >>> found = criteria(student_network(), student_network().sample(100))
        >>> found.rows, found.parameters, found.aic == 18 - 2 * found.log_likelihood
        (100, 9, True)
    """
    rows = data.rows if isinstance(data, Counts) else _rows(network, data)
    if not rows > 0:
        raise DataError(f"a criterion needs at least 1 row, got {rows:g}")
    return Criteria(
        rows=rows, parameters=n_params(network), log_likelihood=log_likelihood(network, data)
    )


def bic(network: BayesianNetwork, data: Columns | Counts) -> float:
    """Return the Bayesian information criterion, k ln N - 2 ln L, in nats; see :func:`criteria`."""
    return criteria(network, data).bic


def aic(network: BayesianNetwork, data: Columns | Counts) -> float:
    """Return Akaike's information criterion, 2 k - 2 ln L, in nats; see :func:`criteria`."""
    return criteria(network, data).aic


def family_score(
    counts: Array, *, score: Score = "bic", equivalent_sample_size: float = 10.0
) -> float:
    """Return what one node and its parents add to the score of a structure, in nats.

    ``bic`` is -BIC / 2: the log-likelihood at its maximum less ln(N) / 2 a parameter. ``bdeu`` is
    the log marginal likelihood of the node under the BDeu prior.

    Source: Schwarz 1978; Heckerman, Geiger & Chickering 1995, eq. 28.

    Args:
        counts: Counts of the family, [*parents' numbers of states, states].
        score: Which.
        equivalent_sample_size: Of BDeu, in rows, above 0.

    Raises:
        ValueError: If ``equivalent_sample_size`` is not above 0 and finite.
    """
    rows = counts.reshape(-1, counts.shape[-1])
    totals = rows.sum(1)
    if score == "bic":
        fit = xlogy(rows, rows).sum() - xlogy(totals, totals).sum()
        penalty = 0.5 * math.log(max(totals.sum(), 1)) * len(rows) * (rows.shape[1] - 1)
        return float(fit - penalty)
    check_number("equivalent_sample_size", equivalent_sample_size, above=True)
    cell, row = equivalent_sample_size / rows.size, equivalent_sample_size / len(rows)
    seen, hit = totals[totals > 0], rows[rows > 0]  # The others add nothing.
    of_rows = (gammaln(row) - gammaln(row + seen)).sum()
    return float(of_rows + (gammaln(cell + hit) - gammaln(cell)).sum())


def _has_gaps(network: BayesianNetwork, columns: Columns) -> bool:
    """Return whether a cell is missing, or all those of a node."""
    found = [name for name in network.nodes if name in columns]
    if len(found) < len(network.nodes):
        return True
    return any(bool((to_numpy(columns[name]) == -1).any()) for name in found)


def _rows(network: BayesianNetwork, columns: Columns) -> int:
    return next((len(columns[name]) for name in network.nodes if name in columns), 0)


def _counts(network: BayesianNetwork, data: Columns | Counts) -> Counts:
    return data if isinstance(data, Counts) else summarize(network, data)
