"""The notebooks of the chapters: all cells of each run from top to bottom, in its own language."""

import importlib.util
from pathlib import Path

import pytest

from ancestral.book.chapters import CHAPTERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*/book/chapter-*.md"))
_SPEC = importlib.util.spec_from_file_location("notebooks", ROOT / "scripts" / "notebooks.py")
assert _SPEC is not None
assert _SPEC.loader is not None
notebooks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(notebooks)


def test_every_chapter_has_a_page_in_both_languages() -> None:
    wanted = {f"chapter-{chapter.number}" for chapter in CHAPTERS}
    for language in ("en", "es"):
        assert {page.stem for page in PAGES if page.parts[-3] == language} == wanted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parts[-3]}-{page.stem}")
def test_a_notebook_holds_the_text_and_the_code_of_its_page(page: Path) -> None:
    made = notebooks.notebook(page.read_text("utf-8"), page.parts[-3])
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    cells = made["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 4  # The chapter made anew, and three solutions.
    for cell in code:
        compile(cell, page.name, "exec")
    assert f'reproduce("{page.stem[-1]}", language="{page.parts[-3]}", quick=True)' in code[0]
    text = "".join(line for c in cells if c["cell_type"] == "markdown" for line in c["source"])
    assert ">>>" not in text
    assert "](../" not in text


def test_the_cells_of_a_notebook_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "es" / "book" / "chapter-2.md"
    names: dict[str, object] = {}
    for cell in notebooks.cells_of(page.read_text("utf-8"), "es"):
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert (tmp_path / "runs" / "book" / "index.html").is_file()
    assert "student" in names
