"""Counting files larger than memory: parquet, csv or tsv, a chunk at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ancestral.data.tables import refuse_cell
from ancestral.data.words import BATCH_ROWS, open_words, places
from ancestral.networks.arguments import check_whole
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.learning.counting import Counts, Structure, merge, summarize


def count_file(
    structure: BayesianNetwork | Structure, path: str | Path, *, chunk_rows: int = BATCH_ROWS
) -> Counts:
    r"""Count the discrete columns of a file in chunks, in memory that does not grow with it.

    Args:
        structure: The graph and the states; the file needs a column for each node.
        path: parquet, csv or tsv (separated by commas, semicolons or tabs, with a header).
        chunk_rows: Rows of a parquet file that are held at once, at least 1.

    Raises:
        DataError: If the file is missing or damaged, has no rows, lacks a column, or has a cell
            that is no state; the row is named.

    Example:
        >>> import tempfile
        >>> from ancestral.networks import student_network
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rows.csv"
        ...     _ = path.write_text("x1,x2,x3,x4\n" + "1,0,1,1\n" * 10)
        ...     int(count_file(student_network(), path).tables["x4"][0, 1, 1])
        10
    """
    structure = Structure.of(structure)
    chunks = read_chunks(structure, path, chunk_rows=chunk_rows)
    return merge(summarize(structure, columns) for columns in chunks)


def read_chunks(
    structure: BayesianNetwork | Structure, path: str | Path, *, chunk_rows: int = BATCH_ROWS
) -> Iterator[dict[str, NDArray[np.integer]]]:
    """Yield the state indices of a file's rows, chunk by chunk.

    Words are names of states. Whole numbers of a parquet file are state indices; the cells of a
    csv file are always names, as the states of a network are named "0", "1", ... by default.

    Args:
        structure: The states; only its nodes' columns are read.
        path: parquet, csv or tsv (separated by commas, semicolons or tabs, with a header).
        chunk_rows: Rows of a parquet file that are held at once, at least 1.

    Raises:
        DataError: As :func:`count_file` says, when the chunk is read.
    """
    check_whole("chunk_rows", chunk_rows)
    structure = Structure.of(structure)
    table = open_words(path, expected=structure.states)
    first = 1
    for batch in table.batches(list(structure.states), rows=chunk_rows):
        columns = {}
        for name, states in structure.states.items():
            columns[name] = _indices(table.path, name, batch.column(name), states, first)
        yield columns
        first += batch.num_rows


def _indices(
    path: Path,
    name: str,
    column: Any,  # noqa: ANN401 - pyarrow's classes have no types
    states: tuple[str, ...],
    first: int,
) -> NDArray[np.integer]:
    """Return a column of a chunk as state indices [N]; ``first`` is the number of its first row."""
    from pyarrow import types

    if not types.is_integer(column.type):
        place = {state: number for number, state in enumerate(states)}
        return places(path, name, column, place, first=first)
    if column.null_count:
        row = first + int(np.argmax(np.asarray(column.is_null())))
        refuse_cell(path, row, name, "the cell is empty")
    found = np.asarray(column)
    wrong = (found < 0) | (found >= len(states))
    if wrong.any():
        at = int(np.argmax(wrong))
        problem = f"{found[at]} is no state; there are 0 to {len(states) - 1}"
        refuse_cell(path, first + at, name, problem)
    return found.astype(np.uint8) if len(states) <= 256 else found.astype(np.int64)
