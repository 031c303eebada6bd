import io
import os
import subprocess
import sys
import threading
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestral.data.cache import cached
from ancestral.data.text import Found, Tokenizer, TokenizerKind, find_documents, shards
from ancestral.data.text.shards import content_digest, cut, map_tokens, write_tokens
from ancestral.errors import DataError

KINDS: tuple[TokenizerKind, ...] = ("bpe", "word", "character")
ALPHABET = "abñ 1.,_\u0301²\t漢🙂"
MADE = {
    kind: Tokenizer.train(5 * [ALPHABET, "ab ñab 1a ba_ab"], kind=kind, pieces=280)
    for kind in KINDS
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANCESTRAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def lines(folder: Path, texts: list[str]) -> Found:
    path = folder / "a.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    return find_documents(path, "lines")


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(ALPHABET).filter(str.strip), min_size=1, max_size=5),
    batch=st.integers(1, 50),
    part=st.integers(1, 20),
)
def test_tokens_do_not_depend_on_batches_and_parts(
    kind: TokenizerKind, tmp_path: Path, texts: list[str], batch: int, part: int
) -> None:
    tokenizer, found = MADE[kind], lines(tmp_path, texts)
    file, seen = io.BytesIO(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "BATCH", batch)
        patch.setattr(shards, "PART", part)
        starts, characters = write_tokens(
            found, tokenizer, file, lambda now, total: seen.append((now, total))
        )
    tokens = np.frombuffer(file.getvalue(), dtype=np.int32)
    # The plain way: one document after the other, each in one piece.
    bos, eos = tokenizer.special.bos, tokenizer.special.eos
    plain = [[bos, *tokenizer.encode(text), eos] for text in texts]
    assert tokens.tolist() == list(chain.from_iterable(plain))
    assert starts.tolist() == np.cumsum([0, *map(len, plain)])[:-1].tolist()
    assert characters.tolist() == [len(text) for text in texts]
    assert seen[-1] == (len(texts), len(texts))
    assert [now for now, _ in seen] == sorted({now for now, _ in seen})


@given(text=st.text(st.sampled_from("ab ñ1."), max_size=200), part=st.integers(1, 20))
def test_parts_add_up_to_the_text(text: str, part: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "PART", part)
        parts = list(cut(text))
    assert "".join(parts) == text
    assert all(len(one) >= part for one in parts[:-1])


def test_several_threads_give_the_tokens_of_one(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from ancestral.data.text import Tokenizer, find_documents
from ancestral.data.text.shards import write_tokens
with open(sys.argv[3], "wb") as file:
    write_tokens(find_documents(Path(sys.argv[1])), Tokenizer.load(sys.argv[2]), file)
"""
    words = np.random.default_rng(0).choice(["sol", "mar ", "año.", "1605"], (300, 40))
    lines(tmp_path, [" ".join(row) for row in words])
    MADE["bpe"].save(tmp_path / "t.json")
    for name, parallel in (("one", "false"), ("all", "true")):
        call = [sys.executable, "-c", code, *(str(tmp_path / n) for n in ("a.txt", "t.json", name))]
        subprocess.run(call, check=True, env=os.environ | {"TOKENIZERS_PARALLELISM": parallel})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "all").read_bytes()


def test_tokens_are_mapped_not_read(tmp_path: Path) -> None:
    np.arange(1000, dtype=np.int32).tofile(tmp_path / "t")
    tokens = map_tokens(tmp_path / "t")
    tokens[0] = 7  # Copy on write: the file stays as it is.
    assert np.fromfile(tmp_path / "t", dtype=np.int32)[0] == 0
    assert tokens[[0, -1]].tolist() == [7, 999]
    if (maps := Path("/proc/self/maps")).exists():
        assert str(tmp_path / "t") in maps.read_text()


def test_what_is_whole_is_reused_and_what_is_damaged_built_again(cache: Path) -> None:
    built = []

    def build(folder: Path) -> dict[str, object]:
        (folder / "part").write_text("whole")
        built.append(folder)
        return {"number": len(built)}

    folder, said = cached("key", build)
    assert folder == cache / "corpora" / "key"
    assert cached("key", build) == (folder, said)
    assert cached("other", build)[1] == {"number": 2}
    (folder / "part").write_text("whale")
    assert cached("key", build) == (folder, {"number": 3})
    assert (folder / "part").read_text() == "whole"
    (folder / "part").unlink()
    assert cached("key", build)[1] == {"number": 4}
    (folder / "meta.json").write_text("[]")
    assert cached("key", build)[1] == {"number": 5}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["key", "other"]


def test_a_build_that_fails_leaves_nothing(cache: Path) -> None:
    def fails(folder: Path) -> dict[str, object]:
        (folder / "part").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("key", fails)
    assert list((cache / "corpora").iterdir()) == []


def test_two_that_build_at_once_both_go_on(cache: Path) -> None:
    barrier = threading.Barrier(2)
    found = []

    def build(folder: Path) -> dict[str, object]:
        (folder / "part").write_text("whole")
        barrier.wait(timeout=60)
        return {}

    calls = [threading.Thread(target=lambda: found.append(cached("key", build))) for _ in range(2)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert [folder for folder, _ in found] == [cache / "corpora" / "key"] * 2
    assert (found[0][0] / "part").read_text() == "whole"


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANCESTRAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DataError, match=r"the cache .*corpora cannot be written: .*ANCESTRAL_CACHE"
    ):
        cached("key", lambda _: {})


def test_contents_tell_files_apart() -> None:
    def of(*files: list[bytes]) -> str:
        return content_digest(tuple(iter(list(enumerate(parts))) for parts in files))

    assert of([b"ab", b"c"]) == of([b"a", b"bc"])
    assert len({of([b"abc"]), of([b"ab"], [b"c"]), of([b"c"], [b"ab"]), of([b"abc"], [])}) == 4
