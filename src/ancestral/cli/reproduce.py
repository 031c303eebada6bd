"""``ancestral reproduce``: the book's numbers, figures and examples, made anew."""

from typing import Literal

from ancestral.cli import console
from ancestral.cli.options import Common, Flag, Folder


def reproduce(
    *what: str,
    lang: Literal["en", "es"] | None = None,
    quick: Flag = False,
    folder: Folder = Folder(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Make things of the book anew; without WHAT, list them.

    Parameters
    ----------
    what
        all, a chapter (1, 2, 3, 7, 9), a figure (FG-15), an example (EX-02), another row of the
        book's list (BN-02) or an erratum (E-M01); several of them.
    lang
        Of the page: en or es; by the locale if not given.
    quick
        Leave out what trains models.
    """
    from ancestral.book import chosen, language_here
    from ancestral.book import reproduce as make

    common.apply()
    language = lang or language_here()
    if not what:
        _list(language, common.json)
        return 0
    asked = chosen(what)
    with console.Bar("reproduce") as bar:
        found = make(
            what,
            language=language,
            quick=quick,
            out=folder.out,
            overwrite=folder.overwrite,
            progress=bar.move,
        )
    if common.json:
        console.emit(found.to_json())
    else:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts.items())
        console.write(f"{len(asked)} entries: {counts}")
        known = found.coverage
        console.write(
            f"rows of the book with a check that passes: {known.checked} of {known.rows}, "
            f"{known.share:.1%} of those in which there is something to check"
        )
        console.write(f"page: {found.page}")
    for name in found.differing:
        console.say(f"{name} differs from the book and from its correction")
    return int(bool(found.differing))


def _list(language: str, as_json: bool) -> None:
    from ancestral.book import chosen

    entries = chosen("all")
    titles = [entry.spanish if language == "es" else entry.english for _, entry in entries]
    if as_json:
        rows = zip(entries, titles, strict=True)
        shown = [
            {"id": entry.id, "chapter": chapter, "kind": entry.kind, "title": title}
            for (chapter, entry), title in rows
        ]
        console.emit({"entries": shown})
        return
    console.table(
        ("chapter", "id", "kind", "what"),
        [
            (str(chapter), entry.id, entry.kind, title)
            for (chapter, entry), title in zip(entries, titles, strict=True)
        ],
    )
