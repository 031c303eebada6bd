"""How data are read: what the user sets, and what models ask of the reader."""

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ancestral import settings
from ancestral.data.dataset import Loading, TextLoading
from ancestral.data.schema import TYPE, schema_of
from ancestral.errors import ConfigError
from ancestral.settings import convert, hints, nearest

_LOADING = {
    "label": "label",
    "field": "field",
    "masks": "masks",
    "fractions": "fractions",
    "split_seed": "seed",
    "size": "size",
    "pixels": "size",
    "stream": "stream",
    "columns": "columns",
    "drop": "drop",
    "header": "header",
    "mixed": "mixed",
}
"""Settings of the data, and the fields of ``Loading`` that they are; ``size`` is also the name of
the size of a network, and ``pixels`` cannot be mistaken."""

OF_TEXT = tuple(hints(TextLoading))
"""Settings of text, fields of ``TextLoading``."""

OF_DATA = (*_LOADING, *OF_TEXT)
"""All of them that have a name of their own."""


def reading(loading: Loading, reads: Mapping[str, Any]) -> Loading:
    """Return how to load, with what models ask of the reader; what they leave open is the user's.

    Columns with their types, where they are wanted, are none of states.
    """
    loading = replace(
        loading, **{name: value for name, value in reads.items() if value is not None}
    )
    return replace(loading, discrete=False, missing=False) if loading.mixed else loading


def loading_of(chosen: Mapping[str, object]) -> Loading:
    """Return how to load, from the settings of the data: size, label, fractions, tokenizer ...

    Raises:
        ConfigError: If one is unknown or out of range.
    """
    kinds = hints(Loading)
    values, text, schema = {}, {}, {}
    for name, value in chosen.items():
        if name in OF_TEXT:
            text[name] = value
        elif _of_schema(name):
            schema[name] = value
        elif name in _LOADING:
            values[_LOADING[name]] = convert(name, value, kinds[_LOADING[name]])
            if name == "masks" and values[name] is not None:  # For runs that are opened elsewhere.
                values[name] = os.path.abspath(Path(values[name]).expanduser())
        else:
            known = [*OF_DATA, "schema"]
            raise ConfigError(
                f"unknown setting {name!r} of data{nearest(name, known, otherwise=9)}"
            )
    loading = Loading(text=settings.build(TextLoading, text), schema=schema_of(schema))
    return replace(loading, **values)


def is_of_data(name: str, value: object) -> bool:
    """Return whether a setting is of the data for its value, or for the beginning of its name."""
    return (name == "size" and _pixels(value)) or _of_schema(name)


def _of_schema(name: str) -> bool:
    return name == "schema" or name.startswith(TYPE)


def _pixels(value: object) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(float(str(value)))
    except ValueError:
        return False
