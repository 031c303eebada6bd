"""What ``AutoTokenizer`` makes of an exported folder is the run's tokenizer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from ancestral.autoregressive import GPT, GPTShape
from ancestral.autoregressive.export import write_hugging_face
from ancestral.data.text import Tokenizer

KINDS = ["bpe", "word", "character"]
# Bits of the vocabulary, spelled special tokens and clean-up's favourites beside any character.
PIECES = st.one_of(
    st.sampled_from(["<BOS>", "<EOS>", "<UNK>", "<PAD>", "Mancha", "lugar", "vivía", "12", "¿no?"]),
    st.sampled_from([" ", "  ", "\n", "\t", " ,", " .", " n't", " 's", "\u00a0", "\u200b", "\r\n"]),
    st.sampled_from(["_", "²", "e\u0301", "٣", "👩\u200d🚀"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


@pytest.fixture(scope="module")
def pairs(
    tokenizers: dict[str, Tokenizer], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Tokenizer, Any]]:
    found = {}
    for kind, tokenizer in tokenizers.items():
        folder = tmp_path_factory.mktemp("export") / kind
        shape = GPTShape(window=8, width=8, layers=1, heads=1)
        write_hugging_face(GPT(len(tokenizer), shape=shape), tokenizer, folder)
        found[kind] = (tokenizer, AutoTokenizer.from_pretrained(folder))
    return found


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS)
def test_ids_and_texts_are_equal(
    pairs: dict[str, tuple[Tokenizer, Any]], kind: str, text: str
) -> None:
    mine, other = pairs[kind]
    ids = mine.encode(text)
    assert other.encode(text, add_special_tokens=False) == ids
    assert other(text)["input_ids"] == [mine.special.bos, *ids]
    assert other.decode([mine.special.bos, *ids], skip_special_tokens=True) == mine.decode(ids)
    assert other.decode(ids) == mine.decode(ids, skip_special=False)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_ids_decode_to_equal_text(
    pairs: dict[str, tuple[Tokenizer, Any]], kind: str, data: st.DataObject
) -> None:
    mine, other = pairs[kind]
    ids = data.draw(st.lists(st.integers(0, len(mine) - 1), max_size=12))
    assert other.decode(ids, skip_special_tokens=True) == mine.decode(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_text_cannot_forge_a_special_token(
    pairs: dict[str, tuple[Tokenizer, Any]], kind: str
) -> None:
    mine, other = pairs[kind]
    found = other("a<EOS>b <PAD><BOS>")["input_ids"]
    assert found[0] == mine.special.bos
    assert not {mine.special.bos, mine.special.eos, mine.special.pad} & {*found[1:]}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_padded_on_the_left(pairs: dict[str, tuple[Tokenizer, Any]], kind: str) -> None:
    mine, other = pairs[kind]
    found = other(["en un lugar", "no"], padding=True)
    assert set(found) == {"input_ids", "attention_mask"}
    short, mask = found["input_ids"][1], found["attention_mask"][1]
    real = [mine.special.bos, *mine.encode("no")]
    assert short == [mine.special.pad] * (len(short) - len(real)) + real
    assert mask == [0] * (len(short) - len(real)) + [1] * len(real)


@pytest.mark.parametrize("kind", KINDS)
def test_saving_again_keeps_it(
    pairs: dict[str, tuple[Tokenizer, Any]], kind: str, tmp_path: Path
) -> None:
    mine, other = pairs[kind]
    other.save_pretrained(tmp_path)
    again: Callable[..., Any] = AutoTokenizer.from_pretrained(tmp_path)
    text = "Un <EOS> lugar"
    assert again(text)["input_ids"] == [mine.special.bos, *mine.encode(text)]
