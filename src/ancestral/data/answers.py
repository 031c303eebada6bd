"""What is answered, whatever the data are: for a file, for a JSON object and for people."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ancestral.data.columns import Vector
from ancestral.data.fields import Field, Image
from ancestral.data.files import free_name, write_text
from ancestral.data.writing import TABLES, csv_lines, write_samples, write_table, write_walk

_WRITTEN = frozenset((Image,))
"""Fields whose examples cannot be shown on standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Something to be delivered.

    Args:
        write: Writes a file or a folder; returns where it is.
        to_json: Makes what stands in the JSON object where there is no file.
        show: Yields what is shown to people where there is neither, as it is made.
        facts: What stands in the JSON object in any case.
        place: Where it goes if nowhere is said; None for standard output.
    """

    write: Callable[[Path], Path]
    to_json: Callable[[], Mapping[str, Any]]
    show: Callable[[], Iterator[str]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    place: Path | None = None


def table_answer(columns: Mapping[str, list[Any]], facts: Mapping[str, Any]) -> Answer:
    """Return a table, written by the ending of the path."""
    rows = list(zip(*columns.values(), strict=True))
    return Answer(
        write=partial(write_table, columns),
        to_json=lambda: {"columns": [*columns], "rows": rows},
        show=lambda: csv_lines([[*columns], *rows]),
        facts=facts,
    )


def texts_answer(
    rows: Callable[[], list[dict[str, Any]]],
    facts: Mapping[str, Any],
    *,
    show: Callable[[], Iterator[str]] | None = None,
) -> Answer:
    """Return texts, to a table by the ending of the path, or one after the other.

    Args:
        rows: Makes an object for each text, with its ``text``.
        facts: What stands in the JSON object in any case.
        show: Yields what is shown; by default all texts, an empty line between them.
    """

    def write(path: Path) -> Path:
        found = rows()
        if path.suffix.lower() in TABLES:
            return write_table({name: [row[name] for row in found] for name in found[0]}, path)
        write_text(path, "".join(f"{row['text']}\n" for row in found))
        return path

    def all_of_them() -> Iterator[str]:
        yield "\n\n".join(row["text"] for row in rows()) + "\n"

    return Answer(
        write=write,
        to_json=lambda: {"samples": rows()},
        show=show or all_of_them,
        facts=facts,
    )


def examples_answer(
    x: Tensor, of_field: Field, facts: Mapping[str, Any], *, beside: Path, key: str = "samples"
) -> Answer:
    """Return examples [N, *event] of a field, written in the format of such data.

    Args:
        x: In user units.
        of_field: What they are.
        facts: What stands in the JSON object in any case.
        beside: Where they go, or near it, if nowhere is said and they cannot be shown.
        key: Of the examples in the JSON object.
    """
    columns = of_field.names if isinstance(of_field, Vector) else ()
    return Answer(
        write=partial(write_samples, x, field=of_field),
        to_json=lambda: {"columns": list(columns), key: of_field.rows(x)},
        show=lambda: csv_lines([columns, *_shown(x, of_field)]),
        facts=facts,
        place=free_name(beside) if type(of_field) in _WRITTEN else None,
    )


def _shown(x: Tensor, of_field: Field) -> list[list[Any]]:
    """Return examples as people read them: rows of a mixed table as its file has them."""
    if not isinstance(of_field, Vector) or not of_field.mixed:
        return of_field.rows(x)
    from ancestral.data.arrow import as_text

    columns = [column.to_pylist() for column in as_text(x, of_field)]
    return [list(row) for row in zip(*columns, strict=True)]


def walk_answer(
    x: Tensor, ends: Tensor, of_field: Field, facts: Mapping[str, Any], *, beside: Path
) -> Answer:
    """Return a walk as examples, of images with its real ends beside it in a picture.

    Args:
        x: The way, [steps, *event].
        ends: Where it begins and ends, [2, *event].
        of_field: What they are.
        facts: As of :func:`examples_answer`.
        beside: As of :func:`examples_answer`.
    """
    answer = examples_answer(x, of_field, facts, beside=beside)
    if not isinstance(of_field, Image):
        return answer
    return replace(answer, write=partial(write_walk, x, ends, field=of_field))
