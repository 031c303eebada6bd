"""Fields as ``run.toml`` has them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ancestral.data.columns import Column, Vector
from ancestral.data.fields import Category, Field, Image, Tokens

FIELDS: dict[str, type[Field]] = {
    "vector": Vector,
    "image": Image,
    "category": Category,
    "tokens": Tokens,
}
"""The kinds of field, by the names that ``run.toml`` has for them."""


def to_plain(field: Field) -> dict[str, Any]:
    """Return a field as TOML can hold it: of each column only what is not the default."""
    name = next(name for name, cls in FIELDS.items() if isinstance(field, cls))
    values = {k: v for k, v in asdict(field).items() if k not in {"values", "canvas"} or v}
    if isinstance(field, Vector):
        usual = asdict(Column(name=""))
        cells = [
            {k: _listed(v) for k, v in asdict(column).items() if v != usual[k]}
            for column in field.columns
        ]
        plain = all(set(cell) == {"name"} for cell in cells)
        values = {"columns": list(field.names) if plain else cells}
        values |= {"mixed": True} if field.mixed else {}
        values |= {"left_out": list(field.left_out)} if field.left_out else {}
    return {"type": name, **values}


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def from_plain(found: Mapping[str, Any]) -> Field:
    """Return the field that :func:`to_plain` described.

    Raises:
        KeyError: If it is none.
        TypeError: Likewise.
    """
    values: dict[str, Any] = {k: v for k, v in found.items() if k != "type"}
    cls: type[Any] = FIELDS[found["type"]]
    for name in {"states", "values", "left_out"} & set(values):
        values[name] = tuple(values[name])
    if "columns" in values:
        cells = [{"name": cell} if isinstance(cell, str) else cell for cell in values["columns"]]
        values["columns"] = tuple(
            Column(**{**cell, "states": tuple(cell.get("states", ()))}) for cell in cells
        )
    return cls(**values)
