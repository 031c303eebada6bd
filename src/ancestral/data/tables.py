"""Tables: what the readers of files share, and parquet."""

import difflib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.cache import LARGE, Space, decoded_once
from ancestral.data.columns import Vector
from ancestral.data.dataset import Examples, Loading
from ancestral.data.fields import LABEL, labelled
from ancestral.data.files import reason, shown
from ancestral.data.splitting import Contents
from ancestral.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def check_columns(path: Path, columns: Sequence[str]) -> None:
    """Refuse a table whose columns cannot be told apart.

    Raises:
        DataError: If a name stands twice.
    """
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"{shown(path)}: two columns have the name {twice[0]!r}; rename one")


def label_index(path: Path, columns: Sequence[str], label: str | None) -> int | None:
    """Return the position of the label's column, None if no label is asked for.

    Raises:
        DataError: If there is no such column, or no other.
    """
    if label is None:
        return None
    if label not in columns:
        near = difflib.get_close_matches(label, columns, n=3, cutoff=0.4) or columns[:8]
        raise DataError(
            f"{shown(path)}: no column {label!r} for the label; there is {', '.join(near)}"
        )
    if len(columns) < 2:
        raise DataError(f"{shown(path)}: the table has no column beside the label {label!r}")
    return columns.index(label)


def table_contents(
    path: Path,
    columns: Sequence[str],
    values: NDArray[np.float64],
    label: Sequence[str] | None,
    notes: Sequence[str],
) -> Contents:
    """Make contents of finite numbers.

    Args:
        path: The file, for messages.
        columns: D names.
        values: Numbers, [N, D].
        label: N label names, stripped, none empty; or None.
        notes: What was inferred while reading.
    """
    said = list(notes)
    given: dict[str, Tensor] = {}
    labels: tuple[str, ...] = ()
    if label is not None:
        given[LABEL], labels = encode_labels(path, label)
        said.append(f"{len(labels)} labels: {_shorten(labels)}")
    x = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))
    return Contents(
        fields=labelled(Vector.of_numbers(columns), labels),
        examples=Examples(x, given),
        notes=tuple(said),
    )


def encode_labels(path: Path, names: Sequence[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Return label numbers, int64 [N], and their names: numbers by size, words by alphabet.

    Raises:
        DataError: If more than half of 20 or more values are distinct, as measurements are.
    """
    distinct, inverse = np.unique(np.asarray(names, dtype=object), return_inverse=True)
    if len(names) >= 20 and 2 * len(distinct) > len(names):
        raise DataError(
            f"{shown(path)}: the label has {len(distinct)} distinct values in {len(names)} rows; "
            "a label names a few classes"
        )
    words = [str(name) for name in distinct]
    order = sorted(range(len(words)), key=lambda index: label_order(words[index]))
    rank = np.empty(len(words), dtype=np.int64)
    rank[order] = np.arange(len(words))
    return torch.from_numpy(rank[inverse]), tuple(words[index] for index in order)


def label_order(name: str) -> tuple[bool, int, str]:
    """Return the key that sorts label names: whole numbers by size, then words by alphabet."""
    number = name.lstrip("-").isdecimal()
    return (not number, int(name) if number else 0, name)


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def refuse_cell(path: Path, row: int, column: str, problem: str) -> None:
    """Raise the one error for a cell without a finite number.

    Args:
        path: The file.
        row: Counted from 1 among the rows of data.
        column: Name of the column.
        problem: What is wrong with it.
    """
    raise DataError(f"{shown(path)}: row {row}, column {column!r}: {problem}")


def check_finite(path: Path, columns: Sequence[str], values: NDArray[np.float64]) -> None:
    """Refuse NaN and infinity, naming the first by row and column."""
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        refuse_cell(
            path, int(row) + 1, columns[int(column)], f"{values[row, column]} is not finite"
        )


def large_numbers(path: Path, label: str | None) -> bool:
    """Tell a parquet file of numbers, but for the label, that take much memory.

    Example:
        >>> large_numbers(Path("none.parquet"), None)
        False
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        schema, rows = parquet.read_schema(path), parquet.read_metadata(path).num_rows
    except (pa.ArrowException, OSError):
        return False
    kinds = [schema.field(at).type for at, name in enumerate(schema.names) if name != label]
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    plain = all(map(_numeric, kinds)) and not any(isinstance(name, str) for name in index)
    return plain and rows * len(kinds) * 8 >= LARGE


def load_parquet(path: Path, loading: Loading) -> Contents:
    """Read a parquet file of numbers.

    Raises:
        DataError: If it is damaged, has columns that are not numbers (named), or a cell that is
            missing or not finite (named by row and column).
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path, memory_map=True)
        columns = [str(name) for name in file.schema_arrow.names]
        check_columns(path, columns)
        at = label_index(path, columns, loading.label)
        numeric = check_numeric(path, file.schema_arrow, at)
        shape = (file.metadata.num_rows, len(numeric))

        def decode(space: Space) -> tuple[NDArray[np.float64], None]:
            values = space(shape, np.float64)
            for index, name in enumerate(numeric):
                values[:, index] = numbers(path, name, file.read([name]).column(0))
            check_finite(path, numeric, values)
            return values, None

        x, _ = decoded_once([path], ("numbers", numeric), math.prod(shape) * 8, decode)
        names = None
        if at is not None:
            names = label_names(path, columns[at], file.read([columns[at]]).column(0))
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{shown(path)}: not a parquet file, or damaged: {reason(error)}"
        ) from error
    return table_contents(path, numeric, x.numpy(), names, ())


def numbers(path: Path, name: str, column: "pa.ChunkedArray") -> NDArray[np.float64]:
    """Return a column of numbers, [N].

    Raises:
        DataError: If a cell is empty.
    """
    import pyarrow as pa

    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy())) + 1
        refuse_cell(path, row, name, "the cell is empty")
    # Whole numbers past 2^53 lose their last digits, as in csv.
    return column.cast(pa.float64(), safe=False).to_numpy()


def check_numeric(path: Path, schema: "pa.Schema", at: int | None) -> list[str]:
    """Return the names of the columns of numbers: all but the label's.

    Args:
        path: The file, for messages.
        schema: Of the table.
        at: Position of the label's column.

    Raises:
        DataError: If one is not of numbers, or there is none.
    """
    numeric = [str(name) for index, name in enumerate(schema.names) if index != at]
    wrong = [name for name in numeric if not _numeric(schema.field(name).type)]
    if wrong:
        raise DataError(
            f"{shown(path)}: these columns are not numbers: {_shorten(wrong)}; remove them"
        )
    if not numeric:
        raise DataError(f"{shown(path)}: the table has no columns")
    return numeric


def _numeric(kind: object) -> bool:
    from pyarrow import types

    checks = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(check(kind) for check in checks)


def label_names(path: Path, name: str, column: "pa.ChunkedArray") -> list[str]:
    """Return the name of each label of a column; whole numbers have none behind the point.

    Raises:
        DataError: If one is missing.
    """
    names = [label_name(value) for value in column.to_pylist()]
    if "" in names:
        refuse_cell(path, names.index("") + 1, name, "the label is missing")
    return names


def label_name(value: object) -> str:
    """Return the name of a label, empty where it is missing.

    Example:
        >>> label_name(2.0), label_name(" cat "), label_name(None)
        ('2', 'cat', '')
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = "" if value is None else str(value).strip()
    return "" if name == "nan" else name
