"""Files of delimited text: the separator, decimal mark and header are found, and said aloud.

pyarrow reads them (it is also the reader of parquet, and its parser is parallel); only a file that
it refuses is read again by a slow parser, which knows the row, the line and the column.
"""

import csv
import gzip
import io
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ancestral.data.files import reason, shown
from ancestral.errors import DataError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
GAPS = frozenset(("", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "?"))
"""Cells that say nothing, in small letters."""
_MARKS = {"\t": "tabs", ";": "semicolons", "|": "bars"}
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
        blank: Lines before the first row that are empty or remarks.
        notes: What was inferred.
    """

    encoding: str
    delimiter: str
    decimal: str
    header: bool
    columns: tuple[str, ...]
    blank: int
    notes: tuple[str, ...]


def sniff(path: Path, *, expected: Collection[str] = (), header: bool | None = None) -> Dialect:
    """Find out how a file is written from its first 50 rows.

    Args:
        path: A file of text, also a compressed one (gz).
        expected: Names of columns. If there are any, the first row is a header, read in the way
            that finds most of them, and a column without a name keeps none.
        header: Whether the first row names the columns; None: if it is unlike the rows below.

    Raises:
        DataError: If it cannot be opened, is not text, or holds no cells.
    """
    encoding, text = _sample(path)
    blank, text, notes = _without_remarks(text)
    rows, delimiter, decimal = _best(text, ".tsv" in path.suffixes, expected)
    if not rows:
        raise DataError(f"{shown(path)}: the file holds no cells")
    if header is None:
        header = bool(expected) or not _is_data(rows, decimal)
    if delimiter != ",":
        notes.append(f"cells are separated by {_MARKS[delimiter]}")
    if decimal == ",":
        notes.append("the decimal mark is a comma")
    if encoding == "cp1252":
        notes.append("the text is not UTF-8; read as Windows-1252")
    first = _full_header(rows) if header else rows[0]
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
        blank=blank,
        notes=tuple(notes),
    )


def _without_remarks(text: str) -> tuple[int, str, list[str]]:
    """Return how many lines stand before the first row, the text from there, and what to say.

    A line that begins with # is a remark if the next one is split into another number of cells.
    """
    lines = text.splitlines(keepends=True) if "\r\n" in text or "\n" in text else [text]
    skipped, remarks = 0, 0
    for line, below in itertools.pairwise([*lines, ""]):
        remark = line.startswith("#") and not any(
            line.count(mark) and line.count(mark) == below.count(mark) for mark in ",;\t|"
        )
        if line.strip("\r\n") and not remark:
            break
        skipped, remarks = skipped + 1, remarks + remark
    rest = "".join(lines[skipped:])
    blank = len(_BLANK.findall(text[: len(text) - len(rest)]))
    rest_blank = len(_BLANK.findall(rest[: len(rest) - len(rest.lstrip("\r\n"))]))
    notes = [f"{remarks} lines that begin with # are passed over"] if remarks else []
    return blank + rest_blank, rest, notes


def _full_header(rows: Sequence[list[str]]) -> list[str]:
    """Return the header; one that is a cell shorter than all rows is completed, without a name.

    The cell without a name is the last one if it is empty everywhere, as after a comma at the end
    of each row, else the first one, which names the row.
    """
    first, body = rows[0], rows[1:]
    if not body or {len(row) for row in body} != {len(first) + 1}:
        return first
    return [*first, ""] if not any(row[-1].strip() for row in body) else ["", *first]


def _named(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns; those without one are called by their place."""
    names = [name.strip() for name in header]
    free = "x" if not any(f"x{i}" in names for i, name in enumerate(names, 1) if not name) else "_"
    return tuple(name or f"{free}{index}" for index, name in enumerate(names, start=1))


def opened(path: Path) -> io.BufferedReader | gzip.GzipFile:
    """Open a file for reading, unpacked if it is compressed."""
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _sample(path: Path) -> tuple[str, str]:
    """Return the encoding and the beginning of a file, up to its last whole line."""
    try:
        with opened(path) as file:
            content = file.read(_SAMPLE_BYTES)
            whole = not file.read(1)
    except (OSError, EOFError) as error:
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
    styles += [("|", "."), ("|", ",")]
    if tabs:  # In doubt the suffix tells: the first of equals is taken.
        styles.sort(key=lambda style: style[0] != "\t")
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


def _is_data(rows: Sequence[list[str]], decimal: str) -> bool:
    """Tell a first row of data from a header, which is unlike the rows below.

    A broken number is data. Whole numbers do serve as names of columns: beside words, and where
    they count up above columns of other numbers. Words of a header are not repeated below it.
    """
    first = rows[0]
    numbers = [cell for cell in first if _parse(cell, decimal) is not None]
    if not numbers:
        return False
    if any(not cell.strip().lstrip("+-").isdecimal() for cell in numbers):
        return True
    columns = [
        list(cells)
        for cells in zip(*(row for row in rows[1:] if len(row) >= len(first)), strict=False)
    ]
    words = [at for at, cell in enumerate(first) if cell not in numbers and not _missing(cell)]
    if words:
        repeated = all(at < len(columns) and first[at] in columns[at] for at in words)
        return repeated and not _counts_up(numbers)
    if len(numbers) + sum(map(_missing, first)) < len(first) or not _counts_up(numbers):
        return True
    index = not first[0].strip() and bool(columns) and _counts_up(columns[0])
    others = [columns[at] for at, cell in enumerate(first) if columns and cell in numbers]
    return not (index or (len(numbers) > 2 and bool(others) and all(map(_broken, others))))


def _counts_up(cells: Sequence[str]) -> bool:
    """Tell whole numbers that follow each other, two at least."""
    if not all(cell.strip().isdecimal() and len(cell) < 16 for cell in cells):
        return False
    whole = [int(cell) for cell in cells]
    return len(whole) > 1 and whole == [*range(whole[0], whole[0] + len(whole))]


def _broken(cells: Sequence[str]) -> bool:
    """Tell a column most of whose cells are neither whole numbers nor missing."""
    return 2 * sum(not cell.strip().lstrip("+-").isdecimal() for cell in cells) > len(cells)


def _parse(cell: str, decimal: str) -> float | None:
    """Return the cell's number, None if it is none."""
    text = cell.strip()
    if decimal != ".":
        text = text.replace(".", "#").replace(decimal, ".")
    return float(text) if _NUMBER.fullmatch(text) else None


def _missing(cell: str) -> bool:
    return cell.strip().lower() in GAPS


def read_numbers(
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


def rows_of(
    path: Path, dialect: Dialect, *, errors: str = "strict"
) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the number of each row of data, its last line in the file, and its cells.

    Raises:
        DataError: If the file is not what its beginning says.
    """
    try:
        with (
            opened(path) as raw,
            io.TextIOWrapper(raw, dialect.encoding, errors=errors, newline="") as file,
        ):
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
