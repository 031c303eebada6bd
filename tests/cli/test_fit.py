import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ancestral.training.checkpoint import load_tensors

Fitted = Callable[[str], Path]
TINY = ["--set", "size=tiny", "--threads", "1"]


def test_json_has_the_promised_shape(cli: Callable, tmp_path: Path, table: Path) -> None:
    run = tmp_path / "run"
    answer = cli("fit", "vae", table, "--steps", 3, "--out", run, "--json", *TINY).json
    assert answer["run"] == str(run)
    assert answer["steps"] == 3
    assert answer["stopped"] == "completed"
    assert set(answer["best"]) == {"value", "se", "unit", "kind"}
    assert answer["best"]["kind"] == "bound"
    assert answer["seconds"] > 0


def test_a_run_is_a_whole_folder(fitted: Fitted, table: Path) -> None:
    run = fitted("vae-table")
    names = {"run.toml", "model.safetensors", "checkpoint", "metrics.jsonl", "report.html"}
    assert {path.name for path in run.iterdir()} == names
    record = tomllib.loads((run / "run.toml").read_text())
    assert record["format"] == 2
    assert record["model"] == "vae"
    assert record["seed"] == 0
    assert set(record["versions"]) == {"ancestral", "torch", "python"}
    assert record["data"]["source"] == str(table)
    assert len(record["data"]["fingerprint"]) == 64
    assert record["config"]["size"] == "tiny"
    assert record["config"]["hidden"] == [32, 32]
    assert record["config"]["decoder_std"] == "learned"
    assert record["budget"] == {"steps": 5}
    assert record["result"]["status"] == "finished"
    lines = (run / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows[0] == {"format": 2}
    assert [row["step"] for row in rows[1:]] == [1, 2, 3, 4, 5]
    assert "elbo" in rows[-1]["validation"]
    page = (run / "report.html").read_text()
    assert "ancestral fit vae" in page
    assert not re.search(r'(src|href)="https?:', page)


def test_settings_reach_the_model(cli: Callable, tmp_path: Path, table: Path) -> None:
    run = tmp_path / "run"
    settings = ["latent=3", "hidden=8,4", "decoder_std=0.1", "batch_size=32", "betas=0.5,0.9"]
    status = cli("fit", "vae", table, "--set", *settings, "--steps", 1, "--out", run).status
    assert status == 0
    record = tomllib.loads((run / "run.toml").read_text())
    assert record["config"] == {
        "size": "small",
        "latent": 3,
        "hidden": [8, 4],
        "decoder_std": 0.1,
        "prior": "mixture",
        "components": 50,
        "frequencies": 0,
        "conditional": False,
        "free_nats": 0.0,
        "warmup": 0.0,
    }
    assert record["options"]["batch_size"] == 32
    assert record["options"]["betas"] == [0.5, 0.9]
    tensors, _ = load_tensors(run / "model.safetensors")
    assert any(value.shape == (8, 2) for value in tensors.values())


def test_default_folders_do_not_collide(
    cli: Callable, tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert cli("fit", "kde", table).status == 0
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "kde-people",
        "kde-people-2",
    }


def test_out_is_refused_then_overwritten(cli: Callable, tmp_path: Path, table: Path) -> None:
    run = tmp_path / "run"
    words = ["fit", "vae", table, "--steps", 1, "--out", run, *TINY]
    assert cli(*words).status == 0
    before = (run / "run.toml").read_text()
    assert "--overwrite" in cli(*words).line
    assert (run / "run.toml").read_text() == before
    assert cli(*words, "--overwrite", "--seed", 5).status == 0
    assert "seed = 5" in (run / "run.toml").read_text()


def test_a_finished_run_is_left_as_it_is(cli: Callable, fitted: Fitted) -> None:
    run = fitted("vae-table")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    outcome = cli("fit", "--resume", run, "--json")
    assert outcome.status == 0
    assert outcome.json["stopped"] == "completed"
    assert "left as it is" in outcome.err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_more_steps_go_on(cli: Callable, tmp_path: Path, fitted: Fitted) -> None:
    run = tmp_path / "run"
    shutil.copytree(fitted("vae-table"), run)
    assert cli("fit", "--resume", run, "--steps", 4).status == 0  # Less than it has: nothing.
    assert cli("fit", "--resume", run, "--steps", 8, "--json").json["steps"] == 8
    rows = (run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows[1:]] == list(range(1, 9))


def test_a_budget_in_seconds_ends_by_the_clock(cli: Callable, tmp_path: Path, table: Path) -> None:
    run = tmp_path / "run"
    answer = cli("fit", "vae", table, "--budget", "0.2s", "--out", run, "--json", *TINY).json
    assert answer["stopped"] == "budget"
    assert answer["steps"] >= 1
    assert answer["seconds"] >= 0.2
    # Repeated by the steps that it made.
    assert f"--steps {answer['steps']}" in (run / "report.html").read_text()


def test_labels_are_used_or_ignored(cli: Callable, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["fit", "image-vae", "digits", "--steps", 1, "--out", run, *TINY]
    assert cli(*words, "--set", "conditional=false").status == 0
    assert "no label" in cli("sample", run, "--given", "label=3").line


def test_pixels_by_an_integer_size(cli: Callable, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["fit", "image-vae", "digits", "--steps", 1, "--out", run, "--json"]
    assert cli(*words, "--set", "size=tiny", "size=12", "--threads", 1).status == 0
    record = tomllib.loads((run / "run.toml").read_text())
    assert record["config"]["size"] == "tiny"
    assert record["data"]["fields"]["x"]["width"] == 12


@pytest.mark.bits
def test_the_same_seed_gives_the_same_bits(cli: Callable, tmp_path: Path, table: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / name
        words = ["fit", "vae", table, "--steps", 3, "--seed", seed, "--out", out]
        assert cli(*words, *TINY).status == 0
    a, b, c = (load_tensors(tmp_path / n / "model.safetensors")[0] for n in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 320 KiB; skip where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=320k", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_the_last_checkpoint_is_intact(
    cli: Callable, small_disk: Path, table: Path
) -> None:
    run = small_disk / "run"
    # Three floats a weight and generation, and the weights that are kept: about 190 KiB a save.
    words = ["fit", "vae", table, "--set", "hidden=64,64", "validate_every=1", "--steps", 50]
    outcome = cli(*words, "--out", run, "--threads", 1)
    assert outcome.status == 2
    lines = outcome.err.splitlines()
    assert "No space left on device" in lines[-1]
    assert sum(line.startswith("ancestral: ") for line in lines) == 1
    whole = sorted((run / "checkpoint").glob("step-*.safetensors"))
    assert whole
    for path in whole:
        load_tensors(path)
    load_tensors(run / "model.safetensors")
    assert not list(run.rglob("*.tmp"))


def test_a_model_that_leaves_the_label_alone_says_so(cli: Callable, tmp_path: Path) -> None:
    path = tmp_path / "cities.csv"
    path.write_text("x,city\n" + "".join(f"{i % 37 / 7},{'AB'[i % 2]}\n" for i in range(60)))
    words = ["fit", path, "--set", "label=city", "--out"]
    said = cli(words[0], "gmm", *words[1:], tmp_path / "gmm").err
    assert said.count("gmm does not model the label city: its samples have none; ") == 1
    tiny = ["--set", "size=tiny", "--steps", 1]
    said = cli(words[0], "vae", *words[1:], tmp_path / "vae", *tiny).err
    assert said.count("vae does not model the label city") == 1
    said = cli(words[0], "naive-bayes", *words[1:], tmp_path / "nb").err
    assert "does not model" not in said
    rows = cli("sample", tmp_path / "nb", "-n", 9).out.splitlines()
    assert rows[0] == "x,city"
    assert {row.split(",")[1] for row in rows[1:]} == {"A", "B"}
