"""Mistakes are answered in OpenAI's shape, in one sentence that names the parameter."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from tests.serving.conftest import Serve, Server


@pytest.fixture(scope="module")
def words(serve: Serve) -> Iterator[Server]:
    with serve("words", slots=2, queue=1, max_tokens=50, max_prompt=10) as found:
        yield found


@pytest.mark.parametrize(
    ("asked", "param", "message"),
    [
        ({"prompt": "xyzzy plugh"}, None, "every word of the prompt is unknown to this run"),
        ({"prompt": "sol " * 40}, "prompt", "at most 10 tokens (the window of the model is 16)"),
        ({"prompt": "sol " * 6}, "prompt", "at most 10 tokens (the window of the model is 16)"),
        ({"prompt": [1] * 11}, "prompt", "the prompt must be at most 10 tokens"),
        ({"prompt": [100_000]}, "prompt", "token ids must be 0 to "),
        ({"prompt": []}, "prompt", "prompt must be a string, a list of strings"),
        ({"prompt": {"a": 1}}, "prompt", "prompt must be a string, a list of strings"),
        ({"prompt": ["sol"] * 2, "n": 2}, "n", "prompts times n must be at most 3, got 4"),
        ({"max_tokens": 51}, "max_tokens", "max_tokens must be at most 50, got 51"),
        ({"max_tokens": "3"}, "max_tokens", "max_tokens must be a valid integer"),
        ({"temperature": -1}, "temperature", "must be greater than or equal to 0, got -1"),
        ({"top_p": 0}, "top_p", "top_p must be greater than 0"),
        ({"logprobs": 6}, "logprobs", "logprobs must be less than or equal to 5"),
        ({"stop": ["a"] * 5}, "stop", "stop must be a string"),
        ({"stop": ""}, "stop", "stop must be a string that is not empty"),
        ({"regex": "("}, None, "the grammar cannot be read"),
        ({"regex": "a{1000000000}"}, None, "the grammar cannot be followed: lexer error"),
        ({"schema": {"type": 7}}, None, "the grammar cannot be read"),
        ({"regex": "a", "schema": {}}, "regex", "exclude each other"),
        ({"suffix": "x"}, "suffix", "suffix is not supported"),
        ({"logit_bias": {"1": 2.0}}, "logit_bias", "logit_bias is not supported"),
        ({"best_of": 2}, "best_of", "best_of must be n = 1, or not given, got 2"),
        ({"max_length": 3}, "max_length", "there is no parameter max_length"),
    ],
)
def test_what_is_wrong_is_said(
    words: Server, asked: dict[str, Any], param: str | None, message: str
) -> None:
    error = words.refused(400, **asked)
    assert message in error["message"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("prompt", ["sol " * 40, "sol " * 6, [1] * 40, [1] * 11])
def test_a_prompt_past_the_window_has_a_code_of_its_own(words: Server, prompt: object) -> None:
    assert words.refused(400, prompt=prompt)["code"] == "context_length_exceeded"


def test_another_model_is_not_found(words: Server) -> None:
    error = words.refused(404, model="gpt-4", prompt="sol")
    assert error["message"] == "there is no model gpt-4; the one that is served is words"
    assert error["code"] == "model_not_found"
    for path in ("/tokenize", "/detokenize"):
        body = (
            {"model": "x", "prompt": "a"} if path == "/tokenize" else {"model": "x", "tokens": []}
        )
        assert words.http.post(path, json=body).status_code == 404
    with pytest.raises(openai.NotFoundError):
        words.client.models.retrieve("gpt-4")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"prompt": "\xff"}', b"[" * 100_000, b"3"])
def test_what_is_no_json_object_is_refused(words: Server, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = words.http.post("/v1/completions", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("the body must be")


def test_what_is_no_character_is_refused(words: Server) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/v1/completions", "/tokenize"):
        answer = words.http.post(path, content=b'{"prompt": "a \\ud800"}', headers=headers)
        assert answer.status_code == 400, answer.text


def test_numbers_that_are_none_are_refused(words: Server) -> None:
    headers = {"Content-Type": "application/json"}
    for number in ("NaN", "Infinity", "1e999", "-1" + "0" * 5000):
        body = f'{{"prompt": "sol", "temperature": {number}}}'
        answer = words.http.post("/v1/completions", content=body, headers=headers)
        assert answer.status_code == 400, number


def test_other_paths_and_methods_are_refused(words: Server) -> None:
    assert words.http.get("/v1/chat").json()["error"]["message"] == "there is nothing at /v1/chat"
    answer = words.http.get("/v1/completions")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json()["error"]["message"] == "/v1/completions does not take GET"


def test_the_client_of_openai_understands(words: Server) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        words.client.completions.create(model="words", prompt="sol", max_tokens=99)
    assert caught.value.body == {
        "message": "max_tokens must be at most 50, got 99",
        "type": "invalid_request_error",
        "param": "max_tokens",
        "code": None,
    }


def test_the_tokenizer_answers(words: Server) -> None:
    tokenizer, http = words.served.tokenizer, words.http

    def ask(path: str, **body: Any) -> httpx.Response:  # noqa: ANN401 - any JSON
        return http.post(path, json=body)

    found = ask("/tokenize", prompt="sol luna", add_special_tokens=False).json()
    assert found["tokens"] == tokenizer.encode("sol luna")
    assert found["max_model_len"] == 16
    with_bos = ask("/tokenize", prompt="sol luna").json()
    assert with_bos["tokens"] == [tokenizer.special.bos, *found["tokens"]]
    assert with_bos["count"] == len(found["tokens"]) + 1
    assert ask("/detokenize", tokens=with_bos["tokens"]).json() == {"prompt": "sol luna"}
    info = http.get("/tokenizer_info").json()
    for name in ("bos", "eos", "unk", "pad"):
        ids = ask("/tokenize", prompt=info[f"{name}_token"], add_special_tokens=False).json()
        assert ids["tokens"] == [getattr(tokenizer.special, name)]
    assert ask("/detokenize", tokens=[10**6]).status_code == 400
