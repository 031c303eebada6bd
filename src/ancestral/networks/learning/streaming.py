"""Counting files larger than memory: parquet or csv, a chunk at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ancestral.errors import DataError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.learning.counting import Counts, Structure, merge, summarize

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS = 1 << 17
_CSV_BLOCK_BYTES = 1 << 23


def count_file(
    structure: BayesianNetwork | Structure, path: str | Path, *, chunk_rows: int = CHUNK_ROWS
) -> Counts:
    r"""Count the discrete columns of a file in chunks, in memory that does not grow with it.

    Args:
        structure: The graph and the states; the file needs a column for each node.
        path: ``.parquet`` or ``.csv`` (comma-separated, UTF-8, with a header).
        chunk_rows: Rows of a parquet file that are held at once, at least 1.

    Raises:
        DataError: If the file is missing or damaged, lacks a column, or has a cell that is no
            state; the row is named.

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
    structure: BayesianNetwork | Structure, path: str | Path, *, chunk_rows: int = CHUNK_ROWS
) -> Iterator[dict[str, NDArray[np.integer]]]:
    """Yield the state indices of a file's rows, chunk by chunk.

    Words are names of states. Whole numbers of a parquet file are state indices; the cells of a
    csv file are always names, as the states of a network are named "0", "1", ... by default.

    Args:
        structure: The states; only its nodes' columns are read.
        path: ``.parquet`` or ``.csv`` (comma-separated, UTF-8, with a header).
        chunk_rows: Rows of a parquet file that are held at once, at least 1.

    Raises:
        DataError: As :func:`count_file` says, when the chunk is read.
    """
    if chunk_rows < 1:
        raise ValueError(f"chunk_rows must be at least 1, got {chunk_rows}")
    structure, path = Structure.of(structure), Path(path)
    readers = {".parquet": _parquet, ".csv": _csv}
    if path.suffix not in readers:
        raise DataError(f"{path}: a table of states must be .parquet or .csv")
    if not path.is_file():
        raise DataError(f"no such file: {path}")
    first = 1
    for batch in _told(path, readers[path.suffix](path, list(structure.states), chunk_rows)):
        columns = {}
        for name, states in structure.states.items():
            columns[name] = _indices(path, name, batch.column(name), states, first)
        yield columns
        first += batch.num_rows


def _told(path: Path, batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
    """Pass the batches on; what the reader refuses becomes our error."""
    import pyarrow as pa

    try:
        yield from batches
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as a table: {reason}") from error


def _parquet(path: Path, names: list[str], chunk_rows: int) -> Iterator["pa.RecordBatch"]:
    from pyarrow import parquet

    # Buffered: else a whole row group's bytes are fetched at once, however large it is.
    with parquet.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False) as file:
        _check_names(path, names, file.schema_arrow.names)
        yield from file.iter_batches(chunk_rows, columns=names, use_threads=False)


def _csv(path: Path, names: list[str], chunk_rows: int) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    from pyarrow import csv

    del chunk_rows  # The reader cuts by bytes.
    with path.open(encoding="utf-8-sig") as file:
        header = next(iter(file), "").strip().split(",")
    _check_names(path, names, [name.strip().strip('"') for name in header])
    # Of one column a blank line is an empty cell, which is refused with its row.
    blank = csv.ParseOptions(ignore_empty_lines=len(header) > 1)
    words = pa.dictionary(pa.int32(), pa.string())
    with csv.open_csv(
        path,
        csv.ReadOptions(block_size=_CSV_BLOCK_BYTES),
        blank,
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, words), include_columns=names
        ),
    ) as reader:
        yield from reader


def _check_names(path: Path, names: list[str], found: list[str]) -> None:
    for name in names:
        if found.count(name) > 1:
            raise DataError(f"{path}: two columns are called {name!r}")
        if name not in found:
            near = ", ".join(found[:8]) + (", ..." if len(found) > 8 else "")
            raise DataError(f"{path}: no column {name!r}; there is {near}")


def _indices(
    path: Path,
    name: str,
    column: Any,  # noqa: ANN401 - pyarrow's classes have no types
    states: tuple[str, ...],
    first: int,
) -> NDArray[np.integer]:
    """Return a column of a chunk as state indices [N]; ``first`` is the number of its first row."""
    from pyarrow import types

    where = f"{path}: column {name!r}"
    if column.null_count:
        row = first + int(np.argmax(np.asarray(column.is_null())))
        raise DataError(f"{where}: row {row}: the cell is empty")
    if types.is_integer(column.type):
        found = np.asarray(column)
    else:
        coded = column if types.is_dictionary(column.type) else column.dictionary_encode()
        place = {state: number for number, state in enumerate(states)}
        codes = [place.get(str(word), -1) for word in coded.dictionary.to_pylist()]
        narrow = np.int8 if len(states) <= 127 else np.int64
        found = np.array(codes, dtype=narrow)[np.asarray(coded.indices)]
    wrong = (found < 0) | (found >= len(states))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(
            f"{where}: row {first + at}: {str(column[at])!r} is no state; "
            f"the states are {', '.join(states[:10])}"
        )
    return found.astype(np.uint8) if len(states) <= 256 else found.astype(np.int64)
