"""Every mistake: one line that names it, exit status 2, no traceback, nothing written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Fitted = Callable[[str], Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder with bad data beside it."""
    data = tmp_path / "data"
    (data / "empty").mkdir(parents=True)
    (data / "empty.csv").touch()
    (data / "nan.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(20)) + "7,\n")
    (data / "one.csv").write_text("a,b\n1,2\n")
    (data / "ten.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(10)))
    (data / "words.csv").write_text(
        "a,b\n" + "".join(f"{i % 7}.{i},{i % 3 or 'x'}\n" for i in range(20))
    )
    (data / "photos").mkdir()
    for number in range(12):
        Image.new("L", (8, 8), number * 10).save(data / "photos" / f"{number}.png")
    whole = (data / "photos" / "3.png").read_bytes()
    (data / "photos" / "3.png").write_bytes(whole[:-20])
    (data / "taken").mkdir()
    (data / "taken" / "diary.txt").write_text("mine")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


MISTAKES = {
    "missing file": (["fit", "vae", "../data/none.csv"], ["none.csv", "no such file"]),
    "unknown data": (["fit", "vae", "swis-roll"], ["swis-roll", "swiss-roll"]),
    "empty file": (["fit", "vae", "../data/empty.csv"], ["empty.csv", "empty"]),
    "no images": (["fit", "image-vae", "../data/empty"], ["empty"]),
    "truncated image": (["fit", "image-vae", "../data/photos"], ["3.png"]),
    "missing cell": (["fit", "kde", "../data/nan.csv"], ["nan holds mixed", "'b' has gaps"]),
    "cell of text": (
        ["fit", "kde", "../data/words.csv"],
        ["words holds mixed", "'b' has 1, 2, x", "drop=NAME"],
    ),
    "one row": (["fit", "vae", "../data/one.csv"], ["one.csv", "rows"]),
    "unknown model": (["fit", "vea", "moons"], ["'vea'", "did you mean vae"]),
    "no data": (["fit", "vae"], ["DATA"]),
    "no model": (["fit"], ["MODEL and DATA"]),
    "unknown setting": (["fit", "vae", "moons", "--set", "latnet=2"], ["'latnet'", "latent"]),
    "setting alone": (["fit", "vae", "moons", "--set", "latent"], ["--set", "key=value"]),
    "wrong type": (
        ["fit", "vae", "moons", "--set", "latent=two"],
        ["latent", "a whole number", "'two'"],
    ),
    "wrong option type": (["fit", "vae", "moons", "--steps", "many"], ["--steps", "many"]),
    "out of range": (["fit", "vae", "moons", "--set", "latent=0"], ["latent", "at least 1", "0"]),
    "not a choice": (
        ["fit", "gan", "moons", "--set", "loss=hinged"],
        ["loss", "non-saturating", "'hinged'"],
    ),
    "not a size": (["fit", "vae", "digits", "--set", "size=huge"], ["size", "tiny", "pixels"]),
    "pixels of a table": (["fit", "vae", "moons", "--set", "size=64"], ["size", "images"]),
    "bad training": (
        ["fit", "vae", "moons", "--set", "learning_rate=-1"],
        ["learning_rate", "-1"],
    ),
    "negative budget": (["fit", "vae", "moons", "--budget", "-5s"], ["budget", "-5s"]),
    "negative steps": (["fit", "vae", "moons", "--steps", "-5"], ["--steps", "above 0", "-5"]),
    "no unit": (["fit", "vae", "moons", "--budget", "5"], ["budget", "30s"]),
    "two endings": (["fit", "vae", "moons", "--budget", "5s", "--steps", "1"], ["only one"]),
    "few rows": (["fit", "gan", "../data/ten.csv"], ["gan", "at least 2", "got 1"]),
    "more components than rows": (
        ["fit", "gmm", "moons", "--set", "components=20001"],
        ["components", "20000", "20001"],
    ),
    "wrong kind": (["fit", "image-vae", "moons"], ["image-vae", "images", "vectors"]),
    "negative seed": (["fit", "vae", "moons", "--seed", "-1"], ["--seed", "-1"]),
    "no threads": (["fit", "vae", "moons", "--threads", "0"], ["--threads", "0"]),
    "no device": (["fit", "vae", "moons", "--device", "abacus"], ["--device", "abacus"]),
    "taken": (["fit", "vae", "moons", "--out", "../data/taken"], ["taken", "--overwrite"]),
    "taken by others": (
        ["fit", "vae", "moons", "--out", "../data/taken", "--overwrite"],
        ["taken", "not a run"],
    ),
    "no run": (["sample", "nowhere"], ["nowhere", "no such folder"]),
    "not a run": (["sample", "../data/taken"], ["taken", "run.toml"]),
    "resume nothing": (["fit", "--resume", "../data/taken"], ["not a run"]),
    "resume and more": (["fit", "vae", "moons", "--resume", "x"], ["MODEL", "--resume"]),
    "unknown option": (["fit", "vae", "moons", "--bugdet", "5s"], ["--bugdet", "--budget"]),
    "unknown command": (["fitt"], ["fitt", "fit"]),
    "compare unknown": (["compare", "moons", "--models", "kde,gnn"], ["gnn"]),
    "compare nobody": (["compare", "moons", "--models", ","], ["--models"]),
    "compare twice": (["compare", "moons", "--models", "kde,kde"], ["differ"]),
    "compare taken": (["compare", "moons", "--out", "../data/taken"], ["taken", "--overwrite"]),
    "compare wrong kind": (["compare", "moons", "--models", "image-vae"], ["images"]),
    "compare setting": (["compare", "moons", "--set", "latent=2"], ["latent", "label"]),
    "compare other's": (
        ["compare", "moons", "--models", "kde", "--set", "vae.latent=2"],
        ["vae.latent", "not compared"],
    ),
    "no network": (["query", "studnt", "x1"], ["studnt", "student"]),
    "unknown node": (["query", "student", "x9"], ["x9"]),
    "unknown state": (["query", "student", "x1", "--given", "x2=maybe"], ["x2", "maybe"]),
    "not svg": (["query", "student", "x1", "--out", "a.txt"], [".svg"]),
    "evaluate few": (["evaluate", "nowhere", "--samples", "0"], ["nowhere"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_one_line(name: str, cli: Callable, here: Path) -> None:
    words, parts = MISTAKES[name]
    line = cli(*words).line
    for part in parts:
        assert part in line
    assert "Traceback" not in line
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["sample", "RUN", "-n", "0"], ["n must be at least 1", "0"]),
        (["sample", "RUN", "--given", "label=3"], ["no label"]),
        (["sample", "RUN", "--out", "x.doc"], ["csv", "x.doc"]),
        (["interpolate", "RUN", "0", "99999"], ["99999", "test split"]),
        (["interpolate", "RUN", "0", "there"], ["there"]),
        (["interpolate", "RUN", "0", "1", "--steps", "1"], ["steps", "at least 2"]),
        (["encode", "RUN", "moons", "--out", "../data"], ["exists"]),
        (["encode", "RUN", "digits"], ["vectors", "images"]),
        (["evaluate", "RUN", "digits"], ["vectors", "images"]),
        (["evaluate", "RUN", "moons"], ["height", "x, y"]),
        (["fit", "--resume", "RUN", "--seed", "7"], ["--seed", "7"]),
    ],
)
def test_mistakes_about_a_run(
    words: list[str], parts: list[str], cli: Callable, here: Path, fitted: Fitted
) -> None:
    run = str(fitted("vae-table"))
    line = cli(*[run if word == "RUN" else word for word in words]).line
    for part in parts:
        assert part in line
    assert list(here.iterdir()) == []


def test_models_without_latents_name_those_that_have_them(cli: Callable, fitted: Fitted) -> None:
    run = fitted("kde-table")
    for words in (["interpolate", run, 0, 1], ["encode", run, "moons"]):
        line = cli(*words).line
        assert "kde has no latents; models that have: ae, sparse-ae" in line
        assert "gan" in line  # Which has no encoder: they are sought.


def test_no_means_where_there_are_none(cli: Callable, fitted: Fitted) -> None:
    assert "no means" in cli("sample", fitted("gan-table"), "--means").line


def test_unknown_label_lists_the_labels(cli: Callable, fitted: Fitted) -> None:
    line = cli("sample", fitted("image-vae-digits"), "--given", "label=11").line
    assert "'11'" in line
    assert "1" in line


def test_a_place_that_cannot_be_written(cli: Callable, fitted: Fitted, here: Path) -> None:
    (here / "file").touch()
    line = cli("fit", "kde", "moons", "--out", here / "file" / "run").line
    assert "cannot write" in line
    line = cli("sample", fitted("kde-table"), "--out", here / "file" / "x.csv").line
    assert "file" in line


def test_more_than_the_memory_is_one_line(cli: Callable, fitted: Fitted, here: Path) -> None:
    words = ["fit", "vae", "moons", "--set", "hidden=4000000,4000000", "--out", here / "run"]
    assert "out of memory" in cli(*words).line
    assert not (here / "run").exists()
