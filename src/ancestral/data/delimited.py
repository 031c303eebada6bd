"""Files of delimited text: the separator, decimal mark and header are found, and said aloud.

pyarrow reads them (it is also the reader of parquet, and its parser is parallel); only a file that
it refuses is read again by a slow parser, which knows the row, the line and the column.
"""

import csv
import io
import itertools
import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ancestral.data.dataset import Loading
from ancestral.data.files import reason, shown
from ancestral.data.splitting import Contents
from ancestral.data.tables import check_columns, label_hint, label_index, table_contents
from ancestral.errors import DataError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity)", re.IGNORECASE)
_MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "?"))
_BLANK = re.compile(r"\r\n|\r|\n")
_SAMPLE_BYTES = 1 << 18
_SAMPLE_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a file is written.

    Args:
        encoding: Of the text.
        delimiter: Between cells.
        decimal: The decimal mark, a point or a comma.
        header: The first row names the columns.
        columns: Their names; x1, x2, ... without a header.
        blank: Empty lines before the first row.
        notes: What was inferred.
    """

    encoding: str
    delimiter: str
    decimal: str
    header: bool
    columns: tuple[str, ...]
    blank: int
    notes: tuple[str, ...]


def load_csv(path: Path, loading: Loading) -> Contents:
    """Read a table of numbers; one column may hold labels.

    Raises:
        DataError: For the first cell that is missing, not a number or not finite (named by row,
            line and column), a row of another length, or a label that does not exist.
    """
    dialect = sniff(path)
    check_columns(path, dialect.columns)
    at = label_index(path, dialect.columns, loading.label)
    read = _read_fast(path, dialect, at)
    values, label = read if read is not None else _read_slowly(path, dialect, at)
    columns = [name for index, name in enumerate(dialect.columns) if index != at]
    notes = [*dialect.notes, *_index_note(columns, values)]
    return table_contents(path, columns, values, label, notes)


def sniff(path: Path, *, expected: Collection[str] = ()) -> Dialect:
    """Find out how a file is written from its first 50 rows.

    Args:
        path: A file of text.
        expected: Names of columns. If there are any, the first row is a header, read in the way
            that finds most of them, and a column without a name keeps none.

    Raises:
        DataError: If it cannot be opened, is not text, or holds no cells.
    """
    encoding, text = _sample(path)
    rows, delimiter, decimal = _best(text, path.suffix.lower() == ".tsv", expected)
    if not rows:
        raise DataError(f"{shown(path)}: the file holds no cells")
    first = rows[0]
    header = bool(expected) or not _is_data(first, decimal)
    notes = []
    if delimiter != ",":
        notes.append(f"cells are separated by {'tabs' if delimiter == chr(9) else 'semicolons'}")
    if decimal == ",":
        notes.append("the decimal mark is a comma")
    if encoding == "cp1252":
        notes.append("the text is not UTF-8; read as Windows-1252")
    if expected:
        columns = tuple(name.strip() for name in first)
    elif header:
        columns = _named(first)
    else:
        columns = tuple(f"x{index}" for index in range(1, len(first) + 1))
        notes.append(f"no header, columns are named x1 to x{len(first)}")
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        decimal=decimal,
        header=header,
        columns=columns,
        blank=len(_BLANK.findall(text[: len(text) - len(text.lstrip("\r\n"))])),
        notes=tuple(notes),
    )


def _named(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns; those without one are called by their place."""
    names = [name.strip() for name in header]
    free = "x" if not any(f"x{i}" in names for i, name in enumerate(names, 1) if not name) else "_"
    return tuple(name or f"{free}{index}" for index, name in enumerate(names, start=1))


def _sample(path: Path) -> tuple[str, str]:
    """Return the encoding and the beginning of a file, up to its last whole line."""
    try:
        with path.open("rb") as file:
            content = file.read(_SAMPLE_BYTES)
            whole = not file.read(1)
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read as a table: {reason(error)}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
        content = content[: len(content) // 2 * 2]
    elif b"\0" in content:
        raise DataError(f"{shown(path)}: not a text file")
    else:
        encoding = "utf-8-sig"
        if not whole:
            content = content[: content.rfind(b"\n") + 1] or content
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            encoding = "cp1252"
    return encoding, content.decode(encoding, errors="replace")


def _best(text: str, tabs: bool, expected: Collection[str]) -> tuple[list[list[str]], str, str]:
    """Return the first rows, the delimiter and the decimal mark of the best way to read a text."""
    styles = [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ",")]
    if tabs:  # In doubt the suffix tells: the first of equals is taken.
        styles = styles[3:] + styles[:3]
    ways = [(_first_rows(text, mark, strict=True), mark, point) for mark, point in styles]
    if not any(rows for rows, _, _ in ways):  # Quotes stand where none should in every way.
        ways = [(_first_rows(text, mark, strict=False), mark, point) for mark, point in styles]
    return max(ways, key=lambda way: _merit(way[0], way[2], expected))


def _first_rows(text: str, delimiter: str, *, strict: bool) -> list[list[str]]:
    # Lines end as csv says: str.splitlines would also cut cells at \x85 or \u2028.
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    try:
        return list(itertools.islice((row for row in reader if row), _SAMPLE_ROWS))
    except csv.Error:
        return []


