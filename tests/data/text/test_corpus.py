from itertools import chain
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestral.data.dataset import Dataset, Loading, TextLoading
from ancestral.data.text import Corpus, Documents, Tokenizer, load_corpus, tokenise_documents
from ancestral.errors import DataError

WORDS = Loading(text=TextLoading(tokenizer="word", window=8))


def corpus_of(data: Dataset) -> Corpus:
    assert data.corpus is not None
    return data.corpus


def splits(data: Dataset) -> tuple[Documents, Documents, Documents]:
    corpus = corpus_of(data)
    return corpus.train, corpus.validation, corpus.test


@pytest.fixture
def verses(tmp_path: Path) -> Path:
    path = tmp_path / "verses.txt"
    path.write_text("\n".join(f"verso v{n} de {n % 7} años" for n in range(50)), encoding="utf-8")
    return path


def test_documents_are_split_and_none_stands_twice(verses: Path) -> None:
    data = load_corpus(verses, WORDS)
    parts = [set(part) for part in splits(data)]
    assert [len(part) for part in splits(data)] == [40, 5, 5]
    assert set().union(*parts) == set(verses.read_text("utf-8").split("\n"))
    assert sum(map(len, parts)) == 50
    assert "40 / 5 / 5 documents, split by seed" in data.notes
    other = load_corpus(verses, Loading(seed=1, text=WORDS.text))
    assert set(corpus_of(other).test) != parts[2]
    assert other.fingerprint != data.fingerprint


def test_the_training_documents_alone_teach_the_tokenizer(verses: Path) -> None:
    data = load_corpus(verses, WORDS)
    train, validation, _ = splits(data)
    tokenizer = corpus_of(data).tokenizer
    assert tokenizer == Tokenizer.train(list(train), kind="word")
    unknown = int((validation.tokens == tokenizer.special.unk).sum())
    assert unknown > 0  # Each verse has a word of its own.
    assert any("<UNK>" in note for note in data.notes)


def test_duplicates_are_removed_before_the_split_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    whole = [" ".join(f"w{(7 * n + i) % 101}{n}" for i in range(80)) for n in range(20)]
    near = [text.replace(text.split()[40], "otra", 1) for text in whole]
    path.write_text("\n".join([*whole, *whole[:4], *near[:3]]))
    data = load_corpus(path, WORDS)
    assert data.duplicates_removed == 7
    assert "4 equal and 3 nearly equal documents removed before the split" in data.notes
    assert sorted(text for part in splits(data) for text in part) == sorted(whole)


@pytest.mark.parametrize("kind", ["bpe", "word", "character"])
def test_windows_hold_every_token_of_every_document(verses: Path, kind: str) -> None:
    text = TextLoading(tokenizer=kind, pieces=300, window=8)  # pyright: ignore[reportArgumentType]
    data = load_corpus(verses, Loading(text=text))
    tokenizer = corpus_of(data).tokenizer
    bos, eos, _, pad = tokenizer.special
    examples = (data.train, data.validation, data.test)
    for part, windows in zip(splits(data), examples, strict=True):
        plain = [[bos, *tokenizer.encode(document), eos] for document in part]
        assert part.tokens.tolist() == list(chain.from_iterable(plain))
        assert [part.ids(index).tolist() for index in range(len(part))] == plain
        assert part.sizes.tolist() == [len(ids) for ids in plain]
        assert part.characters.tolist() == [len(document) for document in part]
        assert part.bytes.tolist() == [len(document.encode()) for document in part]
        targets = windows.x[:, 1:].flatten()
        assert targets[: len(part.tokens) - 1].tolist() == part.tokens[1:].tolist()
        assert (targets[len(part.tokens) - 1 :] == pad).all()


def test_padded_windows_are_documents(verses: Path) -> None:
    data = load_corpus(
        verses, Loading(text=TextLoading(tokenizer="word", window=4, batching="padded"))
    )
    train = splits(data)[0]
    assert data.train.x.shape == (40, 5)
    assert data.train.x.tolist() == [train.ids(index)[:5].tolist() for index in range(40)]
    assert any("cut away" in note for note in data.notes)


def test_tokens_are_mapped_reused_and_made_anew_where_the_text_changed(
    verses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANCESTRAL_CACHE", str(tmp_path / "cache"))
    built: list[tuple[int, int]] = []

    def load() -> Dataset:
        built.clear()
        return load_corpus(verses, WORDS, progress=lambda now, total: built.append((now, total)))

    first = load()
    assert built[-1] == (50, 50)
    again = load()
    assert not built
    assert again.fingerprint == first.fingerprint
    assert torch.equal(again.train.x, first.train.x)
    assert again.notes == first.notes
    # Equal contents under another name are the same documents.
    moved = verses.rename(verses.with_name("moved.txt"))
    assert load_corpus(moved, WORDS).fingerprint == first.fingerprint
    moved.rename(verses)
    with verses.open("a") as file:
        file.write("\notro verso")
    changed = load()
    assert built[-1] == (51, 51)
    assert changed.fingerprint != first.fingerprint


def test_a_tokenizer_of_another_run_is_kept(verses: Path) -> None:
    own = Tokenizer.train(["verso años de 1"], kind="word")
    data = load_corpus(verses, WORDS, tokenizer=own)
    assert corpus_of(data).tokenizer == own
    assert data.fingerprint == load_corpus(verses, WORDS).fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no text in it"),
        ("palabra", "got 1 document; each line is a document; --set documents=windows cuts"),
        ("uno\nuno\ndos", "got 2 documents and 1 copy; each line is a document"),
    ],
)
def test_too_little_text_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        load_corpus(path, WORDS)
    assert f"{path}: " in caught.value.line
    assert said in caught.value.line


def test_three_documents_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("uno\ndos\ntres")
    data = load_corpus(path, WORDS)
    assert [len(part) for part in splits(data)] == [1, 1, 1]


def test_documents_of_a_text_are_tokenised_in_their_order(verses: Path) -> None:
    tokenizer = Tokenizer.train([verses.read_text("utf-8")], pieces=300)
    found = tokenise_documents(verses, tokenizer)
    assert list(found) == verses.read_text("utf-8").split("\n")
    assert found[-1] == "verso v49 de 0 años"
    assert tokenizer.decode(found.ids(7).tolist()) == found[7]
    with pytest.raises(IndexError, match="document 50 of 50"):
        found[50]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    texts=st.lists(st.text("abc ñ1.", min_size=1).filter(str.strip), min_size=3, max_size=12),
    window=st.integers(2, 12),
    seed=st.integers(0, 3),
)
def test_documents_in_are_tokens_out(
    tmp_path: Path, texts: list[str], window: int, seed: int
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    text = TextLoading(pieces=270, window=window, documents="lines")
    if len({" ".join(each.split()) for each in texts}) < 3:
        with pytest.raises(DataError, match="3 distinct documents"):
            load_corpus(path, Loading(seed=seed, text=text))
        return
    data = load_corpus(path, Loading(seed=seed, text=text))
    tokenizer = corpus_of(data).tokenizer
    back = [
        tokenizer.decode(part.ids(i).tolist()) for part in splits(data) for i in range(len(part))
    ]
    assert len(back) == len(texts) - data.duplicates_removed
    assert set(back) <= set(texts)
    assert min(map(len, splits(data))) >= 1
    for examples, part in zip((data.train, data.validation, data.test), splits(data), strict=True):
        predicted = int(tokenizer.special.predicted(examples.x[:, 1:]).sum())
        assert predicted == len(part.tokens) - len(part)
