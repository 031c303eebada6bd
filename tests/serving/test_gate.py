"""Who may come in and how much one may bring; who comes too many is told when to come back."""

import threading
from collections.abc import Iterator

import httpx
import openai
import pytest
from tests.serving.conftest import LONG, Serve, Server


@pytest.fixture(scope="module")
def locked(serve: Serve) -> Iterator[Server]:
    with serve(key="sesame", max_body=5000) as found:
        yield found


def test_a_key_opens(locked: Server) -> None:
    assert locked.client.completions.create(model="gpt", prompt="sol").choices
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "sesame"}):
        for path in ("/v1/models", "/metrics", "/nowhere", "/health/"):
            answer = httpx.get(locked.url + path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["code"] == "invalid_api_key"
    stranger = openai.OpenAI(base_url=f"{locked.url}/v1", api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_some_doors_need_no_key(locked: Server) -> None:
    assert locked.http.get("/health").json() == {"status": "ok"}
    described = locked.http.get("/openapi.json").json()
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert described["paths"]["/v1/models"]["get"]["security"] == [{"key": []}]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(locked: Server, chunked: bool) -> None:
    body = b'{"prompt": "' + b"sol " * 2000 + b'"}'
    headers = {"Authorization": "Bearer sesame", "Content-Type": "application/json"}
    parts = iter([body[:4000], body[4000:]])
    answer = locked.http.post(
        "/v1/completions", content=parts if chunked else body, headers=headers
    )
    assert answer.status_code == 413
    assert "the body must be at most 5000 bytes" in answer.json()["error"]["message"]
    assert locked.http.get("/health").status_code == 200


def test_who_comes_too_many_is_told_to_come_back(serve: Serve) -> None:
    with serve(slots=1, queue=1) as server:
        long = {"prompt": "", "regex": LONG, "max_tokens": 4000, "stream": True}
        begun, leave = threading.Barrier(3), threading.Event()

        def occupy() -> None:
            with server.http.stream("POST", "/v1/completions", json=long):
                begun.wait(30)
                leave.wait(30)

        others = [threading.Thread(target=occupy) for _ in range(2)]
        for other in others:
            other.start()
        begun.wait(30)  # Both are accepted: one has the slot, the other the queue.
        answer = server.http.post("/v1/completions", json={"prompt": "sol"})
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["type"] == "rate_limit_error"
        with pytest.raises(openai.RateLimitError):
            server.client.completions.create(model="gpt", prompt="sol", n=2)
        leave.set()
        for other in others:
            other.join()
        # The client retries by itself, and then there is room.
        patient = server.client.with_options(max_retries=5)
        assert patient.completions.create(model="gpt", prompt="sol").choices
