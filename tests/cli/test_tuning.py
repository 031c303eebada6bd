"""Fine-tuning from the command line: what comes out is a run like any other."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ancestral import Budget
from ancestral.evaluation import Setting, evaluate
from ancestral.recipes import Run
from ancestral.training.checkpoint import load_tensors

MODEL = ["--set", "size=tiny", "--set", "tokenizer=word", "--set", "window=16"]
STEPS = [
    "--steps",
    "60",
    "--set",
    "batch_size=8",
    "--set",
    "validate_every=20",
    "--set",
    "warmup=5",
]


def _lines(words: list[str], stride: int) -> str:
    n = len(words)
    return "".join(
        f"Verso {i:b}: " + " ".join(words[(i * j + j // stride) % n] for j in range(1, 25)) + ".\n"
        for i in range(60)
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with texts a and b, and runs on a: a GPT and an LSTM."""
    from ancestral.cli.app import run

    folder = tmp_path_factory.mktemp("tuning")
    words = ["sol", "luna", "mar", "monte", "nube", "flor"]
    (folder / "a.txt").write_text(_lines(words, 3), encoding="utf-8")
    (folder / "b.txt").write_text(_lines(words[::-1], 2), encoding="utf-8")
    for model in ("gpt", "lstm"):
        out = ["--out", str(folder / model)]
        assert run(["fit", model, str(folder / "a.txt"), *MODEL, *STEPS, *out]) == 0
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("model", ["gpt", "lstm"])
@pytest.mark.parametrize("lora", [["--set", "lora=4"], []])
def test_tuned_on_new_text_it_knows_it_better(
    cli: Callable, made: Path, tmp_path: Path, model: str, lora: list[str]
) -> None:
    base, out, new = made / model, tmp_path / "tuned", made / "b.txt"
    before = _files(base)
    start = ["--set", f"start={base}", *lora]
    assert cli("fit", model, new, *start, *STEPS, "--out", out).status == 0
    assert _files(base) == before
    told = cli("evaluate", out, "--samples", 20, "--json").json["figures"]["bits_per_char"]
    held_out, setting = Run.open(out).data(), Setting(samples=20)
    old, tuned = (
        evaluate(Run.open(run).model(), held_out, setting=setting).figures["bits_per_char"]
        for run in (base, out)
    )
    assert told["value"] == pytest.approx(tuned.value)
    assert tuned.value + 3 * (old.se + tuned.se) < old.value
    # A run like any other: its weights have the names and shapes of the base's.
    names = [
        {k: v.shape for k, v in Run.open(r).model().network.state_dict().items()}
        for r in (base, out)
    ]
    assert names[0] == names[1]
    tuning = Run.open(out).record.tuning
    assert tuning is not None
    assert (tuning.start, tuning.lora) == (str(base), 4 if lora else None)
    assert cli("sample", out, "--prompt", "Verso", "--max-tokens", 5).out.startswith("Verso")
    assert cli("score", out, new).status == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"begun at the weights of {base}" in page
    assert f"--set start={base}" in page


def test_only_the_adapters_learn(cli: Callable, made: Path, tmp_path: Path) -> None:
    base, out = made / "gpt", tmp_path / "tuned"
    start = ["--set", f"start={base}", "--set", "lora=4", "--set", "lora_alpha=8"]
    said = cli("fit", "gpt", made / "b.txt", *start, *STEPS, "--out", out).err
    # Two blocks of width 64: qkv, out and two of the feed-forward, 4 (inputs + outputs) each.
    count = 2 * 4 * ((64 + 192) + (64 + 64) + (64 + 2 * 176) + (176 + 64))
    assert f"adapters of rank 4 learn: {count:,} numbers" in said
    (newest, *_) = sorted((out / "checkpoint").iterdir(), reverse=True)
    state = load_tensors(newest)[0]
    moments = sum(v.numel() for k, v in state.items() if "exp_avg" in k)
    whole = Run.open(base).record.result.parameters
    assert Run.open(out).record.result.parameters == whole
    assert moments == 2 * count < 0.5 * 2 * whole
    # The kept weights are the base's and the adapters that PEFT would add to them.
    old, new = (Run.open(run).model().network.state_dict() for run in (base, out))
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    added = load_tensors(out / "adapter" / "adapter_model.safetensors")[0]
    assert config["base_model_name_or_path"] == str(base)
    assert (config["r"], config["lora_alpha"]) == (4, 8.0)
    for name, value in old.items():
        layer, wanted = name.removesuffix(".weight"), value
        if layer in config["target_modules"]:
            a, b = (added[f"base_model.model.{layer}.lora_{x}.weight"] for x in "AB")
            wanted = value + 8 / 4 * b @ a
            assert (wanted != value).any()
        torch.testing.assert_close(new[name], wanted, atol=1e-7, rtol=1e-6)


