import shlex
from pathlib import Path

import pytest

from ancestral.cli.app import run as command
from ancestral.recipes import Run, fit
from ancestral.recipes.reporting import repeat_command
from ancestral.training import Budget, load_tensors
from ancestral.training.budget import budget_text


def test_the_command_repeats_the_run_bit_for_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"size": "tiny", "latent": 3, "pixels": 12, "betas": (0.8, 0.9), "split_seed": 4}
    first = fit(
        "image-vae", "digits", settings=settings, budget=Budget(steps=2), out=tmp_path / "a"
    )
    words = shlex.split(repeat_command(first))
    assert words[:4] == ["ancestral", "fit", "image-vae", "digits"]
    assert command([*words[1:], "--out", str(tmp_path / "b")]) == 0
    assert "completed" in capsys.readouterr().out
    one, two = (load_tensors(tmp_path / name / "model.safetensors")[0] for name in "ab")
    assert all((one[name] == two[name]).all() for name in one)
    assert Run.open(tmp_path / "b").record.config == first.record.config


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_a_run_by_the_clock_is_repeated_bit_for_bit_by_its_steps(
    schedule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"size": "tiny", "schedule": schedule}
    first = fit("vae", "moons", settings=settings, budget="1s", out=tmp_path / "a")
    steps, pace = first.record.result.steps, first.record.result.pace
    assert 1 < len(pace) <= 200
    # A step of a busy machine may take more than a tenth: each that was seen has its validation.
    tenths = {level // 20 for _, level in pace}
    assert sum("validation" in row for row in first.metrics()) >= len(tenths)
    words = shlex.split(repeat_command(first))
    assert words[words.index("--steps") + 1] == str(steps)
    assert command([*words[1:], "--out", str(tmp_path / "b")]) == 0
    capsys.readouterr()
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
    assert one == two
    again = Run.open(tmp_path / "b")
    assert again.record.result.best_step == first.record.result.best_step
    # The second run repeats itself, too.
    assert shlex.split(repeat_command(again))[-len(words) :][1:4] == words[1:4]
    assert again.pace == pace


def test_budgets_in_words() -> None:
    assert budget_text(None) == ""
    assert budget_text(Budget(seconds=30.0)) == "30s"
    assert budget_text(Budget(steps=5)) == "5 steps"
    assert budget_text(Budget(epochs=1.5)) == "1.5 epochs"
