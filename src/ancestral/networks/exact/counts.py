"""Expected counts of every table's cells: the E-step of EM, and plain counting without gaps."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ancestral.errors import InferenceError
from ancestral.networks.arguments import non_negative
from ancestral.networks.exact.engine import engine_of
from ancestral.networks.exact.evidence import read_rows
from ancestral.networks.exact.propagation import Beliefs, Program
from ancestral.networks.exact.size import LIMIT
from ancestral.networks.exact.tables import Array
from ancestral.networks.tabular import TableNetwork


def expected_counts(
    network: TableNetwork,
    rows: Mapping[str, ArrayLike],
    weights: ArrayLike | Tensor | None = None,
    *,
    limit: float = LIMIT,
) -> tuple[dict[str, Array], float]:
    """Return how often each cell of each table is expected to occur, given what is known.

    The count of (parents, node) sums p(parents, node | row) over the rows. Equal rows are
    answered once; rows with the same missing cells are answered together.

    Source: Lauritzen 1995, The EM algorithm for graphical association models with missing data.

    Args:
        network: A network whose nodes are all tables.
        rows: State indices by node, integers [N]; -1 where missing. A node that is not a key is
            latent.
        weights: Non-negative weight of each row, [N]; 1 if None.
        limit: Most bytes that one computation may use.

    Returns:
        Counts by node, each of its table's shape, float64, summing to the sum of the weights;
        and the weighted log-likelihood of the rows, nats.

    Raises:
        InferenceError: If a name or state is unknown, a row is impossible under the network, a
            weight is negative or not finite, or the computation would not fit.

    Example:
        >>> from ancestral.networks import student_network
        >>> counts, log_likelihood = expected_counts(student_network(), {"x2": [0, 1, -1]})
        >>> counts["x1"].round(3).tolist(), round(log_likelihood, 4)
        ([0.391, 2.609], -1.5513)
    """
    engine = engine_of(network)
    tables = engine.tables
    nodes, states = read_rows(tables, rows)
    count = states.shape[1]
    mass = np.ones(count)
    if weights is not None:
        mass = non_negative("weights", weights, (count,), error=InferenceError)
    states, mass = _unique(states, mass)
    counts = [np.zeros(array.size) for array in tables.arrays]
    log_evidence = np.zeros(states.shape[1])
    for program, beliefs, values, members in engine.batches(nodes, states, None, limit):
        log_evidence[members] = beliefs.log_evidence
        for node, table in enumerate(counts):
            _add(program, beliefs, values, (node, table), mass[members])
    engine.check_rows(nodes, states, log_evidence, limit)
    named = {
        name: flat.reshape(array.shape)
        for name, flat, array in zip(tables.names, counts, tables.arrays, strict=True)
    }
    return named, float(mass @ log_evidence)


def _unique(states: Array, mass: Array) -> tuple[Array, Array]:
    """Merge equal rows and add their weights; drop rows of weight 0."""
    narrow = np.int16 if states.size == 0 or states.max() < 2**15 else np.int64
    packed = np.ascontiguousarray(states.T.astype(narrow))
    keys = packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1])))[:, 0]
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    total = np.bincount(which, weights=mass, minlength=len(first))
    kept = total > 0
    return states[:, first[kept]], total[kept]


def _add(
    program: Program, beliefs: Beliefs, values: Array, target: tuple[int, Array], mass: Array
) -> None:
    """Add the posterior of one family, row by row where part of it is observed."""
    node, counts = target
    tables = program.tables
    scope = tables.scopes[node]
    strides, step = {}, 1
    for v in reversed(scope):
        strides[v] = step
        step *= tables.sizes[v]
    free = [v for v in scope if program.hidden >> v & 1]
    place = np.zeros(1, dtype=np.int64)  # Of each joint state of the free ones in the flat table.
    for v in free:
        place = (place[:, None] + strides[v] * np.arange(tables.sizes[v])).ravel()
    known = [v for v in scope if v not in free]
    if not known:
        counts[place] += program.joint(beliefs, free, mass).ravel()
        return
    code = sum(strides[v] * values[v] for v in known)
    if not free:
        counts += np.bincount(code, weights=mass, minlength=len(counts))
        return
    joint = program.joint(beliefs, free).reshape(len(place), -1) * mass
    counts += np.bincount(
        (place[:, None] + code).ravel(), weights=joint.ravel(), minlength=len(counts)
    )
