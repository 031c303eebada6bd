"""Answers to where the user wants them: a file, a folder, the JSON object or standard output."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ancestral.cli import console

if TYPE_CHECKING:
    from torch import Tensor

    from ancestral.recipes import Run


def deliver(
    answer: dict[str, Any],
    *,
    write: Callable[[Path], Path],
    fields: Callable[[], Mapping[str, Any]],
    show: Callable[[], None],
    out: Path | None,
    json: bool,
) -> None:
    """Write to a file, or put into the JSON object, or show on standard output.

    Args:
        answer: The JSON object, completed with ``out`` or the fields.
        write: Writes the file and returns where it is.
        fields: Makes what stands in the object where there is no file.
        show: Shows it to people where there is neither.
        out: Where to; None for no file.
        json: Print the JSON object.

    Raises:
        RunError: If the place cannot be written.
    """
    from ancestral.recipes.files import disk_errors

    if out is not None:
        with disk_errors(out):
            out.parent.mkdir(parents=True, exist_ok=True)
        path = write(out)
        answer["out"] = str(path)
        if not json:
            console.write(str(path))
    elif json:
        answer |= fields()
    else:
        show()
    if json:
        console.emit(answer)


def deliver_examples(
    run: "Run", x: "Tensor", answer: dict[str, Any], *, out: Path | None, name: str, json: bool
) -> None:
    """Deliver examples in the format of the run's data.

    Args:
        run: Whose model made them.
        x: In user units, [N, *event].
        answer: The JSON object, completed with ``out`` or ``samples``.
        out: Where to; None: a table on standard output, images beside the run.
        name: Of the file or folder beside the run.
        json: Print the JSON object.

    Raises:
        RunError: If the place cannot be written.
    """
    from ancestral.recipes.runs import free_name
    from ancestral.recipes.sampling import named_rows, write_run_samples

    data = run.record.data
    if out is None and data.kind == "images":
        out = free_name(run.folder / name)
    deliver(
        answer,
        write=lambda path: write_run_samples(run, x, path),
        fields=lambda: {"columns": list(data.columns), "samples": named_rows(run, x)},
        show=lambda: console.csv(data.columns, named_rows(run, x)),
        out=out,
        json=json,
    )


def deliver_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    answer: dict[str, Any],
    *,
    out: Path | None,
    key: str,
    json: bool,
) -> None:
    """Deliver a table of names and numbers.

    Args:
        columns: Names of the columns.
        rows: The values, row by row.
        answer: The JSON object, completed with ``out`` or ``columns`` and the rows.
        out: Where to; None: standard output.
        key: Of the rows in the JSON object.
        json: Print the JSON object.

    Raises:
        ConfigError: If tables are not written to such an ending.
        RunError: If the place cannot be written.
    """
    from ancestral.data.writing import write_table

    def write(path: Path) -> Path:
        values = zip(*rows, strict=True) if rows else ((),) * len(columns)
        return write_table({n: list(v) for n, v in zip(columns, values, strict=True)}, path)

    deliver(
        answer,
        write=write,
        fields=lambda: {"columns": list(columns), key: rows},
        show=lambda: console.csv(columns, rows),
        out=out,
        json=json,
    )
