"""``ancestral serve`` as a process of its own: how it begins, and how it ends.

Python and torch are started once, in a process that forks for every command.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import httpx
import pytest

FORKER = """
import json, os, sys
import torch
torch.set_num_threads(1)
import ancestral.recipes, ancestral.serving.app, ancestral.serving.door, ancestral.serving.opening
from ancestral.cli.main import main

for line in sys.stdin:
    words, out, err = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, path in enumerate((out, err), start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        main(words)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Server:
    """A command that runs; one at a time."""

    def __init__(self, forker: subprocess.Popen[str], folder: Path, *words: object) -> None:
        self._out, self._err = folder / "out", folder / "err"
        self._out.touch()
        command = ["serve", *map(str, words), "--port", "0", "--threads", "1"]
        assert forker.stdin is not None
        assert forker.stdout is not None
        forker.stdin.write(json.dumps([command, str(self._out), str(self._err)]) + "\n")
        forker.stdin.flush()
        self._answers = forker.stdout
        self._number = int(self._answers.readline())
        until(lambda: self._out.read_text().endswith("\n"))
        self.line = self._out.read_text()

    def send(self, name: str) -> None:
        os.kill(self._number, getattr(signal, name))

    def end(self) -> tuple[int, str]:
        """Return the exit status, and what was written to standard error."""
        return int(self._answers.readline()), self._err.read_text()


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def forker() -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-c", FORKER]
    with subprocess.Popen(words, stdin=PIPE, stdout=PIPE, text=True) as found:
        yield found
        assert found.stdin is not None
        found.stdin.close()


@pytest.fixture
def start(forker: subprocess.Popen[str], tmp_path: Path) -> Start:
    """Return what starts a server on a free port."""
    return lambda *words: Server(forker, tmp_path, *words)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on text."""
    from ancestral.cli.app import run

    folder = tmp_path_factory.mktemp("served")
    lines = [
        f"Verso {i}: " + " ".join(["sol", "luna", "mar"][j % 3] for j in range(i, i + 25))
        for i in range(40)
    ]
    (folder / "verses.txt").write_text("\n".join(lines) + "\n")
    tiny = ["--set", "size=tiny", "--set", "window=32", "--steps", "3", "--set", "pieces=270"]
    out = folder / "story"
    assert run(["fit", "gpt", str(folder / "verses.txt"), *tiny, "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 0), ("SIGINT", 130)])
def test_a_signal_finishes_what_has_begun_and_lets_nobody_in(
    start: Start, served: Path, name: str, status: int
) -> None:
    server = start(served, "--json", "--slots", 2)
    answer = json.loads(server.line)
    assert answer["model"] == "story"
    assert answer["run"] == str(served)
    url = answer["url"]
    asked = {"prompt": "Verso", "regex": "(?s:.){200}", "max_tokens": 800, "seed": 4}
    alone = httpx.post(f"{url}/v1/completions", json=asked, timeout=60).json()
    with httpx.stream(
        "POST", f"{url}/v1/completions", json={**asked, "stream": True}, timeout=60
    ) as stream:
        lines = stream.iter_lines()
        first = next(lines)
        server.send(name)
        refused = httpx.get(f"{url}/health")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "closing"
        parts = [first, *lines]
    events = [part.removeprefix("data: ") for part in parts if part]
    assert events[-1] == "[DONE]"
    choices = [json.loads(event)["choices"][0] for event in events[:-1]]
    assert "".join(one["text"] for one in choices) == alone["choices"][0]["text"]
    assert server.end() == (status, "")


def test_the_second_signal_does_not_wait(start: Start, served: Path) -> None:
    server = start(served, "--json")
    url = json.loads(server.line)["url"]
    asked = {"regex": "(?s:.){9000,}", "max_tokens": 4000, "stream": True}
    with httpx.stream("POST", f"{url}/v1/completions", json=asked, timeout=60) as stream:
        assert stream.status_code == 200
        server.send("SIGTERM")
        until(lambda: httpx.get(f"{url}/health").status_code == 503)
        server.send("SIGTERM")
        last = stream.read().decode().rstrip().rpartition("\n")[2]
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "closing"
        assert server.end() == (0, "")


def test_a_key_from_the_environment_and_other_machines(start: Start, served: Path) -> None:
    server = start(served, "--name", "tales", "--host", "0.0.0.0", "--api-key", "sesame")
    assert server.line.startswith("tales is served at http://0.0.0.0:")
    url = server.line.split()[4].replace("0.0.0.0", "127.0.0.1")
    assert httpx.get(f"{url}/models").status_code == 401
    headers = {"Authorization": "Bearer sesame"}
    (model,) = httpx.get(f"{url}/models", headers=headers).json()["data"]
    assert model["id"] == "tales"
    server.send("SIGTERM")
    assert server.end() == (0, "")


def test_other_machines_without_a_key_are_warned_of(start: Start, served: Path) -> None:
    server = start(served, "--host", "0.0.0.0", "--int8")
    server.send("SIGTERM")
    line = "warning: 0.0.0.0 lets other machines in, and there is no --api-key\n"
    assert server.end() == (0, line)


def test_the_key_may_come_from_the_environment(
    cli: Callable, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANCESTRAL_API_KEY", "a b")
    assert "--api-key must be of visible" in cli("serve", served, "--port", 0).line


def until(true: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < 30
        time.sleep(0.01)


def test_mistakes_are_one_line(
    cli: Callable, served: Path, fitted: Callable, tmp_path: Path
) -> None:
    assert f"no run {tmp_path}/none" in cli("serve", tmp_path / "none", "--port", 0).line
    line = cli("serve", fitted("kde-digits"), "--port", 0).line
    assert "models images: it has no tokenizer" in line
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = cli("serve", served, "--port", port).line
        assert f"127.0.0.1:{port} cannot be used: address already in use" in line
    assert "port must be 0 to 65535" in cli("serve", served, "--port", 70_000).line
    assert "host must be" in cli("serve", served, "--host", "no such host").line
    assert "slots must be at least 1, got 0" in cli("serve", served, "--slots", 0).line
    assert "timeout must be above 0" in cli("serve", served, "--timeout", "nan").line
    assert "--api-key must be of visible" in cli("serve", served, "--api-key", "a b").line


def test_without_its_packages_it_says_which_to_install(served: Path) -> None:
    code = "import sys; sys.modules['fastapi'] = None; from ancestral.cli.main import main; main()"
    words = [sys.executable, "-c", code, "serve", str(served)]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr == "ancestral: serving needs fastapi: pip install 'ancestral[serve]'\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ancestral.cli.app import run; run(['serve', '--help']); "
        "print({'torch', 'fastapi', 'uvicorn', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    environment = {**os.environ, "COLUMNS": "100"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert found.stderr == "set()\n"
    assert "--api-key" in found.stdout
    assert "ANCESTRAL_API_KEY" in found.stdout
