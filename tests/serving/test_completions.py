"""OpenAI's legacy completions, asked by OpenAI's own client."""

import json
import math
from itertools import chain

import pytest
import torch
from tests.serving.conftest import Serve, Server

from ancestral.autoregressive.decoding import Decoding, collect, generate
from ancestral.evaluation.text import token_log_probs

PROMPT = "Verso 3: sol año"


def events(server: Server, **asked: object) -> list[dict]:
    """Return what a stream told, and check its form."""
    with server.http.stream("POST", "/v1/completions", json={**asked, "stream": True}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = answer.read().decode()
    *parts, last, rest = text.split("\n\n")
    assert (last, rest) == ("data: [DONE]", "")
    return [json.loads(part.removeprefix("data: ")) for part in parts]


def joined(chunks: list[dict], index: int = 0) -> str:
    found = [one for chunk in chunks for one in chunk["choices"] if one["index"] == index]
    assert [one["finish_reason"] for one in found[:-1]] == [None] * (len(found) - 1)
    assert found[-1]["finish_reason"] in {"stop", "length"}
    return "".join(one["text"] for one in found)


def test_the_client_of_openai_lists_and_completes(server: Server) -> None:
    (model,) = server.client.models.list().data
    assert model.id == "gpt"
    assert server.client.models.retrieve("gpt").id == "gpt"
    found = server.client.completions.create(model="gpt", prompt=PROMPT, seed=1)
    assert found.usage is not None
    assert found.usage.completion_tokens == 16
    assert found.choices[0].finish_reason == "length"
    assert found.choices[0].logprobs is None


def test_the_client_of_openai_streams(server: Server) -> None:
    asked = {"model": "gpt", "prompt": PROMPT, "seed": 1, "max_tokens": 40, "n": 2}
    whole = server.client.completions.create(**asked)
    texts = ["", ""]
    for chunk in server.client.completions.create(**asked, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == [choice.text for choice in whole.choices]


def test_the_usage_comes_last_if_it_is_asked_for(server: Server) -> None:
    asked = {"prompt": PROMPT, "seed": 1, "max_tokens": 5}
    *chunks, last = events(server, **asked, stream_options={"include_usage": True})
    assert last["choices"] == []
    assert last["usage"] == server.complete(**asked)["usage"]
    assert all(chunk["usage"] is None for chunk in chunks)
    assert all("usage" not in chunk for chunk in events(server, **asked))


def test_greedy_is_the_most_probable_text(server: Server) -> None:
    model, tokenizer = server.served.writer.model, server.served.tokenizer
    prompt = [tokenizer.special.bos, *tokenizer.encode(PROMPT)]
    (expected,) = collect(generate(model, [prompt], Decoding.greedy(), max_tokens=20))
    found = server.complete(prompt=PROMPT, temperature=0, max_tokens=20, logprobs=0)
    assert found["choices"][0]["text"] == tokenizer.decode(expected.tokens)
    # Another number of rows in a product of matrices: float32, sums of some 64 terms.
    assert found["choices"][0]["logprobs"]["token_logprobs"] == pytest.approx(
        expected.log_probs, abs=1e-4
    )


def test_a_temperature_next_to_0_is_0(server: Server) -> None:
    greedy = server.complete(prompt=PROMPT, temperature=0)["choices"]
    assert server.complete(prompt=PROMPT, temperature=1e-300)["choices"] == greedy


def test_echo_tells_the_log_probabilities_of_the_prompt(server: Server) -> None:
    asked = {"prompt": PROMPT, "echo": True, "logprobs": 2, "max_tokens": 1, "seed": 0}
    found = server.complete(**asked)["choices"][0]
    tokenizer = server.served.tokenizer
    ids = tokenizer.encode(PROMPT)
    exact = token_log_probs(
        server.served.writer.model, torch.tensor([tokenizer.special.bos, *ids])
    ).tolist()
    told = found["logprobs"]
    assert told["token_logprobs"][0] is None
    assert told["top_logprobs"][0] is None
    assert told["token_logprobs"][1 : len(ids)] == pytest.approx(exact[1:], abs=1e-4)
    assert found["text"].startswith(PROMPT)
    for token, offset in zip(told["tokens"], told["text_offset"], strict=True):
        assert token.startswith("bytes:") or found["text"][offset:].startswith(token)
    for value, top in zip(told["token_logprobs"][1:], told["top_logprobs"][1:], strict=True):
        assert 2 <= len(top) <= 3
        assert value in top.values()
    chunks = events(server, **asked)
    assert joined(chunks) == found["text"]
    parts = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert {name: [*chain(*(part[name] for part in parts))] for name in told} == told


def test_ids_are_taken_as_they_are_and_bos_is_hidden_unless_it_is_given(server: Server) -> None:
    tokenizer = server.served.tokenizer
    ids = tokenizer.encode(PROMPT)
    asked = {"echo": True, "logprobs": 0, "max_tokens": 4, "seed": 5}
    by_text, by_ids, with_bos = (
        server.complete(**asked, prompt=prompt)
        for prompt in (PROMPT, ids, [tokenizer.special.bos, *ids])
    )
    assert by_ids["choices"] == by_text["choices"]
    assert with_bos["choices"][0]["text"] == by_text["choices"][0]["text"]
    told, bare = (one["choices"][0]["logprobs"] for one in (with_bos, by_ids))
    assert told["tokens"] == ["<BOS>", *bare["tokens"]]
    # Given with BOS, the first token of the text has a log-probability, too.
    assert told["token_logprobs"][2:] == bare["token_logprobs"][1:]
    assert told["token_logprobs"][1] < 0
    assert with_bos["usage"]["prompt_tokens"] == by_ids["usage"]["prompt_tokens"] + 1


def test_bits_of_a_document_are_those_of_an_evaluation(server: Server) -> None:
    tokenizer = server.served.tokenizer
    text = "Verso 9: sol mar año luna."
    ids = [tokenizer.special.bos, *tokenizer.encode(text)]
    # As lm-eval asks: everything echoed, one token more, which is left out, as is BOS.
    asked = {"prompt": ids, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
    told = server.complete(**asked)["choices"][0]["logprobs"]["token_logprobs"][1:-1]
    exact = token_log_probs(server.served.writer.model, torch.tensor(ids)).tolist()
    size = len(text.encode()) * math.log(2)
    assert math.fsum(told) / size == pytest.approx(math.fsum(exact) / size, abs=1e-6)


def test_nothing_is_generated_where_nothing_is_asked_for(server: Server) -> None:
    found = server.complete(prompt=PROMPT, echo=True, logprobs=1, max_tokens=0)
    (choice,) = found["choices"]
    assert choice["text"] == PROMPT
    assert choice["finish_reason"] == "length"
    assert found["usage"]["completion_tokens"] == 0
    assert server.complete(prompt=PROMPT, max_tokens=0)["choices"][0]["text"] == ""


def test_choices_have_seeds_of_their_own_and_prompts_are_drawn_as_if_alone(server: Server) -> None:
    found = server.complete(prompt=[PROMPT, "luna"], n=4, seed=7, max_tokens=12)["choices"]
    assert [choice["index"] for choice in found] == list(range(8))
    for choice in found:
        prompt, number = divmod(choice["index"], 4)
        alone = server.complete(prompt=[PROMPT, "luna"][prompt], seed=7 + number, max_tokens=12)
        assert alone["choices"][0]["text"] == choice["text"]
    assert len({choice["text"] for choice in found}) == 8


def test_without_a_seed_the_texts_differ(server: Server) -> None:
    found = server.complete(prompt=[PROMPT, PROMPT], n=2, max_tokens=30)["choices"]
    assert len({choice["text"] for choice in found}) == 4


@pytest.mark.parametrize("stop", ["ol lu", ["zzz", "na"], "ñ"])
def test_a_text_ends_before_a_stop_string(server: Server, stop: str | list[str]) -> None:
    asked = {"prompt": PROMPT, "max_tokens": 60, "logprobs": 0, "regex": "( sol luna| año)+"}
    stops = [stop] if isinstance(stop, str) else stop
    for seed in range(3):
        free = server.complete(**asked, seed=seed)["choices"][0]["text"]
        held = server.complete(**asked, seed=seed, stop=stop)["choices"][0]
        places = [at for string in stops if (at := free.find(string)) >= 0]
        assert places
        assert held["text"] == free[: min(places)]
        assert held["finish_reason"] == "stop"
        assert all(at < len(held["text"]) for at in held["logprobs"]["text_offset"])
        assert joined(events(server, **asked, seed=seed, stop=stop)) == held["text"]


def test_a_text_ends_at_its_end(serve: Serve) -> None:
    with serve("words") as server:
        found = [server.complete(prompt="", seed=seed, max_tokens=200) for seed in range(20)]
    ended = [one for one in found if one["choices"][0]["finish_reason"] == "stop"]
    assert ended
    assert all(one["usage"]["completion_tokens"] <= 200 for one in ended)
    assert not any("<EOS>" in one["choices"][0]["text"] for one in found)


def test_characters_of_several_tokens_are_sent_whole(server: Server) -> None:
    asked = {"prompt": "", "regex": "[ñé€]{8}", "max_tokens": 40, "seed": 3}
    chunks = events(server, **asked)
    assert all("\ufffd" not in chunk["choices"][0]["text"] for chunk in chunks)
    assert len(joined(chunks)) == 8


def test_a_text_fits_its_schema(server: Server) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
    asked = {"prompt": "", "schema": {**schema, "additionalProperties": False}, "max_tokens": 60}
    # Blanks are allowed without end, so that a text may be cut by the limit, in blanks.
    found = server.complete(**asked, seed=0, n=16)["choices"]
    whole = [one["text"] for one in found if one["finish_reason"] == "stop"]
    assert whole
    assert all(json.loads(text)["a"] in {1, 2} for text in whole)


def test_the_models_of_counts_are_served_as_well(serve: Serve) -> None:
    with serve("kneser-ney") as server:
        found = server.complete(prompt="sol", echo=True, logprobs=1, max_tokens=8, seed=1)
        assert found["choices"][0]["text"].startswith("sol")
        server.complete(prompt="sol " * 100, max_tokens=100)
