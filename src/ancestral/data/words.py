"""Tables of words: csv, tsv or parquet, every cell the name of a state; read in batches of rows.

It is the one reader of such tables: of data for discrete networks, of evidence in rows, and of
files that are counted in chunks.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ancestral.data.delimited import Dialect, opened, rows_of, sniff
from ancestral.data.files import ending, reason, shown
from ancestral.data.tables import check_columns, refuse_cell
from ancestral.errors import DataError
from ancestral.settings import nearest

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1 << 17
_BLOCK_BYTES = 1 << 23
_UNDECODED = re.compile("[\ud800-\udfff]")
_INDEX = r"__index_level_\d+__"
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_MOST_PROBLEMS = 8

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
"""Endings of files that hold tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTable:
    """A file whose columns hold words, opened but not yet read.

    Args:
        path: The file.
        columns: Names of its columns, as they stand.
        dialect: How the text is written; None for other files.
        table: What is in memory; None for what is read from the file.
        notes: What was inferred.
    """

    path: Path
    columns: tuple[str, ...]
    dialect: Dialect | None = None
    table: "pa.Table | None" = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What messages call it."""
        return shown(self.path)

    def place(self, row: int) -> str:
        """Say where a row stands, counted from 1: of text, in which line of the file, too."""
        if self.dialect is not None:
            with suppress(DataError):
                for number, line, _ in rows_of(self.path, self.dialect, errors="replace"):
                    if number == row:
                        return f"row {row} (line {line} of the file)"
        return f"row {row}"

    def chosen(
        self, columns: Sequence[str], drop: Sequence[str], said: Sequence[str] = ()
    ) -> "WordTable":
        """Return the table of some columns, in their order, or of all; without those to drop.

        Raises:
            DataError: If there is no such column.
        """
        for setting, names in (("columns", columns), ("drop", drop), ("schema", said)):
            for name in names:
                if name not in self.columns:
                    near = nearest(name, self.columns, otherwise=8)
                    raise DataError(f"{self.name}: no column {name!r}, as {setting} has{near}")
        kept = tuple(name for name in columns or self.columns if name not in drop)
        return replace(self, columns=kept)

    def batches(
        self, wanted: Sequence[str] | None = None, *, rows: int = BATCH_ROWS
    ) -> Iterator["pa.RecordBatch"]:
        """Yield the rows, in memory that does not grow with the file.

        Args:
            wanted: The columns to read, in this order; all if None.
            rows: Rows of a parquet file that are held at once; text is cut every 8 MiB.

        Raises:
            DataError: If a wanted column is missing or stands twice, the file is damaged, has a
                row of another length, or text in another encoding (named by row and column), or
                has no rows.
        """
        import pyarrow as pa

        names = list(self.columns if wanted is None else wanted)
        self._check(names)
        style = self.dialect
        if self.table is not None:
            read = iter(self.table.select(names).to_batches(rows))
        else:
            read = self._parquet(names, rows) if style is None else self._text(style, names)
        count = 0
        try:
            for batch in read:
                count += batch.num_rows
                yield batch
        except (pa.ArrowException, OSError, UnicodeError) as error:
            if style is not None:
                _refuse_row(self.path, style)
            raise _unread(self.path, error) from error
        if not count:
            raise DataError(f"{shown(self.path)}: the table has no rows")

    def _check(self, names: Sequence[str]) -> None:
        check_columns(self.path, [name for name in self.columns if name in names])
        for name in names:
            if name not in self.columns:
                near = ", ".join(self.columns[:8]) + (", ..." if len(self.columns) > 8 else "")
                raise DataError(f"{self.name}: no column {name!r}; there is {near}")

    def _parquet(self, names: list[str], rows: int) -> Iterator["pa.RecordBatch"]:
        from pyarrow import parquet

        # Buffered: else a whole row group's bytes are fetched at once, however large it is.
        with parquet.ParquetFile(self.path, buffer_size=1 << 16, pre_buffer=False) as file:
            yield from file.iter_batches(rows, columns=names, use_threads=False)

    def _text(self, dialect: Dialect, names: list[str]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        places = [str(dialect.columns.index(name)) for name in names]
        reader = arrow_csv.open_csv(
            self.path,
            arrow_csv.ReadOptions(
                # By place: columns that are not asked for may share a name or have none.
                column_names=[str(place) for place in range(len(dialect.columns))],
                skip_rows=dialect.blank,
                skip_rows_after_names=int(dialect.header),
                block_size=_BLOCK_BYTES,
                encoding="utf8" if dialect.encoding == "utf-8-sig" else dialect.encoding,
            ),
            arrow_csv.ParseOptions(
                delimiter=dialect.delimiter,
                newlines_in_values=True,
                # Of one column a blank line is an empty cell.
                ignore_empty_lines=len(dialect.columns) > 1,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.dictionary(pa.int32(), pa.string())),
                include_columns=places,
            ),
        )
        with reader:
            for batch in reader:
                yield batch.rename_columns(names)


def open_words(
    path: str | Path, *, expected: Collection[str] = (), header: bool | None = None
) -> WordTable:
    r"""Open a table of words; how its text is written is found out.

    Args:
        path: csv or tsv, separated by commas, semicolons, tabs or bars; json, a list of rows;
            jsonl, a row a line; all of these also compressed (gz); parquet.
        expected: Names of columns that help to find the header, see :func:`sniff`.
        header: Whether the first row of a text names the columns; None: it is found out.

    Raises:
        DataError: If the file is missing, of another kind, damaged, or holds no cells.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rows.CSV"
        ...     _ = path.write_text('rain;"a;b"\nno;x\n')
        ...     open_words(path).columns
        ('rain', 'a;b')
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = Path(path)
    suffix = ending(path)
    if suffix not in TABLES:
        known = ", ".join(name[1:] for name in TABLES)
        raise DataError(f"{shown(path)}: a table of states must be one of {known}")
    if not path.is_file():
        raise DataError(f"no such file: {shown(path)}")
    if suffix in {".csv", ".tsv"}:
        dialect = sniff(path, expected=expected, header=header)
        return WordTable(path=path, columns=dialect.columns, dialect=dialect, notes=dialect.notes)
    try:
        if suffix == ".parquet":
            schema = parquet.read_schema(path)
            columns, notes = _columns_and_notes(schema)
            return WordTable(path=path, columns=columns, notes=notes)
        return table_in_memory(_rows_of_json(path, suffix), str(path))
    except (pa.ArrowException, OSError, EOFError, ValueError, TypeError) as error:
        raise _unread(path, error) from error


