import csv
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from ancestral.data.text import Tokenizer
from ancestral.recipes import Run, plan
from ancestral.training import Budget, load_tensors, save_tensors

SMALL = ["--set", "tokenizer=word", "--set", "window=16"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, write_verses: Callable) -> Path:
    """Return a folder with a text and two runs on it."""
    from ancestral.cli.app import run

    folder = tmp_path_factory.mktemp("text")
    write_verses(folder, "nube", "flor")
    tiny = ["--steps", "30", "--set", "size=tiny", "--set", "batch_size=8"]
    for model, options in (("kneser-ney", []), ("gpt", tiny), ("lstm", tiny)):
        out = ["--out", str(folder / model)]
        assert run(["fit", model, str(folder / "verses.txt"), *SMALL, *options, *out]) == 0
    return folder


@pytest.mark.parametrize("model", ["kneser-ney", "gpt", "lstm"])
def test_a_run_on_text_does_it_all(cli: Callable, trained: Path, model: str) -> None:
    run = trained / model
    found = cli("evaluate", run, "--samples", 20, "--json").json["figures"]
    names = ["log_prob", "perplexity", "bits_per_char", "bits_per_byte", "distinct_2"]
    assert list(found) == [*names, "memorised_fraction"]
    assert found["bits_per_byte"]["value"] == pytest.approx(
        found["bits_per_char"]["value"], rel=0.1
    )
    assert 0 <= found["memorised_fraction"]["value"] <= 1
    report = (run / "report.html").read_text(encoding="utf-8")
    assert report.count("<blockquote ") == report.count('<blockquote class="passage" dir="auto">')
    assert "<dd>" not in report.partition('<dl class="copies">')[2].partition("</dl>")[0]
    assert "<blockquote " in report
    shown = cli("sample", run, "--prompt", "Verso", "--max-tokens", 12).out
    assert shown.startswith("Verso")
    again = cli("sample", run, "--prompt", "Verso", "--max-tokens", 12, "-n", 1, "--json").json
    assert again["samples"][0]["text"] == shown.removesuffix("\n")


def test_eight_bits_write_nearly_as_the_model_does(cli: Callable, trained: Path) -> None:
    options = ["--prompt", "Verso", "--temperature", 0, "--max-tokens", 6, "--json"]
    whole, small = (
        cli("sample", trained / "gpt", *options, *more).json["samples"][0]
        for more in ([], ["--int8"])
    )
    assert 0 < abs(small["log_prob"] - whole["log_prob"]) < 0.1 * abs(whole["log_prob"])
    assert "kneser-ney has no weights" in cli("sample", trained / "kneser-ney", "--int8").line


