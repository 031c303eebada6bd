"""Killed, stopped and resumed: nothing is lost, and the bits are those of a run never stopped.

Python and torch are started once, in a process of its own, which forks for every command: a kill
costs a fraction of a second so.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
import torch

from ancestral.training.checkpoint import load_tensors

STEPS = 300
FIT = ["fit", "vae", "swiss-roll", "--steps", str(STEPS), "--threads", "1"]
FIT += ["--set", "size=tiny", "--set", "validate_every=25", "--set", "batch_size=200"]

SERVER = """
import json, os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
import ancestral.recipes
from ancestral.cli.main import main

def begin(words, log):
    child = os.fork()
    if child == 0:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1), os.dup2(file, 2)
        main(words)
    return child

def end(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def step(run):
    try:
        lines = (Path(run) / "metrics.jsonl").read_text().split("\\n")[:-1]
        return json.loads(lines[-1]).get("step", 0)
    except (OSError, IndexError, ValueError):
        return -1

def wait_for(run, target, child):
    began = time.monotonic()
    while step(run) < target and time.monotonic() - began < 60:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.001)

def tell(**answer):
    print(json.dumps(answer), flush=True)

for line in sys.stdin:
    code, *arguments = json.loads(line)
    sys.argv[1:] = arguments
    exec(code)
"""


Serve = Callable[..., dict]


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Return a function that runs code in the process that has everything imported."""
    words = [sys.executable, "-c", SERVER]
    with subprocess.Popen(words, stdin=PIPE, stdout=PIPE, text=True) as process:

        def ask(code: str, *arguments: object) -> dict:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([code, *map(str, arguments)]) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, "the process has died; its standard error says why"
            return json.loads(answer)

        yield ask
        process.stdin.close()


@pytest.fixture(scope="module")
def whole(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was never stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    code = "tell(status=end(begin(json.loads(sys.argv[1]), os.devnull)))"
    assert serve(code, json.dumps([*FIT, "--out", str(run)])) == {"status": 0}
    return run


def assert_same(run: Path, other: Path) -> None:
    last = f"checkpoint/step-{STEPS:09d}.safetensors"
    for name in ("model.safetensors", last):
        mine, theirs = load_tensors(run / name)[0], load_tensors(other / name)[0]
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            assert torch.equal(value, theirs[key]), key
    files = [(each / "model.safetensors").read_bytes() for each in (run, other)]
    assert files[0] == files[1]


def rows(run: Path) -> list[dict]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in row if key != "seconds"} for row in found]


def test_ten_kills_change_no_bit(serve: Serve, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code = """
first, run, log = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
moments = random.Random(0)
steps = json.loads(sys.argv[4])
targets = [0, *sorted(moments.randrange(1, steps - 20) for _ in range(9))]
words, statuses = first, []
for target in targets:
    child = begin(words, log)
    wait_for(run, target, child)
    time.sleep(moments.random() * 0.01)
    os.kill(child, signal.SIGKILL)
    statuses.append(end(child))
    if (Path(run) / "run.toml").exists():
        words = ["fit", "--resume", run]
statuses.append(end(begin(words, log)))
tell(statuses=statuses, log=Path(log).read_text())
"""
    words = json.dumps([*FIT, "--out", str(run)])
    found = serve(code, words, run, tmp_path / "log", STEPS)
    assert found["statuses"] == [-9] * 10 + [0], found
    assert_same(run, whole)
    assert rows(run) == rows(whole)


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_ctrl_c_saves_and_says_how_to_go_on(
    serve: Serve, whole: Path, tmp_path: Path, name: str, status: int
) -> None:
    run = tmp_path / "run"
    code = """
words, run, log, name = json.loads(sys.argv[1]), *sys.argv[2:5]
child = begin(words, log)
wait_for(run, 40, child)
for _ in range(3):  # An impatient user: the others come while the step is ended or saved.
    os.kill(child, getattr(signal, name))
    time.sleep(0.0002)
status = end(child)
stopped_at = step(run)
text = Path(log).read_text()
resumed = end(begin(["fit", "--resume", run], log))
tell(status=status, text=text, resumed=resumed, step=stopped_at)
"""
    words = json.dumps([*FIT, "--out", str(run)])
    found = serve(code, words, run, tmp_path / "log", name)
    assert found["status"] == status, found
    assert "Traceback" not in found["text"]
    assert found["resumed"] == 0
    assert found["text"].splitlines()[-1].endswith(f"ancestral fit --resume {run}")
    assert "interrupted" in found["text"]
    assert_same(run, whole)


def test_ctrl_c_elsewhere_is_quiet(serve: Serve, tmp_path: Path) -> None:
    code = """
log = sys.argv[1]
statuses = []
for pause in (0.0, 0.05, 0.2):
    out = f"{sys.argv[2]}{pause}"
    child = begin(["compare", "swiss-roll", "--models", "gmm", "--out", out], log)
    time.sleep(0.02 + pause)
    os.kill(child, signal.SIGINT)
    statuses.append(end(child))
tell(statuses=statuses, text=Path(log).read_text())
"""
    found = serve(code, tmp_path / "log", tmp_path / "c")
    assert found["statuses"] == [130] * 3, found
    assert "Traceback" not in found["text"]


def test_a_full_disk_behind_standard_output_is_one_line(serve: Serve, whole: Path) -> None:
    code = """
child = os.fork()
if child == 0:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    os.dup2(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT), 2)
    main(["sample", sys.argv[1]])
tell(status=end(child), text=Path(sys.argv[2]).read_text())
"""
    found = serve(code, whole, whole.parent / "full")
    assert found == {"status": 2, "text": "ancestral: No space left on device\n"}


def test_a_reader_that_goes_away_is_no_error(serve: Serve, whole: Path) -> None:
    code = """
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.dup2(write, 1)
    os.close(read)
    os.dup2(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT), 2)
    main(["sample", sys.argv[1], "-n", "50000"])
os.close(write)
os.read(read, 100)
os.close(read)
status = end(child)
tell(status=status, text=Path(sys.argv[2]).read_text())
"""
    found = serve(code, whole, whole.parent / "log")
    assert found == {"status": 141, "text": ""}
