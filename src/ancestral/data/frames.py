"""Data frames given back as they came: of their library, in their types."""

import json
from base64 import b64decode, b64encode
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor

from ancestral.data.arrow import as_arrow, as_text
from ancestral.data.columns import Vector
from ancestral.data.notation import compute

if TYPE_CHECKING:
    import pyarrow as pa

Frame: TypeAlias = Any
"""A data frame of pandas or polars, or a table of Arrow."""

_KEY = b"ancestral.frame"


def noted_schema(frame: Frame, table: "pa.Table") -> "pa.Schema":
    """Return the schema of a table with a note of the frame that it was: library, types, states.

    Args:
        frame: The data frame.
        table: The same as a table of Arrow, as it gives itself.
    """
    from pyarrow import types

    pandas = (table.schema.metadata or {}).get(b"pandas")
    states = {
        name: table[name].unify_dictionaries().combine_chunks().dictionary.to_pylist()
        for name in table.column_names
        if types.is_dictionary(table.schema.field(name).type) and len(table)
    }
    note: dict[str, Any] = {
        "library": type(frame).__module__.partition(".")[0],
        "states": states,
        # A file has coarser types than a frame: seconds become milliseconds.
        "schema": b64encode(table.schema.remove_metadata().serialize()).decode(),
    }
    if pandas is not None:
        note["pandas"] = json.loads(pandas)
    return table.schema.with_metadata({_KEY: json.dumps(note, default=str)})


def storable(table: "pa.Table") -> "pa.Table":
    """Return a table that parquet can hold: its states of a dictionary as plain text."""
    import pyarrow as pa
    from pyarrow import types

    for at, mine in enumerate(table.schema):
        if types.is_dictionary(mine.type) and types.is_string_view(mine.type.value_type):
            cells = table.column(at).unify_dictionaries().combine_chunks()
            words = cells.dictionary.cast(pa.string())
            table = table.set_column(
                at, mine.name, pa.DictionaryArray.from_arrays(cells.indices, words)
            )
    return table


def as_frame(x: Tensor, field: Vector, schema: "pa.Schema | None") -> Frame:
    """Return rows [N, D] as a frame of the library, and in the types, that a schema notes.

    Args:
        x: Rows, NaN where a cell is missing.
        field: What they are.
        schema: Of :func:`noted_schema`; None: a table of Arrow.
    """
    table = as_arrow(x, field)
    if schema is None:
        return table
    note, words = _note(schema), None
    for at, name in enumerate(table.column_names):
        if name not in schema.names:
            continue
        mine, cells = schema.field(name), table.column(at)
        if _as_written(mine, field, name):
            words = words or as_text(x, field)
            cells = _as_missing(words[at], cells)
        table = table.set_column(at, mine, _cast(cells, mine, note))
    if "pandas" in note:  # New rows have no names of their own.
        note["pandas"]["index_columns"] = []
    return _of_library(table, note)


def filled_frame(table: "pa.Table", x: Tensor, field: Vector, schema: "pa.Schema") -> Frame:
    """Return a frame with the cells of some columns in place of its own; others stay.

    Args:
        table: The frame as a table of Arrow.
        x: Rows [N, D].
        field: What they are: columns of the table.
        schema: Of :func:`noted_schema` of the frame.
    """
    wanted = schema.with_metadata({_KEY: json.dumps({**_note(schema), "library": "pyarrow"})})
    cells = as_frame(x, field, wanted)
    for name in cells.column_names:
        at = table.column_names.index(name)
        table = table.set_column(at, schema.field(name), cells[name])
    return _of_library(table, _note(schema))


def _note(schema: "pa.Schema") -> dict[str, Any]:
    return json.loads((schema.metadata or {}).get(_KEY, b"{}"))


def _is_text(type_: Any) -> bool:  # noqa: ANN401 - pyarrow's classes have no types
    from pyarrow import types

    return types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_)


def _as_written(mine: Any, field: Vector, name: str) -> bool:  # noqa: ANN401
    """Tell numbers and dates that the frame holds as text."""
    return _is_text(mine.type) and not field.columns[field.names.index(name)].discrete


def _as_missing(words: Any, cells: Any) -> Any:  # noqa: ANN401
    pc = compute()
    return pc.if_else(pc.is_valid(cells), words.cast("string"), None)


def _cast(cells: Any, mine: Any, note: dict[str, Any]) -> Any:  # noqa: ANN401
    import pyarrow as pa
    from pyarrow import types

    pc = compute()
    if types.is_dictionary(mine.type):
        words = [str(state) for state in note.get("states", {}).get(mine.name, ())]
        values = pa.array(words, pa.string())
        codes = pc.index_in(cells.cast(pa.string()), value_set=values).cast(mine.type.index_type)
        codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
        text = _is_text(mine.type.value_type)
        values = (
            pa.array(words, mine.type.value_type) if text else values.cast(mine.type.value_type)
        )
        return pa.DictionaryArray.from_arrays(codes, values, ordered=mine.type.ordered)
    if types.is_floating(cells.type) and types.is_integer(mine.type):
        cells = pc.round(cells)
    if types.is_floating(cells.type) and types.is_decimal(mine.type):
        cells = pc.round(cells, ndigits=mine.type.scale)
    return cells.cast(mine.type)


def _of_library(table: "pa.Table", note: dict[str, Any]) -> Frame:
    """Return a table as the library has it; one that is not known gets the table of Arrow."""
    if note.get("library") == "pandas":
        kept = [c for c in note["pandas"]["columns"] if c.get("field_name") in table.column_names]
        index = [
            level
            for level in note["pandas"]["index_columns"]
            if isinstance(level, dict) or level in table.column_names
        ]
        words = json.dumps({**note["pandas"], "columns": kept, "index_columns": index})
        return table.replace_schema_metadata({"pandas": words}).to_pandas()
    table = table.replace_schema_metadata(None)
    if note.get("library") != "polars":
        return table
    return import_module("polars").from_arrow(table)  # The frame was its own.


def schema_of_file(source: str) -> "pa.Schema | None":
    """Return the schema of the file that a frame was kept as; None: of any other source."""
    import pyarrow as pa
    from pyarrow import parquet

    if not source.endswith(".parquet"):
        return None
    try:
        schema = parquet.read_schema(source)
    except (pa.ArrowException, OSError):
        return None
    if not (note := _note(schema)):
        return None
    exact = pa.ipc.read_schema(pa.py_buffer(b64decode(note["schema"])))
    return exact.with_metadata({_KEY: json.dumps(note)})