def test_texts_are_written_as_they_are_or_to_a_table(
    cli: Callable, trained: Path, tmp_path: Path
) -> None:
    words = ["sample", trained / "gpt", "-n", 2, "--max-tokens", 4, "--prompt", "Verso"]
    shown = cli(*words, "--json").json["samples"]
    cli(*words, "--out", tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == shown
    cli(*words, "--out", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text("utf-8") == "".join(f"{one['text']}\n" for one in shown)
    assert "or to tables, got" in cli(*words, "--out", tmp_path / "a.npz").line
    assert "beams must lie in [0, 1,000]" in cli(*words, "--beams", 10**8).line


def test_a_tokenizer_of_another_run_is_refused(
    cli: Callable, trained: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(trained / "gpt", tmp_path / "run")
    other = Tokenizer.train(["uno dos"], kind="word")
    other.save(run / "tokenizer.json")
    for words in (
        ["sample", run],
        ["evaluate", run],
        ["export", run, tmp_path / "x", "--to", "hf"],
    ):
        assert "is of another run: it has 7 tokens" in cli(*words).line


def test_little_text_is_validated_every_epoch_and_ten_times(trained: Path) -> None:
    record = Run.open(trained / "gpt").record
    assert record.options is not None
    assert record.budget is not None
    assert record.options.validate_every == record.budget.steps // 10
    settings = {"size": "tiny", "tokenizer": "word", "window": 16, "batch_size": 8}
    made = plan("gpt", record.data.source, settings=settings, budget=Budget(steps=2_000))
    assert made.options is not None
    assert made.options.validate_every == max(10, -(-record.data.train // 8)) < 100


def test_options_of_text_are_refused_elsewhere(cli: Callable, fitted: Callable) -> None:
    for option in (["--int8"], ["--temperature", 0], ["--prompt", "Verso"]):
        line = cli("sample", fitted("kde-table"), *option).line
        assert f"{option[0]} is of language models" in line


def test_another_text_is_evaluated(cli: Callable, trained: Path) -> None:
    other = trained / "other.txt"
    verses = (trained / "verses.txt").read_text("utf-8").splitlines()
    other.write_text("\n".join(["sol luna mar", "mar de flor", *verses]), encoding="utf-8")
    found = cli("evaluate", trained / "gpt", other, "--samples", 20, "--json").json
    assert found["figures"]["bits_per_char"]["se"] > 0
    assert "floor" in found["figures"]["memorised_fraction"]
    assert found["report"] is None
    assert any("are left out" in note for note in found["notes"])
    shown = cli("evaluate", trained / "gpt", other, "--samples", 20)
    assert "held-out data: 5 texts" in shown.out  # Three verses are the run's test split.
    assert "are left out" in shown.err


def test_scores_are_the_log_probability_of_the_document(cli: Callable, trained: Path) -> None:
    text = trained / "one.txt"
    text.write_text("Verso 3: sol luna mar.\n", encoding="utf-8")
    rows = list(csv.DictReader(cli("score", trained / "gpt", text).out.splitlines()))
    assert rows[-1]["token"] == "<EOS>"
    assert "".join(row["token"] for row in rows[:-1]) == "Verso 3: sol luna mar."
    found = cli("score", trained / "gpt", text, "--json").json["rows"]
    assert math.fsum(row[2] for row in found) == pytest.approx(
        math.fsum(float(row["surprise"]) for row in rows)
    )


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "json", "jsonl"])
def test_scores_are_written_by_the_ending(cli: Callable, trained: Path, ending: str) -> None:
    text = trained / "verse.txt"
    text.write_text('Verso 3: sol, "luna"\n', encoding="utf-8")
    expected = cli("score", trained / "gpt", text, "--json").json
    out = trained / "scores" / f"s.{ending}"
    answer = cli("score", trained / "gpt", text, "--out", out, "--json").json
    assert answer == {key: expected[key] for key in ("run", "data", "unit", "kind", "n")} | {
        "out": str(out)
    }
    found = _rows_of(out)
    assert all(list(row) == expected["columns"] for row in found)
    assert [row["token"] for row in found] == [row[1] for row in expected["rows"]]
    surprise = [float(row["surprise"]) for row in found]
    assert surprise == [row[2] for row in expected["rows"]]


def _rows_of(path: Path) -> list[dict]:
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(text.splitlines(), delimiter="," if path.suffix == ".csv" else "\t"))


def test_an_ending_that_no_table_has_is_told_before_the_work(cli: Callable, trained: Path) -> None:
    line = cli("score", trained / "gpt", "nowhere.txt", "--out", trained / "s.npy").line
    assert "tables are written to csv, tsv, parquet, json or jsonl, got" in line


def test_searches_constraints_and_drafts(cli: Callable, trained: Path) -> None:
    gpt = trained / "gpt"
    beams = cli("sample", gpt, "--beams", 3, "-n", 2, "--max-tokens", 6, "--json").json["samples"]
    assert beams[0]["log_prob"] / beams[0]["tokens"] >= beams[1]["log_prob"] / beams[1]["tokens"]
    held = cli("sample", gpt, "--regex", "(sol|mar)", "-n", 4, "--json").json["samples"]
    assert {one["continuation"] for one in held} <= {"sol", "mar"}
    greedy = ["--temperature", 0, "--repetition-penalty", 1, "--max-tokens", 10]
    plain = cli("sample", gpt, "--prompt", "Verso", *greedy).out
    for draft in ("ngram", trained / "lstm"):
        assert cli("sample", gpt, "--prompt", "Verso", *greedy, "--draft", draft).out == plain


def test_a_draft_keeps_to_stops_and_grammars(cli: Callable, trained: Path) -> None:
    gpt = trained / "gpt"
    greedy = ["--temperature", 0, "--repetition-penalty", 1, "--max-tokens", 20, "--json"]
    free = cli("sample", gpt, *greedy, "--prompt", "Verso").json["samples"][0]["continuation"]
    stopped = ["--prompt", "Verso", "--stop", free[8:10]]
    for options in (["--regex", "(sol ){2,4}mar"], stopped):
        plain = cli("sample", gpt, *greedy, *options).json["samples"]
        for draft in ("ngram", trained / "lstm"):
            found = cli("sample", gpt, *greedy, *options, "--draft", draft).json["samples"]
            assert found[0]["text"] == plain[0]["text"]
            assert (found[0]["reason"], found[0]["tokens"]) == ("stop", plain[0]["tokens"])
    assert "no token of the vocabulary spells" in cli("sample", gpt, "--regex", "qqq").line
    held = ["--beams", 2, "--regex", "sol"]
    assert "beams and regex exclude each other" in cli("sample", gpt, *held).line


def test_a_schema_that_cannot_be_read(cli: Callable, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"type":')
    for path, said in (
        (tmp_path / "none.json", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "half.json", "is no JSON schema: Expecting value"),
    ):
        assert said in cli("sample", trained / "gpt", "--schema", path).line


def test_compare_puts_language_models_side_by_side(cli: Callable, trained: Path) -> None:
    found = cli(
        "compare",
        trained / "verses.txt",
        "--models",
        "bigram,kneser-ney,gpt",
        "--steps",
        5,
        *SMALL,
        "--set",
        "gpt.size=tiny",
        "--out",
        trained / "compared",
        "--json",
    ).json
    assert [model["error"] for model in found["models"]] == [None] * 3
    assert all(model["figures"]["bits_per_char"]["value"] > 0 for model in found["models"])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "there is no text in it"),
        (b"   \n \n", "there is no text in it"),
        (b"una\nsola\nl\xednea\n", "UTF-8"),
        (b"sola\n", "at least 3"),
        (b"PK\x03\x04\x00\x00", "this is no text: byte 4 is NUL"),
        ("una\ndos\ntres\n".encode("utf-16"), "begins as UTF-16 does"),
    ],
)
def test_texts_that_cannot_be_used(
    cli: Callable, tmp_path: Path, content: bytes, line: str
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    assert line in cli("fit", "gpt", path, "--out", tmp_path / "run").line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--prompt", "--stop", "--regex", "--set", "--given"])
def test_bytes_that_are_no_text_are_refused(cli: Callable, trained: Path, option: str) -> None:
    line = cli("sample", trained / "gpt", option, "k=ni\udcf1o").line
    assert f"{option}" in line
    assert "must be text in UTF-8, got the byte 0xf1 after 'k=ni'" in line


def test_a_terminal_of_another_encoding_gets_what_it_can_show(trained: Path) -> None:
    words = [sys.executable, "-m", "ancestral", "sample", trained / "gpt", "--prompt", "Verso 漢"]
    env = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    shown = subprocess.run([*words, "--max-tokens", "2"], env=env, capture_output=True, check=True)
    assert shown.stdout.startswith(b"Verso ?")
    made = subprocess.run(
        [*words, "--max-tokens", "2", "--json"], env=env, capture_output=True, check=True
    )
    assert json.loads(made.stdout)["samples"][0]["text"].startswith("Verso 漢")


def test_a_file_may_have_any_name(cli: Callable, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "gpt-\udcf1"
    shutil.copytree(trained / "gpt", run)
    start = ["fit", "gpt", trained / "verses.txt", "--set", f"start={run}", "--steps", 2]
    line = cli(*start, "--out", tmp_path / "on").line  # TOML cannot hold it, and that is said.
    assert "text must be in UTF-8, got" in line


def test_a_text_may_stand_in_a_column(cli: Callable, trained: Path, tmp_path: Path) -> None:
    verses = (trained / "verses.txt").read_text("utf-8").splitlines()
    path = tmp_path / "verses.jsonl"
    path.write_text("\n".join(json.dumps({"n": i, "verse": v}) for i, v in enumerate(verses)))
    run = tmp_path / "run"
    made = cli("fit", "bigram", path, *SMALL, "--set", "column=verse", "--out", run, "--json").json
    assert made["best"]["value"] > 0
    scored = cli("score", run, path, "--json").json
    assert scored["n"] == len(verses)
    found = cli("evaluate", run, "--json").json["figures"]
    assert found["bits_per_char"]["value"] > 0
    assert (
        "no column 'x'; there is n, verse" in cli("fit", "bigram", path, "--set", "column=x").line
    )


def test_unknown_words_are_charged_on_every_door(
    cli: Callable, trained: Path, tmp_path: Path
) -> None:
    """Of a text of words that no vocabulary has, each costs a plausible number of bits."""
    (tmp_path / "new.txt").write_text("xqzw kjvq wxyk\nzzkx qwvj\nvvkq xwzz kkqj\n")
    run = trained / "kneser-ney"
    rows = cli("score", run, tmp_path / "new.txt", "--json").json["rows"]
    unknown = [surprise for _, token, surprise in rows if token == "<UNK>"]
    assert len(unknown) == 8
    assert min(unknown) > 4 * math.log(26)
    found = cli("evaluate", run, tmp_path / "new.txt", "--json").json["figures"]
    assert 4 < found["bits_per_char"]["value"] < 12
    total = sum(surprise for _, _, surprise in rows)
    characters = len("xqzw kjvq wxykzzkx qwvjvvkq xwzz kkqj")
    assert found["bits_per_char"]["value"] == pytest.approx(total / math.log(2) / characters)


def test_prompts_that_cannot_be_used(cli: Callable, trained: Path) -> None:
    gpt = trained / "gpt"
    assert "every word of the prompt is unknown" in cli("sample", gpt, "--prompt", "xyz").line
    assert "at most 15 tokens" in cli("sample", gpt, "--prompt", "sol " * 20).line
    assert "temperature must be" in cli("sample", gpt, "--temperature", -1).line
    assert "exclude each other" in cli("sample", gpt, "--beams", 2, "--draft", "ngram").line
    assert "not of language models" in cli("sample", gpt, "--given", "label=1").line


@pytest.mark.parametrize("model", ["kneser-ney", "gpt", "lstm"])
def test_weights_that_are_nan_are_refused(
    cli: Callable, trained: Path, tmp_path: Path, model: str
) -> None:
    run = shutil.copytree(trained / model, tmp_path / model)
    tensors, metadata = load_tensors(run / "model.safetensors")
    floating = [name for name, value in tensors.items() if value.is_floating_point()]
    tensors[floating[0]].view(-1)[0] = math.nan
    save_tensors(run / "model.safetensors", tensors, metadata)
    for command in ("sample", "evaluate", "score"):
        line = cli(command, run, *([trained / "verses.txt"] if command == "score" else [])).line
        assert f"weights must be numbers, {floating[0]} holds nan" in line


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_weights_of_a_network_that_are_infinite_are_refused(
    cli: Callable, trained: Path, tmp_path: Path, value: float
) -> None:
    run = shutil.copytree(trained / "gpt", tmp_path / "gpt")
    tensors, metadata = load_tensors(run / "model.safetensors")
    name = next(name for name in tensors if name.endswith("norm.weight"))
    tensors[name].view(-1)[0] = value
    save_tensors(run / "model.safetensors", tensors, metadata)
    for words in (["sample", run, "--beams", 2], ["score", run, trained / "verses.txt"]):
        assert f"weights must be finite, {name} holds inf" in cli(*words).line


@pytest.mark.parametrize("command", ["evaluate", "score"])
@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "there is no text in it"),
        (b"una\nl\xednea\n", "must be UTF-8, but byte 5 (line 2) is 0xed"),
        (b"PK\x03\x04\x00\x00", "this is no text: byte 4 is NUL"),
    ],
)
def test_other_texts_that_cannot_be_used(
    cli: Callable, trained: Path, tmp_path: Path, command: str, content: bytes, line: str
) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    assert line in cli(command, trained / "kneser-ney", tmp_path / "bad.txt").line
