"""Texts that stand in a column of a table: copied once into the cache, one after the other."""

import json
from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from ancestral.data.cache import cached, digest_of_files
from ancestral.data.files import reason, shown
from ancestral.data.tables import refuse_cell
from ancestral.data.text.documents import Source, text_files
from ancestral.data.words import open_words
from ancestral.errors import DataError

TABLES = frozenset((".csv", ".tsv", ".parquet", ".json", ".jsonl"))
"""Endings of tables, one column of which may hold texts."""


def open_sources(path: Path, column: str | None = None) -> tuple[Source, ...]:
    r"""Map a file, or all ``.txt`` files below a folder, and check that they are UTF-8.

    Args:
        path: A text, a folder of texts, or a table.
        column: Of a table, the one of texts; of no matter to others.

    Raises:
        DataError: If there is no such file, it is not UTF-8, or the table has no such column.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "notes.jsonl"
        >>> _ = path.write_text('{"id": 1, "text": "one\\ntwo"}\n{"id": 2, "text": "three"}\n')
        >>> source = open_sources(path, "text")[0]
        >>> bytes(source.bytes[:]), source.ends.tolist()
        (b'one\ntwothree', [7, 12])
    """
    if column is None or path.suffix.lower() not in TABLES:
        return tuple(Source(file) for file in text_files(path))
    if path.suffix.lower() != ".parquet":
        Source(path)  # Bytes that are not UTF-8 are named by their line.
    try:
        key = digest_of_files([path], "column", column)
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read: {reason(error)}") from error
    folder, _ = cached(key, partial(_copy, path, column), kind="columns")
    return (Source(folder / "texts", np.load(folder / "ends.npy")),)


def _copy(path: Path, column: str, folder: Path) -> dict[str, Any]:
    sizes = []
    with (folder / "texts").open("wb") as file:
        for row, cell in enumerate(_cells(path, column), start=1):
            sizes.append(file.write(b"" if cell is None else _encoded(path, row, column, cell)))
    np.save(folder / "ends.npy", np.array([*accumulate(sizes)], dtype=np.int64))
    return {}


def _encoded(path: Path, row: int, column: str, cell: object) -> bytes:
    if not isinstance(cell, str):
        refuse_cell(path, row, column, f"{cell!r} is not a text")
    if "\0" in cell:
        refuse_cell(path, row, column, "this is no text: it holds NUL")
    try:
        return cell.encode()
    except UnicodeEncodeError:
        refuse_cell(path, row, column, "the text holds half a character")


def _cells(path: Path, column: str) -> Iterator[object]:
    """Yield the cells of a column, None where one is missing."""
    if path.suffix.lower() in {".json", ".jsonl"}:
        yield from _of_records(path, column)
        return
    for batch in open_words(path, expected=(column,)).batches([column]):
        yield from batch.column(0).to_pylist()


def _of_records(path: Path, column: str) -> Iterator[object]:
    known: dict[str, None] = {}
    for row, record in enumerate(_records(path), start=1):
        if not isinstance(record, dict):
            raise DataError(f"{shown(path)}: row {row} must be an object with {column!r} in it")
        known |= dict.fromkeys(record)
        yield record.get(column)
    if column not in known:
        near = ", ".join([*known][:8])
        raise DataError(f"{shown(path)}: no column {column!r}; there is {near or 'nothing'}")


def _records(path: Path) -> Iterator[object]:
    try:
        if path.suffix.lower() == ".json":
            found = json.loads(path.read_text("utf-8-sig"))
            yield from found if isinstance(found, list) else [found]
            return
        with path.open(encoding="utf-8-sig") as file:
            yield from (json.loads(line) for line in file if line.strip())
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{shown(path)}: cannot be read as JSON: {reason(error)}") from error
