import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestral.capabilities import SpecialTokens
from ancestral.data.text import SPECIAL_NAMES, Stream, Tokenizer, TokenizerKind
from ancestral.errors import DataError

KINDS: tuple[TokenizerKind, ...] = ("bpe", "word", "character")
TEXTS = [
    "Había una vez, en un pueblo\tmuy lejano: ¡3 ñandúes y 2 gatos!\n",
    "El año 1605 salió abc12 de 12abc; «así» — dijo. <BOS> y <PAD>",
    "a\u0301 x² ½ _y_ 漢字 🙂🏽\u200d ٣",
]
ALPHABET = sorted({letter for text in TEXTS for letter in text})
OFTEN = 5 * TEXTS
"""As often as a piece must stand in a text."""

MADE = {kind: Tokenizer.train(OFTEN, kind=kind, pieces=300) for kind in KINDS}


def test_the_books_example() -> None:
    # LM-01 and LM-03: the base tokens in the book's order a, b, c, d, blank.
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as Library
    from tokenizers.models import WordLevel

    library = Library.from_str(Tokenizer.train(["a b c d"], kind="word").to_json())
    names = ["a", "b", "c", "d", " ", *SPECIAL_NAMES]
    library.model = WordLevel({name: i for i, name in enumerate(names)}, unk_token="<UNK>")
    library.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL_NAMES])
    tokenizer = Tokenizer(library)
    assert tokenizer.special == SpecialTokens(bos=5, eos=6, unk=7, pad=8)
    ids = tokenizer.encode("a b c d e")
    assert ids == [0, 4, 1, 4, 2, 4, 3, 4, 7]
    assert tokenizer.decode(ids, skip_special=False) == "a b c d <UNK>"
    assert tokenizer.decode(ids) == "a b c d "


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_are_the_last_and_cannot_be_forged(kind: TokenizerKind) -> None:
    tokenizer = MADE[kind]
    assert tuple(tokenizer.special) == tuple(range(len(tokenizer) - 4, len(tokenizer)))
    for copy in (tokenizer, Tokenizer.from_json(tokenizer.to_json())):
        ids = copy.encode("<BOS> y <PAD>")
        assert max(ids) < copy.special.bos
        assert copy.decode(ids) == "<BOS> y <PAD>"
    # Also where the text repeats the spelling until a merge would pay.
    forged = Tokenizer.train(["<BOS><EOS>" * 500], kind=kind, pieces=400)
    assert max(forged.encode("<BOS><EOS><UNK><PAD>".replace("UNK", "BOS"))) < len(forged) - 1
    assert forged.special.bos not in forged.encode("<BOS>")


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(st.sampled_from(ALPHABET)))
def test_decode_undoes_encode_over_the_alphabet(kind: TokenizerKind, text: str) -> None:
    # A word is known as a whole: the alphabet of words is the text itself.
    tokenizer = Tokenizer.train([text], kind=kind) if kind == "word" else MADE[kind]
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(ids, skip_special=False) == text


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_pieces_of_bytes_know_every_text(text: str) -> None:
    assert MADE["bpe"].decode(MADE["bpe"].encode(text)) == text


@given(text=st.text(st.one_of(st.sampled_from(ALPHABET), st.characters(max_codepoint=0x24F))))
def test_words_are_split_as_the_books_pattern_does(text: str) -> None:
    tokens = re.findall(r"\d|[^\w\s]|\w+|\s", text)
    tokenizer = Tokenizer.train([text], kind="word")
    assert [tokenizer.token(i) for i in tokenizer.encode(text)] == tokens
    assert [tokenizer.token(i) for i in range(len(tokenizer) - 4)] == sorted(set(tokens))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_streams_add_up_to_decode(kind: TokenizerKind, data: st.DataObject) -> None:
    tokenizer = MADE[kind]
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1)))
    for skip in (True, False):
        stream = tokenizer.stream(skip_special=skip)
        parts = [stream.feed([index]) for index in ids]
        assert "".join([*parts, stream.finish()]) == tokenizer.decode(ids, skip_special=skip)


def test_a_stream_holds_incomplete_characters_back() -> None:
    tokenizer = Tokenizer.train(["x"], pieces=261)
    stream = Stream(tokenizer)
    assert [stream.feed([i]) for i in tokenizer.encode("é🙂")] == ["", "é", "", "", "", "🙂"]
    assert stream.feed(tokenizer.encode("é")[:1]) == ""
    assert stream.finish() == "\N{REPLACEMENT CHARACTER}"
    assert stream.feed(tokenizer.encode("a")) == "a"


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_agrees_with_the_library(kind: TokenizerKind) -> None:
    tokenizer = MADE[kind]
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert tokenizer.library.decode(ids, skip_special_tokens=True) == tokenizer.decode(ids)
        assert tokenizer.encode_batch([text, "", text]) == [ids, [], ids]


