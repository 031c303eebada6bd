"""Examples to where the user wants them: a file, a folder, or standard output."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ancestral.cli import console

if TYPE_CHECKING:
    from torch import Tensor

    from ancestral.recipes import Run


def deliver(
    run: "Run", x: "Tensor", answer: dict[str, Any], *, out: Path | None, name: str, json: bool
) -> None:
    """Write or print examples in the format of the run's data.

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
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        path = write_run_samples(run, x, out)
        answer["out"] = str(path)
        if not json:
            console.write(str(path))
    elif json:
        answer |= {"columns": list(data.columns), "samples": named_rows(run, x)}
    else:
        console.csv(data.columns, named_rows(run, x))
    if json:
        console.emit(answer)
