"""How well a discrete network explains a data set, and what its parameters cost."""

import math
from typing import Literal, TypeAlias

from scipy.special import gammaln, xlogy

from ancestral.errors import DataError
from ancestral.networks.arguments import check_number, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.learning.counting import Array, Columns, Counts, Structure, summarize

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

    It is computed from the counts, so it costs one pass over the data whatever their size.

    Args:
        network: A network whose nodes are all tables.
        data: Fully observed columns of state indices, or their counts.

    Raises:
        DataError: If a column is missing or holds what is not a state.

    Example:
        >>> import torch
        >>> from ancestral.networks import student_network
        >>> student = student_network()
        >>> rows = student.sample(1000)
        >>> bool(torch.isclose(student.log_prob(rows).sum(), torch.tensor(
        ...     log_likelihood(student, rows), dtype=torch.float64)))
        True
    """
    counts = _counts(network, data)
    terms = (
        xlogy(table, to_numpy(network.table(name).probabilities)).sum()
        for name, table in counts.tables.items()
    )
    return math.fsum(terms)


def bic(network: BayesianNetwork, data: Columns | Counts) -> float:
    """Return the Bayesian information criterion, k ln N - 2 ln L, in nats; lower is better.

    Source: Schwarz 1978. The sign is scikit-learn's.

    Args:
        network: The network, its tables fitted to the data.
        data: Fully observed columns of N rows, or their counts.

    Raises:
        DataError: If there is no row, a column is missing, or it holds what is not a state.
    """
    counts = _counts(network, data)
    if not counts.rows > 0:
        raise DataError(f"bic needs at least 1 row, got {counts.rows:g}")
    return n_params(network) * math.log(counts.rows) - 2 * log_likelihood(network, counts)


def aic(network: BayesianNetwork, data: Columns | Counts) -> float:
    """Return Akaike's information criterion, 2 k - 2 ln L, in nats; lower is better.

    Source: Akaike 1974. The sign is scikit-learn's.

    Args:
        network: The network, its tables fitted to the data.
        data: Fully observed columns, or their counts.
    """
    return 2 * n_params(network) - 2 * log_likelihood(network, data)


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


def _counts(network: BayesianNetwork, data: Columns | Counts) -> Counts:
    return data if isinstance(data, Counts) else summarize(network, data)
