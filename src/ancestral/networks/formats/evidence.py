"""Rows of evidence from a table: one column a node, state names in the cells, blanks missing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ancestral.data.discrete import MISSING
from ancestral.data.files import shown
from ancestral.data.states import StateNames, state_at
from ancestral.data.tables import check_columns
from ancestral.data.words import open_words, places
from ancestral.errors import DataError
from ancestral.networks.bayesian_network import BayesianNetwork


def read_evidence(network: BayesianNetwork, path: str | Path) -> dict[str, NDArray[np.int64]]:
    r"""Return the evidence rows of a table: node -> state indices [N], -1 where missing.

    Args:
        network: Its nodes are all tables.
        path: csv, tsv (separated by commas, semicolons or tabs, with a header) or parquet; every
            column is a node.

    Raises:
        DataError: If the file is missing, damaged or empty, a column is no node, or a cell is no
            state of its node; the row is named.

    Example:
        >>> import tempfile
        >>> from ancestral.networks import student_network
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rows.csv"
        ...     _ = path.write_text("x2,x4\n1,0\n,1\n")
        ...     read_evidence(student_network(), path)["x2"].tolist()
        [1, -1]
    """
    table = open_words(path, expected=network.nodes)
    check_columns(table.path, table.columns)
    place = {}
    for number, name in enumerate(table.columns, start=1):
        if name not in network.nodes:
            near = ", ".join(list(network.nodes)[:8])
            more = ", ..." if len(network.nodes) > 8 else ""
            called = repr(name) if name else f"number {number}, which has no name,"
            raise DataError(
                f"{shown(table.path)}: column {called} is no node; the nodes are {near}{more}"
            )
        # A cell that says nothing, unless the node has a state of that name.
        place[name] = StateNames(network.states(name), nothing=MISSING)
    parts: dict[str, list[NDArray[np.integer]]] = {name: [] for name in place}
    first = 1
    for batch in table.batches():
        for name, found in parts.items():
            found.append(places(table.path, name, batch.column(name), place[name], first=first))
        first += batch.num_rows
    return {name: np.concatenate(found).astype(np.int64) for name, found in parts.items()}


def states_by_name(network: BayesianNetwork, given: Mapping[str, str]) -> dict[str, str]:
    """Return evidence by the names of the states that are meant, see :func:`state_at`.

    What is unknown stays as it is, for the question to refuse.

    Example:
        >>> from ancestral.networks import student_network
        >>> states_by_name(student_network(), {"x1": "0", "x2": "often"})
        {'x1': '0', 'x2': 'often'}
    """
    named = {}
    for name, state in given.items():
        known = network.states(name) if name in network.nodes else ()
        at = state_at(known, state)
        named[name] = state if at is None else known[at]
    return named
