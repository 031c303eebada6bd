"""Text that is unmasked, at the command line: blanks, prompts, figures, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ancestral.data.text import SPECIAL_NAMES


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, write_verses: Callable) -> Path:
    from ancestral.cli.app import run

    folder = tmp_path_factory.mktemp("masked")
    write_verses(folder, "nube", "flor")
    tiny = ["--steps", "30", "--set", "size=tiny", "--set", "batch_size=8"]
    for name, model, more in (
        ("run", "masked-diffusion", [*tiny, "--set", "tokenizer=word"]),
        ("pieces", "masked-diffusion", [*tiny, "--set", "pieces=300"]),
        ("bert", "bert", [*tiny, "--set", "tokenizer=word"]),
        ("kneser-ney", "kneser-ney", []),
    ):
        words = ["fit", model, str(folder / "verses.txt"), "--set", "window=32", *more]
        assert run([*words, "--out", str(folder / name)]) == 0
    return folder


@pytest.mark.parametrize("run", ["run", "pieces", "bert"])
@pytest.mark.parametrize("sampler", ["ancestral", "confidence"])
def test_blanks_are_filled_and_the_rest_stays(
    cli: Callable, trained: Path, run: str, sampler: str
) -> None:
    text = "Verso 3:  ___ de la ___[2]ñ, mar.\n"
    words = ["sample", trained / run, "--infill", text, "--blank", 3, "-n", 4, "--json"]
    found = cli(*words, "--sampler", sampler, "--steps", 2).json["samples"]
    assert len({one["text"] for one in found}) > 1
    for one in found:
        first, second = one["filled"]
        assert one["text"] == f"Verso 3:  {first} de la {second}ñ, mar.\n"
        assert one["tokens"] == 5
        assert not any(name in first + second for name in SPECIAL_NAMES)


def test_a_blank_brings_the_space_before_it(cli: Callable, trained: Path) -> None:
    words = ["sample", trained / "pieces", "--infill", "Verso ___[1]", "-n", 30, "--json"]
    for one in cli(*words, "--top-k", 0).json["samples"]:
        assert one["text"].startswith("Verso ")
        assert one["filled"][0] == one["text"].removeprefix("Verso ")


def test_what_is_shown_is_the_text_and_a_seed_decides_it(cli: Callable, trained: Path) -> None:
    words = ["sample", trained / "run", "--infill", "Verso ___: sol", "--seed", 3]
    shown = cli(*words)
    assert shown.out.startswith("Verso ")
    assert shown.out.endswith(": sol\n")
    assert cli(*words).out == shown.out


def test_a_text_goes_on_from_a_prompt(cli: Callable, trained: Path) -> None:
    words = ["sample", trained / "run", "--prompt", "Verso", "--max-tokens", 5, "--json"]
    (one,) = cli(*words, "--temperature", 0).json["samples"]
    assert one["text"] == "Verso" + one["continuation"]
    assert one["tokens"] <= 5
    assert (one["reason"] == "stop") == (one["tokens"] < 5)


def test_figures_are_bounds_and_stand_beside_exact_ones(cli: Callable, trained: Path) -> None:
    found = cli("evaluate", trained / "run", "--samples", 20, "--json").json["figures"]
    assert found["log_prob"] is None
    for name in ("elbo", "perplexity", "bits_per_char", "bits_per_byte"):
        assert found[name]["kind"] == "bound"
        assert found[name]["se"] > 0
    shown = cli("evaluate", trained / "run", "--samples", 20).out
    assert "≤" in shown


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--infill", "sin huecos"], "infill must have blanks, ___ or ___[TOKENS]"),
        (["--infill", "un ___[0]"], "of at least 1, got"),
        (["--infill", "un ___[99]"], "infill must be at most 32 tokens with its blanks"),
        (["--infill", "un ___", "--blank", 0], "blank must be at least 1, got 0"),
        (["--infill", "un ___", "--prompt", "Verso"], "prompt and infill exclude each other"),
        (["--prompt", "Verso", "--beams", 2], "--beams is of models that write from left to"),
        (["--prompt", "uno " * 40], "the prompt must be at most 31 tokens"),
        (["--infill", "un ___", "--steps", 0], "steps must be at least 1, got 0"),
        (["--infill", "un ___", "--sampler", "heun"], "sampler must be one of"),
        (["--infill", "un ___", "-n", 0], "n must be at least 1, got 0"),
        (["--infill", "un ___", "--temperature", -1], "temperature must be at least 0"),
        (["--infill", "un ___", "--given", "label=1"], "--given and --means are not of language"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    cli: Callable, trained: Path, options: list[object], line: str
) -> None:
    assert line in cli("sample", trained / "run", *options).line


def test_models_that_read_from_left_to_right_fill_no_blanks(cli: Callable, trained: Path) -> None:
    found = cli("sample", trained / "kneser-ney", "--infill", "un ___").line
    assert "--infill is of masked-diffusion and bert: kneser-ney writes from left to right" in found
    assert (
        "kneser-ney has nothing to set" in cli("sample", trained / "kneser-ney", "--steps", 2).line
    )
    found = cli("score", trained / "run", trained / "verses.txt").line
    assert "masked-diffusion does not predict tokens" in found
