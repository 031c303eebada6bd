"""English and Spanish say the same: same pages, same blocks, same pictures, links that lead."""

import re
from pathlib import Path

import pytest

from ancestral import GAN, KDE, VAE, GaussianMixture, ImageVAE, student_network
from ancestral.classic import HMM, CategoricalEmissions, DiagonalGaussians, MarkovChain, NaiveBayes
from ancestral.networks.dag import DAG
from ancestral.recipes.table import RECIPES

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, SPANISH = ROOT / "docs" / "en", ROOT / "docs" / "es"
PAIRS = [
    (ROOT / "README.md", ROOT / "README.es.md"),
    *((page, SPANISH / page.relative_to(ENGLISH)) for page in sorted(ENGLISH.rglob("*.md"))),
]
MODELS = {
    "kde": KDE(2),
    "gmm": GaussianMixture(2),
    "naive-bayes": NaiveBayes(DiagonalGaussians(2, 2)),
    "vae": VAE(2),
    "image-vae": ImageVAE(size=8, classes=10, latent=2, width=4),
    "gan": GAN(2),
    "markov-chain": MarkovChain(2),
    "hmm": HMM(CategoricalEmissions(2, symbols=2)),
}
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


@pytest.mark.parametrize(
    "page", [*PAIRS[0], ENGLISH / "models/index.md", SPANISH / "models/index.md"], ids=str
)
def test_every_model_is_named_and_has_a_page(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [name for name in RECIPES if f"[`{name}`](" not in text] == []


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


def test_drawings_are_of_the_models() -> None:
    walk = {"studies": (), "exam": ("studies",), "homework": ("studies",)}
    asked = DAG({**walk, "course": ("exam", "homework")})
    drawn = {
        "student": student_network().graph,
        "network-given": asked,
        "network-do": asked.cut(["exam"]),
        **{f"dag-{name}": model.graph["p"] for name, model in MODELS.items()},
        **{f"dag-{name}-q": m.graph["q"] for name, m in MODELS.items() if "q" in m.graph},
    }
    for name, graph in drawn.items():
        text = (ROOT / "docs" / "_static" / f"{name}.svg").read_text("utf-8")
        assert _words(text) == _words(graph.draw()), name
    assert {path.stem for path in (ROOT / "docs" / "_static").glob("*.svg")} == set(drawn)


def _words(svg: str) -> str:
    found = re.search(r"<desc>(.*?)</desc>", svg)
    assert found is not None
    return found.group(1)
