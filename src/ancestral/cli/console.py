"""What is shown: tables and JSON on standard output, prose and progress on standard error."""

import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from ancestral.evaluation.report import Section

PATIENCE = 1.5
"""Seconds before a progress bar appears: what ends sooner needs none."""

PLAIN_WIDTH = 160
"""Columns of output that goes to a file or a pipe, where nothing should be cut."""


def one_line(text: object) -> str:
    """Return a message on one line, however it was broken."""
    return " ".join(str(text).split())


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
    """Write the one JSON object of ``--json`` to standard output; numbers not finite are null."""
    sys.stdout.write(json.dumps(_finite(answer), ensure_ascii=False, allow_nan=False) + "\n")


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def out() -> "Console":
    """Return a rich console on standard output, plain and wide where it is not a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def write(text: str = "") -> None:
    """Write a line to standard output as it is."""
    sys.stdout.write(f"{text}\n")


def flush() -> None:
    """Let what was written be read at once, also where standard output is a file or a pipe."""
    sys.stdout.flush()


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None
) -> None:
    """Show a table on standard output: the first column to the left, numbers to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD)
    rows = [list(row) for row in rows]
    for index, column in enumerate(columns):
        cells = [row[index] for row in rows]
        shown.add_column(column, justify="right" if _numeric(cells) else "left")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    console = out()
    with console.capture() as captured:
        if title is not None:  # Not the table's own, which is broken where the table is narrow.
            console.print(Text(title, style="bold"))
        console.print(shown)
    for line in captured.get().splitlines():
        write(line.rstrip())


def _numeric(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip() not in ("", "-", "—")]
    return bool(filled) and all(cell[0] in "-+.0123456789" for cell in filled)


class Bar:
    """A progress bar with the time left, on a terminal only and only after a moment.

    Example:
        >>> with Bar("fit") as bar:
        ...     bar.move(0.5, "step 10")
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()
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
        if self._progress is None:
            if not sys.stderr.isatty() or time.monotonic() - self.started < PATIENCE:
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
    from ancestral.evaluation.report import table_rows

    header, rows = table_rows(what)
    budget = f", {what.budget} of training each" if what.budget else ""
    count = bench_of(what.data).held_out()
    title = f"{what.data.name}{budget}; held-out data: {count}"
    table(header, rows, title=title)
