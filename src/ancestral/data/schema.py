"""What is said of the columns of a table: shown to people, and said by them in a file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Loading
from ancestral.data.fields import Field
from ancestral.data.files import reason, shown
from ancestral.data.notation import dates, spelt
from ancestral.errors import DataError
from ancestral.settings import nearest

LEFT_OUT = "left out"
"""In place of a type: the column is no part of the data."""

TYPES = (*get_args(get_type_hints(Column)["type"]), LEFT_OUT)
"""What may be said of the type of a column."""

TYPE = "type."
"""How a setting begins that says the type of a column."""

_KNOWN = tuple(item.name for item in fields(Column) if item.name != "name")
_MOST_LINES = 40
_HEAD = """\
# The columns of {name}, read again with --set schema=FILE. Types are number, integer, category,
# truth and date; "{left}" leaves a column out. Widen low and high, or name more states, where other
# values may come than this file holds; delete a line, or a column, to have it found out again.

"""


def columns_table(columns: Sequence[Column], example: Sequence[str]) -> str:
    """Return what each column is as a small table, an example cell of each at its end.

    Example:
        >>> print(columns_table([Column(name="rain", type="truth", states=("no", "yes"))], ["no"]))
        column  type   resolution  range or states  gaps  example
        rain    truth              no, yes                no
    """
    rows = [("column", "type", "resolution", "range or states", "gaps", "example")]
    for column, cell in zip(columns, example, strict=True):
        step = "" if column.discrete else _step(column)
        gaps = (column.gap or "empty") if column.gaps else ""
        rows.append((column.name[:24], column.type, step, extent(column), gaps, cell[:24]))
    widths = [max(map(len, place)) for place in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    more = [f"... and {len(lines) - 1 - _MOST_LINES} more columns"] * (len(lines) > _MOST_LINES + 1)
    return "\n".join([*lines[: _MOST_LINES + 1], *more])


def extent(column: Column) -> str:
    """Return the range or the states of a column."""
    if column.discrete:
        few, count = ", ".join(column.states[:4]), len(column.states)
        return f"always {few}" if count == 1 else few + (f", ... ({count})" if count > 4 else "")
    ends = spelt(np.array([column.low, column.high], dtype=np.float64), column)
    return f"always {ends[0]}" if column.low == column.high else " to ".join(ends)


def _step(column: Column) -> str:
    words = {86400.0: "day", 3600.0: "hour", 60.0: "minute", 1.0: "second"}
    step = column.resolution or 0.0
    return words.get(step, f"{step:g}") if column.type == "date" else f"{step:g}"


def write_schema(field: Vector, name: str) -> str:
    """Return the text of a schema: what each column is, to be edited and read again."""
    import tomli_w

    found: dict[str, Any] = {}
    for column in field.columns:
        usual = asdict(Column(name=""))
        said = {k: v for k, v in asdict(column).items() if k not in usual or v != usual[k]}
        said = {"type": column.type} | {k: v for k, v in said.items() if k not in {"name", "type"}}
        if column.type == "date":
            ends = spelt(np.array([column.low, column.high], dtype=np.float64), column)
            said |= dict(zip(("low", "high"), ends, strict=True))
        found[column.name] = said
    found |= {left: {"type": LEFT_OUT} for left in field.left_out}
    return _HEAD.format(name=name, left=LEFT_OUT) + tomli_w.dumps(found)


def read_schema(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a schema says of each column, by the name of the column.

    Raises:
        DataError: If it cannot be read, or says what cannot be said of a column.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{shown(path)}: cannot be read as a schema: {reason(error)}") from error
    for name, said in found.items():
        where = f"{shown(path)}: column {name!r}"
        check_said(where, said)
        if said.get("type") == "date":
            _dates_of_ends(where, said)
        elif isinstance(end := said.get("low", said.get("high")), str):
            raise DataError(f"{where}: low and high must be numbers, got {end!r}")
    return found


def schema_of(given: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Return what settings say of columns: ``schema``, a file or what one holds, and ``type.NAME``.

    Raises:
        DataError: If it is not what can be said of a column.

    Example:
        >>> schema_of({"type.age": "integer"})
        {'age': {'type': 'integer'}}
    """
    found: dict[str, dict[str, Any]] = {}
    if isinstance(said := given.get("schema"), str | Path):
        found = read_schema(Path(said).expanduser())
    elif isinstance(said, Mapping):
        found = {name: dict(each) for name, each in said.items()}
    for name, value in given.items():
        if name.startswith(TYPE):
            found.setdefault(name.removeprefix(TYPE), {})["type"] = value
    for name, each in found.items():
        check_said(f"column {name!r}", each)
    return found


def loading_like(loading: Loading, field: Field) -> Loading:
    """Return how other data are loaded so that their columns are those of a field, typed as these.

    Example:
        >>> field = Vector(columns=(Column(name="age", type="integer", low=0.0),), mixed=True)
        >>> loading_like(Loading(), field).schema
        {'age': {'type': 'integer', 'low': 0.0}}
    """
    if not isinstance(field, Vector) or not field.mixed:
        return replace(loading, masks=None)
    said = {
        column.name: {k: v for k, v in asdict(column).items() if v and k not in {"name", "gaps"}}
        | {k: v for k, v in (("low", column.low), ("high", column.high)) if v is not None}
        for column in field.columns
    }
    return replace(loading, mixed=True, columns=field.names, drop=(), schema=said)


def check_said(where: str, said: object) -> None:
    """Refuse what cannot be said of a column.

    Raises:
        DataError: For the first that is wrong.
    """
    if not isinstance(said, Mapping):
        raise DataError(f"{where} must be a table, such as [age] with type = 'integer'")
    for key, value in said.items():
        if key not in _KNOWN:
            raise DataError(f"{where}: unknown {key!r}{nearest(key, _KNOWN, otherwise=9)}")
        if key == "type" and value not in TYPES:
            raise DataError(f"{where}: type must be one of {', '.join(TYPES)}, got {value!r}")
        rule = _RULES.get(key)
        if rule and not rule[1](value):
            raise DataError(f"{where}: {key} must be {rule[0]}, got {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _are_words(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)


_RULES = {
    "states": ("different words", lambda v: _are_words(v) and len({*v}) == len(v) > 0),
    "resolution": ("a number above 0", lambda v: _is_number(v) and v > 0),
    "low": ("a number, or a date", lambda v: _is_number(v) or isinstance(v, str)),
    "high": ("a number, or a date", lambda v: _is_number(v) or isinstance(v, str)),
    "gaps": ("true or false", lambda v: isinstance(v, bool)),
    "form": ("text", lambda v: isinstance(v, str)),
    "gap": ("text", lambda v: isinstance(v, str)),
}


def _dates_of_ends(where: str, said: dict[str, Any]) -> None:
    """Replace the ends of a range of dates by their seconds."""
    import pyarrow as pa

    for key in {"low", "high"} & set(said):
        form = said.get("form", "%Y-%m-%d")
        if isinstance(said[key], str):
            seconds = float(dates(pa.array([said[key]]), form)[0])
            if np.isnan(seconds):
                raise DataError(f"{where}: {key} must be a date as in {form}, got {said[key]!r}")
            said[key] = seconds
