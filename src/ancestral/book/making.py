"""Make numbers, figures and examples of the book anew, beside what is printed."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ancestral.book.chapters import CHAPTERS
from ancestral.book.coverage import Coverage, coverage
from ancestral.book.entry import Entry, Found, How, Language, Sampled, Verdict
from ancestral.data.files import atomic_folder, check_free, free_name, make_above
from ancestral.errors import AncestralError, ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, VERDICTS, FIGURES = "index.html", "verdicts.json", "figures"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry."""

    chapter: int
    entry: Entry
    verdict: Verdict
    found: Found | None = None
    why: str = ""
    """Why it was not made, in the language asked for."""
    seconds: float = 0.0
    figure: "Figure | str | None" = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return it for ``--json`` and the file of verdicts."""
        entry, found = self.entry, self.found
        sampled = isinstance(found, Sampled)
        return {
            "id": entry.id,
            "chapter": self.chapter,
            "kind": entry.kind,
            "title": {"en": entry.english, "es": entry.spanish},
            "book": entry.book,
            "found": found.value if sampled else found,
            "se": found.se if sampled else None,
            "verdict": self.verdict,
            "erratum": entry.errs or None,
            "correct": entry.correct,
            "why": self.why or None,
            "figure": f"{FIGURES}/{entry.id}.svg" if self.figure is not None else None,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Reproduction:
    """All that was made, and the page that shows it."""

    outcomes: tuple[Outcome, ...]
    page: Path | None = None

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many entries came to each verdict."""
        return dict(Counter(outcome.verdict for outcome in self.outcomes))

    @property
    def differing(self) -> tuple[str, ...]:
        """Those that are neither as printed nor as corrected."""
        return tuple(o.entry.id for o in self.outcomes if o.verdict == "differs")

    @property
    def coverage(self) -> Coverage:
        """How many rows of the book's list have a check, here or among the tests."""
        return coverage(self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            "entries": [outcome.to_json() for outcome in self.outcomes],
            "counts": self.counts,
            "coverage": asdict(self.coverage),
            "page": self.page and str(self.page),
        }


def language_here() -> Language:
    """Return the language that the environment asks for: Spanish, or English."""
    named = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "es" if named.lower().startswith("es") else "en"


def chosen(what: str | Sequence[str]) -> list[tuple[int, Entry]]:
    """Return the entries that are asked for, in the book's order, each with its chapter.

    Args:
        what: ``all``, a chapter (``2``), a row or one of its entries (``BN-02``, ``BN-02.a``), a
            figure (``FG-15``), an example (``EX-02``), an erratum (``E-M01``); or several.

    Raises:
        ConfigError: If there is no such thing.

    Example:
        >>> [entry.id for _, entry in chosen(["PR-06.b", "FG-15"])]
        ['PR-06.b', 'FG-15']
    """
    known = [(chapter.number, entry) for chapter in CHAPTERS for entry in chapter.entries]
    wanted: set[str] = set()
    for word in (what,) if isinstance(what, str) else what:
        name = word.upper()
        found = {
            entry.id
            for number, entry in known
            if name in ("ALL", str(number), entry.row, entry.id.upper(), entry.errs)
        }
        if not found:
            chapters = ", ".join(str(chapter.number) for chapter in CHAPTERS)
            raise ConfigError(
                f"what to reproduce must be all, a chapter ({chapters}), a figure such as FG-15 or "
                f"another row (ancestral reproduce lists them), got {word!r}"
            )
        wanted |= found
    return [(number, entry) for number, entry in known if entry.id in wanted]


def reproduce(
    what: str | Sequence[str] = "all",
    *,
    language: Language | None = None,
    quick: bool = False,
    out: Path | str | None = None,
    overwrite: bool = False,
    progress: Callable[[float, str], None] | None = None,
) -> Reproduction:
    """Make things of the book anew and write one page that compares them with what is printed.

    Args:
        what: See :func:`chosen`.
        language: Of the page; by the environment if None.
        quick: Leave out what trains models.
        out: A folder for the page, the verdicts as JSON, and each figure as SVG and PNG; one below
            ``runs/`` if None.
        overwrite: Replace what an earlier call has put there.
        progress: Told the share that is done and the id of what is next.

    Raises:
        ConfigError: If there is no such thing, or no such language.
        RunError: If the folder is taken or cannot be written.
    """
    from ancestral.book.page import write_page

    language = language or language_here()
    if language not in ("en", "es"):
        raise ConfigError(f"--lang must be en or es, got {language!r}")
    asked = chosen(what)
    out = Path(out) if out is not None else free_name(Path("runs/book"))
    check_free(out, overwrite=overwrite, what="reproduction of the book", mark=VERDICTS)
    make_above(out)
    outcomes = []
    for number, (chapter, entry) in enumerate(asked):
        if progress is not None:
            progress(number / len(asked), entry.id)
        outcomes.append(made(chapter, entry, language=language, quick=quick))
    page = out / PAGE
    found = Reproduction(tuple(outcomes), page)
    with atomic_folder(out) as draft:
        (draft / FIGURES).mkdir()
        write_page(draft, found, language)
        text = json.dumps(found.to_json(), ensure_ascii=False, indent=1)
        (draft / VERDICTS).write_text(text + "\n", encoding="utf-8")
    return found


def made(chapter: int, entry: Entry, *, language: Language, quick: bool) -> Outcome:
    """Make one entry; each has random numbers of its own, so that it is the same in any company."""
    how = How.of(0, language, quick=quick)
    if entry.reason is not None:
        return Outcome(chapter, entry, "not made", why=how.say(*entry.reason))
    if quick and entry.slow:
        why = how.say("left out of the quick form: it trains", "fuera de la forma rápida: entrena")
        return Outcome(chapter, entry, "not made", why=why)
    begun = time.perf_counter()
    try:
        found = entry.find(how) if entry.find is not None else None
        figure = entry.draw(how) if entry.draw is not None else None
    except AncestralError as error:  # Data that are not here.
        return Outcome(chapter, entry, "not made", why=error.line)
    seconds = time.perf_counter() - begun
    verdict = entry.verdict(found)
    return Outcome(chapter, entry, verdict, found, seconds=seconds, figure=figure)
