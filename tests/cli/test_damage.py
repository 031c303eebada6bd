"""Damaged and foreign files in a run folder are found out, not used."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Fitted = Callable[[str], Path]


@pytest.fixture
def run(tmp_path: Path, fitted: Fitted) -> Path:
    """Return a copy of a run, to be damaged."""
    copy = tmp_path / "run"
    shutil.copytree(fitted("vae-table"), copy)
    return copy


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def reopen(run: Path) -> None:
    """Let the run look unfinished, so that a resume reads its checkpoint."""
    record = run / "run.toml"
    record.write_text(record.read_text().replace('"finished"', '"running"'))


@pytest.mark.parametrize("at", [9, -1])
def test_a_flipped_bit_in_the_weights(run: Path, at: int, cli: Callable) -> None:
    flip(run / "model.safetensors", at)
    line = cli("sample", run).line
    assert "model.safetensors" in line
    assert "damaged" in line


def test_weights_cut_by_a_byte(run: Path, cli: Callable) -> None:
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "damaged" in cli("sample", run).line


@pytest.mark.parametrize("cut", [False, True])
def test_a_damaged_checkpoint_is_named(run: Path, cut: bool, cli: Callable) -> None:
    path = max((run / "checkpoint").iterdir())
    if cut:
        path.write_bytes(path.read_bytes()[:-1])
    else:
        flip(path, -1)
    reopen(run)
    line = cli("fit", "--resume", run).line
    assert path.name in line
    assert "damaged" in line


@pytest.mark.parametrize("name", ["run.toml", "metrics.jsonl"])
def test_a_newer_format_is_refused(run: Path, name: str, cli: Callable) -> None:
    path = run / name
    text = path.read_text()
    path.write_text(text.replace("format = 2", "format = 3").replace('"format": 2', '"format": 3'))
    reopen(run)
    line = cli("fit", "--resume", run).line
    assert "newer version (format 3; this one reads 2): upgrade ancestral" in line
    assert name in line


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("format = 2", "format = [", "damaged"),
        ("format = 2", "", "damaged"),
        ('model = "vae"', 'model = "vaf"', "unknown model 'vaf'"),
        ('size = "tiny"', 'sise = "tiny"', "'sise'"),
        ("seed = 0", "sede = 0", "damaged"),
    ],
)
def test_a_damaged_record(run: Path, old: str, new: str, part: str, cli: Callable) -> None:
    path = run / "run.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    line = cli("sample", run).line
    assert "run.toml" in line
    assert part in line


def test_weights_of_another_model(run: Path, cli: Callable, fitted: Fitted) -> None:
    shutil.copy(fitted("gan-table") / "model.safetensors", run / "model.safetensors")
    assert "does not fit its run.toml" in cli("sample", run).line


def test_changed_data_are_refused(run: Path, tmp_path: Path, table: Path, cli: Callable) -> None:
    changed = tmp_path / "people.csv"
    changed.write_text(table.read_text() + "170.0,70.0\n")
    path = run / "run.toml"
    path.write_text(path.read_text().replace(str(table), str(changed)))
    reopen(run)
    assert "have changed" in cli("fit", "--resume", run).line
    assert "have changed" in cli("evaluate", run).line


def test_a_run_without_weights_says_how_to_get_them(run: Path, cli: Callable) -> None:
    (run / "model.safetensors").unlink()
    assert f"ancestral fit --resume {run}" in cli("sample", run).line
