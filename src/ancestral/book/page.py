"""The page that shows what was made of the book, in English or Spanish."""

import platform
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ancestral.book.chapters import CHAPTERS
from ancestral.book.coverage import rows
from ancestral.book.entry import Language, value_text
from ancestral.evaluation.report import templates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ancestral.book.making import Outcome, Reproduction

_SPANISH = {
    "equal": "igual",
    "within sampling error": "dentro del error de muestreo",
    "the book errs": "el libro se equivoca",
    "drawn": "dibujada",
    "not made": "no se hace",
    "differs": "difiere",
    "The book, made anew": "El libro, hecho de nuevo",
    "chapter": "capítulo",
    "Numbers and examples": "Números y ejemplos",
    "Figures": "Figuras",
    "Not made": "Lo que no se hace",
    "row": "fila",
    "what": "qué",
    "the book": "el libro",
    "here": "aquí",
    "verdict": "veredicto",
    "To the chapters": "A los capítulos",
    "Chapters": "Capítulos",
    "This page holds everything it shows; it loads nothing and runs nothing.": (
        "Esta página contiene todo lo que muestra; no carga ni ejecuta nada."
    ),
    "Made by": "Hecha con",
    "Every row": "Cada fila",
    "rows have a check that passes": "filas tienen una prueba que se cumple",
    "of those in which there is something to check": "de aquellas en que hay algo que comprobar",
    "of": "de",
    "Where each row of the book is checked": "Dónde se comprueba cada fila del libro",
}
_MANY = 100
"""Entries of a page that also lists where each row is checked."""

_SENSE = {
    "equal": "as near as the printed digits say, or an “about” of the book",
    "within sampling error": "two draws of one number, at most four standard errors apart",
    "the book errs": "what is found is the corrected value; the erratum is named",
    "drawn": "a figure without a number to compare",
    "not made": "the reason is told",
    "differs": "neither as printed nor as corrected",
}
_SENTIDO = {
    "equal": "tan cerca como dicen las cifras impresas, o un «cerca de» del libro",
    "within sampling error": "dos muestras de un número, a lo más a cuatro errores estándar",
    "the book errs": "lo que resulta es el valor corregido; se nombra la errata",
    "drawn": "una figura sin número que comparar",
    "not made": "se dice por qué",
    "differs": "ni como está impreso ni como está corregido",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry as the page shows it."""

    id: str
    title: str
    book: str
    found: str
    verdict: str
    tone: str
    erratum: str
    why: str
    picture: str
    wide: bool


def words(text: str, language: Language) -> str:
    """Return a word of the page in its language."""
    return _SPANISH[text] if language == "es" else text


def write_page(folder: Path, found: "Reproduction", language: Language) -> None:
    """Write the page and the files of its figures into a folder that exists."""
    named = (lambda each: _SPANISH[each]) if language == "es" else str
    groups = []
    for chapter in CHAPTERS:
        own = [outcome for outcome in found.outcomes if outcome.chapter == chapter.number]
        if own:
            title = chapter.spanish if language == "es" else chapter.english
            groups.append((chapter.number, title, _split(own, folder, language)))
    senses = _SENTIDO if language == "es" else _SENSE
    text = (
        templates("ancestral.book")
        .get_template("book.html.j2")
        .render(
            language=language,
            word=named,
            groups=groups,
            coverage=found.coverage,
            rows=rows().values() if len(found.outcomes) > _MANY else (),
            counts=[(v, named(v), found.counts[v], senses[v]) for v in senses if v in found.counts],
            made_by=f"ancestral {version('ancestral')}, PyTorch {version('torch')}, "
            f"Python {platform.python_version()}",
        )
    )
    (folder / "index.html").write_text(text, encoding="utf-8")


def _split(own: Sequence["Outcome"], folder: Path, language: Language) -> dict[str, list[Shown]]:
    """Return numbers, figures, and what is not made."""
    parts: dict[str, list[Shown]] = {"numbers": [], "figures": [], "absent": []}
    for outcome in own:
        part = "figures" if outcome.figure is not None else "numbers"
        part = "absent" if outcome.verdict == "not made" else part
        parts[part].append(_show(outcome, folder, language))
    parts["figures"].sort(key=lambda shown: shown.id)
    return parts


def _show(outcome: "Outcome", folder: Path, language: Language) -> Shown:
    entry, verdict = outcome.entry, outcome.verdict
    return Shown(
        entry.id,
        entry.spanish if language == "es" else entry.english,
        _minus(value_text(entry.book)),
        _minus(value_text(outcome.found)),
        words(verdict, language),
        {"the book errs": "errs", "drawn": "plain", "differs": "bad"}.get(verdict, "good"),
        entry.errs,
        outcome.why,
        _picture(outcome, folder, entry.spanish if language == "es" else entry.english),
        _wide(outcome.figure),
    )


def _wide(figure: "Figure | str | None") -> bool:
    if figure is None or isinstance(figure, str):
        return False
    width, height = figure.get_size_inches()
    return width > 1.7 * height and width > 8


def _minus(text: str) -> str:
    return text.replace("-", "−") if text[:1] in "-0123456789" else text


def _picture(outcome: "Outcome", folder: Path, title: str) -> str:
    """Write the files of a figure; return it as it stands in the page."""
    from ancestral.book.drawing import png, svg

    figure = outcome.figure
    if figure is None:
        return ""
    stem = folder / "figures" / outcome.entry.id
    if isinstance(figure, str):  # A graph is drawn as SVG, in the colours of the page.
        stem.with_suffix(stem.suffix + ".svg").write_text(figure, encoding="utf-8")
        return figure
    drawn = svg(figure)
    stem.with_suffix(stem.suffix + ".svg").write_bytes(drawn)
    stem.with_suffix(stem.suffix + ".png").write_bytes(png(figure))
    data = b64encode(drawn).decode()
    return f'<img class="paper" alt="{escape(title)}" src="data:image/svg+xml;base64,{data}">'