@pytest.mark.parametrize("kind", KINDS)
def test_offsets_and_bytes_cover_the_text(kind: TokenizerKind) -> None:
    tokenizer = MADE[kind]
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode()
        spans = tokenizer.offsets(text)
        assert len(spans) == len(ids)
        covered = {place for start, end in spans for place in range(start, end)}
        assert covered == set(range(len(text)))
        for (start, end), index in zip(spans, ids, strict=True):
            piece = tokenizer.token_bytes(index)
            assert piece in text[start:end].encode()


def test_pieces_are_a_ceiling_and_hold_all_bytes() -> None:
    small, large = (Tokenizer.train(OFTEN, pieces=pieces) for pieces in (280, 10_000))
    assert len(small) == 280
    assert 280 < len(large) < 10_000  # Nothing is left to join.
    assert {small.token_bytes(i) for i in range(256)} == {bytes([i]) for i in range(256)}
    assert Tokenizer.train(OFTEN, pieces=280) == small
    assert len(Tokenizer.train(4 * ["abc"], pieces=280)) == 260  # Too rare to be a piece.
    assert len(Tokenizer.train(5 * ["abc"], pieces=280)) == 262


@pytest.mark.parametrize("kind", KINDS)
def test_long_texts_have_the_ids_that_the_library_gives_them(kind: TokenizerKind) -> None:
    tokenizer = Tokenizer.train(5 * ["año y mar, año y sol"], kind=kind, pieces=270)
    text = "año y mar: ño!\n" * 1000
    assert tokenizer.encode(text) == tokenizer.library.encode(text, add_special_tokens=False).ids


def test_unknown_words_and_characters_are_unk() -> None:
    word, character = MADE["word"], MADE["character"]
    assert word.encode("gatos perros") == [*word.encode("gatos "), word.special.unk]
    assert character.encode("aZ") == [*character.encode("a"), character.special.unk]
    assert character.decode(character.encode("aZ"), skip_special=False) == "a<UNK>"


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_unchanged(kind: TokenizerKind, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    MADE[kind].save(path)
    loaded = Tokenizer.load(path)
    assert loaded == MADE[kind]
    assert loaded.kind == kind
    assert pickle.loads(pickle.dumps(loaded)).encode(TEXTS[0]) == MADE[kind].encode(TEXTS[0])
    assert repr(loaded) == f"Tokenizer(kind='{kind}', vocabulary={len(loaded)})"


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    tokenizer = MADE["bpe"]
    with pytest.raises(ValueError, match=r"lone surrogate, got '\\ud800' at 1"):
        tokenizer.encode("a\ud800")
    for index in (-1, len(tokenizer)):
        for call in (tokenizer.token, tokenizer.token_bytes, lambda i: tokenizer.decode([i])):
            with pytest.raises(ValueError, match=rf"ids must be in \[0, 300\), got {index}"):
                call(index)
    with pytest.raises(ValueError, match="pieces must be at least 261, got 260"):
        Tokenizer.train(TEXTS, pieces=260)
    with pytest.raises(ValueError, match="kind must be"):
        Tokenizer.train(TEXTS, kind="wordpiece")  # type: ignore[arg-type]
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match=r"other\.json: not a tokenizer"):
        Tokenizer.load(tmp_path / "other.json")
    with pytest.raises(DataError, match="No such file"):
        Tokenizer.load(tmp_path / "none.json")


def test_foreign_tokenizers_are_refused() -> None:
    from tokenizers import Tokenizer as Library
    from tokenizers.models import BPE

    with pytest.raises(DataError, match="last tokens of a tokenizer must be <BOS>"):
        Tokenizer(Library(BPE()))
    library = Library(BPE())
    library.add_special_tokens(list(SPECIAL_NAMES))
    with pytest.raises(DataError, match="bytes, words or characters"):
        Tokenizer(library)


def test_the_package_is_optional() -> None:
    code = """
import sys
sys.modules["tokenizers"] = None
from ancestral.data.text import Tokenizer
try:
    Tokenizer.train(["a"])
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ("DataError text needs the package tokenizers: pip install tokenizers\n")