def table_in_memory(table: Any, name: str) -> WordTable:  # noqa: ANN401 - of any library
    """Open a table that gives itself as one of Arrow: a DataFrame, say.

    Raises:
        DataError: As :func:`arrow_table`.
    """
    table = arrow_table(table, name)
    columns, notes = _columns_and_notes(table.schema)
    return WordTable(path=Path(name), table=table, columns=columns, notes=notes)


def arrow_table(table: Any, name: str) -> "pa.Table":  # noqa: ANN401 - of any library
    """Return what gives itself as a table of Arrow as one.

    Args:
        table: A ``pyarrow.Table``, or what has ``__arrow_c_stream__`` or ``__dataframe__``.
        name: For messages.

    Raises:
        DataError: If it is no table.
    """
    import pyarrow as pa

    try:
        if hasattr(table, "__arrow_c_stream__"):
            table = pa.table(table)
        elif hasattr(table, "__dataframe__"):
            from pyarrow import interchange

            table = interchange.from_dataframe(table)
    except (pa.ArrowException, ValueError, TypeError, NotImplementedError) as error:
        raise DataError(f"{name}: cannot be read as a table: {reason(error)}") from error
    if not isinstance(table, pa.Table):
        raise DataError(f"{name}: must be a table, got {type(table).__name__}")
    return table


