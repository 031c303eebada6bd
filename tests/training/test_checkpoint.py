import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ancestral.errors import DamagedFileError, RunError
from ancestral.training.checkpoint import Checkpoints, load_tensors, save_tensors

TENSORS = {
    "scalar": torch.tensor(1.5),
    "whole": torch.tensor([2**62, -1]),
    "truth": torch.tensor([True, False]),
    "half": torch.tensor([1.0, 3.140625], dtype=torch.bfloat16),
    "double": torch.tensor([1 / 3], dtype=torch.float64),
    "empty": torch.empty(0, 3),
    "turned": torch.arange(6.0).view(2, 3).T,
    "spread": torch.ones(1).expand(4),
    'sha256":"': torch.tensor(3),
}
METADATA = {"progress": {"best": 1 / 3, "step": 3}, "name": 'ñ "sha256":"', "none": None}


def test_every_dtype_shape_and_stride_comes_back(tmp_path: Path) -> None:
    base = torch.arange(10.0)
    kernel = torch.randn(2, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    tensors = {**TENSORS, "base": base, "view": base[2:5], "kernel": kernel.requires_grad_()}
    save_tensors(tmp_path / "t.safetensors", tensors, METADATA)
    found, metadata = load_tensors(tmp_path / "t.safetensors")
    assert metadata == METADATA
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert torch.equal(found[name], tensor)
    assert os.listdir(tmp_path) == ["t.safetensors"]


def test_nothing_at_all_can_be_saved(tmp_path: Path) -> None:
    save_tensors(tmp_path / "t", {}, {})
    assert load_tensors(tmp_path / "t") == ({}, {})


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, TENSORS, METADATA)
    whole = path.read_bytes()
    dice = random.Random(0)
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        with pytest.raises(DamagedFileError, match=r"t\.safetensors is damaged"):
            load_tensors(path)
    path.write_bytes(whole)
    load_tensors(path)


def test_every_cut_and_every_addition_is_found(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, TENSORS, METADATA)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedFileError):
            load_tensors(path)
    for more in (b"\0", b" ", whole):
        path.write_bytes(whole + more)
        with pytest.raises(DamagedFileError):
            load_tensors(path)


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    for header in ({}, {"__metadata__": {"a": "b"}}, {"__metadata__": 3}, []):
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text)
        with pytest.raises(DamagedFileError):
            load_tensors(path)


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read .*absent: No such file or directory"):
        load_tensors(tmp_path / "absent")
    with pytest.raises(RunError, match="Is a directory"):
        load_tensors(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.safetensors"
    with monkeypatch.context() as newer:
        newer.setattr("ancestral.training.checkpoint._FORMAT", "2")
        save_tensors(path, TENSORS, METADATA)
    with pytest.raises(RunError, match="has format 2, this version reads 1"):
        load_tensors(path)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot write .*no/t: No such file or directory"):
        save_tensors(tmp_path / "no" / "t", TENSORS, METADATA)


def test_a_full_device_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"a": torch.zeros(2)}, {})
    # The kernel answers every write to /dev/full with "no space left", also to root.
    (tmp_path / ".t.safetensors.tmp").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"t\.safetensors: No space left on device; .* intact"):
        save_tensors(path, TENSORS, METADATA)
    assert torch.equal(load_tensors(path)[0]["a"], torch.zeros(2))
    assert os.listdir(tmp_path) == ["t.safetensors"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a tmpfs needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_the_last_checkpoint(small_disk: Path) -> None:
    checkpoints = Checkpoints(small_disk / "checkpoint")
    checkpoints.save(1, {"a": torch.ones(50_000)}, {})
    checkpoints.save(2, {"a": torch.ones(50_000)}, {})
    for _ in range(2):
        with pytest.raises(RunError) as caught:
            checkpoints.save(3, {"a": torch.ones(200_000)}, {})
        text = str(caught.value)
        assert "step-000000003.safetensors: No space left on device" in text
        assert "intact" in text
        assert "\n" not in text
        assert len(os.listdir(checkpoints.folder)) == 2
        assert checkpoints.latest()[0] == 2
    checkpoints.save(3, {"a": torch.ones(50_000)}, {})
    assert checkpoints.steps() == [2, 3]


def test_a_read_only_disk_leaves_the_last_checkpoint(small_disk: Path) -> None:
    checkpoints = Checkpoints(small_disk / "checkpoint")
    checkpoints.save(1, TENSORS, {})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(RunError, match=r"step-000000002\.safetensors: Read-only file system"):
        checkpoints.save(2, TENSORS, {})
    with pytest.raises(RunError, match="Read-only file system"):
        Checkpoints(small_disk / "other").save(1, TENSORS, {})
    assert checkpoints.latest()[0] == 1


def test_the_last_generations_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "a" / "b", keep=2)
    assert checkpoints.latest() is None
    for step in (1, 2, 10):
        checkpoints.save(step, {"a": torch.tensor(step)}, {"step": step})
    assert checkpoints.steps() == [2, 10]
    step, tensors, metadata = checkpoints.latest()
    assert (step, tensors["a"].item(), metadata) == (10, 10, {"step": 10})
    checkpoints.save(10, {"a": torch.tensor(11)}, {})  # The same step again is no generation more.
    assert checkpoints.steps() == [2, 10]
    assert checkpoints.latest()[1]["a"].item() == 11
    with pytest.raises(ValueError, match="keep must be at least 1"):
        Checkpoints(tmp_path, keep=0)


