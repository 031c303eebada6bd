"""What is shown: tables and JSON on standard output, prose and progress on standard error."""

import json
import math
import os
import re
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from ancestral.telling import Lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from ancestral.evaluation.report import Section

PATIENCE = 1.5
"""Seconds before a progress bar appears: what ends sooner needs none."""

_STACKED = re.compile(r" (\[.{11,}\]|\(p .*\))$")
PLAIN_WIDTH = 160
"""Columns of output that goes to a file or a pipe, where nothing should be cut."""


def one_line(text: object) -> str:
    """Return a message on one line, however it was broken; bytes that are no text are escaped."""
    return " ".join(str(text).split()).encode("utf-8", "backslashreplace").decode()


def fail(error: object) -> int:
    """Write the one line of a mistake to standard error; return exit status 2.

    Of the processes of one training the first to fail writes it.
    """
    if "WORLD_SIZE" in os.environ:
        from ancestral.training.ranks import tells

        # Where one process has died, the launcher asks the others to end: not before the line.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not tells():
            return 2
    sys.stderr.write(f"ancestral: {one_line(error)}\n")
    return 2


def say(text: object) -> None:
    """Write a line of prose to standard error."""
    sys.stderr.write(f"{one_line(text)}\n")
    sys.stderr.flush()


def tell(note: str, before: str = "") -> None:
    """Write a note, whose lines may be a small table, to standard error."""
    for line in note.split("\n"):
        sys.stderr.write(f"{before}{line if line.isprintable() else one_line(line)}\n")
    sys.stderr.flush()


def emit(answer: Mapping[str, Any]) -> None:
    """Write the one JSON object of ``--json`` to standard output; numbers not finite are null.

    Where the output is not in UTF-8, letters are escaped: nothing of an answer is lost.
    """
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(_finite(answer), ensure_ascii=plain, allow_nan=False) + "\n")


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def out() -> "Console":
    """Return a rich console on standard output, plain where it is not a terminal.

    There it has as many columns as the environment's COLUMNS says, otherwise many.
    """
    from rich.console import Console

    columns = os.environ.get("COLUMNS", "")
    plain = max(20, int(columns)) if columns.isdecimal() and len(columns) < 6 else PLAIN_WIDTH
    width = None if sys.stdout.isatty() else plain
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def write(text: str = "") -> None:
    """Write a line to standard output as it is."""
    sys.stdout.write(f"{text}\n")


def flush() -> None:
    """Let what was written be read at once, also where standard output is a file or a pipe."""
    sys.stdout.flush()


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    kept: int | None = None,
) -> None:
    """Show a table on standard output: the first column to the left, numbers to the right.

    Args:
        columns: Their names.
        rows: Cells.
        title: Above it.
        kept: Where the table is too wide, units and p-values go to lines of their own, and it is
            shown in blocks of whole columns, each behind the first so many; None: in one, broken
            within cells.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    cells = [list(columns), *(list(row) for row in rows)]
    console = out()

    def widths() -> list[int]:
        parts = [
            [part for cell in column for part in cell.split("\n")]
            for column in zip(*cells, strict=True)
        ]
        return [max(map(cell_len, column)) + 3 for column in parts]

    if kept is not None and sum(widths()) >= console.width:
        cells = [[_STACKED.sub(r"\n\1", cell) for cell in row] for row in cells]
    with console.capture() as captured:
        if title is not None:  # Not the table's own, which is broken where the table is narrow.
            console.print(Text(title, style="bold"))
        for block in _blocks(widths(), console.width - 1, kept):
            shown = Table(box=box.SIMPLE_HEAD)
            for index in block:
                numeric = _numeric([row[index] for row in cells[1:]])
                name, side = cells[0][index], "right" if numeric else "left"
                shown.add_column(name, justify=side, overflow="fold")
            for row in cells[1:]:
                shown.add_row(*(Text(row[index]) for index in block))
            console.print(shown)
    for line in captured.get().splitlines():
        write(line.rstrip())


def _blocks(widths: Sequence[int], room: int, kept: int | None) -> list[list[int]]:
    """Return the columns of each block that fits; one alone may be wider.

    Example:
        >>> _blocks([10, 5, 20, 20, 20], 60, 2), _blocks([10, 5, 20, 20, 20], 20, None)
        ([[0, 1, 2, 3], [0, 1, 4]], [[0, 1, 2, 3, 4]])
    """
    if kept is None:
        return [list(range(len(widths)))]
    first = list(range(kept))
    blocks = [[*first]]
    for index in range(kept, len(widths)):
        if len(blocks[-1]) > kept and sum(widths[i] for i in (*blocks[-1], index)) > room:
            blocks.append([*first])
        blocks[-1].append(index)
    return blocks


def _numeric(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip() not in ("", "-", "—")]
    return bool(filled) and all(cell[0] in "-+.0123456789" for cell in filled)


class Bar:
    """A progress bar with the time left, after a moment; lines where there is no terminal.

    Example:
        >>> with Bar("fit") as bar:
        ...     bar.move(0.5, "step 10")
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()
        self._lines = None if sys.stderr.isatty() else Lines(patience=PATIENCE)
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "Bar":
        """Return the bar; it is not shown yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar off the screen."""
        if self._progress is not None:
            self._progress.stop()

    def turn(self, title: str, done: float, note: str) -> None:
        """Show another piece of work, or how far the same one is."""
        if title != self.title:
            self.title, self.started = title, time.monotonic()
            if self._progress is not None and self._task is not None:
                self._progress.reset(self._task, description=title)
        self.move(done, note)

    def move(self, done: float, note: str = "") -> None:
        """Show the share done, 0 to 1, and a remark."""
        if self._lines is not None:
            self._lines.turn(self.title, done, note)
            return
        if self._progress is None:
            if time.monotonic() - self.started < PATIENCE:
                return
            self._start()
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=min(done, 1.0), note=note)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(file=sys.stderr),
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task(self.title, total=1.0, note="")


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Show names and values on standard output, one a line, in two columns."""
    pairs = list(rows)
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        write(f"{name:<{width}}  {value}")


def stream(pieces: Iterable[str]) -> None:
    """Write pieces of text to standard output, each as it comes."""
    ended = True
    try:
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
            ended = piece.endswith("\n") if piece else ended
    finally:
        if not ended:  # A message about what broke it off begins a line of its own.
            write()


def csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table to standard output as comma-separated values, row by row."""
    from ancestral.data.writing import csv_lines

    stream(csv_lines([columns, *rows]))


def section(what: "Section") -> None:
    """Show the table of an evaluation or a comparison."""
    from ancestral.evaluation.kinds import bench_of
    from ancestral.evaluation.report import key_lines, table_rows

    header, rows = table_rows(what)
    budget = f", {what.budget} of training each" if what.budget else ""
    count = bench_of(what.data).held_out()
    title = f"{what.data.name}{budget}; held-out data: {count}"
    table(header, rows, title=title, kept=2)
    for line in key_lines(what):
        for part in wrap(line, out().width - 1):
            write(part)
