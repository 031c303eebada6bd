"""Real servers, on free ports of this process, of tiny runs that are fitted once."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import torch

from ancestral.cli.app import run
from ancestral.serving import door
from ancestral.serving.app import Application
from ancestral.serving.limits import Limits
from ancestral.serving.opening import open_run
from ancestral.serving.served import Served

LONG = "(?s:.){3000,}"
"""What a text matches that is not to end before a test has done something to it."""


@dataclass(frozen=True)
class Server:
    url: str
    served: Served
    http: httpx.Client
    client: openai.OpenAI

    def complete(self, **asked: Any) -> dict:  # noqa: ANN401 - any JSON
        """Return the answer to a request that is not refused."""
        answer = self.http.post("/v1/completions", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, status: int, **asked: Any) -> dict:  # noqa: ANN401 - any JSON
        """Return the error of a request that is refused with this status."""
        answer = self.http.post("/v1/completions", json=asked)
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert "\n" not in error["message"]
        return error


Serve = Callable[..., AbstractContextManager[Server]]


@contextlib.contextmanager
def serving(folder: Path, *, key: str | None = None, **limits: Any) -> Iterator[Server]:  # noqa: ANN401
    """Serve a run on a free port."""
    served = open_run(folder, Limits(**limits))
    ready = threading.Event()
    with door.bind("127.0.0.1", 0) as listener:
        url = door.address(listener)
        server = door.Door(Application(served, key=key), served, ready=ready.set)
        thread = threading.Thread(target=server.serve_on, args=(listener,))
        thread.start()
        try:
            assert ready.wait(60)
            with (
                httpx.Client(base_url=url, timeout=60) as http,
                openai.OpenAI(base_url=f"{url}/v1", api_key=key or "none", max_retries=0) as client,
            ):
                yield Server(url, served, http, client)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, write_verses: Callable) -> Path:
    """Return a folder with runs: ``gpt`` of pieces of bytes, ``words`` and ``kneser-ney``."""
    found = tmp_path_factory.mktemp("served")
    write_verses(found, "río", "año")
    tiny = ["--steps", "40", "--set", "size=tiny", "--set", "batch_size=8"]
    bpe = ["--set", "tokenizer=bpe", "--set", "pieces=280", "--set", "window=64"]
    word = ["--set", "tokenizer=word", "--set", "window=16"]
    for name, words in {
        "gpt": ["gpt", *bpe, *tiny],
        "words": ["gpt", *word, *tiny],
        "kneser-ney": ["kneser-ney", *word],
    }.items():
        model, *options = words
        out = ["--out", str(found / name)]
        assert run(["fit", model, str(found / "verses.txt"), *options, *out]) == 0
    torch.set_flush_denormal(False)  # The command line sets it; hypothesis needs subnormals.
    return found


@pytest.fixture(scope="session")
def serve(folder: Path) -> Serve:
    """Return what serves one of the runs, by its name."""
    return lambda name="gpt", **options: serving(folder / name, **options)


@pytest.fixture(scope="session")
def server(serve: Serve) -> Iterator[Server]:
    """Return a server of ``gpt`` that the tests share."""
    with serve() as found:
        yield found