def test_a_damaged_generation_names_itself_and_the_whole_one(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in (1, 2, 3):
        checkpoints.save(step, TENSORS, {})
    newest, middle, oldest = sorted(tmp_path.iterdir(), reverse=True)
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(DamagedFileError, match=r"000000003.*delete it to go on from step 2"):
        checkpoints.latest()
    middle.write_bytes(b"")
    with pytest.raises(DamagedFileError, match=r"000000003.*delete it and .* to go on from step 1"):
        checkpoints.latest()
    oldest.unlink()
    with pytest.raises(DamagedFileError, match="no older one is whole"):
        checkpoints.latest()
    newest.unlink()
    middle.unlink()
    assert checkpoints.latest() is None


# One process forks the writers, so that torch is imported once.
KILLER = """
import os, random, signal, sys, time, torch
from pathlib import Path
from ancestral.training.checkpoint import Checkpoints

checkpoints, dice, step = Checkpoints(Path(sys.argv[1])), random.Random(0), 0
for _ in range(10):
    ear, mouth = os.pipe()
    if (writer := os.fork()) == 0:
        while True:
            step += 1
            checkpoints.save(step, {"a": torch.full((300_000,), float(step))}, {"step": step})
            os.write(mouth, b".")
    os.close(mouth)
    told = step + len(os.read(ear, 1))
    time.sleep(dice.random() * 0.03)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    told += len(os.read(ear, 1000))
    os.close(ear)
    step, tensors, metadata = checkpoints.latest()
    assert step >= told, (step, told)
    assert metadata == {"step": step}
    assert torch.equal(tensors["a"], torch.full((300_000,), float(step)))
    # Two generations, and at most what was being written or about to be removed.
    assert len(os.listdir(checkpoints.folder)) <= 4
print(step)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLER, str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10  # Each of the ten writers made one at least.


def test_numbers_that_json_lacks_survive(tmp_path: Path) -> None:
    save_tensors(tmp_path / "t", {}, {"best": math.inf})
    assert load_tensors(tmp_path / "t")[1]["best"] == math.inf


def test_equal_tensors_and_metadata_give_equal_files(tmp_path: Path) -> None:
    tensors = {name: torch.arange(5.0) for name in ("b", "a", "ñ")}
    files = []
    for number in range(8):  # The order of safetensors' own metadata is random.
        path = tmp_path / str(number)
        words = {"step": 3, "model": 'a "quoted" one', "weights": "raw"}
        save_tensors(path, tensors, words if number % 2 else dict(reversed(words.items())))
        files.append(path.read_bytes())
    assert len(set(files)) == 1
    found, words = load_tensors(tmp_path / "0")
    assert sorted(found) == ["a", "b", "ñ"]
    assert words["model"] == 'a "quoted" one'
