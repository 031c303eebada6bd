"""English and Spanish say the same: same pages, same blocks, same pictures, links that lead."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, SPANISH = ROOT / "docs" / "en", ROOT / "docs" / "es"
PAIRS = [
    (ROOT / "README.md", ROOT / "README.es.md"),
    *((page, SPANISH / page.relative_to(ENGLISH)) for page in sorted(ENGLISH.rglob("*.md"))),
]
_CODE = re.compile(r"^```(bash|python|json|toml|text|\{eval-rst\})\n(.*?)^```", re.M | re.S)
_COMMENT = re.compile(r"\s+#.*$", re.MULTILINE)
_FORMULA = re.compile(r"\$\$.+?\$\$", re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|\{image\} (\S+)")
_WORD = re.compile(r"\\text\{[^}]*\}")


def code(page: Path) -> list[tuple[str, str]]:
    found = _CODE.findall(page.read_text("utf-8"))
    return [(language, _COMMENT.sub("", body)) for language, body in found if language != "text"]


def test_both_trees_have_the_same_pages() -> None:
    pages = [{path.relative_to(tree) for path in tree.rglob("*.md")} for tree in (ENGLISH, SPANISH)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(("english", "spanish"), PAIRS, ids=lambda page: page.name)
def test_both_have_the_same_code_formulas_and_headings(english: Path, spanish: Path) -> None:
    assert code(english) == code(spanish)
    texts = [_CODE.sub("", page.read_text("utf-8")) for page in (english, spanish)]
    formulas = [[_WORD.sub("", found) for found in _FORMULA.findall(text)] for text in texts]
    assert formulas[0] == formulas[1]
    levels = [re.findall(r"^(#+) ", text, re.M) for text in texts]
    assert levels[0] == levels[1]
    rows = [len(re.findall(r"^\|", text, re.M)) for text in texts]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("page", [page for pair in PAIRS for page in pair], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = _CODE.sub("", page.read_text("utf-8"))
    for link, image in _LINK.findall(text):
        target = link or image
        if "://" not in target:
            assert (page.parent / target).resolve().exists(), target