def _columns_and_notes(schema: "pa.Schema") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns but for an index without a name, which pandas adds, and say so."""
    index = (schema.pandas_metadata or {}).get("index_columns", ())
    out = [name for name in schema.names if name in index and re.fullmatch(_INDEX, name)]
    said = tuple(f"column {name!r} is the index that pandas added: left out" for name in out)
    return tuple(name for name in map(str, schema.names) if name not in out), said


def _rows_of_json(path: Path, suffix: str) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import json as arrow_json

    with opened(path) as file:
        if suffix == ".jsonl":
            return arrow_json.read_json(file)
        rows = json.loads(file.read().decode("utf-8-sig"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("a json file holds a list of rows, each an object")
    return pa.Table.from_struct_array(pa.array(rows))


def canonical(word: str) -> str:
    """Return the one spelling of truth values and whole numbers; other words as they are.

    Example:
        >>> [canonical(word) for word in ("TRUE", "2.0", "2.5", "a")]
        ['True', '2', '2.5', 'a']
    """
    if (small := word.lower()) in {"true", "false"}:
        return small.title()
    whole = _WHOLE.fullmatch(word)
    return word if whole is None else whole[1]


def places(
    path: Path,
    name: str,
    column: Any,  # noqa: ANN401 - pyarrow's classes have no types
    place: Mapping[str, int],
    *,
    first: int = 1,
) -> NDArray[np.integer]:
    """Return the place of every cell of a column, [N]; a cell is taken without spaces around it.

    The places are bytes where they fit, int64 otherwise.

    Args:
        path: The file, for messages.
        name: Of the column.
        column: An array of pyarrow; its numbers and booleans count as their text, its nulls as "".
        place: Places by word, at least 0, or -1 for words that say nothing.
        first: Number of the column's first row.

    Raises:
        DataError: For the first cell that is none of the words.
    """
    words, codes = distinct(path, name, column)
    same = {canonical(word): at for word, at in place.items() if word}
    table = np.array([_place(word.strip(), place, same) for word in words], dtype=np.int64)
    if (table < -1).any():
        wrong = table[codes] < -1
        if wrong.any():
            at = int(np.argmax(wrong))
            _refuse_word(path, (first + at, name), words[codes[at]].strip(), place)
    if table.size and table.min() >= 0 and table.max() < 256:
        table = table.astype(np.uint8)
    return table[codes]


def distinct(
    path: Path,
    name: str,
    column: Any,  # noqa: ANN401 - pyarrow's classes have no types
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the different words of a column, and the place of every cell's word in them, [N].

    Raises:
        DataError: If the column does not hold words or numbers.
    """
    import pyarrow as pa
    from pyarrow import types

    if types.is_nested(column.type):
        raise DataError(f"{shown(path)}: column {name!r} holds {column.type}, not names of states")
    if types.is_null(column.type):
        return [""], np.zeros(len(column), dtype=np.int64)
    try:
        coded = column if types.is_dictionary(column.type) else column.dictionary_encode()
        texts = coded.dictionary.cast(pa.string()).to_pylist()
    except pa.ArrowException as error:
        raise DataError(f"{shown(path)}: column {name!r}: {reason(error)}") from error
    words = ["" if text is None else text for text in texts]
    codes = coded.indices
    if codes.null_count:
        codes = codes.fill_null(len(words))
        words.append("")
    return words, np.asarray(codes)


def _place(word: str, place: Mapping[str, int], same: Mapping[str, int]) -> int:
    found = place.get(word)
    return same.get(canonical(word), -2) if found is None else found


def _refuse_word(path: Path, cell: tuple[int, str], word: str, place: Mapping[str, int]) -> None:
    known = [state for state, number in place.items() if number >= 0]
    few = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
    problem = f"{word!r} is no state" if word else "the cell is empty"
    refuse_cell(path, *cell, f"{problem}; the states are {few}")


def _unread(path: Path, error: Exception) -> DataError:
    return DataError(f"{shown(path)}: cannot be read as a table: {reason(error)}")


def _refuse_row(path: Path, dialect: Dialect) -> None:
    """Raise for the rows that cannot be read, found by a slow reader; return if it finds none.

    What is not text in this encoding is let through as lone surrogates, which no encoding has.
    """
    columns, problems = dialect.columns, list[str]()
    with suppress(DataError, UnicodeError, OSError):
        for row, line, cells in rows_of(path, dialect, errors="surrogateescape"):
            where = f"row {row} (line {line} of the file)"
            if len(cells) != len(columns):
                problems.append(f"{where} has {len(cells)} cells, expected {len(columns)}")
            for name, cell in zip(columns, cells, strict=False):
                if _UNDECODED.search(cell):
                    code = dialect.encoding.removesuffix("-sig").upper()
                    problems.append(f"{where}, column {name!r}: the text is not {code}")
            if len(problems) > _MOST_PROBLEMS:
                problems[_MOST_PROBLEMS:] = ["and more"]
                break
    if problems:
        raise DataError(f"{shown(path)}: {'; '.join(problems)}")
