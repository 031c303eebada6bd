"""Chow-Liu trees: the tree of highest likelihood, found exactly."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import xlogy

from ancestral.networks.learning.counting import Array, Columns
from ancestral.networks.learning.pairs import Found, Variables, pair_counts


def chow_liu(
    columns: Columns, *, root: str | None = None, states: Mapping[str, Sequence[str]] | None = None
) -> Found:
    """Return the tree of highest likelihood: the maximum spanning tree of mutual information.

    Every tree is as likely whichever node is its root: the root only turns the edges.

    Source: Chow & Liu 1968, Approximating discrete probability distributions with dependence
    trees.

    Args:
        columns: Fully observed state indices, [N] each.
        root: The node without a parent; the first column if None.
        states: Names of the states of each column to model; "0", "1", ... up to the largest
            index of every column if None.

    Returns:
        The tree; its score is the log-likelihood of the data at its maximum, in nats.

    Raises:
        DataError: If there are no data, or a value is not a state.
        ValueError: If the root is not a column.

    Example:
        >>> chain = {"a": [0, 0, 1, 1], "b": [0, 0, 1, 1], "c": [0, 1, 1, 1]}
        >>> chow_liu(chain, root="b").structure.parents
        {'b': (), 'a': ('b',), 'c': ('b',)}
    """
    variables = Variables.of(columns, states)
    names = variables.names
    if root is not None and root not in names:
        raise ValueError(f"root must be one of {', '.join(names)}, got {root!r}")
    gains, entropies = _information(variables)
    above = _spanning_tree(gains, names.index(root) if root is not None else 0)
    parents = {names[i]: () if j < 0 else (names[j],) for i, j in above.items()}
    rows = len(variables.arrays[names[0]])
    total = sum(gains[i, j] for i, j in above.items() if j >= 0) - entropies.sum()
    return Found(variables.structure(parents), float(rows * total), len(names) - 1)


def mutual_information(
    columns: Columns, *, states: Mapping[str, Sequence[str]] | None = None
) -> Array:
    """Return the mutual information of every pair of columns in the data, in nats, [D, D].

    The diagonal holds the entropies.

    Args:
        columns: Fully observed state indices, [N] each.
        states: As in :func:`chow_liu`.

    Example:
        >>> mutual_information({"a": [0, 1], "b": [0, 1]}).round(4).tolist()
        [[0.6931, 0.6931], [0.6931, 0.6931]]
    """
    gains, entropies = _information(Variables.of(columns, states))
    np.fill_diagonal(gains, entropies)
    return gains


def _information(variables: Variables) -> tuple[Array, Array]:
    """Return the mutual information of each pair [D, D] and the entropy of each column [D]."""
    counts, starts = pair_counts(variables)
    joint = counts / len(next(iter(variables.arrays.values())))
    own = np.diagonal(joint)
    entropies = -np.add.reduceat(xlogy(own, own), starts[:-1])
    blocks = np.add.reduceat(xlogy(joint, joint), starts[:-1], axis=0)
    together = -np.add.reduceat(blocks, starts[:-1], axis=1)
    return np.maximum(entropies[:, None] + entropies - together, 0.0), entropies


def _spanning_tree(gains: Array, root: int) -> dict[int, int]:
    """Return the node above each node, -1 above the root, in the order they join (Prim)."""
    best, above = np.full(len(gains), -np.inf), np.full(len(gains), -1)
    outside = np.ones(len(gains), dtype=bool)
    best[root] = 0.0
    tree: dict[int, int] = {}
    for _ in range(len(gains)):
        node = int(np.where(outside, best, -np.inf).argmax())
        outside[node] = False
        tree[node] = int(above[node])
        better = outside & (gains[node] > best)
        best[better], above[better] = gains[node][better], node
    return tree
