"""What a run answers, whatever its data are: for a file, for a JSON object and for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from ancestral.data.fields import Field, Image, Vector
from ancestral.data.writing import csv_lines, write_samples, write_table
from ancestral.recipes.runs import free_name

_WRITTEN = frozenset((Image,))
"""Fields whose examples cannot be shown on standard output."""


class Answer(Protocol):
    """Something to be delivered."""

    def write(self, path: Path) -> Path:
        """Write a file or a folder; return where it is."""
        ...

    def to_json(self) -> Mapping[str, Any]:
        """Return what stands in the JSON object where there is no file."""
        ...

    def show(self) -> Iterator[str]:
        """Yield what is shown to people where there is neither, as it is made."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table of names and numbers.

    Args:
        columns: Their names.
        rows: The values, row by row.
        key: Of the rows in the JSON object.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    key: str = "rows"

    def write(self, path: Path) -> Path:
        """Write a table by the ending of the path."""
        values = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.columns)
        return write_table(
            {name: list(each) for name, each in zip(self.columns, values, strict=True)}, path
        )

    def to_json(self) -> Mapping[str, Any]:
        """Return columns and rows."""
        return {"columns": list(self.columns), self.key: self.rows}

    def show(self) -> Iterator[str]:
        """Yield the lines of comma-separated values."""
        return csv_lines([self.columns, *self.rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Examples of a field.

    Args:
        x: In user units, [N, *event].
        field: What they are.
        key: Of the examples in the JSON object.
    """

    x: Tensor
    field: Field
    key: str = "samples"

    def write(self, path: Path) -> Path:
        """Write them in the format of the data, see :func:`write_samples`."""
        return write_samples(self.x, path, self.field)

    def place(self, path: Path) -> Path | None:
        """Return the path, or one like it that is free, for what is not shown but written."""
        return free_name(path) if type(self.field) in _WRITTEN else None

    def to_json(self) -> Mapping[str, Any]:
        """Return columns, none of images, and rows, states by their names."""
        columns = self.field.names if isinstance(self.field, Vector) else ()
        return {"columns": list(columns), self.key: self.field.rows(self.x)}

    def show(self) -> Iterator[str]:
        """Yield the lines of comma-separated values."""
        columns, rows = self.to_json().values()
        return csv_lines([columns, *rows])
