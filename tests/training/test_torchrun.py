"""The command line under torchrun: killed, resumed on another number of processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ancestral.recipes import Run

SETTINGS = ["--set", "batch_size=64", "--set", "accumulate=4", "--set", "validate_every=20"]


def command(ranks: int, *arguments: str) -> list[str]:
    words = [sys.executable, "-m"]
    if ranks > 1:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        words += ["torch.distributed.run", "--nproc-per-node", str(ranks)]
        words += ["--master-port", port, "-m"]
    return [*words, "ancestral", "fit", *arguments]


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def fit(ranks: int, *arguments: str) -> str:
    process = start(*command(ranks, *arguments))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def worker(launcher: int, rank: int) -> int:
    """Return the process of a rank."""
    for task in Path(f"/proc/{launcher}/task").iterdir():
        for child in (task / "children").read_text().split():
            environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            if f"RANK={rank}".encode() in environment:
                return int(child)
    raise AssertionError("the process is not there")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("shard", "victim"), [("false", 1), ("true", 0)])
def test_a_killed_rank_ends_all_with_one_line_and_one_goes_on(
    shard: str, victim: int, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    settings = [*SETTINGS, "--set", f"shard={shard}"]
    launcher = start(*command(2, "vae", "moons", "--steps", "100000", *settings, "--out", str(run)))
    deadline = time.monotonic() + 90
    while len(list((run / "checkpoint").glob("step-*"))) < 2:
        assert launcher.poll() is None, launcher.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(worker(launcher.pid, victim), signal.SIGKILL)
    begun = time.monotonic()
    _, said = launcher.communicate(timeout=60)
    assert time.monotonic() - begun < 30
    ours = [line for line in said.splitlines() if line.startswith("ancestral:")]
    assert len(ours) == 1, said
    assert "another process of this training has ended; go on with" in ours[0]
    steps = max(int(path.name[5:14]) for path in (run / "checkpoint").glob("step-*")) + 30
    fit(1, "--resume", str(run), "--steps", str(steps))
    record = Run.open(run).record
    assert record.result.steps == steps
    assert record.options is not None
    assert record.options.accumulate == 4  # The whole batch is the same.


@pytest.mark.slow
def test_a_closed_form_and_a_batch_that_cannot_be_shared_are_refused(tmp_path: Path) -> None:
    for words, why in (
        (["gmm", "moons"], "ancestral: gmm is fitted at once"),
        (["vae", "moons", "--set", "batch_size=33"], "ancestral: batch_size must be a multiple"),
    ):
        process = start(*command(2, *words, "--out", str(tmp_path / words[0])))
        _, said = process.communicate(timeout=120)
        assert process.returncode != 0
        assert [line for line in said.splitlines() if line.startswith("ancestral:")] == [
            next(line for line in said.splitlines() if line.startswith(why))
        ]
        assert not (tmp_path / words[0]).exists()
