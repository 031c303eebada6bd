"""Rows of evidence from a table: one column a node, state names in the cells, blanks missing."""

from csv import reader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ancestral.errors import DataError
from ancestral.networks.bayesian_network import BayesianNetwork

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = ("", "?", "*")
"""Cells that say nothing, unless the node has a state of that name."""


def read_evidence(network: BayesianNetwork, path: str | Path) -> dict[str, NDArray[np.int64]]:
    r"""Return the evidence rows of a table: node -> state indices [N], -1 where missing.

    Args:
        network: Its nodes are all tables.
        path: csv (comma-separated, UTF-8, with a header), tsv or parquet; every column is a node.

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
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no such file: {path}")
    table = _read(path)
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{path}: the table has no rows of evidence")
    found = {}
    if twice := [name for name in table.column_names if table.column_names.count(name) > 1]:
        raise DataError(f"{path}: two columns are called {twice[0]!r}")
    for name in table.column_names:
        if name not in network.nodes:
            near = ", ".join(list(network.nodes)[:8])
            more = ", ..." if len(network.nodes) > 8 else ""
            raise DataError(f"{path}: column {name!r} is no node; the nodes are {near}{more}")
        found[name] = _codes(path, name, table.column(name), network.states(name))
    return found


def _read(path: Path) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv, parquet

    suffix = path.suffix.lower()
    if suffix not in {".csv", ".tsv", ".parquet"}:
        raise DataError(f"{path}: rows of evidence are a csv, tsv or parquet file")
    try:
        if suffix == ".parquet":
            return parquet.read_table(path)
        delimiter = "\t" if suffix == ".tsv" else ","
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(reader(file, delimiter=delimiter), [])
        names = [name.strip() for name in header]
        if len(set(names)) < len(names):  # Told by the caller; the reader would mix them up.
            return pa.table([[None]] * len(names), names=names)
        return csv.read_csv(
            path,
            csv.ReadOptions(column_names=names, skip_rows=1),
            # Of one column a blank line is a missing cell.
            csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=len(names) > 1),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as a table: {reason}") from error


def _codes(
    path: Path,
    name: str,
    column: Any,  # noqa: ANN401 - pyarrow's classes have no types
    states: tuple[str, ...],
) -> NDArray[np.int64]:
    cells = ["" if cell is None else str(cell).strip() for cell in column.to_pylist()]
    place = dict.fromkeys(MISSING, -1) | {state: number for number, state in enumerate(states)}
    try:
        return np.array([place[cell] for cell in cells], dtype=np.int64)
    except KeyError:
        row, cell = next((i, cell) for i, cell in enumerate(cells, 1) if cell not in place)
        raise DataError(
            f"{path}: column {name!r}, row {row}: no state {cell!r}; "
            f"its states are {', '.join(states)}"
        ) from None
