"""Tables of typed columns: what each column is, and its cells as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.cache import LARGE
from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Examples, Loading
from ancestral.data.delimited import read_numbers, sniff
from ancestral.data.fields import LABEL, Field, labelled
from ancestral.data.inferred import LeftOut, Problem, cells_under, infer
from ancestral.data.schema import LEFT_OUT, columns_table, extent
from ancestral.data.spellings import TRUTHS, Spellings, spellings
from ancestral.data.splitting import Contents
from ancestral.data.tables import (
    check_columns,
    encode_labels,
    label_index,
    large_numbers,
    load_parquet,
    table_contents,
)
from ancestral.data.words import WordTable, canonical, open_words, table_in_memory
from ancestral.errors import DataError
from ancestral.settings import nearest

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_PROBLEMS = 8


def load_table(path: Path, loading: Loading, expected: Field | None = None) -> Contents:
    """Read a table, a large one of numbers without a look at how each is written.

    Raises:
        DataError: As :func:`load_typed`.
    """
    said = loading.mixed or loading.columns or loading.drop or loading.schema
    typed = said or (isinstance(expected, Vector) and (expected.mixed or expected.left_out))
    found = None if typed else _large(path, loading)
    return load_typed(path, loading, expected) if found is None else found


def _large(path: Path, loading: Loading) -> Contents | None:
    """Return a large table of numbers; None: it is smaller, or holds other cells, too."""
    if path.suffix.lower() == ".parquet":
        return load_parquet(path, loading) if large_numbers(path, loading.label) else None
    if path.suffix.lower() not in {".csv", ".tsv"} or path.stat().st_size < LARGE:
        return None
    dialect = sniff(path, header=loading.header)
    check_columns(path, dialect.columns)
    at = label_index(path, dialect.columns, loading.label)
    read = read_numbers(path, dialect, at)
    columns = [name for index, name in enumerate(dialect.columns) if index != at]
    return None if read is None else table_contents(path, columns, *read, dialect.notes)


def load_typed(path: Path, loading: Loading, expected: Field | None = None) -> Contents:
    """Read a table: of typed columns, or of numbers where all of its cells are.

    Args:
        path: csv, tsv, parquet, json or jsonl; the text ones also compressed (gz).
        loading: Which columns, what is said of them, and whether numbers are typed, too.
        expected: What the rows should be: their columns are found by name, their cells read as
            those of these columns.

    Raises:
        DataError: If the file is damaged, or cells are not what they should be: all that is
            wrong is told at once.
    """
    return contents_of(open_words(path, header=loading.header), loading, expected)


def contents_of_arrow(
    table: "pa.Table", loading: Loading, name: str, expected: Field | None = None
) -> Contents:
    """Return the contents of a table in memory: of Arrow, or what gives itself as one.

    Args:
        table: A ``pyarrow.Table``, or a DataFrame (of pandas, polars, ...).
        loading: As for :func:`load_typed`.
        name: For messages.
        expected: As for :func:`load_typed`.

    Raises:
        DataError: As :func:`load_typed`.

    Example:
        >>> import pyarrow as pa
        >>> table = pa.table({"age": [31, None], "sex": ["f", "m"]})
        >>> contents_of_arrow(table, Loading(), "people").examples.x
        tensor([[31.,  0.],
                [nan,  1.]], dtype=torch.float64)
    """
    return contents_of(table_in_memory(table, name), loading, expected)


def contents_of(table: WordTable, loading: Loading, expected: Field | None) -> Contents:
    """Return the contents of an open table; see :func:`load_typed`."""
    reading = _Reading(table, loading, expected if isinstance(expected, Vector) else None)
    columns = reading.choose()
    read = reading.read(columns)
    label = read.pop(columns.index(loading.label)) if loading.label in columns else None
    labels = None if label is None else reading.labels(label)
    found, values = reading.columns(read)
    reading.raise_problems()
    given: dict[str, Tensor] = {}
    names: tuple[str, ...] = ()
    if labels is not None:
        given[LABEL], names = encode_labels(table.path, labels)
    if not found:
        raise DataError(f"{table.name}: no column is left{reading.why_none()}")
    x = torch.from_numpy(np.stack(values, axis=1))
    del values
    vector = reading.field(found)
    if not vector.mixed:  # A column that is always true has one state, and is always 1.
        x += torch.tensor([_first_value(c) for c in found], dtype=x.dtype)
    notes = reading.notes(vector, read, names)
    return Contents(fields=labelled(vector, names), examples=Examples(x, given), notes=notes)


@dataclass(slots=True)
class _Reading:
    """The reading of one table, and what is found wrong in it."""

    table: WordTable
    loading: Loading
    expected: Vector | None
    left: list[LeftOut] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ended: int = 0
    alone: bool = False

    @property
    def strict(self) -> bool:
        """Whether all columns must be numbers."""
        typed = self.loading.mixed if self.expected is None else self.expected.mixed
        return typed is False

    def choose(self) -> list[str]:
        """Return the columns that are read, in the order in which they count."""
        names, path, loading = list(self.table.columns), self.table.path, self.loading
        if not names:
            raise DataError(f"{self.table.name}: the table has no columns")
        check_columns(path, names)
        label = loading.label
        if self.expected is not None:
            return self._expected(names, self.expected)
        out = [name for name, said in loading.schema.items() if said.get("type") == LEFT_OUT]
        table = self.table.chosen(loading.columns, (*loading.drop, *out), tuple(loading.schema))
        kept = [*table.columns]
        self.left = [LeftOut(name, "") for name in names if name not in kept and name != label]
        if label is not None:
            label_index(path, names, label)
        return kept if label is None or label in kept else [*kept, label]

    def _expected(self, names: list[str], expected: Vector) -> list[str]:
        label = [self.loading.label] if self.loading.label in names else []
        ignored = {*expected.left_out, *self.loading.drop, *label}
        if not expected.mixed:
            if label:
                label_index(self.table.path, names, self.loading.label)
            return [name for name in names if name not in ignored] + label
        for name in expected.names:
            if name not in names:
                near = nearest(name, names, otherwise=8)
                raise DataError(f"{self.table.name}: no column {name!r}, which is expected{near}")
        for name in names:
            if name not in ignored and name not in expected.names:
                near = nearest(name, expected.names, otherwise=8)
                raise DataError(f"{self.table.name}: unknown column {name!r}{near}")
        return [*expected.names, *label]

    def read(self, columns: list[str]) -> list[Spellings]:
        """Return the columns as their different cells."""
        import pyarrow as pa

        table = pa.Table.from_batches(self.table.batches(columns))
        decimal = self.table.dialect.decimal if self.table.dialect else ""
        try:
            found = [spellings(name, table.column(name), decimal) for name in columns]
        except DataError as error:
            raise DataError(f"{self.table.name}: {error.line}") from error
        if self.expected is None and len(columns) > 1:
            self.ended = _empty_end(found)
        if self.ended:
            stop = len(found[0].codes) - self.ended
            found = [replace(cells, codes=cells.codes[:stop]) for cells in found]
        return found

    def labels(self, cells: Spellings) -> list[str]:
        """Return the label of every row by its name."""
        empty = cells.gaps(())
        gone = np.append(empty, True)[cells.codes]
        if gone.any():
            self._add(cells.name, Problem("the label is missing", int(np.argmax(gone)) + 1))
        names = [canonical(word) for word in cells.texts]
        return [names[code] for code in cells.codes.tolist()]

    def columns(self, read: list[Spellings]) -> tuple[list[Column], list[NDArray[np.float64]]]:
        """Return what each column is, and its cells; note what is left out, and what is wrong."""
        found, values = [], []
        self.alone = len(read) == 1
        known = {column.name: column for column in self.expected.columns} if self.expected else {}
        for cells in read:
            try:
                column = known.get(cells.name) if not self.strict else None
                column = column or self._infer(cells)
                if isinstance(column, LeftOut):
                    self.left.append(column)
                    continue
                values.append(np.append(cells_under(column, cells), np.nan)[cells.codes])
                found.append(column)
            except Problem as problem:
                self._add(cells.name, problem)
        return found, values

    def _infer(self, cells: Spellings) -> Column | LeftOut:
        wanted: Mapping[str, Any] = self.loading.schema.get(cells.name, {})
        asked = cells.name in self.loading.columns or self.expected is not None
        asked |= self.alone and not np.isnan(cells.numbers[0]).any()
        if not self.strict:
            return infer(cells, wanted, asked=asked)
        column = infer(cells, {"gaps": False, **wanted}, asked=asked)
        if isinstance(column, Column) and not _is_plain(column):
            column = infer(cells, {"type": "number", "gaps": False})
        return column

    def _add(self, name: str, problem: Problem) -> None:
        where = f"column {name!r}"
        if problem.row is not None:
            where = f"{self.table.place(problem.row)}, {where}:"
        self.problems.append(f"{where} {problem.text}")

    def raise_problems(self) -> None:
        """Raise for all that is wrong, in one message."""
        if self.problems:
            few = self.problems[:_MOST_PROBLEMS]
            more = len(self.problems) - len(few)
            also = f"; and {more} more columns" if more else ""
            raise DataError(f"{self.table.name}: {'; '.join(few)}{also}")

    def why_none(self) -> str:
        """Say why no column is left."""
        said = [f"{out.name} {out.why}" for out in self.left if out.why]
        keep = "--set columns=... keeps those it names"
        text = "if texts, --set column=NAME to a language model"
        return f": {', '.join(said[:8])}; {keep}; {text}" if said else ""

    def field(self, found: Sequence[Column]) -> Vector:
        """Return the field: of typed columns, or of numbers, where that is what is wanted."""
        if self.expected is not None and self.expected.mixed:
            return self.expected
        plain = self.strict or (self.loading.mixed is None and all(map(_is_plain, found)))
        out = tuple(left.name for left in self.left)
        if not plain:
            return Vector(columns=tuple(found), mixed=True, left_out=out)
        return replace(Vector.of_numbers([column.name for column in found]), left_out=out)

    def notes(
        self, vector: Vector, read: Sequence[Spellings], labels: Sequence[str]
    ) -> tuple[str, ...]:
        """Return what is to be said of the reading."""
        if self.expected is not None:
            return self.table.notes
        said = [*self.table.notes]
        said += [f"column {out.name!r} {out.why}: left out" for out in self.left if out.why]
        if self.ended:
            said.append(f"{self.ended} rows without any cell at the end: left out")
        if labels:
            said.append(f"{len(labels)} labels: {_few(labels)}")
        if not vector.mixed:
            return tuple(said)
        constant = [column for column in vector.columns if column.constant]
        said += [f"column {c.name!r} is {extent(c)}: given back as it is" for c in constant]
        fine = [c.name for c in vector.columns if c.type == "number" and c.fine]
        if fine:
            said.append(f"no short decimals, taken to 1e-9 of their range: {_few(fine)}")
        example = {cells.name: _example(cells) for cells in read}
        table = columns_table(vector.columns, [example[name] for name in vector.names])
        return (*said, f"the columns:\n{table}")


def _is_plain(column: Column) -> bool:
    """Tell a column of numbers, or of true and false, without gaps."""
    if column.gaps or column.type in {"category", "date"}:
        return False
    return column.type != "truth" or {word.lower() for word in column.states} <= {*TRUTHS[0]}


def _first_value(column: Column) -> float:
    """Return what the first state of a truth value is as a number; of numbers nothing is added."""
    return float(column.type == "truth" and column.states[0].lower() == TRUTHS[0][1])


def _example(cells: Spellings) -> str:
    known = np.flatnonzero(~cells.gaps(())[cells.codes] & (cells.codes >= 0))
    return cells.text(int(cells.codes[known[0]])) if len(known) else ""


def _empty_end(found: Sequence[Spellings]) -> int:
    """Return how many rows at the end have no cell at all."""
    blank = [np.append(cells.blank, True) for cells in found]
    rows = len(found[0].codes)
    row = rows
    while row and all(b[cells.codes[row - 1]] for b, cells in zip(blank, found, strict=True)):
        row -= 1
    return rows - row


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