@pytest.mark.bf16
@pytest.mark.parametrize(("model", "lora"), [("gpt", 2), ("lstm", 2), ("gpt", "off")])
@pytest.mark.parametrize("stop", [0, 17])
def test_resumed_without_the_base_it_ends_in_the_same_bits(
    made: Path, tmp_path: Path, model: str, lora: object, stop: int
) -> None:
    from ancestral.recipes import plan, resume, start

    base = tmp_path / "base"
    shutil.copytree(made / model, base)
    settings = {"start": base, "lora": lora, "batch_size": 8, "validate_every": 10}
    chosen = plan(model, made / "b.txt", settings=settings, budget=Budget(steps=30))
    list(start(chosen, tmp_path / "whole"))
    halves = start(chosen, tmp_path / "halves")
    if stop:
        for report in halves:
            if report.step == stop:
                halves.stop()
    shutil.rmtree(base)
    list(resume(tmp_path / "halves"))
    whole, halved = (load_tensors(tmp_path / run / "model.safetensors")[0] for run in _BOTH)
    assert whole.keys() == halved.keys()
    assert all(torch.equal(whole[name], halved[name]) for name in whole)


_BOTH = ("whole", "halves")


def test_what_cannot_be_tuned_is_one_line(cli: Callable, made: Path, tmp_path: Path) -> None:
    out, base = tmp_path / "run", made / "gpt"

    def line(*pairs: str, model: str = "gpt") -> str:
        words = [word for pair in pairs for word in ("--set", pair)]
        return cli("fit", model, made / "b.txt", *words, "--out", out).line

    start = f"start={base}"
    assert "start: no run nowhere: there is no such folder" in line("start=nowhere")
    assert f"start: {made} is not a run" in line(f"start={made}")
    assert f"start: {made / 'lstm'} is a run of lstm, a run of gpt" in line(f"start={made}/lstm")
    assert "lora must be at least 1, got 0" in line(start, "lora=0")
    assert "lora: rank must lie between 1 and 64, the smaller side" in line(start, "lora=65")
    assert "lora_alpha must be above 0, got -1" in line(start, "lora=1", "lora_alpha=-1")
    assert "lora_alpha needs lora=RANK" in line(start, "lora_alpha=2")
    assert "lora needs start=RUN" in line("lora=4")
    assert f"tokenizer must be word, as in {base}, or left out" in line(start, "tokenizer=bpe")
    assert "window must be 16, as in" in line(start, "window=32")
    assert "width must be 64, as in" in line(start, "width=32")
    assert "unknown setting 'start' of kneser-ney" in line(start, model="kneser-ney")
    assert "unknown setting 'fingerprint'" in line(start, "fingerprint=0")
    assert not out.exists()
    both = ["--set", start, "--out", base, "--overwrite"]
    assert "out must not be the run of start" in cli("fit", "gpt", made / "b.txt", *both).line
    assert Run.open(base).record.tuning is None
    same = ["tokenizer=word", "window=16", "size=tiny", "dropout=0"]
    words = [word for pair in (start, *same) for word in ("--set", pair)]
    assert cli("fit", "gpt", made / "b.txt", *words, "--steps", 1, "--out", out).status == 0
    (out / "checkpoint" / "step-000000001.safetensors").unlink()
    (out / "checkpoint" / "step-000000000.safetensors").unlink()
    assert "has no checkpoint to go on from" in cli("fit", "--resume", out, "--steps", 2).line


def test_text_in_other_tokens_is_refused(made: Path) -> None:
    from ancestral.data import Loading, TextLoading, load
    from ancestral.errors import ConfigError
    from ancestral.recipes import plan

    text = TextLoading(tokenizer="character", window=16)
    other = load(str(made / "b.txt"), Loading(text=text))
    with pytest.raises(ConfigError, match="start: b must be in tokens of the tokenizer of"):
        plan("gpt", other, settings={"start": str(made / "gpt")})
    tokenizer = Run.open(made / "gpt").tokenizer()
    wide = load(str(made / "b.txt"), Loading(text=TextLoading(window=8)), tokenizer=tokenizer)
    with pytest.raises(ConfigError, match=r"start: b must be in windows of 16 .* got 8"):
        plan("gpt", wide, settings={"start": str(made / "gpt")})


@pytest.mark.parametrize("setting", ["start", "lora"])
def test_a_comparison_begins_every_model_anew(
    cli: Callable, made: Path, tmp_path: Path, setting: str
) -> None:
    words = ["compare", made / "a.txt", "--models", "bigram,gpt", "--steps", 2]
    value = made / "gpt" if setting == "start" else 4
    out = tmp_path / "compared"
    line = cli(*words, "--set", f"gpt.{setting}={value}", "--out", out).line
    assert f"gpt.{setting} must be left out" in line
    assert not out.exists()
