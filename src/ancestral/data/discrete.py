"""Tables of states: every cell is the name of a state of its column, a word or a number."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ancestral.data.dataset import Dataset, Examples, Loading
from ancestral.data.delimited import sniff
from ancestral.data.files import reason, shown
from ancestral.data.splitting import Contents
from ancestral.data.tables import check_columns, label_order, refuse_cell
from ancestral.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_STATES = 256
"""Most states of a column: a cell is kept in a byte."""


def load_states(path: Path, loading: Loading) -> Contents:
    """Read a csv, tsv or parquet file whose columns hold names of states.

    The states of a column are the distinct names in the whole file: whole numbers by size, then
    words by alphabet.

    Raises:
        DataError: If the file is damaged or of another kind, a cell is empty, or a column has more
            than 256 states, or as many as a column of measurements has.
    """
    if loading.label is not None:
        raise DataError(f"{shown(path)}: a table of states has no label: leave out label")
    table, notes = _read(path)
    columns = [str(name) for name in table.column_names]
    check_columns(path, columns)
    if not columns:
        raise DataError(f"{shown(path)}: the table has no columns")
    coded = [_encode(path, name, table.column(index)) for index, name in enumerate(columns)]
    states = tuple(names for _, names in coded)
    said = f"every cell is a state: {sum(map(len, states))} states in {len(columns)} columns"
    return Contents(
        kind="tables",
        examples=Examples(torch.stack([codes for codes, _ in coded], dim=1)),
        columns=tuple(columns),
        states=states,
        notes=(*notes, said),
    )


def recode(data: Dataset, states: Sequence[Sequence[str]]) -> Dataset:
    """Return a data set of states under other lists of states, which hold all of its own.

    Raises:
        DataError: If the data have a state that is not among them.
    """
    maps = []
    for column, own, wanted in zip(data.columns, data.states, states, strict=True):
        if strange := [name for name in own if name not in wanted]:
            raise DataError(
                f"{data.name}: column {column!r} has the state {strange[0]!r}, which is not "
                f"one of {', '.join(wanted[:10])}"
            )
        maps.append(torch.tensor([wanted.index(name) for name in own], dtype=torch.uint8))

    def turned(examples: Examples) -> Examples:
        x = [of[column.long()] for of, column in zip(maps, examples.x.T, strict=True)]
        return Examples(torch.stack(x, dim=1), examples.given)

    return replace(
        data,
        train=turned(data.train),
        validation=turned(data.validation),
        test=turned(data.test),
        states=tuple(tuple(names) for names in states),
    )


def _read(path: Path) -> tuple["pa.Table", tuple[str, ...]]:
    import pyarrow as pa
    from pyarrow import csv, parquet

    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return parquet.read_table(path), ()
        if suffix not in {".csv", ".tsv"}:
            raise DataError(f"{shown(path)}: a table of states must be csv, tsv or parquet")
        style = sniff(path)
        table = csv.read_csv(
            path,
            csv.ReadOptions(
                column_names=style.columns,
                skip_rows_after_names=int(style.header),
                encoding="utf8" if style.encoding == "utf-8-sig" else style.encoding,
            ),
            csv.ParseOptions(delimiter=style.delimiter, newlines_in_values=True),
            csv.ConvertOptions(column_types=dict.fromkeys(style.columns, pa.string())),
        )
    except (pa.ArrowException, UnicodeError, OSError) as error:
        raise DataError(f"{shown(path)}: cannot be read as a table: {reason(error)}") from error
    return table, style.notes


def _encode(path: Path, name: str, column: "pa.ChunkedArray") -> tuple[Tensor, tuple[str, ...]]:
    """Return the states of a column as numbers, uint8 [N], and their names."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_floating(column.type):
        raise DataError(
            f"{shown(path)}: column {name!r} holds {column.type}, not names of states; "
            "cut it into intervals, or write its values as text"
        )
    texts = column.cast(pa.string()).to_pylist()
    words = ["" if text is None else text.strip() for text in texts]
    if "" in words:
        refuse_cell(path, words.index("") + 1, name, "the cell is empty")
    distinct, inverse = np.unique(np.asarray(words, dtype=object), return_inverse=True)
    count = len(distinct)
    if count > MOST_STATES or (len(words) >= 20 and 2 * count > len(words)):
        raise DataError(
            f"{shown(path)}: column {name!r} has {count} distinct values in {len(words)} rows; "
            f"a column of states has few, and at most {MOST_STATES}"
        )
    names = sorted(map(str, distinct), key=label_order)
    place = {word: number for number, word in enumerate(names)}
    rank = torch.tensor([place[str(word)] for word in distinct], dtype=torch.uint8)
    return rank[torch.from_numpy(inverse)], tuple(names)
