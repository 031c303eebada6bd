"""What is sent adds up to the text, is whole characters, and holds nothing of a stop string."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestral.data.text import Tokenizer
from ancestral.serving.text import FLOOR, Assembler, Names, Told

BYTES = Names(Tokenizer.train(5 * ["año y corazón, aba abba"], pieces=266))
TOKENS = st.lists(st.integers(0, BYTES.tokenizer.vocabulary - 1), max_size=40)


def parts_of(tokens: Sequence[int], stop: Sequence[str] = ()) -> tuple[list[str], Told, bool]:
    text, told = Assembler(BYTES, stop=stop, tell=True), Told()
    parts = []
    for token in tokens:
        part, some = text.feed(token, -1.0)
        parts.append(part)
        told.extend(some)
    part, some = text.finish()
    told.extend(some)
    return [*parts, part], told, text.stopped


@given(TOKENS)
def test_the_parts_add_up_to_the_text(tokens: list[int]) -> None:
    parts, told, _ = parts_of(tokens)
    assert "".join(parts) == BYTES.tokenizer.decode(tokens)
    assert told.tokens == [BYTES(token) for token in tokens]
    assert told.text_offset == sorted(told.text_offset)


@given(
    st.text(st.sampled_from("abñ "), max_size=30),
    st.lists(st.sampled_from(["a", "ab", "ba ", "bab", "ña", "aab"]), min_size=1, max_size=3),
)
def test_nothing_of_a_stop_string_is_sent(text: str, stop: list[str]) -> None:
    # A token is a byte here: a stop string lies across the borders of tokens.
    tokens = [byte_token(byte) for byte in text.encode()]
    parts, told, stopped = parts_of(tokens, stop)
    # Of several stop strings the one that is complete first ends the text, as the engine does.
    ends = [end for end in range(len(text) + 1) if any(text[:end].endswith(s) for s in stop)]
    seen = text[: ends[0]] if ends else text
    cut = min([seen.find(string) for string in stop if string in seen], default=len(seen))
    assert stopped == bool(ends)
    assert "".join(parts) == text[:cut]
    assert all(offset < cut for offset in told.text_offset)


def test_a_character_is_sent_when_it_is_whole() -> None:
    tokens = [byte_token(byte) for byte in "ñ€".encode()]
    parts, told, _ = parts_of(tokens)
    assert parts == ["", "ñ", "", "", "€", ""]
    assert told.tokens == [f"bytes:\\x{byte:02x}" for byte in "ñ€".encode()]
    assert told.text_offset == [0, 0, 1, 1, 1]


def test_half_a_character_at_the_end_is_sent_as_unknown() -> None:
    assert parts_of([byte_token(0xC3)])[0] == ["", "\ufffd"]


def test_what_may_become_a_stop_string_is_held_back_and_sent_if_it_does_not() -> None:
    tokens = [byte_token(byte) for byte in b"xabaxab"]
    assert parts_of(tokens, ["abab"])[0] == ["x", "", "", "", "abax", "", "", "ab"]


def test_alternatives_hold_the_chosen_token_and_no_infinity() -> None:
    told = Told()
    told.add(BYTES, byte_token(97), 0, float("-inf"), [(byte_token(98), -0.5)])
    told.add(BYTES, BYTES.tokenizer.special.eos, 1, None, ())
    assert told.to_json() == {
        "tokens": ["a", "<EOS>"],
        "token_logprobs": [FLOOR, None],
        "top_logprobs": [{"b": -0.5, "a": FLOOR}, None],
        "text_offset": [0, 1],
    }


def byte_token(byte: int) -> int:
    (found,) = [i for i in range(256) if BYTES.tokenizer.token_bytes(i) == bytes([byte])]
    return found


@pytest.mark.parametrize("kind", ["word", "character"])
def test_tokens_of_other_kinds_are_their_text(kind: str) -> None:
    names = Names(Tokenizer.train(["uno dos"], kind=kind))
    tokens = names.tokenizer.encode("dos uno x")
    assert "".join(names(token) for token in tokens) == "dos uno <UNK>"
