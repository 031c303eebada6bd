"""Masked diffusion as a recipe: its settings, and a training that is interrupted and goes on."""

from pathlib import Path

import pytest
import torch

from ancestral.data.fields import Shape, Tokens
from ancestral.diffusion import MaskedDiffusion
from ancestral.errors import ConfigError
from ancestral.recipes import Run, plan, resume, start
from ancestral.recipes.families.masked import BertConfig, MaskedConfig, UnmaskingConfig
from ancestral.training import Budget

TEXT = Shape({"x": Tokens(vocabulary=50, window=16)})
TINY = {"size": "tiny", "tokenizer": "word", "window": 16, "batch_size": 8, "dropout": 0.1}


def test_sizes_are_chosen_and_what_is_given_is_kept() -> None:
    config = MaskedConfig(size="tiny").resolved(TEXT)
    assert (config.layers, config.heads, config.width, config.block) == (2, 2, 64, 2)
    assert MaskedConfig(block=16, width=36, heads=2).resolved(TEXT).block == 16
    assert MaskedConfig().resolved(Shape({"x": Tokens(vocabulary=50, window=2)})).block == 2


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"block": 17}, "block must be at most the window, 16, got 17"),
        ({"width": 36, "heads": 4}, "width must be an even multiple of heads = 4, got 36"),
        ({"holes": 1.5}, r"holes must be in \[0, 1\], got 1.5"),
        ({"block": 0}, "block must be at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, float], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        MaskedConfig(**settings).resolved(TEXT)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="steps must be at least 1, got 0"):
        UnmaskingConfig(steps=0)


def test_bert_learns_one_share_of_a_whole_text_and_is_judged_by_it(
    verses_txt: Path, tmp_path: Path
) -> None:
    made = plan("bert", str(verses_txt), settings={**TINY, "rate": 0.3}, budget=Budget(steps=30))
    run = start(made, tmp_path / "run")
    first, *_, last = (report.metrics["model/loss"] for report in run)
    assert last < 0.8 * first
    model = Run.open(tmp_path / "run").model().network
    assert isinstance(model, MaskedDiffusion)
    assert (model.block, model.rate) == (model.window, 0.3)
    assert run.run.record.result.best.kind == "loss"
    with pytest.raises(ConfigError, match="rate must be above 0 and at most 1, got 0"):
        BertConfig(rate=0.0)


@pytest.mark.bits
def test_stopped_and_resumed_is_the_same_run(verses_txt: Path, tmp_path: Path) -> None:
    made = plan("masked-diffusion", str(verses_txt), settings=TINY, budget=Budget(steps=12))
    whole = start(made, tmp_path / "whole")
    list(whole)
    parts = start(made, tmp_path / "parts")
    for report in parts:
        if report.step == 5:
            parts.stop()
    assert parts.run.record.result.steps == 5
    list(resume(tmp_path / "parts"))
    found = [Run.open(tmp_path / name).model().network.state_dict() for name in ("whole", "parts")]
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