def _merit(
    rows: list[list[str]], decimal: str, expected: Collection[str]
) -> tuple[float, bool, int]:
    """Order ways to read: most numbers below the header, rows of one length, most columns.

    Columns that are expected count before all numbers.
    """
    if not rows:
        return (-1.0, False, 0)
    if _joins_names(rows[0]) and rows[0][0].strip() not in expected:
        return (0.0, False, 1)
    body = [cell for row in rows[1:] or rows for cell in row]
    share = sum(_parse(cell, decimal) is not None for cell in body) / max(1, len(body))
    if expected:
        share = sum(name.strip() in expected for name in rows[0])
    return (share, len({len(row) for row in rows}) == 1, len(rows[0]))


def _joins_names(row: list[str]) -> bool:
    """Tell whether a header was taken for one name with commas: then commas separate cells."""
    return len(row) == 1 and "," in row[0] and _parse(row[0], ",") is None


def _is_data(row: Sequence[str], decimal: str) -> bool:
    """Tell a row of data from a header: it has a broken number, or nothing but numbers and gaps.

    Whole numbers do serve as names of columns, so they do not decide beside words.
    """
    numbers = [cell for cell in row if _parse(cell, decimal) is not None]
    gaps = [cell for cell in row if _missing(cell)]
    fractions = [cell for cell in numbers if not cell.strip().lstrip("+-").isdecimal()]
    return bool(fractions) or (bool(numbers) and len(numbers) + len(gaps) == len(row))


def _parse(cell: str, decimal: str) -> float | None:
    """Return the cell's number, None if it is none."""
    text = cell.strip()
    if decimal != ".":
        text = text.replace(".", "#").replace(decimal, ".")
    return float(text) if _NUMBER.fullmatch(text) else None


def _missing(cell: str) -> bool:
    return cell.strip().lower() in _MISSING


def _read_fast(
    path: Path, dialect: Dialect, at: int | None
) -> tuple[NDArray[np.float64], list[str] | None] | None:
    """Read a file of finite numbers; None if there is anything else in it."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    types = {name: pa.float64() for name in dialect.columns}
    if at is not None:
        types[dialect.columns[at]] = pa.string()
    try:
        table = arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(
                column_names=dialect.columns,
                skip_rows=dialect.blank,
                skip_rows_after_names=int(dialect.header),
                encoding="utf8" if dialect.encoding == "utf-8-sig" else dialect.encoding,
            ),
            arrow_csv.ParseOptions(
                delimiter=dialect.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=len(dialect.columns) > 1,
            ),
            arrow_csv.ConvertOptions(column_types=types, decimal_point=dialect.decimal),
        )
    except (pa.ArrowException, UnicodeError):
        return None
    numeric = [index for index in range(len(dialect.columns)) if index != at]
    if any(table.column(index).null_count for index in numeric):
        return None
    values = np.empty((table.num_rows, len(numeric)))
    for position, index in enumerate(numeric):
        values[:, position] = table.column(index).to_numpy()
    if not np.isfinite(values).all():
        return None
    if at is None:
        return values, None
    names = [name.strip() for name in table.column(at).to_pylist()]
    return (values, names) if all(names) else None


def _read_slowly(
    path: Path, dialect: Dialect, at: int | None
) -> tuple[NDArray[np.float64], list[str] | None]:
    """Read cell by cell and raise at the first that is wrong."""
    values: list[list[float]] = []
    labels: list[str] = []
    name = None if at is None else dialect.columns[at]
    for row, line, cells in _rows(path, dialect):
        where = f"{shown(path)}: row {row} (line {line} of the file)"
        if len(cells) != len(dialect.columns):
            raise DataError(f"{where} has {len(cells)} cells, expected {len(dialect.columns)}")
        numbers = []
        for column, cell in zip(dialect.columns, cells, strict=True):
            number = _parse(cell, dialect.decimal)
            if column == name:
                labels.append(cell.strip())
                if not labels[-1]:
                    raise DataError(f"{where}, column {column!r}: the label is missing")
            elif number is None or not math.isfinite(number):
                raise DataError(f"{where}, column {column!r}: {_problem(cell, column, at)}")
            else:
                numbers.append(number)
        values.append(numbers)
    width = len(dialect.columns) - (at is not None)
    return np.array(values).reshape(len(values), width), None if at is None else labels


def _problem(cell: str, column: str, label: int | None) -> str:
    text = cell.strip()
    if not text:
        return "the cell is empty"
    if _missing(text):
        return f"the value is missing ({text!r})"
    if _NOT_FINITE.fullmatch(text) or _NUMBER.fullmatch(text):
        return f"{text!r} is not finite"
    hint = "" if label is not None else f"; {label_hint(column)}"
    return f"{text[:40]!r} is not a number{hint}"


def _rows(path: Path, dialect: Dialect) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the number of each row of data, its last line in the file, and its cells."""
    try:
        with path.open(encoding=dialect.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=dialect.delimiter)
            single = len(dialect.columns) == 1
            number = -1 if dialect.header else 0
            for cells in itertools.islice(reader, dialect.blank, None):
                # An empty line is a gap in a table of one column, and nothing in a wider one.
                if not cells and not single:
                    continue
                number += 1
                if number > 0:
                    yield number, reader.line_num, cells or [""]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{shown(path)}: cannot be read as a table: {reason(error)}") from error


def _index_note(columns: Sequence[str], values: NDArray[np.float64]) -> list[str]:
    if len(values) == 0:
        return []
    first, count = values[:, 0], np.arange(len(values))
    if len(columns) > 1 and (np.array_equal(first, count) or np.array_equal(first, count + 1)):
        return [f"column {columns[0]!r} looks like a row number; remove it if it is one"]
    return []
