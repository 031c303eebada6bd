"""Every block of Python in the pages is run; every command is parsed, the cheap ones are run."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from ancestral import Budget
from ancestral.cli.app import app, run, spread
from ancestral.data import load
from ancestral.recipes import RECIPES, plan, start
from ancestral.recipes.comparing import contest
from ancestral.recipes.reading import loading_of
from ancestral.settings import parse_pairs

ROOT = Path(__file__).resolve().parents[2]
# The Spanish pages hold the same blocks: test_languages compares them.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "en").rglob("*.md"))]
EVERY_PAGE = [*PAGES, ROOT / "README.es.md", *sorted((ROOT / "docs" / "es").rglob("*.md"))]
CHEAP = {"models", "datasets", "query"}
"""Commands that are always run."""

TOUR = [
    "README.md",
    "docs/en/tutorials/your-table.md",
    "docs/en/tutorials/your-photos.md",
    "docs/en/models/bayes-net.md",
    "docs/en/tables.md",
]
"""Pages whose commands are all run, one after the other, with a few steps."""

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return [body for name, body in _BLOCK.findall(page.read_text("utf-8")) if name == language]


def commands(page: Path) -> list[list[str]]:
    """Return the words of each ``ancestral`` line in the shell blocks of a page."""
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    found = [shlex.split(line)[1:] for line in lines if line.startswith("ancestral ")]
    return [words for words in found if not {"--help", "--version"} & set(words)]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the tables, the photos and the text that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    exec(blocks(ROOT / "docs" / "en" / "tables.md", "python")[0], {})  # passengers.csv
    rng = np.random.default_rng(0)
    age = rng.normal(40, 12, 300)
    rows = (age, 1000 + 50 * age + rng.normal(0, 300, 300), rng.normal(171, 9, 300))
    header = "age,income,height"
    np.savetxt("my_table.csv", np.stack(rows, 1), delimiter=",", header=header, comments="")
    rain = rng.integers(0, 2, 200)
    states = [
        f"{('no', 'yes')[a]},{('low', 'high')[a ^ b]}"
        for a, b in zip(rain, rng.random(200) < 0.2, strict=True)
    ]
    Path("my_states.csv").write_text("\n".join(["rain,seen", *states]) + "\n")
    Path("my_gaps.csv").write_text("\n".join(["rain,seen", *states, ",low", "yes,"]) + "\n")
    tale = "La casa {} estaba junto al río y nadie la veía de noche, salvo {} que pasaban."
    tales = [tale.format(a, b) for a in range(12) for b in ("los lobos", "tres niñas", "las nubes")]
    Path("my_stories.txt").write_text("\n".join(tales) + "\n", "utf-8")
    for label in ("discs", "squares"):
        (tmp_path / "my_photos" / label).mkdir(parents=True)
        for number, pixels in enumerate(rng.integers(0, 255, (60, 48, 48, 3), dtype=np.uint8)):
            Image.fromarray(pixels).save(f"my_photos/{label}/{number:03}.png")
    for folder, name in (("cells", "images"), ("cells", "masks"), ("pairs", "a"), ("pairs", "b")):
        (tmp_path / f"my_{folder}" / name).mkdir(parents=True)
        for number, pixels in enumerate(rng.integers(0, 2, (20, 24, 32), dtype=np.uint8) * 255):
            Image.fromarray(pixels).save(f"my_{folder}/{name}/{number:03}.png")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    document = Sybil(parsers=[PythonCodeBlockParser()], path=str(page.parent)).parse(page)
    for example in document.examples():
        example.evaluate()
    capsys.readouterr()  # What a block prints is for its reader.


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_commands_parse(page: Path) -> None:
    for words in commands(page):
        app.parse_args(spread(words), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_models_and_settings_exist(
    page: Path, states_csv: Path, verses_txt: Path, desk: Path, tmp_path: Path
) -> None:
    own_data = {
        "tables": states_csv,
        "text": verses_txt,
        "mixed": desk / "passengers.csv",
    }
    made = {}  # The models of the page's runs, by folder.
    for words in commands(page):
        pairs = parse_pairs(_values(words, "--set"))
        if words[0] == "fit" and "--resume" not in words:
            own = own_data.get(RECIPES[words[1]].kinds[0])
            own = desk / words[2] if RECIPES[words[1]].needs else own
            data = str(own) if own else load(_stand_in(words[2], words[1]))
            if not own:  # How the page's own data are read.
                loading_of({name: pairs.pop(name) for name in OF_DATA & pairs.keys()})
            made |= dict.fromkeys(_values(words, "--out"), words[1])
            for part in {"start", *RECIPES[words[1]].parts} & pairs.keys():
                # A run of another line of the page: here of one step.
                model = words[1] if part == "start" else made[pairs[part]]
                pairs[part] = str(tmp_path / part)
                begun = plan(model, data, settings={"size": "tiny"}, budget=Budget(steps=1))
                list(start(begun, pairs[part], overwrite=True))
            plan(words[1], data, settings=pairs)
        elif words[0] == "compare":
            (models,) = _values(words, "--models")  # Runs of the page's other lines aside.
            models = ",".join(name for name in models.split(",") if name not in made)
            data = str(verses_txt) if ".txt" in words[1] else _stand_in(words[1], models)
            contest(data, models=models.split(","), settings=pairs)


OF_DATA = {"columns", "drop", "fractions", "label", "pixels", "schema", "split_seed", "stream"}


def _stand_in(data: str, models: str) -> str:
    names = models.split(",")
    labelled = {"classifier", "cgan"} & set(names)
    images = [name for name in names if RECIPES[name].kinds == ("images",)]
    return "digits" if labelled or images or "photos" in data else "moons"


def _values(words: list[str], option: str) -> Iterator[str]:
    spreaded = spread(words)
    return (after for word, after in pairwise(spreaded) if word == option)


@pytest.mark.parametrize("name", RECIPES)
def test_a_model_page_lists_its_settings_and_defaults(name: str) -> None:
    for language in ("en", "es"):
        text = (ROOT / "docs" / language / "models" / f"{name}.md").read_text("utf-8")
        for setting in fields(RECIPES[name].config):
            row = re.search(rf"^\| `{setting.name}` \| (.*?) \|", text, re.MULTILINE)
            if row is None:  # A model of few settings has them in a sentence.
                assert f"`{setting.name}`: " in text, setting.name
            elif setting.default is not None:
                default = str(setting.default).strip("()").replace(" ", "")
                assert row.group(1).lower() == default.lower(), setting.name


def test_shown_mistakes_are_the_real_ones(capsys: pytest.CaptureFixture[str]) -> None:
    shown = [block for page in EVERY_PAGE for block in blocks(page, "text") if block[0] == "$"]
    assert shown
    for block in shown:
        lines = iter(block.splitlines())
        for command, answer in zip(lines, lines, strict=True):
            assert run(shlex.split(command)[2:]) == 2
            assert capsys.readouterr().err == f"{answer}\n"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_cheap_commands_run(page: Path, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(page):
        if words[0] in CHEAP and not "".join(words[1:2]).startswith("runs/"):
            assert run(words) == 0, (words, desk)
    assert "ancestral:" not in capsys.readouterr().err


@pytest.mark.parametrize("page", TOUR)
def test_the_tour_runs(page: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(ROOT / page):
        assert run(_short(words)) == 0, (words, desk, capsys.readouterr().err)
    assert (desk / "runs").is_dir()


def _short(words: list[str]) -> list[str]:
    """Give a command a few steps in place of its own budget, and few samples to measure."""
    if words[0] not in {"fit", "compare", "evaluate"}:
        return words
    if words[0] == "evaluate":
        return [*words, "--samples", "50"]
    kept, skip = [], False
    for word in words:
        skip, was = word in {"--budget", "--steps", "--epochs"}, skip
        if not skip and not was:
            kept.append(re.sub(r"^(size|pixels)=\d+$", r"\1=8", word))
    trained = words[0] == "compare" or "--resume" in words or RECIPES[words[1]].trains
    return [*kept, "--steps", "3"] if trained else kept


def test_json_has_the_documented_shape(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = ROOT / "docs" / "en" / "cli.md"
    assert run(["fit", "vae", "my_table.csv", "--steps", "3", "--out", "runs/first"]) == 0
    first = "runs/first"
    actual: dict[str, Callable[[], list[str]]] = {
        "models": lambda: ["models"],
        "datasets": lambda: ["datasets"],
        "steps": lambda: ["fit", "--resume", first],
        "means": lambda: ["sample", first, "-n", "3"],
        "notes": lambda: ["evaluate", first, "--samples", "30"],
        "budget": lambda: ["compare", "my_table.csv", "--models", "kde", "--out", "runs/both"],
        "method": lambda: ["interpolate", first, "0", "7", "--steps", "4", "--slerp"],
        "latent": lambda: ["encode", first, "my_table.csv"],
        "posteriors": lambda: ["query", "student", "x4", "--given", "x1=1", "x3=0"],
        "edges": lambda: ["export", "student", "student.bif", "--to", "bif"],
    }
    shapes = [json.loads(block) for block in blocks(page, "json")]
    assert len(shapes) == len(actual)
    for shape, (key, words) in zip(shapes, actual.items(), strict=True):
        capsys.readouterr()
        assert run([*words(), "--json"]) == 0, key
        answer = json.loads(capsys.readouterr().out)
        assert key in shape
        assert set(shape) == set(answer), key
        for name, value in shape.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                assert set(value[0]) == set(answer[name][0]), (key, name)
        if key == "posteriors":
            assert answer["posteriors"]["x4"]["0"] == pytest.approx(0.5)
