"""Clients that go away, are slow, or are many."""

import json
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tests.serving.conftest import LONG, Serve, Server
from torch import nn

from ancestral.serving import gate


def until(true: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < 30
        time.sleep(0.005)


def idle(server: Server) -> bool:
    load = server.served.engine.load
    return not (load.running or load.waiting)


def connect(server: Server, asked: dict) -> socket.socket:
    """Send a request over a bare socket."""
    host, port = server.url.removeprefix("http://").split(":")
    found = socket.create_connection((host, int(port)), timeout=30)
    body = json.dumps(asked).encode()
    found.sendall(
        b"POST /v1/completions HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    return found


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_is_killed_frees_its_slots(server: Server, stream: bool) -> None:
    until(lambda: idle(server))
    asked = {"prompt": "sol", "regex": LONG, "max_tokens": 4000, "n": 20, "stream": stream}
    client = connect(server, asked)
    if stream:
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    until(lambda: server.served.engine.load.running == 16)
    assert server.served.engine.load.waiting == 4
    generated = server.served.engine.load.generated
    # As where the process is killed or the line cut: a reset, and no goodbye.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    until(lambda: idle(server))
    assert server.served.engine.load.generated - generated < 20 * 3000
    assert server.complete(prompt="sol", seed=1)["choices"][0]["text"]


def test_a_request_that_takes_too_long_ends_with_an_error(serve: Serve) -> None:
    with serve(timeout=0.3) as server:
        asked = {"prompt": "sol", "regex": LONG, "max_tokens": 4000}
        error = server.refused(504, **asked)
        assert error["message"] == "the request took more than 0.3 seconds"
        assert error["code"] == "timeout"
        answer = server.http.post("/v1/completions", json={**asked, "stream": True})
        *parts, last, rest = answer.text.split("\n\n")
        assert rest == ""
        assert len(parts) > 1
        assert json.loads(last.removeprefix("data: "))["error"] == error
        until(lambda: idle(server))


def test_a_body_that_does_not_come_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "PATIENCE", 0.05)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(b"POST /tokenize HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{")
        answer = client.makefile("rb").read().decode()  # To the end: the connection is closed.
    assert answer.startswith("HTTP/1.1 408")
    assert "the body must arrive in 0.05 seconds" in answer


def test_a_model_that_is_broken_is_an_error_of_the_server(serve: Serve) -> None:
    with serve() as server:
        model = server.served.writer.model
        assert isinstance(model, nn.Module)
        with torch.no_grad():
            next(model.parameters()).fill_(torch.nan)
        error = server.refused(500, prompt="sol")
        assert "the largest logit must be finite" in error["message"]
        assert error["type"] == "server_error"
        answer = server.http.post("/v1/completions", json={"prompt": "sol", "stream": True})
        assert json.loads(answer.text.removeprefix("data: "))["error"] == error
        until(lambda: idle(server))


def test_many_streams_are_whole_and_as_if_each_were_alone(server: Server) -> None:
    asked = [
        {
            "prompt": "Verso 3: sol año"[: 1 + i % 16],
            "seed": i,
            "max_tokens": 20 + 5 * (i % 7),
            "temperature": (0, 0.7, 1)[i % 3],
            "logprobs": 1,
        }
        for i in range(24)
    ]

    def stream(one: dict) -> list:
        answer = server.http.post("/v1/completions", json={**one, "stream": True})
        *parts, last, _ = answer.text.split("\n\n")
        assert last == "data: [DONE]"
        choices = [json.loads(part.removeprefix("data: "))["choices"][0] for part in parts]
        numbers = [value for choice in choices for value in choice["logprobs"]["token_logprobs"]]
        return ["".join(choice["text"] for choice in choices), numbers]

    alone = [stream(one) for one in asked]
    with ThreadPoolExecutor(24) as pool:
        together = list(pool.map(stream, asked))
    assert together == alone  # Text and numbers, bit for bit.


def test_what_was_counted_is_told(server: Server) -> None:
    def number(name: str) -> float:
        lines = server.http.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    names = {
        "ancestral_generated_tokens_total": 12,
        "ancestral_prompt_tokens_total": 3,
        'ancestral_requests_total{path="/v1/completions",status="200"}': 1,
        'ancestral_requests_total{path="/v1/completions",status="400"}': 1,
        'ancestral_requests_total{path="other",status="404"}': 1,
        "ancestral_time_to_first_token_seconds_count": 1,
        "ancestral_time_per_token_seconds_count": 1,
    }
    before = {name: number(name) for name in names}
    server.complete(prompt=[1, 2], max_tokens=12, regex=LONG)
    server.refused(400, n=0)
    server.http.get("/nowhere")
    until(lambda: idle(server))
    assert {name: number(name) - before[name] for name in names} == names
    assert number("ancestral_slots ") == 16
    assert number("ancestral_slots_in_use ") == number("ancestral_queue ") == 0
