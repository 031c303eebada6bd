"""Tables of states: every cell is the name of a state of its column, a word or a number."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.columns import Vector
from ancestral.data.dataset import Examples, Loading
from ancestral.data.fields import Field, X
from ancestral.data.files import shown
from ancestral.data.splitting import Contents
from ancestral.data.tables import label_order, refuse_cell
from ancestral.data.words import WordTable, distinct, open_words, places
from ancestral.errors import DataError

_Words: TypeAlias = tuple[list[str], NDArray[np.integer]]
"""The different words of a part of a column, and each cell's place in them."""

MOST_STATES = 256
"""Most states of a column: a cell is kept in a byte."""

MISSING = ("", "?", "*")
"""Cells that say nothing, where cells may be missing."""

_DOUBTFUL = frozenset(("nan", "na", "n/a", "#n/a", "null", *MISSING))


def load_states(path: Path, loading: Loading, expected: Field | None = None) -> Contents:
    """Read a csv, tsv or parquet file whose columns hold names of states.

    Under an expected field of these columns, they are its states, and other cells are refused.
    Otherwise the states of a column are the distinct names in the whole file: whole numbers by
    size, then words by alphabet. Where ``loading.missing``, a cell that says nothing is -1, and a
    column may have no states.

    Raises:
        DataError: If the file is damaged or of another kind, a cell is empty and may not be, or a
            column has more than 256 states, or as many as a column of measurements has.
    """
    if loading.label is not None:
        raise DataError(f"{shown(path)}: a table of states has no label: leave out label")
    known = expected if isinstance(expected, Vector) else Vector(columns=())
    table = open_words(path, expected=known.names, header=loading.header)
    table = table.chosen(loading.columns, loading.drop)
    columns = table.columns
    named = {column.name: column for column in known.columns}
    if expected is not None and sorted(columns) == sorted(named):  # In whatever order.
        known = Vector(columns=tuple(named[name] for name in columns))
        x = read_states(table, known.states, missing=loading.missing)
        return Contents(fields={X: known}, examples=Examples(x))
    if not columns:
        raise DataError(f"{shown(path)}: the table has no columns")
    parts: dict[str, list[_Words]] = {name: [] for name in columns}
    for batch in table.batches():
        for name, found in parts.items():
            found.append(_words(path, name, batch.column(name)))
    says_nothing = MISSING if loading.missing else ("",)
    coded = [_encode(path, name, found, says_nothing) for name, found in parts.items()]
    states = tuple(names for _, names in coded)
    said = f"every cell is a state: {sum(map(len, states))} states in {len(columns)} columns"
    x = torch.stack([codes for codes, _ in coded], dim=1)
    if not loading.missing and bool((x < 0).any()):
        row, column = (x < 0).nonzero()[0].tolist()
        hint = "the cell is empty; missing=em takes such cells as missing, mixed=true as a value"
        refuse_cell(path, row + 1, columns[column], hint)
    return Contents(
        fields={X: Vector.of_states(columns, states)},
        examples=Examples(x if bool((x < 0).any()) else x.to(torch.uint8)),
        notes=(
            *table.notes,
            said,
            *_doubtful(columns, states),
            *_gaps(x),
        ),
    )


def read_states(
    table: WordTable, states: Sequence[Sequence[str]], *, missing: bool = False
) -> Tensor:
    r"""Return the rows of a table under lists of states that are known, one a column.

    Args:
        table: The open file.
        states: Names of the states of each of its D columns.
        missing: A cell that says nothing is -1; otherwise it is refused.

    Returns:
        States, int16 [N, D].

    Raises:
        DataError: If the file is damaged, or a cell is no state of its column; the row is named.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rows.csv"
        ...     _ = path.write_text("rain,wind\nyes,low\nyes,\n")
        ...     read_states(open_words(path), [("no", "yes"), ("low",)], missing=True)
        tensor([[ 1,  0],
                [ 1, -1]], dtype=torch.int16)
    """
    nothing = dict.fromkeys(MISSING, -1) if missing else {}
    known = [nothing | {name: at for at, name in enumerate(names)} for names in states]
    parts = []
    first = 1
    for batch in table.batches():
        codes = [
            places(table.path, name, batch.column(name), place, first=first).astype(np.int16)
            for name, place in zip(table.columns, known, strict=True)
        ]
        parts.append(torch.from_numpy(np.stack(codes, axis=1)))
        first += batch.num_rows
    return torch.cat(parts)


def _words(
    path: Path,
    name: str,
    column: Any,  # noqa: ANN401 - pyarrow's classes have no types
) -> _Words:
    from pyarrow import types

    if types.is_floating(column.type):
        raise DataError(
            f"{shown(path)}: column {name!r} holds {column.type}, not names of states; "
            "cut it into intervals, or write its values as text"
        )
    words, codes = distinct(path, name, column)
    return [word.strip() for word in words], codes


def _doubtful(columns: Sequence[str], states: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Say which states may be none: those of a first row of data, and words for missing cells."""
    if all(column in names for column, names in zip(columns, states, strict=True)):
        said = "the first row names the columns, and each name is a state of its column, too: "
        return (f"{said}a file without such a row needs one",)
    found: dict[str, list[str]] = {}
    for column, names in zip(columns, states, strict=True):
        for name in names:
            if name.lower() in _DOUBTFUL:
                found.setdefault(name, []).append(column)
    said = "leave the cells empty if they say nothing"
    few = {name: ", ".join(where[:4] + ["..."] * (len(where) > 4)) for name, where in found.items()}
    return tuple(f"{name!r} counts as a state, of {some}: {said}" for name, some in few.items())


def _gaps(x: Tensor) -> tuple[str, ...]:
    """Return what is to be said of missing cells, nothing where there are none."""
    missing = x < 0
    if not bool(missing.any()):
        return ()
    return (
        f"{int(missing.sum()):,} cells in {int(missing.any(dim=1).sum()):,} of {len(x):,} rows "
        "say nothing and count as missing",
    )


def _encode(
    path: Path, name: str, parts: list[_Words], missing: Sequence[str]
) -> tuple[Tensor, tuple[str, ...]]:
    """Return the states of a column as numbers, int16 [N], -1 where missing, and their names."""
    seen = {words[code] for words, codes in parts for code in np.unique(codes)} - set(missing)
    rows, count = sum(len(codes) for _, codes in parts), len(seen)
    if count > MOST_STATES or (rows >= 20 and 2 * count > rows):
        raise DataError(
            f"{shown(path)}: column {name!r} has {count} distinct values in {rows} rows; "
            f"a column of states has few, and at most {MOST_STATES}; mixed=true reads a table with "
            "numbers and dates in it"
        )
    names = sorted(seen, key=label_order)
    place = {word: number for number, word in enumerate(names)}
    found = [
        np.array([place.get(word, -1) for word in words], dtype=np.int16)[codes]
        for words, codes in parts
    ]
    return torch.from_numpy(np.concatenate(found)), tuple(names)
