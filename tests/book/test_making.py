"""Every entry of the book, its page, and the command."""

import json
import re
from pathlib import Path

import pytest

from ancestral.book.chapters import CHAPTERS
from ancestral.book.drawing import png
from ancestral.book.entry import Entry, How
from ancestral.book.making import chosen, made, reproduce
from ancestral.errors import ConfigError, DataError, RunError

ENTRIES = chosen("all")
DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(("chapter", "entry"), ENTRIES, ids=lambda each: getattr(each, "id", ""))
def test_every_entry_is_as_printed_or_as_corrected(chapter: int, entry: Entry) -> None:
    outcome = made(chapter, entry, language="en", quick=True)
    assert outcome.verdict != "differs", outcome
    if outcome.verdict == "not made":
        assert outcome.why
    else:
        assert entry.find or entry.draw
    if entry.book is not None and outcome.verdict != "not made":
        assert outcome.found is not None


def test_entries_are_told_apart_and_said_in_both_languages() -> None:
    names = [entry.id for _, entry in ENTRIES]
    assert len(set(names)) == len(names)
    for _, entry in ENTRIES:
        assert re.fullmatch(r"[A-Z]{2}-\d\d(\.[a-z])?", entry.id)
        assert entry.english
        assert entry.spanish
        assert bool(entry.errs) == (entry.correct is not None)


def test_every_erratum_is_in_the_pages() -> None:
    for language in ("en", "es"):
        text = (DOCS / language / "book" / "index.md").read_text("utf-8")
        told = set(re.findall(r"^\| (E-[MCTN]\d\d) ", text, re.MULTILINE))
        pages = (DOCS / language / "book").glob("chapter-*.md")
        texts = [page.read_text("utf-8") for page in pages]
        named = {name for each in texts for name in re.findall(r"E-[MCTN]\d\d", each)}
        assert named | {entry.errs for _, entry in ENTRIES if entry.errs} <= told


def test_what_is_chosen_is_in_the_books_order() -> None:
    assert [entry.id for _, entry in chosen(["fg-15", "BN-02.b", "e-m01"])] == [
        *("PR-08.c", "FG-15", "BN-02.b")
    ]
    assert {chapter for chapter, _ in chosen("3")} == {3}
    assert len(chosen("all")) == sum(len(chapter.entries) for chapter in CHAPTERS)
    with pytest.raises(ConfigError, match=r"a chapter \(1, 2, 3, 7, 9\).*got 'FG-99'"):
        chosen(["all", "FG-99"])


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_page_holds_what_was_made(language: str, tmp_path: Path) -> None:
    out = tmp_path / "book"
    asked = ["PR-08", "FG-14", "FG-24", "FG-01", "ML-13"]
    found = reproduce(asked, language=language, out=out)  # pyright: ignore
    page = (out / "index.html").read_text("utf-8")
    assert f'<html lang="{language}">' in page
    assert ("el libro se equivoca" in page) == (language == "es")
    for outcome in found.outcomes:
        assert outcome.entry.id in page
        title = outcome.entry.spanish if language == "es" else outcome.entry.english
        assert title in page
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    written = json.loads((out / "verdicts.json").read_text("utf-8"))
    assert written["counts"] == found.counts
    assert {e["id"]: e["verdict"] for e in written["entries"]}["PR-08.c"] == "the book errs"
    files = {path.name for path in (out / "figures").iterdir()}
    assert files == {"FG-14.svg", "FG-14.png", "FG-24.svg"}
    with pytest.raises(RunError, match="exists"):
        reproduce("PR-08", out=out)
    once = (out / "figures" / "FG-14.svg").read_bytes()
    reproduce("FG-14", language=language, out=out, overwrite=True)  # pyright: ignore
    assert (out / "figures" / "FG-14.svg").read_bytes() == once


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="not a reproduction of the book"):
        reproduce("PR-13", out=tmp_path, overwrite=True)
    with pytest.raises(ConfigError, match="lang must be en or es, got 'fr'"):
        reproduce("PR-13", language="fr", out=tmp_path / "new")  # pyright: ignore


def test_every_figure_of_the_book_is_made_or_its_absence_explained() -> None:
    names = {entry.row for _, entry in ENTRIES}
    assert [n for n in range(1, 81) if f"FG-{n:02}" not in names] == []


@pytest.mark.parametrize(
    "entry", [entry for _, entry in ENTRIES if entry.slow], ids=lambda entry: entry.id
)
def test_what_trains_is_drawn_after_a_few_steps(entry: Entry) -> None:
    assert entry.draw is not None
    try:
        figure = entry.draw(How.of(quick=True))
    except DataError as error:
        pytest.skip(error.line)
    assert png(figure).startswith(b"\x89PNG")  # pyright: ignore
