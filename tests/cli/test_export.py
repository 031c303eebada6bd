"""Runs of language models, written for other programs and read there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ancestral.recipes import Run
from ancestral.training.checkpoint import load_tensors, save_tensors

pytestmark = pytest.mark.bf16
MODERN = ["parts=modern", "qk_norm=false", "groups=1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, write_verses: Callable) -> Path:
    """Return a folder of runs on one text."""
    from ancestral.cli.app import run

    folder = tmp_path_factory.mktemp("text")
    write_verses(folder, "nube", "año")
    small = ["--set", "window=32", "size=tiny", "batch_size=8", "--steps", "3"]
    commands = {
        "gpt": ["gpt", *small, "--set", "pieces=300", "parts=book"],
        "modern": ["gpt", *small, "--set", "pieces=300", *MODERN],
        "words": ["gpt", *small, "--set", "tokenizer=word"],
        "odd": ["gpt", *small, "--set", "tokenizer=word", "norm=layer"],
        "lstm": ["lstm", *small, "--set", "tokenizer=word"],
        "kneser-ney": ["kneser-ney", "--set", "tokenizer=word", "window=32"],
    }
    for name, (model, *options) in commands.items():
        out = ["--out", str(folder / name)]
        assert run(["fit", model, str(folder / "verses.txt"), *options, *out]) == 0
    return folder


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "kind"),
    [("gpt", "OPTForCausalLM"), ("modern", "LlamaForCausalLM"), ("words", "Qwen3ForCausalLM")],
)
def test_transformers_continues_a_prompt_as_the_run_does(
    cli: Callable, runs: Path, name: str, kind: str
) -> None:
    run, out = runs / name, runs / "deep" / f"{name}-hf"
    told = cli("export", run, out, "--to", "hf", "--json").json
    assert (told["out"], told["class"]) == (str(out), kind)
    assert any("tied=true" in note for note in told["notes"]) == (kind == "OPTForCausalLM")
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(out),
        AutoTokenizer.from_pretrained(out),
    )
    words = tokenizer("Verso 3: sol <EOS> luna", return_tensors="pt")
    mine = Run.open(run)
    torch.testing.assert_close(
        model(**words).logits, mine.model().network(words["input_ids"]), atol=1e-4, rtol=0
    )
    greedy = ["--temperature", 0, "--repetition-penalty", 1, "--max-tokens", 8]
    shown = cli("sample", run, "--prompt", "Verso 3:", *greedy, "--json").json["samples"][0]
    begun = tokenizer("Verso 3:", return_tensors="pt")
    found = model.generate(**begun, max_new_tokens=8, do_sample=False)
    assert tokenizer.decode(found[0], skip_special_tokens=True) == shown["text"]


@pytest.mark.parametrize(("name", "kind"), [("gpt", "gpt2"), ("modern", "llama")])
def test_a_run_becomes_one_file(cli: Callable, runs: Path, name: str, kind: str) -> None:
    sizes = {}
    for dtype in ("f32", "f16"):
        out = runs / "deep" / f"{name}-{dtype}.gguf"
        told = cli("export", runs / name, out, "--to", "gguf", "--dtype", dtype, "--json").json
        assert (told["class"], told["dtype"]) == (kind, dtype)
        reader = gguf.GGUFReader(out)
        weights = {tensor.name: tensor.data for tensor in reader.tensors}
        mine = Run.open(runs / name).model().network.get_parameter("tokens.weight").detach()
        found = torch.tensor(weights["token_embd.weight"])
        torch.testing.assert_close(found, mine.half() if dtype == "f16" else mine)
        sizes[dtype] = out.stat().st_size
    assert sizes["f16"] < 0.6 * sizes["f32"]
    plain = cli("export", runs / name, runs / "plain.gguf", "--to", "gguf", "--overwrite")
    assert plain.out == f"{runs / 'plain.gguf'}\n"
    assert ("GELU" in plain.err) == (kind == "gpt2")
    assert (runs / "plain.gguf").stat().st_size == sizes["f32"]


def test_what_has_no_class_elsewhere(cli: Callable, runs: Path, fitted: Callable) -> None:
    out = runs / "new" / "out"
    for name, run in {
        "RecurrentLM": runs / "lstm",
        "NGramLanguageModel": runs / "kneser-ney",
        "KDE": fitted("kde-table"),
    }.items():
        for to in ("hf", "gguf"):
            line = cli("export", run, out, "--to", to).line
            assert f"only a gpt can be exported: no other program has a class for {name}\n" in line
    assert "got positions=rotary norm=layer" in cli("export", runs / "odd", out, "--to", "hf").line
    assert "got tokenizer=word" in cli("export", runs / "words", out, "--to", "gguf").line
    assert "is not a run" in cli("export", runs, out, "--to", "hf").line
    line = cli("export", runs / "gpt", out, "--to", "gguf", "--dtype", "q4").line
    assert "--dtype must be one of f32, f16 for --to gguf, got 'q4'" in line
    line = cli("export", runs / "gpt", out, "--to", "hf", "--dtype", "f16").line
    assert "--dtype must be left out for --to hf" in line
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.nan, "weights must be numbers, model.norm.weight holds nan"),
        (torch.inf, "weights must be finite, model.norm.weight holds inf"),
    ],
)
def test_weights_that_are_not_finite(
    cli: Callable, runs: Path, tmp_path: Path, value: float, said: str
) -> None:
    run = shutil.copytree(runs / "gpt", tmp_path / "broken")
    tensors, metadata = load_tensors(run / "model.safetensors")
    tensors["model.norm.weight"][0] = value
    save_tensors(run / "model.safetensors", tensors, metadata)
    for to in ("hf", "gguf"):
        assert said in cli("export", run, tmp_path / "new" / "out", "--to", to).line
    assert not (tmp_path / "new").exists()


def test_a_place_that_is_taken(cli: Callable, runs: Path) -> None:
    out = runs / "taken"
    out.mkdir()
    (out / "mine.txt").write_text("precious")
    assert "exists" in cli("export", runs / "words", out, "--to", "hf").line
    line = cli("export", runs / "words", out, "--to", "hf", "--overwrite").line
    assert "holds other files (mine.txt) and is not replaced" in line
    assert "is a folder" in cli("export", runs / "gpt", out, "--to", "gguf", "--overwrite").line
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    (out / "mine.txt").unlink()
    assert cli("export", runs / "words", out, "--to", "hf", "--overwrite").status == 0
    assert cli("export", runs / "odd", out, "--to", "hf", "--overwrite").status == 2
    assert cli("export", runs / "modern", out, "--to", "hf", "--overwrite").status == 0
    assert type(AutoModelForCausalLM.from_pretrained(out)).__name__ == "LlamaForCausalLM"
