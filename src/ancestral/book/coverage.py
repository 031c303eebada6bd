"""Which rows of the book's list have a check, and where it is."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ancestral.book.chapters import CHAPTERS
from ancestral.book.reasons import DIAGRAM, OTHERS, OTHERS_DRAWING

if TYPE_CHECKING:
    from ancestral.book.making import Outcome

PICTURES = (OTHERS, OTHERS_DRAWING, DIAGRAM)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the book's list.

    Args:
        id: Its name.
        test: Where it is tested, ``tests/FILE.py::NAME``; empty where it is not.
        entries: The entries that make it anew.
        reason: Why there is no check.
        nothing: There is nothing to check: another's picture, a diagram, prose, notation.
    """

    id: str
    test: str = ""
    entries: tuple[str, ...] = ()
    reason: str = ""
    nothing: bool = False


@cache
def rows() -> dict[str, Row]:
    """Return all rows by name.

    Example:
        >>> rows()["PR-13"].entries, rows()["PR-22"].test.rpartition("/")[2].partition("::")[0]
        (('PR-13',), 'test_moments.py')
    """
    found = {}
    text = files("ancestral.book").joinpath("rows.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            name, where, what = line.split(" ", 2)
            folder, _, file = where.rpartition("/")
            test = f"tests/{folder}/test_{file}.py::test_{what}"
            found[name] = (
                Row(name, reason=what, nothing=where == "=") if where in "-=" else Row(name, test)
            )
    entries = [entry for chapter in CHAPTERS for entry in chapter.entries]
    for entry in entries:
        old = found.get(entry.row, Row(entry.row))
        if entry.reason is None:
            found[entry.row] = Row(entry.row, old.test, (*old.entries, entry.id))
        elif not old.test and not old.entries:
            nothing = entry.reason in PICTURES
            found[entry.row] = Row(entry.row, reason=entry.reason[0], nothing=nothing)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many rows have a check that passes.

    Args:
        checked: Rows with one.
        rows: All rows.
        nothing: Those of them in which there is nothing to check.
    """

    checked: int
    rows: int
    nothing: int

    @property
    def share(self) -> float:
        """Of the rows in which there is something to check."""
        return self.checked / (self.rows - self.nothing)


def coverage(outcomes: "Collection[Outcome]" = ()) -> Coverage:
    """Count the rows with a test, or with entries of which none has been found to differ."""
    failed = {outcome.entry.row for outcome in outcomes if outcome.verdict == "differs"}
    known = rows().values()
    checked = sum(bool(row.test or row.entries) and row.id not in failed for row in known)
    return Coverage(checked, len(known), sum(row.nothing for row in known))
